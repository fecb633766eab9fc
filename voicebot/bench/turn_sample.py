"""Draws the ends and pauses that are played in real time: all would take hours. For `bench turns`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voicebot.bench.endpoint_curve import NOTICE_MS
from voicebot.speech.endpointing.cases import GAP_SHARES, GAPS_MS, Case, matched


@dataclass(frozen=True, slots=True)
class Played:
    """What a system did with one case that was played to it."""

    case: Case
    answer_ms: float  # first sample of the answer after the speech's end; inf = never
    early: bool  # it answered in the middle of the speech


def draw(cases: Sequence[Case], number: int, seed: int) -> list[Case]:
    """Return so many ends and as many pauses, after speech of like length, in mixed order."""
    random = np.random.default_rng(seed)
    weights = matched(cases)
    drawn: list[Case] = []
    for final in (True, False):
        mine = np.array([index for index, case in enumerate(cases) if case.final is final])
        usable = mine[weights[mine] > 0]
        share = weights[usable] / weights[usable].sum()
        chosen = random.choice(usable, min(number, usable.size), replace=False, p=share)
        drawn += [cases[index] for index in chosen]
    return [drawn[index] for index in random.permutation(len(drawn))]


def judge(played: Sequence[Played], floor_ms: float) -> dict[str, float | int | str | None]:
    """Return delay over the ends that were not cut, and the share of pauses that were answered.

    Who never answers is counted at `floor_ms`.
    """
    ends = [one for one in played if one.case.final and not one.early]
    delays = np.minimum([one.answer_ms for one in ends], floor_ms)
    pauses = [one for one in played if not one.case.final and not one.early]
    cut = [
        sum(share * (one.answer_ms < gap + NOTICE_MS) for gap, share in zip(GAPS_MS, GAP_SHARES, strict=True))
        for one in pauses
    ]
    return {
        "n": len(played),
        "delay_ms_median": float(np.median(delays)) if delays.size else None,
        "delay_ms_p95": float(np.percentile(delays, 95)) if delays.size else None,
        "delay_ms_mean": float(delays.mean()) if delays.size else None,
        "cut_offs": float(np.mean(cut)) if cut else None,
        "answered_mid_speech": sum(one.early for one in played),
    }
