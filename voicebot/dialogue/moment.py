"""The moment in which a rule of the conversation decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicebot.dialogue import choice, phrases
from voicebot.dialogue.answers import YES, led_on, match
from voicebot.dialogue.state import Reply
from voicebot.domain.answering import Told
from voicebot.domain.dialogue import DialogueState, Relation
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.script import Answer, Expect, Playbook, Script
from voicebot.domain.speech import Transcript, Utterance
from voicebot.domain.understanding import Situation

FLOOR = 0.12  # a candidate below this is a guess: ask back
END_FLOOR = 0.4  # for scripts that end the call: a guess must not hang up
QUESTION_FLOOR = 0.35  # an annoyed customer's question is answered if it is this clear
_NO_TIME = (Situation.BUSY, Situation.DRIVING, Situation.MEETING)
ACKNOWLEDGED = (
    Answer(
        "yes", (*YES, "明白", "明白了", "知道了", "了解", "了解了", "清楚了", "这样啊", "是这样", "哦", "噢")
    ),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything a rule may look at."""

    utterance: Utterance
    transcript: Transcript
    situation: Situation
    emotion: EmotionLabel
    relation: Relation
    scored: tuple[choice.Scored, ...]
    last: Script | None
    state: DialogueState
    playbook: Playbook
    machine: Told | None = None  # what the words tell of the number, where no person says them
    taken_back: bool = False  # the script before was interrupted too early to count

    @property
    def text(self) -> str:
        """Return the customer's words."""
        return self.transcript.text

    def probably(self, reads: Callable[[str], bool]) -> bool:
        """Whether the words, or much of what may have been said instead, read so."""
        return self.transcript.probably(reads)

    def by_act(self, act: str) -> Script | None:
        """Return the script of an act: the best candidate of that act, else the first in the file."""
        ranked = [item.script for item in self.scored if item.script.act == act]
        listed = [script for script in self.playbook.scripts.values() if script.act == act]
        return next(iter((*ranked, *listed)), None)

    def role(self, key: str) -> Script:
        """Return a script by id."""
        return self.playbook.scripts[key]

    def close(self, act: str) -> Script:
        """Return the closing script of an act, else the farewell."""
        return self.by_act(act) or self.role(self.playbook.farewell)

    def hands_over(self, why: str) -> bool:
        """Return whether the playbook wants a person here: intent, anger or unclear. Once in a call."""
        return why in self.playbook.handover_when and not self.state.closed and not self._handed_over

    @property
    def _handed_over(self) -> bool:
        return self.playbook.handover in self.state.used

    @property
    def answer(self) -> Answer | None:
        """Return the expected answer that the whole utterance is, if the last script asked for one."""
        if self.last is None or self.state.expect is Expect.OPEN:
            return None
        found = match(self.text, self.last.answers)
        if found is None and self.last.act != "confirm":
            return led_on(self.text, self.last.answers)
        return found

    @property
    def best(self) -> choice.Scored | None:
        """Return the best candidate."""
        return self.scored[0] if self.scored else None

    @property
    def refuses(self) -> bool:
        """Whether the words are a refusal, by the usual phrases or the playbook's own."""
        busy = self.situation is Situation.BUSY and not self.negative
        return self.probably(lambda text: phrases.refuses(text, busy=busy, own=self.playbook.refusals))

    @property
    def busy(self) -> bool:
        """Whether the customer has no time now and says so calmly."""
        return self.situation in _NO_TIME and not self.negative

    @property
    def negative(self) -> bool:
        """Whether words and voice together say that the customer is annoyed."""
        return self.emotion in (EmotionLabel.ANNOYED, EmotionLabel.ANGRY)


Rule = Callable[[Moment], Reply | None]


def why(best: choice.Scored) -> str:
    """Return in words why a candidate leads."""
    factors = "".join(f"，{name}×{value:g}" for name, value in best.factors if value != 1.0)
    return f"候选 {best.script.id}：{chance(best.candidate.probability)}{factors}"


def chance(probability: float) -> str:
    """Return a candidate's probability in words: two digits of less than a hundredth say nothing."""
    return f"概率{probability:.2f}" if probability >= 0.01 else "可能性低"
