"""What is known of one call while it goes on, until it becomes the record in the journal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from voicebot.call.answering import with_finding
from voicebot.call.events import SessionConfig
from voicebot.domain.answering import Finding
from voicebot.domain.call import CallRecord, CallRequest, EndCause, Outcome, Turn
from voicebot.domain.quality import MediaQuality
from voicebot.telephony import Ended, Recording

log = structlog.get_logger()


@dataclass(slots=True)
class Account:
    """Belongs to one call. Its times come from a clock that does not jump, set by the wall clock once."""

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)
    answered_at: datetime | None = None
    ended: Ended | None = None
    known_cause: EndCause | None = None  # when we know better than the leg
    turns: int = 0
    opted_out: bool = False
    recording: str = ""  # below the folder of recordings
    found: Finding | None = None  # what answered

    def now(self) -> datetime:
        """Return the time: what lies between two of a call's times has really passed."""
        return self.started_at + timedelta(seconds=time.monotonic() - self.started)

    @property
    def cause(self) -> EndCause:
        """Why the call ended."""
        assert self.ended is not None
        return self.known_cause or self.ended.cause

    def count(self, turn: Turn) -> None:
        """Take a turn that was said."""
        self.turns += 1
        self.opted_out = self.opted_out or turn.decision.do_not_call

    def record_sound(self, config: SessionConfig, request: CallRequest) -> Recording | None:
        """Begin the recording, if there is to be one; where the disk refuses it, the call goes on."""
        if config.recordings is None or not request.record:
            return None
        key = f"{self.started_at:%Y/%m/%d}/{request.call_id}.wav"
        try:
            recording = Recording(config.recordings / key, config.seal)
        except OSError as error:
            log.warning("call is not recorded", call_id=request.call_id, error=error.strerror)
            return None
        self.recording = key
        return recording

    def close(
        self,
        request: CallRequest,
        worker: str,
        cause: EndCause,
        outcome: Outcome,
        quality: MediaQuality | None = None,
    ) -> CallRecord:
        """Return the record of the call that ended."""
        assert self.ended is not None
        return CallRecord(
            request=request,
            cause=cause,
            outcome=with_finding(outcome, self.found),
            started_at=self.started_at,
            answered_at=self.answered_at,
            ended_at=self.now(),
            sip_status=self.ended.status,
            sip_reason=self.ended.reason,
            recording=self.recording,
            worker=worker,
            turns=self.turns,
            quality=quality,
        )
