"""Exploration in calls: what else may be said at times, so that learning finds out how that goes.

The best candidate is said in all but a bounded share of decisions. Of that share one half goes to the script
whose upper confidence bound is the highest (LinUCB) and one half is even. The model of rewards was fitted on
logged decisions when the ranker was trained, and lies beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import structlog
from numpy.typing import NDArray

from voicebot.domain.errors import ModelError
from voicebot.ranker.exploration import MOST_EXPLORED, REWARD_SCALE, LinearModel, choose

FILE = "bandit.npz"
LOOK_EVERY_S = 10.0

log = structlog.get_logger()

Shares = Sequence[tuple[str, float]]  # script id and share of the ranker's probability, the best first


@dataclass(frozen=True, slots=True)
class Tried:
    """One logged decision and how it was judged."""

    shown: tuple[tuple[str, float], ...]
    script_id: str  # of the shown, which was said
    score: float  # 0-100
    weight: float  # 0-1: how much the score is believed


class Bandit:
    """A linear model of the reward of a script in a moment."""

    def __init__(self, scripts: Sequence[str]) -> None:
        """Begin without knowledge.

        Args:
            scripts: ids that have features of their own; another counts as any script.
        """
        self.scripts = tuple(scripts)
        self._place = {script: place for place, script in enumerate(self.scripts)}
        self.model = LinearModel(3 + 2 * len(self.scripts))

    def features(self, shown: Shares) -> NDArray[np.float64]:
        """Return a row a script: bias, share, place, the script itself, and it times the share."""
        rows = np.zeros((len(shown), 3 + 2 * len(self.scripts)))
        for number, (script, share) in enumerate(shown):
            rows[number, :3] = 1.0, share, 1 / (number + 1)
            place = self._place.get(script)
            if place is not None:
                rows[number, 3 + place] = 1.0
                rows[number, 3 + len(self.scripts) + place] = share
        return rows

    def learn(self, tried: Iterable[Tried]) -> int:
        """Learn from decisions, good and bad; return how many were of use."""
        count = 0
        for one in tried:
            ids = [script for script, _ in one.shown]
            if one.script_id in ids and one.weight > 0:
                row = self.features(one.shown)[ids.index(one.script_id)]
                self.model.learn(row, one.score / REWARD_SCALE, one.weight)
                count += 1
        return count

    def save(self, directory: Path) -> str:
        """Write it; return the file's name."""
        np.savez_compressed(
            directory / FILE, scripts=np.array(self.scripts), inverse=self.model.inverse, mean=self.model.mean
        )
        return FILE

    @classmethod
    def load(cls, directory: Path) -> Bandit:
        """Read it. Raises ModelError."""
        try:
            with np.load(directory / FILE, allow_pickle=False) as arrays:
                found = cls([str(script) for script in arrays["scripts"]])
                inverse, mean = arrays["inverse"], arrays["mean"]
        except (OSError, ValueError, KeyError, BadZipFile) as broken:
            raise ModelError(f"{directory / FILE} can not be read ({broken})") from broken
        if inverse.shape != found.model.inverse.shape or mean.shape != found.model.mean.shape:
            raise ModelError(f"{directory / FILE} does not fit its scripts", hint="train the ranker again")
        found.model.inverse, found.model.mean = inverse, mean
        return found


class BanditExplorer:
    """The Explorer port: LinUCB where a model was fitted, else evenly. Thread-safe."""

    def __init__(
        self,
        share: float,
        newest: Callable[[], Mapping[str, Path]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how much is explored.

        Args:
            share: of decisions, at most MOST_EXPLORED.
            newest: directory of the newest ranker of each playbook; asked every ten seconds.
            clock: seconds.
        """
        self._share = min(share, MOST_EXPLORED)
        self._newest, self._clock = newest, clock
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._where: dict[str, Path] = {}
        self._bandits: dict[str, Bandit] = {}

    def explore(self, playbook_id: str, shown: Shares, seed: int) -> tuple[int, tuple[float, ...]]:
        """Return which of the shown is said, and how likely each was. The same seed gives the same choice."""
        bandit = self._bandit(playbook_id)
        choice = choose(
            bandit.model,
            bandit.features(shown),
            np.random.default_rng((seed, 0xE)),
            share=self._share,
            best=0,
        )
        return choice.index, choice.chances

    def _bandit(self, playbook_id: str) -> Bandit:
        with self._lock:
            if self._clock() - self._looked_at >= LOOK_EVERY_S:
                self._looked_at = self._clock()
                self._take_up({key: path for key, path in self._newest().items() if (path / FILE).is_file()})
            return self._bandits.get(playbook_id) or Bandit(())

    def _take_up(self, where: Mapping[str, Path]) -> None:
        if where == self._where:
            return
        self._where, self._bandits = dict(where), {}
        for key, path in where.items():
            try:
                self._bandits[key] = Bandit.load(path)
            except ModelError as broken:
                # a call goes on without it
                log.warning("no model of rewards: what is explored is even", playbook=key, why=str(broken))
