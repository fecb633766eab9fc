"""Whether words are a machine's, and what they say of the number: a small linear model over how they sound.

Multinomial logistic regression over syllables, trained by `training`; read here without any library. It knows
announcements in words that no table lists, half heard and cut anywhere. Human first: it must be sure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.answering import NumberStatus, Told
from voicebot.domain.errors import ModelError
from voicebot.registry import models
from voicebot.text.announcements import alike, by_table, may_offer_mailbox
from voicebot.text.pinyin import fuzzy, syllables

NAME = "answering"
WEIGHTS = "weights.json"
PERSON = "person"
LABELS = (PERSON, *(status.value for status in NumberStatus if status is not NumberStatus.FAX))
SURE = 0.95  # probability from which a machine speaks
LIKELY = 0.5  # from which it does if its words are near to known ones
NAMED = 0.5  # share of a status from which it is told
GUESSED = 0.3  # share from which it is taken where nothing more is said
_UNKNOWN = LABELS.index(NumberStatus.UNKNOWN.value)


@dataclass(frozen=True, slots=True)
class Heard:
    """What words are taken for."""

    machine: float  # probability that no person says them
    kind: NumberStatus  # the likeliest of the statuses that are named
    share: float  # of that status among all that a machine may say


@dataclass(frozen=True, eq=False)
class WordingModel:
    """Weights by feature, one for each label. Read-only, so safe in many threads."""

    weights: Mapping[str, NDArray[np.float32]]
    bias: NDArray[np.float32]
    version: str

    def told(self, text: str) -> Told | None:
        """Return what words tell of the number, by the table of known wording and by likeness."""
        known, heard = by_table(text), self.heard(text)
        mailbox = heard.kind is NumberStatus.MAILBOX and heard.share >= NAMED
        if known and known.status is not NumberStatus.UNKNOWN and not (mailbox and may_offer_mailbox(text)):
            return known
        if known is None and heard.machine < LIKELY:
            return None
        near = alike(text) if heard.machine < SURE or heard.share < NAMED else None
        if known is None and heard.machine < SURE and near is None:
            return None
        if heard.share >= NAMED:
            return Told(heard.kind, heard.kind)
        if near not in (None, NumberStatus.UNKNOWN, NumberStatus.VACANT):
            return Told(near, near)
        # a vacant number is never called again, so that is not guessed
        guessed = heard.share >= GUESSED and heard.kind is not NumberStatus.VACANT
        return Told(NumberStatus.UNKNOWN, heard.kind if guessed else NumberStatus.UNKNOWN)

    def heard(self, text: str) -> Heard:
        """Judge a text of Mandarin as a recogniser writes it, which may break off. Some 0.2 ms."""
        return self.judged(syllables(text))

    def judged(self, sounds: Sequence[str]) -> Heard:
        """Judge syllables."""
        scores = self.bias.astype(np.float64)
        seen = features(sounds)
        rows = [row for name in seen if (row := self.weights.get(name)) is not None]
        if rows:  # what is mostly new says little, so it is a person's
            scores += np.sum(rows, axis=0) / np.sqrt(len(seen))
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        machine = float(1 - shares[0])
        named = shares[1:].copy()
        named[_UNKNOWN - 1] = 0.0
        best = int(named.argmax())
        return Heard(machine, NumberStatus(LABELS[1 + best]), float(named[best]) / max(machine, 1e-9))

    def save(self, directory: Path) -> str:
        """Write the weights; return the file's name."""
        directory.mkdir(parents=True, exist_ok=True)
        rows = {name: [round(float(one), 1) for one in row] for name, row in self.weights.items()}
        document = {"labels": LABELS, "bias": [round(float(one), 3) for one in self.bias], "weights": rows}
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        (directory / WEIGHTS).write_text(text + "\n", "utf-8")
        return WEIGHTS

    @classmethod
    def load(cls, roots: Sequence[Path]) -> WordingModel:
        """Read the newest model. Raises ModelError."""
        directory = models.find(roots, NAME)
        manifest = models.load(directory)
        try:
            raw = json.loads((directory / WEIGHTS).read_text("utf-8"))
            if tuple(raw["labels"]) != LABELS:
                raise ModelError(f"{directory} knows other statuses", hint="voicebot train answering")
            rows = {str(name): np.array(row, np.float32) for name, row in raw["weights"].items()}
            return cls(rows, np.array(raw["bias"], np.float32), manifest.label)
        except (OSError, ValueError, KeyError, TypeError) as broken:
            raise ModelError(
                f"{directory / WEIGHTS} can not be read ({broken!r})", hint="voicebot train answering"
            ) from broken


def features(sounds: Sequence[str]) -> set[str]:
    """Return the named features of syllables: one, two and three of them, and two around a third.

    Sounds that accents and the telephone mix up are folded together.
    """
    folded = ["^", *(fuzzy(sound) for sound in sounds)]
    found = {" ".join(folded[at : at + size]) for size in (1, 2, 3) for at in range(len(folded) - size + 1)}
    return found | {f"{first} _ {third}" for first, third in zip(folded, folded[2:], strict=False)}
