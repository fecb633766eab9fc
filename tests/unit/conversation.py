"""Talks with the policy in text: recogniser and emotion are given, the ranker is the real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from voicebot.dialogue.playbook import load
from voicebot.dialogue.policy import RulePolicy
from voicebot.dialogue.situation import WordSituationReader
from voicebot.domain.call import EndCause, Outcome
from voicebot.domain.dialogue import Candidate, Decision, DialogueState
from voicebot.domain.emotion import Distribution, Emotion, EmotionLabel
from voicebot.domain.script import Playbook
from voicebot.domain.speech import Alternative, Transcript, Utterance, UtteranceKind
from voicebot.domain.understanding import Understanding
from voicebot.ranker.examples import ExampleRanker
from voicebot.registry.resources import playbooks_dir

SILENCE = ""


@cache
def consumer_loan() -> Playbook:
    """Return the shipped playbook."""
    return load(playbooks_dir() / "consumer_loan.yaml")


@cache
def ranker() -> ExampleRanker:
    """Return one ranker for all tests."""
    return ExampleRanker()


class Conversation:
    """One call in text. Every decision is kept."""

    def __init__(self, slots: Mapping[str, str] | None = None, playbook: Playbook | None = None) -> None:
        self.playbook = playbook or consumer_loan()
        self.policy = RulePolicy()
        self.state: DialogueState = self.policy.begin(self.playbook, slots or {})
        self.decisions: list[Decision] = []
        self._turn(Utterance(UtteranceKind.ANSWERED, 0, 0), Transcript(""), EmotionLabel.CALM, None)

    def says(
        self,
        text: str,
        emotion: EmotionLabel = EmotionLabel.CALM,
        *,
        confidence: float = 0.9,
        candidates: Sequence[Candidate] | None = None,
        heard_ms: int | None = None,
        perhaps: Mapping[str, float] | None = None,
    ) -> Decision:
        """Let the customer speak; return what the bot does.

        `perhaps`: what may have been said instead, by share.
        """
        kind = UtteranceKind.SPEECH if text else UtteranceKind.SILENCE
        utterance = Utterance(kind, 0, 1, barged_in=heard_ms is not None, heard_ms=heard_ms)
        others = tuple(Alternative(other, share) for other, share in (perhaps or {}).items())
        heard = Transcript(text, confidence=confidence, alternatives=others)
        return self._turn(utterance, heard, emotion, candidates)

    def presses(self, key: str) -> Decision:
        """Let the customer press a key on the telephone."""
        return self._turn(
            Utterance(UtteranceKind.DTMF, 0, 0, dtmf=key), Transcript(""), EmotionLabel.CALM, ()
        )

    def ends(self, cause: EndCause = EndCause.BOT_HUNG_UP) -> Outcome:
        """End the call."""
        return self.policy.conclude(self.state, cause, self.playbook)

    @property
    def scripts(self) -> list[str]:
        """Return what was said, as script ids."""
        return [decision.script_id for decision in self.decisions]

    def _turn(
        self,
        utterance: Utterance,
        transcript: Transcript,
        emotion: EmotionLabel,
        candidates: Sequence[Candidate] | None,
    ) -> Decision:
        situation = WordSituationReader().read(transcript, None, self.state.situation)
        heard = Understanding(
            transcript, (), None, Emotion(emotion, Distribution(**{emotion.value: 1.0})), situation
        )
        allowed = self.policy.allowed(self.state, self.playbook)
        if candidates is None:
            candidates = ranker().rank(heard, self.state, self.playbook, allowed) if transcript.text else ()
        relation = self.policy.relate(heard, self.state, self.playbook)
        decision, self.state = self.policy.choose(
            utterance, heard, relation, candidates, self.state, self.playbook, seed=1
        )
        self.decisions.append(decision)
        return decision
