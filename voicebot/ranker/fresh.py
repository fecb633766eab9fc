"""The newest trained ranker, taken up while calls go on: between turns, never inside one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from voicebot.domain.dialogue import Candidate, DialogueState
from voicebot.domain.errors import VoicebotError
from voicebot.domain.ports import Ranker
from voicebot.domain.script import Playbook
from voicebot.domain.understanding import Understanding

LOOK_EVERY_S = 10.0
log = structlog.get_logger()


class FreshRanker:
    """A ranker that is exchanged when another version is the newest one.

    The other model is loaded in a thread of its own; the next turn that begins to rank uses it. A model that
    can not be loaded leaves the present one in place.
    """

    def __init__(
        self,
        newest: Callable[[], str],
        load: Callable[[], Ranker],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Load the first one.

        Args:
            newest: names what would be loaded now; cheap, asked every ten seconds.
            load: loads it.
            clock: seconds.
        """
        self._newest, self._load, self._clock = newest, load, clock
        self._name = newest()
        self._ranker = load()
        self._looked_at = clock()
        self._lock = threading.Lock()
        self._loading: threading.Thread | None = None
        self._turn = threading.local()  # which ranker this thread's last turn used

    @property
    def version(self) -> str:
        """The version that this thread's last turn was ranked by."""
        used: Ranker = getattr(self._turn, "ranker", self._ranker)
        return used.version

    def rank(
        self,
        understanding: Understanding,
        state: DialogueState,
        playbook: Playbook,
        allowed: Sequence[str],
        k: int = 5,
    ) -> tuple[Candidate, ...]:
        """Return up to k of the allowed script ids, most probable first."""
        self._look()
        ranker = self._turn.ranker = self._ranker
        return ranker.rank(understanding, state, playbook, allowed, k)

    def settle(self) -> None:
        """Wait until a model that is being loaded is there."""
        if self._loading is not None:
            self._loading.join()

    def _look(self) -> None:
        if self._clock() - self._looked_at < LOOK_EVERY_S:
            return
        with self._lock:
            if self._clock() - self._looked_at < LOOK_EVERY_S or (self._loading and self._loading.is_alive()):
                return
            self._looked_at = self._clock()
            name = self._newest()
            if name == self._name:
                return
            self._name = name
            self._loading = threading.Thread(target=self._exchange, name="new-ranker", daemon=True)
            self._loading.start()

    def _exchange(self) -> None:
        try:
            self._ranker = self._load()
        except VoicebotError as error:
            log.warning("new ranker not usable", error=str(error), hint=error.hint)
        else:
            log.info("ranker exchanged", version=self._ranker.version)
