"""The relation classifier (语句关系): a small linear model over the rules' features and the candidates.

Multinomial logistic regression, trained by `relation_training`; read here without any library.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicebot.dialogue.relation import Features, by_rules, features, last_script
from voicebot.domain.dialogue import Candidate, DialogueState, Relation
from voicebot.domain.errors import ModelError
from voicebot.domain.script import Playbook
from voicebot.registry import models
from voicebot.text.pinyin import bare

NAME = "relation"
WEIGHTS = "weights.json"
LABELS = tuple(Relation)
_FLAGS = ("question", "objection", "closing", "repeats", "turns_round", "more", "new_topic", "short")


@dataclass(frozen=True, slots=True)
class RelationModel:
    """Weights by feature, one for each relation. Read-only, so safe in many threads."""

    weights: Mapping[str, Sequence[float]]
    bias: Sequence[float]
    version: str

    def relate(
        self, text: str, state: DialogueState, playbook: Playbook, candidates: Sequence[Candidate]
    ) -> Relation:
        """Return the most probable relation. What the rules know for certain is not put to the vote."""
        found = features(text, (), state, playbook)
        ruled = by_rules(text, found, state, playbook)
        if ruled is Relation.CONTRADICTS or (found.answered and not found.question):
            return ruled
        chances = self.chances(moment(text, found, ruled, state, playbook, candidates))
        return LABELS[max(range(len(LABELS)), key=chances.__getitem__)]

    def chances(self, seen: Mapping[str, float]) -> list[float]:
        """Return the probability of each relation, in the order of `LABELS`."""
        scores = [float(one) for one in self.bias]
        for name, value in seen.items():
            for place, weight in enumerate(self.weights.get(name, ())):
                scores[place] += weight * value
        top = max(scores)
        shares = [math.exp(score - top) for score in scores]
        total = sum(shares)
        return [share / total for share in shares]

    def save(self, directory: Path) -> str:
        """Write the weights; return the file's name."""
        directory.mkdir(parents=True, exist_ok=True)
        document = {"labels": LABELS, "bias": self.bias, "weights": self.weights}
        text = json.dumps(document, ensure_ascii=False, sort_keys=True)
        (directory / WEIGHTS).write_text(text + "\n", "utf-8")
        return WEIGHTS

    @classmethod
    def load(cls, roots: Sequence[Path]) -> RelationModel:
        """Read the newest model. Raises ModelError."""
        directory = models.find(roots, NAME)
        manifest = models.load(directory)
        try:
            raw = json.loads((directory / WEIGHTS).read_text("utf-8"))
            if tuple(raw["labels"]) != tuple(label.value for label in LABELS):
                raise ModelError(f"{directory} knows other relations", hint="voicebot train relation")
            return cls(raw["weights"], raw["bias"], manifest.label)
        except (OSError, ValueError, KeyError, TypeError) as broken:
            raise ModelError(
                f"{directory / WEIGHTS} can not be read ({broken!r})", hint="voicebot train relation"
            ) from broken


def moment(
    text: str,
    found: Features,
    ruled: Relation,
    state: DialogueState,
    playbook: Playbook,
    candidates: Sequence[Candidate],
) -> dict[str, float]:
    """Return the named features of an utterance in its place, most of them 0 or 1."""
    said = bare(text)
    last = last_script(state, playbook)
    seen = {f"rule {ruled.value}": 1.0, f"expects {found.expects.value}": 1.0}
    seen[f"last {last.act}" if last else "last none"] = 1.0
    if found.answered:
        seen[f"answer {found.answered}"] = 1.0
    seen |= {name: 1.0 for name in _FLAGS if getattr(found, name)}
    acts: defaultdict[str, float] = defaultdict(float)
    for candidate in candidates:
        script = playbook.scripts.get(candidate.script_id)
        if script:
            acts[script.act] += candidate.probability
            led = last is not None and any(answer.then == script.id for answer in last.answers)
            acts["led"] += candidate.probability * led
    seen |= {f"act {act}": share for act, share in acts.items() if share > 0.01}
    grams = {said[at : at + size] for size in (1, 2) for at in range(len(said) - size + 1)}
    return seen | {f"g {gram}": 1.0 for gram in grams} | {f"end {said[-1:]}": 1.0, f"start {said[:2]}": 1.0}
