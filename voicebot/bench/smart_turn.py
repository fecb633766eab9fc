"""Pipecat's Smart Turn 3.x on our cases. A helper of `bench turns`; its file is named by the user."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from faster_whisper.feature_extractor import FeatureExtractor
from scipy import signal

from voicebot.bench.endpoint_curve import F64
from voicebot.domain.errors import DataError
from voicebot.speech.endpointing.hearing import Heard

_SECONDS = 8
_RATE_HZ = 16_000


def score(file: Path, heard: Sequence[Heard]) -> tuple[F64, F64]:
    """Return its probabilities that the turn is complete, and the CPU milliseconds of each.

    Its own input: the last 8 s at 16 kHz, zeros before them, zero mean and unit variance, Whisper's log-mel.
    """
    if not file.is_file():
        raise DataError(f"{file} does not exist", hint="--set smart_turn=FILE: the onnx file in pipecat-ai")
    threads = onnxruntime.SessionOptions()
    threads.intra_op_num_threads = threads.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), threads, providers=["CPUExecutionProvider"])
    features = FeatureExtractor(chunk_length=_SECONDS)
    values, costs = [], []
    for one in heard:
        until = (one.case.end_ms + one.asked_ms) * 8
        began = time.process_time()
        samples = signal.resample_poly(one.case.samples[:until], 2, 1)[-_SECONDS * _RATE_HZ :]
        padded = np.pad(samples, (_SECONDS * _RATE_HZ - samples.size, 0))
        normal = (padded - padded.mean()) / np.sqrt(padded.var() + 1e-7)
        mel = features(normal.astype(np.float32), padding=0)[None, :, : _SECONDS * 100].astype(np.float32)
        values.append(float(np.ravel(session.run(None, {"input_features": mel})[0])[0]))
        costs.append((time.process_time() - began) * 1000)
    return np.array(values), np.array(costs)
