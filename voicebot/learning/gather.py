"""From calls and what was said about them to samples: redacted, with consent, one verdict a turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import structlog

from voicebot.domain.call import Disposition, EndCause
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.people import FeedbackOrigin, SuggestionUse
from voicebot.domain.script import RATING, Action
from voicebot.domain.speech import UtteranceKind
from voicebot.learning import implicit, rating
from voicebot.learning.implicit import Step
from voicebot.learning.scores import THRESHOLD, Judgement, sample_weight, verdict
from voicebot.store.feedback import CLICK_WEIGHT, Feedback, FeedbackRepository
from voicebot.store.samples import FinishedCall, JudgedTurn, SampleRepository, StoredSample
from voicebot.store.session import Database
from voicebot.text.redaction import redact

SHORTEST_SLOT = 2  # characters; a shorter value is not told from other words
BETTER_WEIGHT = 1.0  # of a script that a person named as the better one
log = structlog.get_logger()


def gather(database: Database, since: datetime, now: datetime, threshold: float = THRESHOLD) -> int:
    """Notice implicit signals and make samples anew of all calls touched since; return how many samples.

    Doing it again changes nothing.
    """
    with database.transaction() as session:
        repository = SampleRepository(session)
        ended = repository.ended_between(since, now + timedelta(seconds=1))
    for call_id in ended:
        _notice(database, call_id)
    with database.transaction() as session:
        touched = sorted({*ended, *SampleRepository(session).judged_since(since)})
    return sum(_sample_call(database, call_id, now, threshold) for call_id in touched)


def _notice(database: Database, call_id: str) -> None:
    with database.transaction() as session:
        repository = SampleRepository(session)
        call = repository.call(call_id)
        if call is None or not call.cause:
            return
        found = implicit.signals(
            [_step(turn) for turn in call.turns], EndCause(call.cause), Disposition(call.disposition)
        )
        at = {turn.seq: turn.at for turn in call.turns}
        for signal in found:
            repository.noticed(
                call_id,
                signal.seq,
                signal.script_id,
                signal.name,
                signal.score,
                implicit.WEIGHT,
                at[signal.seq],
            )
        spoken = [(turn.seq, turn.said_script_id, _step(turn).spoken) for turn in call.turns]
        for one in rating.credits(spoken, call.facts):
            repository.noticed(
                call_id,
                one.seq,
                one.script_id,
                call.facts[RATING],
                one.score,
                one.weight,
                at[one.seq],
                FeedbackOrigin.CUSTOMER,
            )


def _step(turn: JudgedTurn) -> Step:
    spoken = turn.kind == UtteranceKind.SPEECH.value and bool(turn.customer_text)
    action = Action(turn.action) if turn.delivered_text is None else Action.SAY
    return Step(turn.seq, turn.said_script_id, action, EmotionLabel(turn.emotion), spoken)


def _sample_call(database: Database, call_id: str, now: datetime, threshold: float) -> int:
    with database.transaction() as session:
        repository = SampleRepository(session)
        call = repository.call(call_id)
        if call is None:
            return 0
        # Nobody is learnt from who did not agree to be called, or wants to hear nothing more of us.
        allowed = call.consented and not call.opted_out
        judged = FeedbackRepository(session).of_call(call_id) if allowed else ()
        samples = list(samples_of(call, judged, threshold))
        repository.replace(call_id, samples, now)
        return len(samples)


def samples_of(call: FinishedCall, judged: Iterable[Feedback], threshold: float) -> Iterable[StoredSample]:
    """Yield the samples of a call: of every judged utterance the scripts judged, and better ones if named.

    What a person said instead of the bot is judged by having been said: it counts like a click on `used`.
    """
    by_turn: dict[int, list[Feedback]] = {}
    for one in judged:
        by_turn.setdefault(one.seq, []).append(one)
    before: JudgedTurn | None = None
    for turn in call.turns:
        if turn.customer_text:
            yield from _samples_of_turn(call, turn, before, by_turn.get(turn.seq, ()), threshold)
        before = turn


def _samples_of_turn(
    call: FinishedCall,
    turn: JudgedTurn,
    before: JudgedTurn | None,
    judged: Iterable[Feedback],
    threshold: float,
) -> Iterator[StoredSample]:
    by_script: dict[str, list[Judgement]] = {}
    for one in judged:
        if one.score is not None:
            by_script.setdefault(one.script_id or turn.said_script_id, []).append(
                Judgement(one.origin, one.actor, one.at, one.score, one.weight, one.better_script_id)
            )
    if turn.delivered_script_id:
        about = by_script.setdefault(turn.delivered_script_id, [])
        if all(one.origin is FeedbackOrigin.IMPLICIT for one in about):
            score = SuggestionUse.USED.score
            about.append(Judgement(FeedbackOrigin.SUGGESTION, "", turn.at, score, CLICK_WEIGHT))
    verdicts = {script_id: verdict(about) for script_id, about in by_script.items() if script_id}
    for script_id, found in verdicts.items():
        if found is None:
            continue
        weight = sample_weight(found, threshold)
        yield _sample(call, turn, before, script_id, (found.score, weight, found.origin.value))
        if (better := found.better_script_id) and better not in verdicts:
            yield _sample(call, turn, before, better, (100.0, BETTER_WEIGHT, found.origin.value))


def _sample(
    call: FinishedCall,
    turn: JudgedTurn,
    before: JudgedTurn | None,
    script_id: str,
    judged: tuple[float, float, str],
) -> StoredSample:
    score, weight, origin = judged
    return StoredSample(
        call_id=call.call_id,
        seq=turn.seq,
        script_id=script_id,
        at=turn.at,
        playbook_id=call.playbook_id,
        said=hidden(turn.customer_text, call.slots),
        before=hidden(before.customer_text, call.slots) if before else "",
        agent=hidden(before.said_text, call.slots) if before else "",
        scene=turn.scene,
        keywords=tuple(hidden(word, call.slots) for word in turn.keywords),
        emotion=turn.distribution,
        score=score,
        weight=weight,
        origin=origin,
    )


def hidden(text: str, slots: Mapping[str, str]) -> str:
    """Return a text without long numbers, written or spoken, and without what is known of the contact."""
    for name, value in sorted(slots.items(), key=lambda slot: -len(slot[1])):
        if len(value) >= SHORTEST_SLOT:
            text = text.replace(value, f"{{{name}}}")
    return redact(text)
