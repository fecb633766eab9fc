"""The shipped head at the shipped settings on set after set of ends and pauses. For `bench turns`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.bench.endpoint_curve import Pauses, Policy, Scores
from voicebot.bench.endpoint_report import TURNS_WITH_PAUSE, resamples
from voicebot.call.orders import TurnTuning
from voicebot.registry import resources
from voicebot.speech.endpointing import head, hearing, training
from voicebot.speech.endpointing.cases import Case
from voicebot.speech.recognition.decoder import Decoder
from voicebot.speech.recognition.whisper import WINDOW_S

MOST = 60  # ends, and as many pauses, of a set
FEWEST = 5  # pauses of which a rate can be told


def judge(sets: Mapping[str, Sequence[Case]], weights: Path, seed: int) -> list[dict[str, Any]]:
    """Return one row a set."""
    decoder = Decoder(weights, WINDOW_S)
    shipped = head.load((resources.models_dir(),))
    tuning = TurnTuning()
    policy = Policy(tuning.threshold, tuning.short_ms, tuning.long_ms)
    rows = []
    for name, cases in sets.items():
        heard = list(hearing.hear(cases, decoder))
        pauses = Pauses(heard)
        values = training.scored(shipped, heard, ("embedding",))
        scores = Scores("shipped", values, pauses.encoded_ms)
        rows.append(_row(f"shipped settings: {name}", pauses, scores, policy, seed))
    return rows


def _row(name: str, pauses: Pauses, scores: Scores, policy: Policy, seed: int) -> dict[str, Any]:
    ends, answer = pauses.final, pauses.answer_ms(scores, policy)
    row: dict[str, Any] = {
        "system": name,
        "n": len(pauses.heard),
        "pauses": int((~ends).sum()),
        "ends_above_threshold": float(np.mean(scores.values[ends] >= policy.threshold)),
        "endpoint_ms_median": float(np.median(pauses.endpoint_ms(scores, policy)[ends])),
        "delay_ms_median": float(np.median(answer[ends])),
    }
    if (~ends).sum() >= FEWEST:
        pauses.weights = np.ones(ends.size)  # a drawn set is matched already
        draws = [pauses.cut(answer, rows) for rows in resamples(pauses, seed) if (~ends[rows]).any()]
        low, high = np.percentile(draws, (2.5, 97.5))
        cut = pauses.cut(answer)
        row |= {
            "auc": training.plain_auc(scores.values, pauses.heard),
            "cut_offs": cut,
            "cut_offs_interval": f"{low:.3f}-{high:.3f}",
            "cut_offs_per_turn": cut * TURNS_WITH_PAUSE,
        }
    return row
