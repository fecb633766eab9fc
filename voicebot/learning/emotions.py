"""Turns whose emotion people have labelled, as the second emotion learns them: with consent, redacted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import structlog

from voicebot.domain.emotion import Distribution, EmotionLabel, EmotionSample
from voicebot.domain.people import FeedbackOrigin
from voicebot.learning.gather import hidden
from voicebot.store.feedback import Feedback, FeedbackRepository
from voicebot.store.samples import FinishedCall, JudgedTurn, SampleRepository
from voicebot.store.session import Database

log = structlog.get_logger()


class DatabaseEmotions:
    """The EmotionSamples port over the database."""

    def __init__(self, database: Database) -> None:
        """Name the database."""
        self._database = database

    def samples(self) -> Iterator[EmotionSample]:
        """Yield the labelled turns of calls that may be learnt from, whose voice has a baseline."""
        with self._database.transaction() as session:
            calls = FeedbackRepository(session).labelled()
        for call_id in calls:
            with self._database.transaction() as session:
                call = SampleRepository(session).call(call_id)
                labels = FeedbackRepository(session).of_call(call_id)
            found = list(samples_of(call, labels)) if call else []
            if not found:
                log.info("labelled_call_is_not_learnt_from", call=call_id)
            yield from found

    def learnt(self, model: str, samples: Sequence[EmotionSample]) -> None:
        """Write which turns a model has learnt from, so that an erased person's mark it."""
        turns = [one.turn.split("/") for one in samples]
        with self._database.transaction() as session:
            SampleRepository(session).heard(model, [(call, int(seq)) for call, seq in turns])


def samples_of(call: FinishedCall, labels: Iterable[Feedback]) -> Iterator[EmotionSample]:
    """Yield the samples of a call. Of one person the newest label counts; several persons share a turn."""
    # Nobody is learnt from who did not agree to be called, or wants to hear nothing more of us.
    if not call.consented or call.opted_out:
        return
    by_turn: dict[int, dict[str, Feedback]] = {}
    for one in sorted(labels, key=lambda one: one.at):
        if one.origin is FeedbackOrigin.EMOTION:
            by_turn.setdefault(one.seq, {})[one.actor] = one
    for turn in call.turns:
        sample = _sample(call, turn, tuple(by_turn.get(turn.seq, {}).values()))
        if sample is not None:
            yield sample


def _sample(call: FinishedCall, turn: JudgedTurn, labels: Sequence[Feedback]) -> EmotionSample | None:
    sound = turn.sound
    if not labels or sound is None or not sound.baseline:
        return None
    corrected = [one.text for one in sorted(labels, key=lambda one: one.at) if one.text]
    judged = Distribution.mix((1.0, Distribution(**{EmotionLabel(one.action).value: 1.0})) for one in labels)
    return EmotionSample(
        turn=f"{call.call_id}/{turn.seq}",
        text=hidden(corrected[-1] if corrected else turn.customer_text, call.slots),
        label=judged,
        vector=sound.vector,
        baseline=sound.baseline,
        feature_version=sound.feature_version,
    )
