"""Turn-taking: delay against false cut-offs, barge-in, and what they cost.

--data: a folder of utterances (wav or flac) with transcripts.tsv. One half of them, by a hash of the name, is
fitted to and chosen on; figures are read on the other half, which nothing has seen.
--set whisper=DIR (needed): whisper-base in CTranslate2 form, as under <home>/models/whisper-base.
--set smart_turn=FILE: the Smart Turn 3.2 onnx file of pipecat-ai, to be judged beside ours.
--set words=DIR: short recorded words (对.wav, 好.wav …) said over a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.bench import barge_in, endpoint_clips, smart_turn, telephone
from voicebot.bench.endpoint_curve import F64, Pauses, Policy, Scores
from voicebot.bench.frame import Options, Result
from voicebot.domain.audio import FRAME_BYTES, LINE_RATE_HZ, Audio
from voicebot.domain.errors import DataError
from voicebot.registry import resources
from voicebot.speech.endpointing import cases, head, hearing, training
from voicebot.speech.endpointing.hearing import Heard
from voicebot.speech.endpointing.scorer import HeadScorer
from voicebot.speech.recognition.decoder import Decoder
from voicebot.speech.recognition.whisper import WINDOW_S, WhisperRecognizer

RATES = (0.05, 0.10)
RESAMPLES = 400
TURNS_WITH_PAUSE = 0.3
SHIPPED = "embedding"
BACKCHANNELS = ("对", "好", "是", "喂", "行")
_OURS = {
    "embedding": "ours: encoder's view (shipped)",
    "sound": "ours without it: last syllables' sound",
    "words": "ours: words alone",
    "embedding+sound": "ours: encoder + sound",
    "embedding+words": "ours: encoder + words",
    "sound+words": "ours: sound + words",
    "embedding+sound+words": "ours: encoder + sound + words",
}


def run(options: Options) -> Result:
    """Run the bench. See `voicebot bench turns --help`."""
    clips = endpoint_clips.read(options.need_data("a folder with transcripts.tsv"), options.limit)
    weights = Path(options.extra.get("whisper", ""))
    if not weights.name:
        raise DataError("no recogniser", hint="--set whisper=DIR, such as <home>/models/whisper-base")
    heard = list(hearing.hear(cases.build(clips, options.seed), Decoder(weights, WINDOW_S)))
    curve, figures = judge_endpoints(heard, options.extra.get("smart_turn", ""), options.seed)
    over, stops = _barge_in(clips, weights, options)
    return Result({**figures, **stops}, [*curve, *over], (options.seed,), NOTES)


NOTES = (
    "delay: last speech (band-limited energy) to the bot's first sample; median and mean over real ends",
    "a false cut-off: an answer that starts before the detector notices speech come back, at pauses of "
    "300/500/800 ms in shares of 50/30/20 %",
    "every system answers with the same recogniser: not before its speculative text is there",
    "policies are chosen for the least mean delay on the fitted half and read on the other; what they "
    "realise there is cut_offs",
    "scores on the fitted half come from heads that did not see the utterance",
)


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
        for rate, policy in zip(RATES, fitted.choose(on_fitted, RATES), strict=True):
            answer = judged.answer_ms(on_judged, policy)
            answers[name, rate] = answer
            rows.append(
                _row(
                    name,
                    rate,
                    policy,
                    fitted.cut(fitted.answer_ms(on_fitted, policy)),
                    judged,
                    answer,
                    auc,
                    seed,
                )
            )
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
    rate: float,
    policy: Policy,
    fitted_cut: float,
    judged: Pauses,
    answer: F64,
    auc: float | None,
    seed: int,
) -> dict[str, Any]:
    median, mean = judged.delays(answer)
    cut = judged.cut(answer)
    draws = [(*judged.delays(answer, rows), judged.cut(answer, rows)) for rows in _resamples(judged, seed)]
    low, high = np.percentile(draws, (2.5, 97.5), axis=0)
    return {
        "system": f"{name}, at {rate:.0%}",
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
                for rows in _resamples(judged, seed)
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
    kept = judged.final | (judged.answer_ms(scores, policy) < min(cases.GAPS_MS))
    return {
        f"compute_after_endpoint_ms_median{ending}": float(np.median(wait[judged.final])),
        f"speculation_waste{ending}": float(cpu[~kept].sum() / cpu.sum()),
        "cpu_s_per_decision": float(np.median(cpu)),
        "realised_cut_offs" + ending: judged.cut(judged.answer_ms(scores, policy)),
    }


def _resamples(judged: Pauses, seed: int) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
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


def _barge_in(
    clips: Sequence[cases.Clip], weights: Path, options: Options
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Talk over the shipped prompts with the judged half's voices."""
    recogniser = WhisperRecognizer(weights, 1)
    scorer = HeadScorer(head.load((resources.models_dir(),)))

    def hear(pcm: bytes) -> tuple[str, bool, float]:
        stream = recogniser.open(LINE_RATE_HZ)
        stream.feed(pcm)
        transcript = stream.result(final=True)
        return transcript.text, scorer.backchannel(transcript.text, Audio(pcm)), transcript.compute_s * 1000

    talk = [barge_in.levelled(_audio(clip.samples)) for clip in clips[:: max(1, len(clips) // 20)]]
    folder = Path(options.extra["words"]) if "words" in options.extra else None
    files = [path for word in BACKCHANNELS if folder for path in sorted(folder.glob(f"{word}.*"))]
    words = [barge_in.levelled(telephone.read(path)) for path in files]
    try:
        return barge_in.judge(_prompts(), barge_in.trials(talk, words, options.seed), hear)
    finally:
        recogniser.close()


def _audio(samples: cases.F32) -> Audio:
    return Audio(np.round(samples * 32767).astype("<i2").tobytes())


def _prompts() -> list[bytes]:
    """Return some shipped prompts of 4 to 9 seconds."""
    found = []
    for path in sorted((resources.demo_dir() / "prompts").glob("*/*.flac")):
        line = telephone.clean(telephone.read(path))
        if 4 < line.duration_s < 9:
            found.append(line.pcm[: len(line.pcm) // FRAME_BYTES * FRAME_BYTES])
        if len(found) == 4:
            break
    return found
