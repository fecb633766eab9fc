"""Judged turns from a file: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from voicebot.domain.emotion import Distribution, EmotionLabel, EmotionSample
from voicebot.domain.errors import DataError
from voicebot.emotion.prosody import FEATURE_VERSION, NAMES


class SampleFile:
    """The EmotionSamples port over a JSONL file."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is read by `samples`."""
        self._path = path

    def samples(self) -> Iterator[EmotionSample]:
        """Yield every line. Raises DataError that names the first bad one."""
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as broken:
            raise DataError(
                f"{self._path} can not be read ({broken})", hint="give JSON lines in UTF-8"
            ) from broken
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield _sample(json.loads(line))
            except (ValueError, KeyError, TypeError) as wrong:
                raise DataError(
                    f"{self._path.name} line {number}: {wrong!r}",
                    hint="each line: turn, text, label, vector, baseline, feature_version",
                ) from wrong


def require_version(samples: Sequence[EmotionSample]) -> None:
    """Refuse turns that were measured in another way than this version measures. Raises DataError."""
    for sample in samples:
        if sample.feature_version != FEATURE_VERSION:
            raise DataError(
                f"turn {sample.turn} was measured by features {sample.feature_version!r}, here they are "
                f"{FEATURE_VERSION!r}",
                hint="leave it out, or train with the version that measured it",
            )


def _sample(raw: dict[str, Any]) -> EmotionSample:
    vector, baseline = (tuple(float(value) for value in raw[name]) for name in ("vector", "baseline"))
    if len(vector) != len(NAMES) or len(baseline) != len(NAMES):
        raise ValueError(f"vector and baseline hold {len(NAMES)} numbers each")
    label = raw["label"]
    shares = label if isinstance(label, dict) else {EmotionLabel(label).value: 1.0}
    judged = Distribution(**{name: float(share) for name, share in shares.items()})
    return EmotionSample(
        str(raw["turn"]), str(raw["text"]), judged.normalised(), vector, baseline, str(raw["feature_version"])
    )
