"""Hears cases as a call does: the voice detector's silence, and the cues at the first short pause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, LINE_RATE_HZ
from voicebot.speech.endpointing import cues
from voicebot.speech.endpointing.cases import Case
from voicebot.speech.recognition import sound
from voicebot.speech.recognition.decoder import Decoder
from voicebot.speech.recognition.whisper import CLEAR
from voicebot.speech.segmentation.segmenter import Segmenter
from voicebot.speech.segmentation.vad import VoiceDetector

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heard:
    """One case, heard."""

    case: Case
    silence_ms: NDArray[np.int64]  # as the line worker counts it, each 20 ms after the speech's end
    asked_ms: int  # after the speech's end: when the first short pause was noticed
    embedding: F32
    sound: tuple[float, ...]
    text: str  # recognised
    encode_ms: float  # CPU time of one core, to the embedding
    decode_ms: float  # to the text
    cpu_s: float


def hear(cases: Iterable[Case], decoder: Decoder, pause_ms: int = 200) -> Iterator[Heard]:
    """Yield the cases whose speech the detector found and whose pause it noticed."""
    for case in cases:
        found = _pause(case, pause_ms)
        if found is None:
            continue
        silence, asked_ms, start, end = found
        samples = case.samples[start:end]
        window = sound.at_engine_rate(_pcm(samples), LINE_RATE_HZ)[-int(12 * sound.ENGINE_RATE_HZ) :]
        encoded = decoder.encode(window)
        decoded = decoder.decode(window, encoded, lambda texts, mean_logprob: mean_logprob > CLEAR)
        yield Heard(
            case,
            silence,
            asked_ms,
            encoded.ending,
            cues.sound(samples),
            decoded.hypotheses[0][0] if decoded.hypotheses else "",
            encoded.compute_s * 1000,
            decoded.compute_s * 1000,
            decoded.compute_s,
        )


def _pause(case: Case, pause_ms: int) -> tuple[NDArray[np.int64], int, int, int] | None:
    """Return silence after the end, when it was noticed, and the samples that inference has by then."""
    segments, detector = Segmenter(), VoiceDetector()
    pcm, silence = _pcm(case.samples), []
    asked: tuple[int, int, int] | None = None
    for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
        frame = pcm[at : at + FRAME_BYTES]
        segments.push(frame, detector.is_speech(frame))
        after = segments.now_ms - case.end_ms
        if after <= 0:
            continue
        silence.append(segments.silence_ms)
        if asked is None and segments.active and segments.silence_ms >= pause_ms:
            start = max(0, segments.start_ms - 300) * LINE_RATE_HZ // 1000
            asked = after, start, segments.now_ms * LINE_RATE_HZ // 1000
    return None if asked is None else (np.array(silence), *asked)


def _pcm(samples: F32) -> bytes:
    return bytes(np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes())


def noticed_ms(heard: Heard, wanted_ms: int) -> int | None:
    """Return how long after the speech's end its silence reached `wanted_ms`; None if it never did."""
    there = np.flatnonzero(heard.silence_ms >= wanted_ms)
    if not there.size:
        return None
    return (int(there[0]) + 1) * FRAME_MS - heard.case.end_ms % FRAME_MS
