"""Builds the cases an endpoint is fitted to and judged on: real pauses inside speech, and real ends.

Inner cases are natural pauses of at least 150 ms, lengthened with the clip's own background. Ends are
continued with the same background through the same cross-fade, so that no splice tells them apart. Every
pause is judged at each of GAPS_MS, weighed by GAP_SHARES. Speech length alone tells ends from pauses;
`matched` weighs both classes alike by length.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.audio import LINE_RATE_HZ

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

BLOCK_MS = 10
BLOCK = LINE_RATE_HZ * BLOCK_MS // 1000
SHORTEST_PAUSE_MS = 150
GAPS_MS = (300, 500, 800)  # lengths that every inner pause is judged at
GAP_SHARES = (0.5, 0.3, 0.2)
AFTER_MS = 1600  # of background after speech
_SPLICED_MS = 400  # of running speech on both sides of a spliced pause
_CLOSED_MS = 60  # shorter gaps are closures within words
_BURST_MS = 40  # shorter sounds are clicks
_KEPT_MS = 200  # of the natural pause, at most
_FADE_MS = 10
_OPEN_LINE = 10 ** (-66 / 20)
_LENGTHS_S = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance in telephone condition."""

    name: str
    samples: F32  # 8 kHz, -1..1
    text: str  # "" = unknown


@dataclass(frozen=True, slots=True)
class Case:
    """Speech up to a pause or its end, and background after it."""

    clip: str
    final: bool
    samples: F32  # 8 kHz, -1..1, from the start of the clip
    end_ms: int  # last speech by band-limited energy
    speech_s: float  # from the first speech to end_ms
    text: str  # said by then, by share of voiced time; "" = unknown
    judged: bool  # belongs to the half that nothing is fitted to


def build(clips: Sequence[Clip], seed: int) -> list[Case]:
    """Return the cases of some utterances."""
    random = np.random.default_rng(seed)
    stretches = [speech(clip.samples) for clip in clips]
    natural = [later[0] - earlier[1] for spans in stretches for earlier, later in _pauses(spans)]
    return [
        case
        for clip, spans in zip(clips, stretches, strict=True)
        if spans
        for case in _cases(clip, spans, natural, random)
    ]


def splice(clips: Sequence[Clip], seed: int) -> list[Case]:
    """Return the easier cases: pauses cut into running speech, where nobody paused, and real ends."""
    random = np.random.default_rng(seed)
    found: list[Case] = []
    for clip in clips:
        spans = speech(clip.samples)
        if not spans:
            continue
        found += [case for case in _cases(clip, spans, [], random) if case.final]
        start, end = max(spans, key=lambda span: span[1] - span[0])
        if (end - start) * BLOCK_MS < 2 * _SPLICED_MS:
            continue
        cut = int(random.integers(start + _SPLICED_MS // BLOCK_MS, end - _SPLICED_MS // BLOCK_MS))
        said = [(first, min(last, cut)) for first, last in spans if first < cut]
        voiced = sum(last - first for first, last in spans)
        share = sum(last - first for first, last in said) / voiced
        found.append(
            Case(
                clip=clip.name,
                final=False,
                samples=_lengthened(clip.samples, spans, cut, 0, random),
                end_ms=cut * BLOCK_MS,
                speech_s=(cut - spans[0][0]) * BLOCK_MS / 1000,
                text=clip.text[: round(len(clip.text) * share)],
                judged=is_judged(clip.name),
            )
        )
    return found


def is_judged(name: str) -> bool:
    """Return whether an utterance belongs to the half that nothing is fitted to."""
    return bool(zlib.crc32(name.encode()) & 1)


def speech(samples: F32) -> list[tuple[int, int]]:
    """Return where speech is, in blocks of 10 ms, by energy over the clip's own floor."""
    blocks = samples[: samples.size // BLOCK * BLOCK].reshape(-1, BLOCK)
    if len(blocks) < 10:
        return []
    level = 10 * np.log10(np.mean(blocks.astype(np.float64) ** 2, axis=1) + 1e-10)
    floor, peak = np.percentile(level, 8), np.percentile(level, 95)
    loud = level > max(floor + 8, peak - 35)
    edges = np.diff(np.r_[0, loud.astype(int), 0])
    spans: list[tuple[int, int]] = []
    for start, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        if (end - start) * BLOCK_MS < _BURST_MS:
            continue
        if spans and (start - spans[-1][1]) * BLOCK_MS < _CLOSED_MS:
            spans[-1] = (spans[-1][0], int(end))
        else:
            spans.append((int(start), int(end)))
    return spans


def matched(cases: Sequence[Case]) -> F64:
    """Return weights under which ends and pauses come after equally long speech."""
    final = np.array([case.final for case in cases])
    place = np.digitize([case.speech_s for case in cases], _LENGTHS_S)
    weights = np.zeros(len(cases))
    for index in np.unique(place):
        ends, pauses = (place == index) & final, (place == index) & ~final
        common = min(ends.sum(), pauses.sum())
        if common:
            weights[ends], weights[pauses] = common / ends.sum(), common / pauses.sum()
    return weights


def _pauses(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for earlier, later in pairwise(spans):
        if (later[0] - earlier[1]) * BLOCK_MS >= SHORTEST_PAUSE_MS:
            yield earlier, later


def _cases(
    clip: Clip, spans: Sequence[tuple[int, int]], natural: Sequence[int], random: np.random.Generator
) -> Iterator[Case]:
    judged = is_judged(clip.name)
    voiced = sum(end - start for start, end in spans)
    begin, last = spans[0][0], spans[-1][1]
    pauses = [(earlier[1], later[0] - earlier[1], False) for earlier, later in _pauses(spans)]
    drawn = int(random.choice(natural)) if natural else _KEPT_MS // BLOCK_MS
    for end, natural_pause, final in (*pauses, (last, drawn, True)):
        said = sum(stop - start for start, stop in spans if stop <= end) / voiced
        yield Case(
            clip=clip.name,
            final=final,
            samples=_lengthened(clip.samples, spans, end, natural_pause, random),
            end_ms=end * BLOCK_MS,
            speech_s=(end - begin) * BLOCK_MS / 1000,
            text=clip.text[: round(len(clip.text) * said)],
            judged=judged,
        )


def _lengthened(
    samples: F32,
    spans: Sequence[tuple[int, int]],
    end: int,
    pause: int,
    random: np.random.Generator,
) -> F32:
    """Return everything up to `end`, a part of the pause, and background."""
    kept = max(0, min(pause - 4, _KEPT_MS // BLOCK_MS))
    head = samples[: (end + kept) * BLOCK].copy()
    wanted = end * BLOCK + AFTER_MS * BLOCK // BLOCK_MS - head.size
    fade = min(_FADE_MS * BLOCK // BLOCK_MS, head.size)
    noise = _background(samples, spans, wanted + fade, random)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    head[-fade:] = head[-fade:] * (1 - ramp) + noise[:fade] * ramp
    return np.concatenate([head, noise[fade:]])


def _background(
    samples: F32, spans: Sequence[tuple[int, int]], size: int, random: np.random.Generator
) -> F32:
    """Return the clip's own background, there and back so that no seam clicks."""
    before = samples[10 * BLOCK : max(spans[0][0] * BLOCK - 3 * BLOCK, 10 * BLOCK)]
    after = samples[spans[-1][1] * BLOCK + 20 * BLOCK :]
    noise = max(before, after, key=len)
    if noise.size < 5 * BLOCK:  # trimmed, as renderings are: an open line
        noise = (_OPEN_LINE * random.standard_normal(size)).astype(np.float32)
    both = np.concatenate([noise, noise[::-1]])
    start = int(random.integers(both.size))
    return np.resize(np.roll(both, -start), size)
