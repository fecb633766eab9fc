"""The dialogue policy (话术决策): an ordered list of explicit rules, then the best candidate.

The rules are named V1 to V23 in `rules` and stand in `ladder`; the reasons that a decision stores
begin with the rule's name. This file turns the winning reply into a decision and the next state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from voicebot.dialogue import choice, disposition, exploring, ladder, progress, relation, wording
from voicebot.dialogue import state as st
from voicebot.dialogue.moment import Moment
from voicebot.dialogue.relation_model import RelationModel
from voicebot.domain.answering import Teller
from voicebot.domain.call import EndCause, Outcome
from voicebot.domain.dialogue import Candidate, Decision, DialogueState, Relation
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.ports import Explorer
from voicebot.domain.script import Action, Playbook, Style
from voicebot.domain.speech import Utterance
from voicebot.domain.understanding import Understanding
from voicebot.text.announcements import by_table

_STYLES = {EmotionLabel.ANNOYED: Style.BRISK, EmotionLabel.HESITANT: Style.SOFT}


class RulePolicy:
    """DialoguePolicy: explicit rules first, then candidates × scene × relation × emotion."""

    def __init__(
        self,
        relations: RelationModel | None = None,
        explorer: Explorer | None = None,
        tells: Teller = by_table,
    ) -> None:
        """Make a policy.

        Args:
            relations: without it, relations are read by rules alone.
            explorer: without it, the best candidate is always said.
            tells: knows a machine by its words, as what listens beside the dialogue does.
        """
        self._relations = relations
        self._explorer = explorer
        self._tells = tells

    def begin(self, playbook: Playbook, slots: Mapping[str, str]) -> DialogueState:
        """Return the state before the opening."""
        return st.begin(playbook, slots)

    def allowed(self, state: DialogueState, playbook: Playbook) -> tuple[str, ...]:
        """Return the script ids that may be said now: gated by scene, needs and compliance."""
        return choice.allowed(state, playbook)

    def relate(
        self,
        understanding: Understanding,
        state: DialogueState,
        playbook: Playbook,
        candidates: Sequence[Candidate] = (),
    ) -> Relation:
        """Return how the utterance relates to those before: by the model, else by the rules."""
        text = understanding.transcript.text
        if self._relations is not None and text:
            return self._relations.relate(text, state, playbook, candidates)
        return relation.relate(text, understanding.keywords, state, playbook)

    def choose(
        self,
        utterance: Utterance,
        understanding: Understanding,
        relation: Relation,
        candidates: Sequence[Candidate],
        state: DialogueState,
        playbook: Playbook,
        seed: int,
    ) -> tuple[Decision, DialogueState]:
        """Return the decision and the state after it."""
        before = st.heard(utterance, state, playbook)
        moment = replace(
            _moment(utterance, understanding, relation, candidates, before, playbook),
            taken_back=before.used != state.used,
            machine=self._tells(understanding.transcript.text),
        )
        reply, shown = exploring.explore(ladder.reply(moment), moment, self._explorer, seed)
        reply = replace(reply, facts={**progress.learnt(moment, reply.script), **(reply.facts or {})})
        style = _STYLES.get(moment.emotion, Style.NEUTRAL)
        script = reply.script
        values = {**before.slots, **before.facts, **(reply.facts or {})}
        values[st.CALLBACK_TIME] = (reply.facts or {}).get(st.CALLBACK_SPOKEN, "")
        text, variant = reply.text, ""
        if script and not text:
            text, variant = wording.choose(script, style, values, playbook, seed)
        after = st.advance(before, utterance, understanding, reply, text)
        scene = playbook.scenes.get(after.scene)
        decision = Decision(
            action=reply.action or (script.action if script else Action.HANG_UP),
            script_id=script.id if script else "",
            script_text=text,
            style=Style.NEUTRAL if script and script.protected else style,
            candidates=tuple(candidates),
            reasons=reply.reasons,
            relation=relation,
            scene=state.scene,
            next_scene=after.scene,
            propensity=next((one.chance for one in shown if script and one.script_id == script.id), 1.0),
            shown=shown,
            variant=variant,
            playbook_version=playbook.version,
            protected=bool(script and script.protected),
            expect=after.expect,
            patience_ms=(script.patience_ms if script else 0) or (scene.patience_ms if scene else 6000),
            pause_factor=scene.pause_factor if scene else 1.0,
            do_not_call=after.opted_out and not state.opted_out,
        )
        return decision, after

    def conclude(self, state: DialogueState, cause: EndCause, playbook: Playbook) -> Outcome:
        """Return the disposition, intent level and reasons at the end of a call."""
        return disposition.conclude(state, cause, playbook)


def _moment(
    utterance: Utterance,
    understanding: Understanding,
    relation_: Relation,
    candidates: Sequence[Candidate],
    state: DialogueState,
    playbook: Playbook,
) -> Moment:
    emotion = understanding.emotion.label
    return Moment(
        utterance=utterance,
        transcript=understanding.transcript,
        situation=understanding.situation,
        emotion=emotion,
        relation=relation_,
        scored=tuple(choice.score(candidates, relation_, emotion, state, playbook)),
        last=relation.last_script(state, playbook),
        state=state,
        playbook=playbook,
    )
