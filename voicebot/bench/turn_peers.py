"""Pipecat and LiveKit Agents on the same ends, pauses and interruptions as ours. For `bench turns`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.bench import peer_talk, turn_sample
from voicebot.bench.barge_in import Trial
from voicebot.bench.peer_talk import MODES, Sound, Talk
from voicebot.bench.turn_sample import Played
from voicebot.speech.endpointing.cases import AFTER_MS, Case

FLOOR_MS = AFTER_MS + 4000.0
TOGETHER = 2  # talks at the same time: each takes a tenth of a core


def judge(
    pythons: Mapping[str, Path], cases: Sequence[Case], trials: Sequence[Trial]
) -> list[Mapping[str, Any]]:
    """Return rows for each framework and mode. Raises DataError.

    Args:
        pythons: pipecat, livekit -> the Python of their environments.
        cases: ends and pauses.
        trials: what is said over an answer.
    """
    asked = [Sound(f"ask-{number}", case.samples, case.end_ms) for number, case in enumerate(cases)]
    over = [
        Sound(f"over-{place}-{number}", samples, 0, over=True)
        for place, trial in enumerate(trials)
        for number, samples in enumerate(trial.sounds)
    ]
    trigger = next(case.samples for case in cases if case.final)
    modes = [(peer, mode, title) for peer in pythons for mode, title in MODES[peer]]
    with ThreadPoolExecutor(TOGETHER) as together:
        talks = list(
            together.map(
                lambda one: peer_talk.hold(one[0], one[1], pythons[one[0]], [*asked, *over], trigger), modes
            )
        )
    rows: list[Mapping[str, Any]] = []
    for (_, _, title), talk in zip(modes, talks, strict=True):
        rows.append(_answers(title, talk, cases, asked))
        rows += [_stops(title, talk, trial, place) for place, trial in enumerate(trials)]
    return rows


def _answers(title: str, talk: Talk, cases: Sequence[Case], asked: Sequence[Sound]) -> dict[str, Any]:
    played = [
        Played(case, *peer_talk.answer_ms(talk, sound)) for case, sound in zip(cases, asked, strict=True)
    ]
    return {
        "system": f"real time: {title}",
        **turn_sample.judge(played, FLOOR_MS),
        "cpu_s_per_s": talk.cpu_s_per_s,
        "frame_late_ms_p95": talk.frame_late_ms,
    }


def _stops(title: str, talk: Talk, trial: Trial, place: int) -> dict[str, Any]:
    found = [
        peer_talk.stop_ms(talk.said[f"over-{place}-{number}"], trial.onset_ms)
        for number in range(len(trial.sounds))
    ]
    stops = [stop for stop, finished in found if not finished and stop is not None]
    return {
        "system": f"over a prompt: {trial.name}: {title}",
        "n": len(found),
        "stop_ms_median": float(np.median(stops)) if stops else None,
        "stop_ms_p95": float(np.percentile(stops, 95)) if stops else None,
        "prompt_finished": float(np.mean([finished for _, finished in found])),
    }
