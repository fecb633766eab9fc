"""Historical samples (样本): what customers said and which script was chosen, as the ranker learns it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import DataError
from voicebot.domain.sample import Sample
from voicebot.domain.script import Playbook
from voicebot.ranker.ngrams import normalise
from voicebot.ranker.pairs import Context, Pair

THRESHOLD = 60.0  # score, 0-100, above which a sample is learnt from
_LABELS = {label.value for label in EmotionLabel}


class SampleFile:
    """SampleSource over a JSONL file, one sample a line.

    `said` and `script` (an id of the playbook) are needed; `agent`, `before`, `scene`, `keywords`,
    `emotion` (label -> probability), `conversation`, `weight` (-1 to 1) and `score` (0-100) are
    optional. A sample whose score is not above the threshold is left out, as is one of another
    `playbook`.
    """

    def __init__(self, path: Path, threshold: float = THRESHOLD) -> None:
        """Name the file."""
        self._path = path
        self._threshold = threshold

    def samples(self, playbook_id: str) -> list[Sample]:
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
                sample = _sample(json.loads(line), playbook_id, self._threshold)
            except (ValueError, TypeError, KeyError, AttributeError) as wrong:
                raise DataError(
                    f"{self._path} line {number}: {wrong}",
                    hint='a line is {"said": "...", "script": "<id>", "agent": "...", "score": 80}',
                ) from wrong
            if sample:
                found.append(sample)
        return found


def pairs(samples: Iterable[Sample], playbook: Playbook) -> tuple[list[Pair], int]:
    """Return samples as the ranker learns them, and how many it can not: of scripts that are gone."""
    found, gone = [], 0
    for sample in samples:
        script = playbook.scripts.get(sample.script_id)
        if script is None:
            gone += 1
        elif normalise(sample.said) and sample.weight:
            moment = Context(
                sample.said, sample.agent, sample.before, sample.scene, sample.keywords, sample.emotion
            )
            found.append(Pair(moment, script.text, sample.conversation, max(-1.0, min(sample.weight, 1.0))))
    return found, gone


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


def _sample(raw: Mapping[str, Any], playbook_id: str, threshold: float) -> Sample | None:
    for key in ("said", "script"):
        if not isinstance(raw[key], str) or not raw[key].strip():
            raise ValueError(f"{key!r} is no text")
    if raw.get("playbook", playbook_id) != playbook_id or float(raw.get("score", 100)) <= threshold:
        return None
    emotion = {str(label): float(share) for label, share in dict(raw.get("emotion") or {}).items()}
    if emotion.keys() - _LABELS or not all(math.isfinite(share) and share >= 0 for share in emotion.values()):
        raise ValueError(f"'emotion' wants probabilities of {', '.join(sorted(_LABELS))}")
    weight = float(raw.get("weight", 1.0))
    if not -1 <= weight <= 1:
        raise ValueError("'weight' lies between -1 and 1")
    return Sample(
        raw["said"],
        raw["script"],
        str(raw.get("agent", "")),
        str(raw.get("before", "")),
        str(raw.get("scene", "")),
        tuple(str(word) for word in raw.get("keywords", ())),
        emotion,
        str(raw.get("conversation", "")),
        weight,
    )
