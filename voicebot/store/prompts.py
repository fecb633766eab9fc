"""The index of the prompt cache: which prompts lie ready, who spoke them, how often they are used."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.errors import VoicebotError
from voicebot.store.session import Database
from voicebot.store.tables import PromptRow, TurnRow

log = structlog.get_logger()

FLUSH_S = 2.0


@dataclass(frozen=True, slots=True)
class KeptPrompt:
    """One prompt in the cache."""

    key: str
    engine: str
    style: str
    duration_ms: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class EngineTotal:
    """What one engine has in the cache."""

    engine: str
    prompts: int
    uses: int
    duration_ms: int
    size_bytes: int


class PromptRepository:
    """Prompts."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, prompts: Iterable[KeptPrompt], at: datetime) -> None:
        """Note prompts; one that is known is made again."""
        for prompt in sorted(prompts, key=lambda one: one.key):
            facts = {
                "engine": prompt.engine,
                "style": prompt.style,
                "duration_ms": prompt.duration_ms,
                "size_bytes": prompt.size_bytes,
                "made_at": at,
            }
            self._session.execute(
                insert(PromptRow)
                .values(key=prompt.key, used_at=at, **facts)
                .on_conflict_do_update(index_elements=[PromptRow.key], set_=facts)
            )

    def use(self, uses: Counter[str], at: datetime) -> None:
        """Add uses by key."""
        for key, count in sorted(uses.items()):
            self._session.execute(
                update(PromptRow)
                .where(PromptRow.key == key)
                .values(uses=PromptRow.uses + count, used_at=func.greatest(PromptRow.used_at, at))
            )

    def drop(self, keys: Iterable[str]) -> None:
        """Forget prompts."""
        self._session.execute(delete(PromptRow).where(PromptRow.key.in_(sorted(keys))))

    def keys(self) -> set[str]:
        """Return the keys of all prompts."""
        return set(self._session.scalars(select(PromptRow.key)))

    def totals(self) -> tuple[EngineTotal, ...]:
        """Return what each engine has in the cache, the most used first."""
        uses = func.sum(PromptRow.uses)
        query = (
            select(
                PromptRow.engine,
                func.count(),
                uses,
                func.sum(PromptRow.duration_ms),
                func.sum(PromptRow.size_bytes),
            )
            .group_by(PromptRow.engine)
            .order_by(uses.desc(), PromptRow.engine)
        )
        rows = self._session.execute(query).all()
        return tuple(EngineTotal(row[0], row[1], *(int(value) for value in row[2:])) for row in rows)

    def spoken(self, since: datetime) -> dict[str, int]:
        """Return what spoke in calls -> turns, most first; a miss is called `rendered:ENGINE`."""
        turns = func.count()
        query = (
            select(TurnRow.prompt_engine, turns)
            .where(TurnRow.at >= since, TurnRow.prompt_engine != "")
            .group_by(TurnRow.prompt_engine)
            .order_by(turns.desc(), TurnRow.prompt_engine)
        )
        return {row[0]: row[1] for row in self._session.execute(query).all()}


class PostgresPromptIndex:
    """The PromptIndex port: notes are gathered and written every two seconds by a thread of its own.

    While the database is away they wait; the directory, not the index, says what can be spoken.
    """

    def __init__(self, database: Database, flush_s: float = FLUSH_S) -> None:
        """Take a database; the thread starts with the first note."""
        self._database = database
        self._flush_s = flush_s
        self._lock = threading.Lock()
        self._kept: dict[str, KeptPrompt] = {}
        self._uses: Counter[str] = Counter()
        self._dropped: set[str] = set()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._away = False

    def kept(self, key: str, engine: str, style: str, duration_ms: int, size_bytes: int) -> None:
        """Note that a prompt was rendered."""
        with self._lock:
            self._dropped.discard(key)
            self._kept[key] = KeptPrompt(key, engine, style, duration_ms, size_bytes)
            self._begin()

    def used(self, key: str) -> None:
        """Note that a prompt was used."""
        with self._lock:
            self._uses[key] += 1
            self._begin()

    def dropped(self, keys: Sequence[str]) -> None:
        """Note that prompts were deleted."""
        with self._lock:
            self._dropped.update(keys)
            for key in keys:
                self._kept.pop(key, None)
            self._begin()

    def flush(self) -> None:
        """Write what was noted, in one transaction. Raises StoreError; nothing is lost then."""
        with self._lock:
            kept, uses, dropped = self._kept, self._uses, self._dropped
            self._kept, self._uses, self._dropped = {}, Counter(), set()
        try:
            with self._database.transaction() as session:
                prompts = PromptRepository(session)
                now = datetime.now(UTC)
                prompts.keep(kept.values(), now)
                prompts.use(uses, now)
                prompts.drop(dropped)
        except VoicebotError:
            with self._lock:
                self._kept = {**kept, **self._kept}
                self._uses += uses
                self._dropped |= dropped - self._kept.keys()
            raise

    def close(self) -> None:
        """End the thread after a last write. Raises StoreError."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="prompt-index", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._flush_s):
            try:
                self.flush()
                self._away = False
            except VoicebotError as error:
                if not self._away:
                    log.warning("the prompt index waits for the database", error=error.detail)
                self._away = True
