"""The call journal: everything that happens in calls, into Postgres, whatever happens to Postgres."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import ValidationError

from voicebot.call.spool import Spool
from voicebot.codec import decode, encode
from voicebot.domain.call import CallRecord, CallRequest, Turn
from voicebot.domain.errors import DataError, StoreError
from voicebot.domain.people import Takeover
from voicebot.store.calls import CallRepository
from voicebot.store.session import Database

log = structlog.get_logger()

BATCH = 100  # events a transaction
RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # pauses while the database is away; the last repeats
_SUFFIX = ".spool"


@dataclass(frozen=True, slots=True)
class Answered:
    """A call was answered."""

    request: CallRequest
    worker: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; exactly one of the four is set."""

    answered: Answered | None = None
    turn: Turn | None = None
    ended: CallRecord | None = None
    takeover: Takeover | None = None


class PostgresJournal:
    """The Journal port on Postgres. Thread-safe.

    An event is appended to the worker's spool file before its method returns: from then on kill -9
    of this process loses nothing. A thread of its own writes the events, in order and in batches, to
    the database; while that is away the file is also fsynced. The file is emptied when the database
    has everything; what is in it at the start is replayed, and a replay changes nothing twice.
    """

    def __init__(self, database: Database, directory: Path, worker: str) -> None:
        """Begin, replaying what an earlier worker of this name left.

        Args:
            database: where the journal goes; need not be up.
            directory: of spool files, one a worker.
            worker: this worker's name. Raises StoreError if a journal of this name is running.
        """
        self._database = database
        self._spool = Spool(directory / f"{worker}{_SUFFIX}")
        self._rejected = directory / f"{worker}.rejected"
        self._state = threading.Condition()  # guards all below
        self._events: deque[Event] = deque(self._left_over())
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"journal-{worker}", daemon=True)
        self._thread.start()

    def answered(self, request: CallRequest, worker: str) -> None:
        """The call was answered."""
        self._add(Event(answered=Answered(request, worker, datetime.now(UTC))))

    def turn(self, turn: Turn) -> None:
        """A turn was committed. A decision with do_not_call writes that in the same transaction."""
        self._add(Event(turn=turn))

    def taken_over(self, takeover: Takeover) -> None:
        """A takeover succeeded or failed."""
        self._add(Event(takeover=takeover))

    def ended(self, record: CallRecord) -> None:
        """The call attempt ended."""
        self._add(Event(ended=record))

    @property
    def spool_pending(self) -> int:
        """How many events the database has not got yet."""
        with self._state:
            return len(self._events)

    def flush(self, timeout_s: float) -> bool:
        """Wait until the database has everything; return whether it has."""
        with self._state:
            return self._state.wait_for(lambda: not self._events, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is left, or leave it in the spool if the database is away."""
        with self._state:
            self._closing = True
            self._state.notify_all()
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._spool.close()

    def _add(self, event: Event) -> None:
        line = encode(event)
        with self._state:
            try:
                self._spool.append(line)
            except OSError as error:
                # The database may still take it: going on beats ending the call.
                log.exception("journal can not be spooled", reason=error.strerror)
            self._events.append(event)
            self._state.notify_all()

    def _left_over(self) -> list[Event]:
        events = []
        for line in self._spool.lines():
            try:
                events.append(decode(Event, line))
            except ValidationError:
                self._reject(line)
        if events:
            log.info("journal replays", events=len(events))
        return events

    def _run(self) -> None:
        failures = 0
        while True:
            with self._state:
                self._state.wait_for(lambda: self._events or self._closing)
                if not self._events:
                    return
                batch = [self._events[index] for index in range(min(BATCH, len(self._events)))]
            try:
                self._write(batch)
            except StoreError as error:
                failures += 1
                if failures == 1:
                    log.warning("journal spools: database away", error=error.detail)
                if not self._pause(RETRY_S[min(failures, len(RETRY_S)) - 1]):
                    return
            except Exception:  # the edge of the thread: an event no code foresaw must not end it
                log.exception("journal failed on a batch")
                self._take_off(batch, kept=True)
            else:
                if failures:
                    log.info("journal writes again")
                failures = 0
                self._take_off(batch)

    def _write(self, batch: Sequence[Event]) -> None:
        try:
            with self._database.transaction() as session:
                calls = CallRepository(session)
                for event in batch:
                    _store(calls, event)
        except DataError as error:
            if len(batch) == 1:
                log.exception(
                    "journal event refused; kept aside", error=error.detail, file=str(self._rejected)
                )
                self._reject(encode(batch[0]))
                return
            for event in batch:
                self._write([event])

    def _take_off(self, batch: Sequence[Event], *, kept: bool = False) -> None:
        if kept:
            for event in batch:
                self._reject(encode(event))
        with self._state:
            for _ in batch:
                self._events.popleft()
            if not self._events:
                try:
                    self._spool.clear()
                except OSError as error:
                    # What stays is replayed at the next start, which changes nothing twice.
                    log.exception("journal can not be emptied", reason=error.strerror)
            self._state.notify_all()

    def _pause(self, seconds: float) -> bool:
        """Wait while the database is away, keeping the spool on disk; False = closing."""
        until = time.monotonic() + seconds
        while True:
            self._sync()
            with self._state:
                if self._closing:
                    return False
                left = until - time.monotonic()
                if left <= 0:
                    return True
                self._state.wait(left)

    def _sync(self) -> None:
        try:
            self._spool.sync()
        except OSError as error:
            log.exception("journal can not be synced", reason=error.strerror)

    def _reject(self, line: bytes) -> None:
        with suppress(OSError):
            aside = Spool(self._rejected)
            aside.append(line)
            aside.sync()
            aside.close()


def _store(calls: CallRepository, event: Event) -> None:
    if event.answered:
        calls.answered(event.answered.request, event.answered.worker, event.answered.at)
    if event.turn:
        calls.turn(event.turn)
    if event.ended:
        calls.ended(event.ended)
    if event.takeover:
        calls.taken_over(event.takeover)


def replay_left_over(database: Database, directory: Path, timeout_s: float = 30.0) -> int:
    """Replay the spools of workers that will not come back; return how many events were written.

    A spool that a process holds is left to it.
    """
    written = 0
    for path in sorted(directory.glob(f"*{_SUFFIX}")):
        if not path.stat().st_size:
            continue
        try:
            journal = PostgresJournal(database, directory, path.stem)
        except StoreError:
            continue
        before = journal.spool_pending
        journal.flush(timeout_s)
        written += before - journal.spool_pending
        journal.close()
    return written
