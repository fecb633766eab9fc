"""From samples to a candidate: trained on the older calls, compared with the live model on the newest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.dialogue import DialogueState, Exchange
from voicebot.domain.emotion import Distribution, Emotion
from voicebot.domain.ports import Ranker
from voicebot.domain.sample import Sample
from voicebot.domain.script import Playbook
from voicebot.domain.speech import Transcript
from voicebot.domain.understanding import Understanding
from voicebot.learning.offpolicy import tried
from voicebot.learning.promote import Comparison, compare
from voicebot.ranker import playbook_training as training
from voicebot.ranker.encoder import Encoder
from voicebot.ranker.explorer import Bandit
from voicebot.ranker.history import pairs
from voicebot.ranker.trained import TrainedRanker
from voicebot.ranker.training import Recipe
from voicebot.registry import models
from voicebot.registry.models import Manifest
from voicebot.store.decisions import DecisionRepository, LoggedDecision
from voicebot.store.samples import SampleRepository, StoredSample, as_sample
from voicebot.store.session import Database

HELD_OUT = 0.2  # of the conversations, the newest


@dataclass(frozen=True, slots=True)
class Retrained:
    """What came of it."""

    samples: int  # learnt from
    gone: int  # of scripts that the playbook has no more
    manifest: Manifest | None  # None: cross-validation found no gain over the examples, nothing was written
    comparison: Comparison | None  # with the live model


def retrain(
    database: Database,
    playbook: Playbook,
    live: Ranker,
    encoder: Encoder,
    out: Path,
    recipe: Recipe,
    progress: Callable[[str], None],
    frozen: Sequence[Sample] = (),
) -> Retrained:
    """Train a candidate into `out` and compare it with the live model on calls it has not seen.

    Args:
        database: holds the samples.
        playbook: whose ranker.
        live: the model in use.
        encoder: of sentences.
        out: directory of the candidate.
        recipe: of training.
        progress: is told every step.
        frozen: held-out cases that no training sees, judged besides the newest calls.

    Raises:
        DataError: the playbook has too few examples.
    """
    with database.transaction() as session:
        stored = SampleRepository(session).of_playbook(playbook.id)
        logged = DecisionRepository(session).logged(playbook.id)
    older, newest = split(stored)
    past, gone = pairs([as_sample(one) for one in older], playbook)
    progress(f"{len(past)} samples of older conversations, {gone} left out: their scripts are gone")
    manifest, _ = training.train(playbook, past, encoder, out, recipe, progress)
    if manifest is None:
        return Retrained(len(past), gone, manifest=None, comparison=None)
    bandit = Bandit(tuple(playbook.scripts))
    explored = bandit.learn(tried(one) for one in logged)
    data = _data(playbook, older) | {"explored_decisions": str(explored)}
    files = {**manifest.files, bandit.save(out): ""}
    manifest = models.save(out, replace(manifest, files=files, data=data))
    with database.transaction() as session:
        SampleRepository(session).learnt(manifest.label, older)
    progress("comparing with the live model on the newest conversations")
    judged = [*(as_sample(one) for one in newest), *frozen]
    sets = ["recent"] * len(newest) + ["frozen"] * len(frozen)
    kept = [place for place, one in enumerate(judged) if one.weight > 0 and one.script_id in playbook.scripts]
    cases = [judged[place] for place in kept]
    candidate = TrainedRanker.load(out, encoders={encoder.name: encoder})
    found = compare(
        _right(candidate, cases, playbook),
        _right(live, cases, playbook),
        _groups(cases, [sets[place] for place in kept]),
        recipe.seed,
    )
    progress(found.why)
    return Retrained(len(past), gone, manifest, found)


def _data(playbook: Playbook, learnt: Sequence[StoredSample]) -> dict[str, str]:
    """Return what a model learnt from, for its manifest."""
    data = {"playbook": playbook.id, "playbook_version": playbook.version, "samples": str(len(learnt))}
    if learnt:
        data |= {
            "samples_from": f"{min(one.at for one in learnt):%Y-%m-%d %H:%M} UTC",
            "samples_to": f"{max(one.at for one in learnt):%Y-%m-%d %H:%M} UTC",
        }
    return data


def split(samples: Sequence[StoredSample]) -> tuple[list[StoredSample], list[StoredSample]]:
    """Return the samples of the older and of the newest conversations; none is in both."""
    last = {one.call_id: one.at for one in sorted(samples, key=lambda one: one.at)}
    calls = sorted(last, key=lambda call: (last[call], call))
    kept = set(calls[: len(calls) - int(len(calls) * HELD_OUT)])
    return [one for one in samples if one.call_id in kept], [
        one for one in samples if one.call_id not in kept
    ]


def _right(ranker: Ranker, cases: Sequence[Sample], playbook: Playbook) -> NDArray[np.float64]:
    """Return 1 for each case whose script the ranker puts first among all scripts, else 0."""
    scripts = list(playbook.scripts)
    return np.array([float(first(ranker, one, playbook, scripts) == one.script_id) for one in cases])


def first(ranker: Ranker, one: Sample | LoggedDecision, playbook: Playbook, among: Sequence[str]) -> str:
    """Return which of some scripts a ranker puts first for a past utterance."""
    emotion = Distribution(
        **{name: value for name, value in one.emotion.items() if name in Distribution.__slots__}
    )
    understanding = Understanding(
        Transcript(one.said), one.keywords, None, Emotion(emotion.top(), emotion.normalised())
    )
    scene = one.scene if one.scene in playbook.scenes else next(iter(playbook.scenes))
    state = DialogueState(
        playbook.id, playbook.version, scene, turn=1, history=(Exchange(one.before, "", one.agent),)
    )
    ranked = ranker.rank(understanding, state, playbook, among, 1)
    return ranked[0].script_id if ranked else ""


def _groups(cases: Sequence[Sample], sets: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    groups: dict[str, NDArray[np.bool_]] = {}
    for kind, names in (
        ("set", sets),
        ("scene", [one.scene for one in cases]),
        ("emotion", [max(one.emotion, key=lambda name: one.emotion[name], default="") for one in cases]),
    ):
        for name in sorted(set(names)):
            groups[f"{kind} {name}"] = np.array([found == name for found in names])
    return groups
