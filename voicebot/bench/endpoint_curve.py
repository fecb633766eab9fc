"""Delay against false cut-offs, for systems that score a pause and wait a short or a long silence.

A helper of `bench turns`. Every inner pause is judged at each of GAPS_MS with its share; an answer that
starts before the voice detector would notice the speech coming back is a cut-off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.audio import FRAME_MS
from voicebot.speech.endpointing.cases import GAP_SHARES, GAPS_MS, matched
from voicebot.speech.endpointing.hearing import Heard, noticed_ms

F64 = NDArray[np.float64]

NOTICE_MS = 60  # voiced frames that make speech resume
DECIDE_MS = 15.0  # ranker and policy, measured
SHORTS_MS = range(200, 721, 20)
LONGS_MS = range(400, 1401, 20)
THRESHOLDS = 40


@dataclass(frozen=True, slots=True)
class Policy:
    """Wait `short_ms` of silence if the score reaches `threshold`, else `long_ms`."""

    threshold: float
    short_ms: int
    long_ms: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What a system says of each case, and how long after the speech's end."""

    name: str
    values: F64
    at_ms: F64


class Pauses:
    """Cases of one half, with the line worker's own silence."""

    def __init__(self, heard: Sequence[Heard]) -> None:
        """Look up when each silence was reached."""
        self.heard = list(heard)
        self.final = np.array([one.case.final for one in heard])
        self.weights = matched([one.case for one in heard])
        self.asked_ms = np.array([one.asked_ms for one in heard], np.float64)
        cpu_ms = np.array([one.cpu_s * 1000 for one in heard])
        share = np.array([one.encode_ms / one.decode_ms for one in heard])
        self.encoded_ms = self.asked_ms + cpu_ms * share
        self.ready_ms = self.asked_ms + cpu_ms + DECIDE_MS
        self._reached = {
            wait: np.array([_or_never(noticed_ms(one, wait)) for one in heard])
            for wait in {*SHORTS_MS, *LONGS_MS}
        }

    def answer_ms(self, scores: Scores | None, policy: Policy) -> F64:
        """Return when the answer's first frame goes out, after the end of speech."""
        answer: F64 = np.maximum(self.endpoint_ms(scores, policy), self.ready_ms) + FRAME_MS
        return answer

    def endpoint_ms(self, scores: Scores | None, policy: Policy) -> F64:
        """Return when the speech is taken to be over."""
        late: F64 = self._reached[policy.long_ms]
        if scores is None:
            return late
        early: F64 = np.maximum(self._reached[policy.short_ms], scores.at_ms)
        return np.asarray(np.where(scores.values >= policy.threshold, np.minimum(early, late), late))

    def cut(self, answer_ms: F64, rows: NDArray[np.int64] | None = None) -> float:
        """Return the share of inner pauses that are answered."""
        rows = np.arange(len(self.final)) if rows is None else rows
        inner = rows[~self.final[rows]]
        hit = sum(
            share * (answer_ms[inner] < gap + NOTICE_MS)
            for gap, share in zip(GAPS_MS, GAP_SHARES, strict=True)
        )
        return float(np.average(hit, weights=self.weights[inner]))

    def delays(self, answer_ms: F64, rows: NDArray[np.int64] | None = None) -> tuple[float, float]:
        """Return the median and the mean delay after real ends."""
        rows = np.arange(len(self.final)) if rows is None else rows
        ends = rows[self.final[rows] & (self.weights[rows] > 0)]
        delay, weight = np.minimum(answer_ms[ends], 1600.0), self.weights[ends]
        order = np.argsort(delay)
        middle = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
        return float(delay[order][middle]), float(np.average(delay, weights=weight))

    def choose(self, scores: Scores | None, rates: Sequence[float]) -> list[Policy]:
        """Return, for each rate of cut-offs, the policy with the least mean delay that keeps to it."""
        best: list[tuple[float, Policy]] = [(np.inf, Policy(1.0, LONGS_MS[-1], LONGS_MS[-1])) for _ in rates]
        for policy in self._policies(scores):
            answer = self.answer_ms(scores, policy)
            cut, mean = self.cut(answer), self.delays(answer)[1]
            for index, rate in enumerate(rates):
                if cut <= rate and mean < best[index][0]:
                    best[index] = (mean, policy)
        return [policy for _, policy in best]

    def _policies(self, scores: Scores | None) -> list[Policy]:
        if scores is None:
            return [Policy(0.0, wait, wait) for wait in LONGS_MS]
        quantiles = np.unique(np.quantile(scores.values, np.linspace(0.02, 0.98, THRESHOLDS)))
        return [
            Policy(float(threshold), short, long)
            for threshold in quantiles
            for short in SHORTS_MS[::2]
            for long in LONGS_MS[::2]
            if long > short
        ]


def _or_never(value: int | None) -> float:
    return np.inf if value is None else float(value)
