"""Ends of turns against pauses: one row a system and rate of cut-offs. A helper of `bench turns`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.bench import smart_turn
from voicebot.bench.endpoint_curve import F64, NOTICE_MS, Pauses, Policy, Scores
from voicebot.call.speculation import SpeculationTuning
from voicebot.speech.endpointing import training
from voicebot.speech.endpointing.cases import GAP_SHARES, GAPS_MS
from voicebot.speech.endpointing.hearing import Heard

RATES = (0.05, 0.10)
RESAMPLES = 400
TURNS_WITH_PAUSE = 0.3
SHIPPED = "embedding"
WORDS_MS = 660  # the first short pause, and decoding after it: what the long silence must leave
_OURS = {
    "embedding": "ours: encoder's view (shipped)",
    "sound": "ours without it: last syllables' sound",
    "words": "ours: words alone",
    "embedding+sound": "ours: encoder + sound",
    "embedding+words": "ours: encoder + words",
    "sound+words": "ours: sound + words",
    "embedding+sound+words": "ours: encoder + sound + words",
}
# per pause, and per turn: where 30 % of turns hold a pause, one turn in twenty is one pause in six
_BASES = (("pause", 1.0), ("turn", 1 / TURNS_WITH_PAUSE))


def judge_endpoints(
    heard: Sequence[Heard], smart_turn_file: str, seed: int
) -> tuple[list[Mapping[str, Any]], dict[str, float]]:
    """Return one row a system and rate, and the figures that are tracked."""
    mine, others = [h for h in heard if not h.case.judged], [h for h in heard if h.case.judged]
    fitted, judged = Pauses(mine), Pauses(others)
    systems: list[tuple[str, Scores | None, Scores | None, float | None]] = [
        ("tuned silence", None, None, None)
    ]
    if smart_turn_file:
        own, other = (
            smart_turn.score(Path(smart_turn_file), mine),
            smart_turn.score(Path(smart_turn_file), others),
        )
        systems.append(
            (
                "Smart Turn 3.2, recalibrated",
                Scores("", own[0], fitted.asked_ms + own[1]),
                Scores("", other[0], judged.asked_ms + other[1]),
                training.auc(other[0], others),
            )
        )
    for true_text in (False, True):
        systems += _ours(mine, others, fitted, judged, seed, true_text=true_text)
    rows: list[Mapping[str, Any]] = []
    answers: dict[tuple[str, float], F64] = {}
    figures: dict[str, float] = {}
    for name, on_fitted, on_judged, auc in systems:
        allowed = [rate * factor for _, factor in _BASES for rate in RATES]
        named = [(rate, basis) for basis, _ in _BASES for rate in RATES]
        for (rate, basis), policy in zip(named, fitted.choose(on_fitted, allowed), strict=True):
            answer = judged.answer_ms(on_judged, policy)
            realised = fitted.cut(fitted.answer_ms(on_fitted, policy))
            rows.append(_row(f"{name}, at {rate:.0%} a {basis}", policy, realised, judged, answer, auc, seed))
            if basis == "pause":
                answers[name, rate] = answer
                if name == _OURS[SHIPPED]:
                    figures |= _own_figures(judged, on_judged, policy, rate)
    return rows, {**_ratios(judged, answers, seed), **figures}


def _ours(
    mine: Sequence[Heard],
    others: Sequence[Heard],
    fitted: Pauses,
    judged: Pauses,
    seed: int,
    *,
    true_text: bool,
) -> list[tuple[str, Scores | None, Scores | None, float | None]]:
    """Return our head with every set of cues; with true text only those that read words."""
    full = training.fit(mine, seed=seed, true_text=true_text)
    own = training.held_out(mine, seed=seed, true_text=true_text)
    found: list[tuple[str, Scores | None, Scores | None, float | None]] = []
    for key, label in _OURS.items():
        names = key.split("+")
        if true_text and "words" not in names:
            continue
        values = training.scored(full, others, names, true_text=true_text)
        late = "words" in names
        found.append(
            (
                label + (", true text" if true_text else ""),
                Scores(key, own[key], fitted.ready_ms if late else fitted.encoded_ms),
                Scores(key, values, judged.ready_ms if late else judged.encoded_ms),
                training.auc(values, others),
            )
        )
    return found


def _row(
    name: str,
    policy: Policy,
    fitted_cut: float,
    judged: Pauses,
    answer: F64,
    auc: float | None,
    seed: int,
) -> dict[str, Any]:
    median, mean = judged.delays(answer)
    cut = judged.cut(answer)
    draws = [(*judged.delays(answer, rows), judged.cut(answer, rows)) for rows in resamples(judged, seed)]
    low, high = np.percentile(draws, (2.5, 97.5), axis=0)
    return {
        "system": name,
        "auc": auc,
        "threshold": round(policy.threshold, 3),
        "short_ms": policy.short_ms,
        "long_ms": policy.long_ms,
        "delay_ms_median": median,
        "median_interval": f"{low[0]:.0f}-{high[0]:.0f}",
        "delay_ms_mean": mean,
        "mean_interval": f"{low[1]:.0f}-{high[1]:.0f}",
        "cut_offs": cut,
        "cut_offs_interval": f"{low[2]:.3f}-{high[2]:.3f}",
        "cut_offs_fitted": fitted_cut,
        "cut_offs_per_turn": cut * TURNS_WITH_PAUSE,
        "per_turn_interval": f"{low[2] * TURNS_WITH_PAUSE:.3f}-{high[2] * TURNS_WITH_PAUSE:.3f}",
    }


def _ratios(judged: Pauses, answers: Mapping[tuple[str, float], F64], seed: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    others = (("plain_vad", "tuned silence"), ("smart_turn", "Smart Turn 3.2, recalibrated"))
    for rate, ending in zip(RATES, ("", "_10pct"), strict=True):
        ours = answers[_OURS[SHIPPED], rate]
        figures[f"delay_ms_ours{ending}"], figures[f"delay_ms_ours_mean{ending}"] = judged.delays(ours)
        for key, name in others:
            theirs = answers.get((name, rate))
            if theirs is None:
                continue
            figures[f"delay_ms_{key}{ending}"], figures[f"delay_ms_{key}_mean{ending}"] = judged.delays(
                theirs
            )
            own, other = judged.delays(ours), judged.delays(theirs)
            figures[f"delay_ratio_{key}{ending}"] = own[0] / other[0]
            figures[f"delay_ratio_{key}_mean{ending}"] = own[1] / other[1]
            draws = [
                judged.delays(ours, rows)[1] / judged.delays(theirs, rows)[1]
                for rows in resamples(judged, seed)
            ]
            low, high = np.percentile(draws, (2.5, 97.5))
            figures[f"delay_ratio_{key}_mean{ending}_low"] = float(low)
            figures[f"delay_ratio_{key}_mean{ending}_high"] = float(high)
    return figures


def _own_figures(judged: Pauses, scores: Scores | None, policy: Policy, rate: float) -> dict[str, float]:
    """Return what speculation hides and wastes at this operating point."""
    ending = "" if rate == RATES[0] else "_10pct"
    wait = np.maximum(0.0, judged.ready_ms - judged.endpoint_ms(scores, policy))
    cpu = np.array([one.cpu_s for one in judged.heard])
    return {
        f"compute_after_endpoint_ms_median{ending}": float(np.median(wait[judged.final])),
        f"speculation_waste{ending}": waste(judged, scores, policy),
        f"speculation_waste_ungated{ending}": waste(judged, scores, policy, SpeculationTuning(likely=0)),
        f"speculation_waste_full_load{ending}": waste(judged, scores, policy, loaded=True),
        "cpu_s_per_decision": float(np.median(cpu)),
        "cpu_s_per_speech_s": float(cpu.sum() / sum(one.case.speech_s for one in judged.heard)),
        "realised_cut_offs" + ending: judged.cut(judged.answer_ms(scores, policy)),
    }


def waste(
    judged: Pauses,
    scores: Scores | None,
    policy: Policy,
    tuning: SpeculationTuning | None = None,
    *,
    loaded: bool = False,
) -> float:
    """Return the share of decoding CPU that goes to speech which goes on, pauses weighed by their lengths.

    `tuning`: when a decision waits, by default for as long as it hides in the policy's silence; `loaded`:
    every decoder is taken.
    """
    hidden = max(0, policy.long_ms - WORDS_MS)
    tuning = tuning or SpeculationTuning(likely=policy.threshold)
    cpu = np.array([one.cpu_s for one in judged.heard])
    encoding = cpu * np.array([one.encode_ms / one.decode_ms for one in judged.heard])
    likely = np.ones(cpu.size, bool) if scores is None else scores.values >= tuning.likely
    begins = judged.encoded_ms + np.where(likely, 0, hidden)
    if loaded:
        encoding, begins = np.zeros(cpu.size), judged.asked_ms + tuning.loaded_ms
    answer = judged.answer_ms(scores, policy)
    lost = np.zeros(cpu.size)
    for gap, share in zip(GAPS_MS, GAP_SHARES, strict=True):
        back = gap + NOTICE_MS
        lost += share * np.where(answer < back, 0.0, np.where(begins < back, cpu, encoding))
    spent = np.where(judged.final, cpu, 0.0).sum() + lost[~judged.final].sum()
    return float(lost[~judged.final].sum() / spent)


def resamples(judged: Pauses, seed: int) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Return rows of utterances drawn with replacement: cases of one utterance err together."""
    random = np.random.default_rng(seed)
    rows: dict[str, list[int]] = {}
    for index, one in enumerate(judged.heard):
        rows.setdefault(one.case.clip, []).append(index)
    names = list(rows)
    return [
        np.concatenate([rows[names[draw]] for draw in random.integers(len(names), size=len(names))])
        for _ in range(RESAMPLES)
    ]
