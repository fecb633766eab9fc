"""Outcomes, calls, feedback on turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response

from voicebot.console.api import schemas
from voicebot.console.api.caller import Caller, needs
from voicebot.console.ranges import ranged
from voicebot.console.recordings import sound_of
from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.errors import DataError
from voicebot.domain.users import Right
from voicebot.service import grading
from voicebot.store.callers import CallerRepository
from voicebot.store.feedback import Feedback, FeedbackRepository
from voicebot.store.grading import Doubtful
from voicebot.store.outcome_pages import SORTS, OutcomePages
from voicebot.store.outcomes import CallDetail, CallOutcome, OutcomeFilter, OutcomeRepository
from voicebot.store.session import Transaction

router = APIRouter(tags=["calls"])
Sees = Annotated[Caller, Depends(needs(Right.SEE_CALLS))]
Hears = Annotated[Caller, Depends(needs(Right.HEAR_CALLS))]
Reveals = Annotated[Caller, Depends(needs(Right.REVEAL_NUMBERS))]
Grades = Annotated[Caller, Depends(needs(Right.GRADE))]
CallId = Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")]
_HIDDEN = ("call_id",)
Sort = Annotated[str, Query(pattern=f"^({'|'.join(SORTS)})$")]


@router.get("/outcomes")
async def list_outcomes(
    caller: Sees,
    campaign: Annotated[schemas.Id | None, Query()] = None,
    disposition: Annotated[list[Disposition] | None, Query(max_length=20)] = None,
    intent: Annotated[list[IntentLevel] | None, Query(max_length=6)] = None,
    since: datetime | None = None,
    until: datetime | None = None,
    sort: Sort = "newest",
    cursor: Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> schemas.OutcomesOut:
    """List outcomes a page at a time. Other orders than by time look at the newest 5,000."""
    wanted = OutcomeFilter(
        campaign or "", tuple(disposition or ()), tuple(intent or ()), schemas.utc(since), schemas.utc(until)
    )
    page = await caller.query(lambda session: OutcomePages(session).page(wanted, sort, cursor, limit))
    return schemas.OutcomesOut(items=[_outcome(outcome) for outcome in page.outcomes], next=page.next)


@router.get("/calls/{call_id}")
async def show_call(caller: Sees, call_id: CallId) -> schemas.CallOut:
    """Show a call: every turn as it was understood and decided."""
    detail: CallDetail = await caller.query(lambda session: OutcomeRepository(session).call(call_id))
    return schemas.CallOut(
        call_id=detail.call_id,
        started_at=detail.started_at,
        answered_at=detail.answered_at,
        worker=detail.worker,
        playbook=detail.playbook_id,
        campaign_id=detail.campaign_id,
        contact_id=detail.contact_id,
        outcome=_outcome(detail.outcome) if detail.outcome else None,
        turns=[{key: value for key, value in turn.items() if key not in _HIDDEN} for turn in detail.turns],
    )


@router.get("/calls/{call_id}/recording", response_class=Response)
async def send_recording(caller: Hears, request: Request, call_id: CallId) -> Response:
    """Send a call's stereo recording (WAV): customer left, bot right. The audit log keeps who heard it."""
    key = await caller.act(
        "hear_recording", f"call:{call_id}", lambda session: OutcomeRepository(session).recording(call_id)
    )
    try:
        sound = await sound_of(caller.house, key)
    except DataError as error:
        raise HTTPException(404, str(error)) from None
    return ranged(sound, "audio/wav", request.headers.get("range", ""))


@router.post("/calls/{call_id}/reveal")
async def reveal_number(caller: Reveals, call_id: CallId, why: schemas.Reason) -> schemas.Revealed:
    """Tell the whole number that was called, or that called. The reason is written to the audit log."""

    def work(session: Transaction) -> str:
        found = OutcomeRepository(session).call(call_id).call_id
        number = CallerRepository(session, caller.house.vault).number(found)
        if not number:
            raise HTTPException(404, "no number is known of this call")
        return number

    number = await caller.act("reveal_number", f"call:{call_id}", work, reason=why.reason)
    return schemas.Revealed(number=number)


@router.get("/calls/{call_id}/feedback")
async def list_feedback(caller: Sees, call_id: CallId) -> schemas.FeedbacksOut:
    """List the judgements on a call's turns."""

    def work(session: Transaction) -> tuple[Feedback, ...]:
        call = OutcomeRepository(session).call(call_id)
        return FeedbackRepository(session).of_call(call.call_id)

    return schemas.FeedbacksOut(items=[schemas.FeedbackOut.of(one) for one in await caller.query(work)])


@router.get("/grading")
async def grading_queue(
    caller: Grades,
    since: datetime | None = None,
    playbook: Annotated[str, Query(max_length=100, pattern=r"^[A-Za-z0-9_-]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> schemas.GradingOut:
    """List ungraded turns where the bot was least sure; of the last seven days, unless told otherwise."""
    start = schemas.utc(since) or datetime.now(UTC) - timedelta(days=7)
    found = await caller.query(lambda session: grading.queue(session, start, limit, playbook))
    return schemas.GradingOut(items=[_doubtful(one) for one in found])


@router.post("/feedback", status_code=201)
async def give_feedback(caller: Grades, new: schemas.NewFeedback) -> schemas.FeedbackOut:
    """Grade a turn, and name the script that would have been better."""
    now = datetime.now(UTC)

    def work(session: Transaction) -> Feedback:
        return grading.grade(
            session, new.call_id, new.seq, new.grade, caller.name, now,
            better_script_id=new.better_script, text=new.text,
        )  # fmt: skip

    return schemas.FeedbackOut.of(await caller.act("grade_turn", f"call:{new.call_id}", work, seq=new.seq))


def _outcome(outcome: CallOutcome) -> schemas.OutcomeOut:
    return schemas.OutcomeOut(
        call_id=outcome.call_id,
        at=outcome.at,
        campaign=outcome.campaign,
        number=outcome.number,
        disposition=outcome.disposition,
        intent_level=outcome.intent_level,
        reasons=list(outcome.reasons),
        facts=outcome.facts,
        opted_out=outcome.opted_out,
        cause=outcome.cause,
        duration_s=outcome.duration_s,
        turns=outcome.turns,
    )


def _doubtful(one: Doubtful) -> schemas.DoubtfulOut:
    return schemas.DoubtfulOut(
        call_id=one.call_id,
        seq=one.seq,
        at=one.at,
        playbook=one.playbook_id,
        customer_text=one.customer_text,
        emotion=one.emotion,
        scene=one.scene,
        script_id=one.script_id,
        script_text=one.script_text,
        candidates=dict(one.candidates),
        why=list(one.why),
        probability=one.probability,
        confidence=one.confidence,
    )
