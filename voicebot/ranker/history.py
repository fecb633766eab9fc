"""Historical samples (样本): what customers said, and the script that a good decision chose."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import DataError
from voicebot.domain.script import Playbook
from voicebot.ranker.ngrams import normalise
from voicebot.ranker.pairs import Context, Pair

THRESHOLD = 60.0  # score, 0-100, above which a sample is learnt from
_LABELS = {label.value for label in EmotionLabel}


class SampleSource(Protocol):
    """Where historical samples come from: a file, or the call journal."""

    def pairs(self, playbook: Playbook) -> Iterable[Pair]:
        """Return the samples of a playbook, in a fixed order."""


class SampleFile:
    """A JSONL file, one sample a line.

    `said` and `script` (an id of the playbook) are needed; `agent`, `before`, `scene`, `keywords`,
    `emotion` (label -> probability), `conversation` and `score` (0-100) are optional. A sample
    whose score is not above the threshold is left out, as is one of another `playbook`.
    """

    def __init__(self, path: Path, threshold: float = THRESHOLD) -> None:
        """Name the file."""
        self._path = path
        self._threshold = threshold

    def pairs(self, playbook: Playbook) -> list[Pair]:
        """Return the file's samples. Raises DataError naming the first line that is wrong."""
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as broken:
            raise DataError(f"{self._path}: {broken}", hint="name a JSONL file in UTF-8") from broken
        found = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                pair = _pair(json.loads(line), playbook, self._threshold)
            except (ValueError, TypeError, KeyError, AttributeError) as wrong:
                raise DataError(
                    f"{self._path} line {number}: {wrong}",
                    hint='a line is {"said": "...", "script": "<id>", "agent": "...", "score": 80}',
                ) from wrong
            if pair:
                found.append(pair)
        return found


def examples(playbook: Playbook) -> list[Pair]:
    """Return the playbook's example lines as pairs.

    Without a scene: it is that of the right script, which would tell the answer.
    """
    return [
        Pair(
            Context(line, keywords=tuple(word for word in playbook.keywords if word in line)),
            script.text,
            f"{script.id} {number}",
        )
        for script in playbook.scripts.values()
        for number, line in enumerate(script.examples)
        if normalise(line)
    ]


def _pair(raw: Mapping[str, Any], playbook: Playbook, threshold: float) -> Pair | None:
    for key in ("said", "script"):
        if not isinstance(raw[key], str) or not raw[key].strip():
            raise ValueError(f"{key!r} is no text")
    if raw.get("playbook", playbook.id) != playbook.id or float(raw.get("score", 100)) <= threshold:
        return None
    if raw["script"] not in playbook.scripts:
        raise ValueError(f"playbook {playbook.id} has no script {raw['script']!r}")
    emotion = {str(label): float(share) for label, share in dict(raw.get("emotion") or {}).items()}
    if emotion.keys() - _LABELS or not all(math.isfinite(share) and share >= 0 for share in emotion.values()):
        raise ValueError(f"'emotion' wants probabilities of {', '.join(sorted(_LABELS))}")
    context = Context(
        raw["said"],
        str(raw.get("agent", "")),
        str(raw.get("before", "")),
        str(raw.get("scene", "")),
        tuple(str(word) for word in raw.get("keywords", ())),
        emotion,
    )
    return Pair(context, playbook.scripts[raw["script"]].text, str(raw.get("conversation", "")))
