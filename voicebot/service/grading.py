"""Grading turns: what should be graded next, and the grade. One function each for CLI, console and API."""

from __future__ import annotations

from datetime import datetime

from voicebot.domain.errors import DataError
from voicebot.domain.people import Grade
from voicebot.store.feedback import Feedback, FeedbackRepository
from voicebot.store.grading import Doubtful, GradingQueue
from voicebot.store.outcomes import OutcomeRepository, said_script
from voicebot.store.session import Transaction


def queue(session: Transaction, since: datetime, limit: int = 20, playbook_id: str = "") -> list[Doubtful]:
    """Return the ungraded turns where the bot was least sure, the least sure first."""
    return GradingQueue(session).open(since, limit, playbook_id)


def grade(
    session: Transaction,
    call: str,
    seq: int,
    mark: Grade | float,
    actor: str,
    now: datetime,
    *,
    better_script_id: str = "",
    text: str = "",
) -> Feedback:
    """Write a person's grade of the script that was said in a turn; return it as stored.

    A later grade of the same person takes the place of an earlier one. Raises DataError.
    """
    detail = OutcomeRepository(session).call(call)
    turn = next((row for row in detail.turns if row["seq"] == seq), None)
    script_id = said_script(turn) if turn is not None else ""
    if not script_id:
        raise DataError(
            "there is no script in turn {seq} of this call",
            hint="voicebot calls show {call}",
            seq=seq,
            call=call,
        )
    feedback = FeedbackRepository(session)
    feedback.graded(
        detail.call_id, seq, script_id, mark, actor, now, better_script_id=better_script_id, text=text
    )
    return feedback.of_call(detail.call_id)[-1]
