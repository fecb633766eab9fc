"""What a call came to when inference can not say: only what the line itself knows."""

from __future__ import annotations

from voicebot.domain.call import Disposition, EndCause, IntentLevel, Outcome

_BY_CAUSE = {
    EndCause.NO_ANSWER: (Disposition.NO_ANSWER, IntentLevel.D),
    EndCause.BUSY: (Disposition.BUSY, IntentLevel.D),
    EndCause.REJECTED: (Disposition.UNREACHABLE, IntentLevel.D),
    EndCause.UNREACHABLE: (Disposition.UNREACHABLE, IntentLevel.F),
    EndCause.VOICEMAIL: (Disposition.VOICEMAIL, IntentLevel.D),
    EndCause.TRANSFERRED: (Disposition.TRANSFERRED, IntentLevel.A),
}


def outcome_without_inference(cause: EndCause, *, opted_out: bool) -> Outcome:
    """Return the outcome by the end cause alone. A spoken "no" that was committed still holds."""
    reasons = (f"the call ended by {cause.value}", "inference gave no outcome")
    if opted_out:
        return Outcome(Disposition.DO_NOT_CALL, IntentLevel.F, reasons, opted_out=True)
    disposition, level = _BY_CAUSE.get(cause, (Disposition.DROPPED, IntentLevel.D))
    return Outcome(disposition, level, reasons)
