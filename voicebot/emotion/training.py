"""Trains the second emotion from read speech and the lexicon. The recipe: the card beside the weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
import soundfile
import structlog
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.emotion import Distribution, EmotionSample
from voicebot.domain.errors import DataError
from voicebot.domain.speech import Prosody
from voicebot.emotion import model as emotion_model
from voicebot.emotion import operating, voices
from voicebot.emotion.fusion import negative
from voicebot.emotion.lexicon import Lexicon
from voicebot.emotion.model import CODEC, NAME, WEIGHTS, Linear, inputs
from voicebot.emotion.prosody import (
    FEATURE_VERSION,
    HOP_S,
    LEVEL_NAMES,
    NAMES,
    Frames,
    active,
    frames_of,
    line_samples,
    measure,
    relative,
)
from voicebot.emotion.samples import require_version
from voicebot.registry import models

F64 = NDArray[np.float64]
log = structlog.get_logger()

BASELINE_CLIPS = 3
STRENGTH = 0.02  # C of the logistic regressions: small, since real voices differ from made ones
# What the invented manners really shape. Other features would only teach how the making differs from life.
HEARD = (
    *("f0_mean_st", "f0_median_st", "f0_p10_st", "f0_p90_st", "level_db", "level_p90_db"),
    *("tilt_db", "tilt_voiced_db", "centroid_oct", "hammarberg_db"),
)
FOLDS = 5
VOICES_PER_PHRASE = 6  # of each class
JUDGED_WEIGHT = 10.0  # of a phrase in a judged turn, beside 1 of a phrase crossed with a made voice

Lesson = tuple[
    F64, Distribution, float
]  # what the second emotion reads, what it shall say, how much it counts


@dataclass(frozen=True, slots=True)
class Samples:
    """Sounds relative to their speaker's baseline."""

    utterance: F64  # (n, features)
    keyword: F64  # (n, features): a part of the same sound, as long as a keyword
    raised: NDArray[np.bool_]
    speaker: NDArray[np.int64]


def clips(data: Path) -> list[Path]:
    """Return the recordings of a folder, or of its speech/aishell."""
    for folder in (data, data / "speech" / "aishell"):
        found = sorted(path for path in folder.glob("*") if path.suffix in {".flac", ".wav"})
        if found:
            return found
    raise DataError(f"no .flac or .wav in {data}", hint="name a folder of read Mandarin speech with --data")


def make_samples(paths: Sequence[Path], speakers: int, seed: int) -> Samples:
    """Invent speakers who say pieces of the recordings calmly and with a raised voice, as often."""
    random = np.random.default_rng(seed)
    pieces = list(_pieces(paths, random))
    if len(pieces) < BASELINE_CLIPS + 4:
        raise DataError(f"only {len(pieces)} usable pieces of speech", hint="give at least ten recordings")
    utterance: list[F64] = []
    keyword: list[F64] = []
    raised: list[bool] = []
    owner: list[int] = []
    for index in range(speakers):
        speaker = voices.invent_speaker(random)
        chosen = random.permutation(len(pieces))[: BASELINE_CLIPS + 4]
        calm = [
            _features(_say(pieces[piece], speaker, random, raised=False), random)
            for piece in chosen[:BASELINE_CLIPS]
        ]
        heard = [pair[0].vector for pair in calm if pair is not None and pair[0].f0_median_hz > 0]
        if len(heard) < BASELINE_CLIPS:
            continue
        baseline = tuple(np.mean(heard, axis=0))
        for place, piece in enumerate(chosen[BASELINE_CLIPS:]):
            loud = place % 2 == 1
            pair = _features(_say(pieces[piece], speaker, random, raised=loud), random)
            if pair is None:
                continue
            utterance.append(np.array(relative(pair[0], baseline)))
            keyword.append(np.array(relative(pair[1], baseline)))
            raised.append(loud)
            owner.append(index)
    return Samples(np.array(utterance), np.array(keyword), np.array(raised), np.array(owner))


def train(
    data: Path,
    lexicon: Lexicon,
    out: Path,
    *,
    speakers: int = 300,
    seed: int = 1,
    judged: Sequence[EmotionSample] = (),
) -> models.Manifest:
    """Train on the recordings in `data` and on judged turns; write weights, card and manifest into `out`.

    Raises:
        DataError: too little speech, or judged turns that were measured by another version.
    """
    require_version(judged)
    out.mkdir(parents=True, exist_ok=True)
    paths = clips(data)
    log.info("emotion_training_begins", recordings=len(paths), speakers=speakers)
    samples = make_samples(paths, speakers, seed)
    utterance_logits, utterance_metrics = held_out(samples.utterance, samples)
    keyword_logits, keyword_metrics = held_out(samples.keyword, samples)
    utterance, keyword = (ensemble(v, samples.raised) for v in (samples.utterance, samples.keyword))
    lessons = judged_lessons(judged, lexicon, utterance)
    coef, intercept = second_emotion(lexicon, samples.raised, utterance_logits, keyword_logits, seed, lessons)
    trained = emotion_model.EmotionModel(out.name, tuple(utterance), tuple(keyword), coef, intercept)
    voice = [[_clip(logit) for logit in logits] for logits in (utterance_logits, keyword_logits)]
    point = operating.choose(trained, lexicon, samples.raised, *voice)
    weights = {
        "names": NAMES,
        "utterance": [_raw(member) for member in utterance],
        "keyword": [_raw(member) for member in keyword],
        "second": {"coef": coef.round(6).tolist(), "intercept": intercept.round(6).tolist()},
        "negative_threshold": point.negative_threshold,
    }
    (out / WEIGHTS).write_text(json.dumps(weights, ensure_ascii=False, indent=1) + "\n", "utf-8")
    metrics = {
        **{f"utterance_{key}": value for key, value in utterance_metrics.items()},
        **{f"keyword_{key}": value for key, value in keyword_metrics.items()},
        **asdict(point),
        "samples": float(samples.raised.size),
        "speakers": float(np.unique(samples.speaker).size),
        "judged_turns": float(len(judged)),
    }
    (out / "card.md").write_text(_card(out.name, metrics, lexicon, seed), "utf-8")
    manifest = models.Manifest(
        name=NAME, version=out.name, files={WEIGHTS: "", "card.md": ""}, rate_hz=LINE_RATE_HZ, codec=CODEC,
        feature_version=FEATURE_VERSION, metrics=metrics,
    )  # fmt: skip
    saved = models.save(out, manifest)
    emotion_model.load(out)
    return saved


def ensemble(vectors: F64, raised: NDArray[np.bool_]) -> list[Linear]:
    """Fit one member with level and one without: levels mislead when the customer moves the phone."""
    without = tuple(name for name in HEARD if name not in LEVEL_NAMES)
    return [_fit(vectors, raised, tuple(NAMES.index(name) for name in names)) for names in (HEARD, without)]


def held_out(vectors: F64, samples: Samples) -> tuple[F64, dict[str, float]]:
    """Return the logits of speakers not trained on, and what they are worth."""
    logits = np.zeros(samples.raised.size)
    fold = samples.speaker % FOLDS
    for index in range(FOLDS):
        members = ensemble(vectors[fold != index], samples.raised[fold != index])
        for row in np.flatnonzero(fold == index):
            logits[row] = np.mean([member.logit(vectors[row]) for member in members])
    chance = 1 / (1 + np.exp(-logits))
    right = (logits > 0) == samples.raised
    return logits, {
        "uar": float((right[samples.raised].mean() + right[~samples.raised].mean()) / 2),
        "ece": calibration_error(chance, samples.raised),
    }


def calibration_error(chance: F64, truth: NDArray[np.bool_], bins: int = 10) -> float:
    """Return the expected calibration error over equally wide bins (Guo et al. 2017)."""
    place = np.minimum((chance * bins).astype(int), bins - 1)
    gaps = [
        abs(float(chance[place == b].mean()) - float(truth[place == b].mean())) * float((place == b).mean())
        for b in np.unique(place)
    ]
    return float(sum(gaps))


def target(first: Distribution | None, *, raised: bool) -> Distribution:
    """Return the emotion that a phrase means in a calm or a raised voice: what the bootstrap teaches.

    A raised voice turns words with negative ground further negative, in proportion to that ground, and leaves
    the others alone. A calm voice takes most of the negative out of ambiguous words, nothing out of insults.
    """
    if first is None:
        return Distribution(calm=0.8, annoyed=0.2) if raised else Distribution(calm=0.97, hesitant=0.03)
    before = negative(first)
    if raised:
        after = before + (1 - before) * 0.75 * min(1.0, before / 0.4)
    else:
        after = before * float(np.interp(before, (0.0, 0.6, 0.95), (0.15, 0.15, 1.0)))
    angry = first.angry / before if before > 0 else 0.0
    if raised and before > 0:
        angry += (1 - angry) * 0.1
    rest = 1 - before
    keep = (1 - after) / rest if rest > 0 else 0.0
    return Distribution(
        interested=first.interested * keep, calm=first.calm * keep, hesitant=first.hesitant * keep,
        annoyed=after * (1 - angry), angry=after * angry,
    ).normalised()  # fmt: skip


def judged_lessons(
    judged: Sequence[EmotionSample], lexicon: Lexicon, utterance: Sequence[Linear]
) -> list[Lesson]:
    """Return what judged turns teach: what each of their phrases means in that voice."""
    lessons = []
    for sample in judged:
        sound = np.array(sample.vector) - np.array(sample.baseline)
        logit = _clip(float(np.mean([member.logit(sound) for member in utterance])))
        found: list[Distribution | None] = [match.distribution for match in lexicon.matches(sample.text)]
        lessons += [
            (inputs(meaning, logit, None), sample.label, JUDGED_WEIGHT) for meaning in found or [None]
        ]
    return lessons


def second_emotion(
    lexicon: Lexicon,
    raised: NDArray[np.bool_],
    utterance: F64,
    keyword: F64,
    seed: int,
    judged: Sequence[Lesson] = (),
) -> tuple[F64, F64]:
    """Cross every phrase with calm and raised sounds in equal numbers, and fit the meaning of both.

    The sounds' logits are those of held-out speakers, so the model learns how far to trust them. Judged turns
    join with a weight of their own.
    """
    random = np.random.default_rng(seed)
    meanings: list[Distribution | None] = [
        entry.distribution for entry in lexicon.entries.values() if entry.kind == "phrase"
    ]
    meanings += [None] * (len(meanings) // 20)
    lessons: list[Lesson] = list(judged)
    for meaning in meanings:
        for loud in (False, True):
            wanted = target(meaning, raised=loud)
            for place in random.choice(np.flatnonzero(raised == loud), VOICES_PER_PHRASE):
                row = inputs(meaning, _clip(utterance[place]), _clip(keyword[place]))
                lessons.append((row, wanted, 1.0))
    rows: list[F64] = []
    labels: list[int] = []
    weight: list[float] = []
    for row, wanted, counts in lessons:
        for label, share in enumerate(astuple(wanted)):
            if share > 0:
                rows.append(row)
                labels.append(label)
                weight.append(share * counts)
    fitted = LogisticRegression(C=10.0, max_iter=2000).fit(np.array(rows), labels, sample_weight=weight)
    return fitted.coef_, fitted.intercept_


def _clip(logit: float) -> float:
    return float(np.clip(logit, -emotion_model.CLIP, emotion_model.CLIP))


def _pieces(paths: Sequence[Path], random: np.random.Generator) -> Iterator[voices.Parts]:
    """Cut each recording to one piece of 1.2-3 s that holds speech, and take it apart."""
    for path in paths:
        try:
            sound, rate = soundfile.read(path, dtype="float64", always_2d=True)
        except (OSError, soundfile.LibsndfileError) as broken:
            raise DataError(
                f"{path.name} can not be read ({broken})", hint="remove or replace it"
            ) from broken
        mono = sound.mean(axis=1)
        loud = np.flatnonzero(np.abs(mono) > 0.1 * np.abs(mono).max())
        if loud.size == 0:
            continue
        speech = mono[loud[0] : loud[-1] + 1]
        wanted = int(random.uniform(1.2, 3.0) * rate)
        if speech.size < rate:
            continue
        start = int(random.integers(0, max(1, speech.size - wanted)))
        yield voices.take_apart(np.ascontiguousarray(speech[start : start + wanted]), rate)


def _say(
    parts: voices.Parts, speaker: voices.Speaker, random: np.random.Generator, *, raised: bool
) -> Frames:
    manner = voices.invent_manner(random, raised=raised)
    return frames_of(line_samples(Audio(voices.put_together(parts, speaker, manner, random))))


def _features(frames: Frames, random: np.random.Generator) -> tuple[Prosody, Prosody] | None:
    whole = measure(frames)
    speech = np.flatnonzero(active(frames))
    if whole is None or speech.size < 40:
        return None
    length = int(random.integers(25, 70))
    start = int(speech[random.integers(0, max(1, speech.size - length))])
    part = measure(frames.between(start * HOP_S, (start + length) * HOP_S)) or whole
    return whole, part


def _fit(vectors: F64, raised: NDArray[np.bool_], columns: tuple[int, ...]) -> Linear:
    chosen = vectors[:, columns]
    mean, scale = chosen.mean(axis=0), chosen.std(axis=0) + 1e-6
    fitted = LogisticRegression(C=STRENGTH, max_iter=2000).fit((chosen - mean) / scale, raised)
    return Linear(columns, mean, scale, fitted.coef_[0], float(fitted.intercept_[0]))


def _raw(member: Linear) -> dict[str, object]:
    return {
        "columns": [NAMES[column] for column in member.columns],
        "mean": member.mean.round(6).tolist(),
        "scale": member.scale.round(6).tolist(),
        "coef": member.coef.round(6).tolist(),
        "intercept": [round(member.intercept, 6)],
    }


def _card(version: str, metrics: dict[str, float], lexicon: Lexicon, seed: int) -> str:
    figures = "\n".join(f"| {name} | {value:.3f} |" for name, value in metrics.items())
    return _CARD.format(
        version=version,
        figures=figures,
        lexicon=lexicon.version,
        seed=seed,
        judged=int(metrics["judged_turns"]),
    )


_CARD = """# emotion {version}

Hears whether a voice is raised against the same speaker's calm voice, and reads a keyword in that light
(second emotion).

## Made from
Read Mandarin speech of AISHELL-1 (OpenSLR 33, Apache-2.0), one speaker, cut to 1.2-3 s. Speakers are
invented (pitch, vocal tract, line) and speak calmly or with a raised voice (pitch and level up,
spectrum flatter, in wide random ranges). Both classes are resynthesised with WORLD, else a model learns
the vocoder. 300-3400 Hz, 8 kHz, A-law, noise. No acted or real emotional speech was used. Lexicon
{lexicon}: every phrase is crossed with calm and raised sound in equal numbers. Seed {seed}. Turns of real
calls that people judged: {judged}.

## How
Prosody features minus the mean of three calm turns of the speaker; logistic regression, the mean of a
member with and one without level, for the utterance and for a keyword. The second emotion is a
multinomial logistic regression over the phrase's meaning, both voices and their products, fitted on
logits of speakers held out.

A look at EmoDB showed octave errors of an earlier pitch tracker, and chose these ten features among three
sets (all: UAR .91, all that the making shapes: .95, these: .95). No weight or threshold was fitted to it.

The threshold of the negative labels is the lowest that calls at most 5 % of calm voices annoyed when the
ambiguous phrases of the lexicon meet the voices of speakers held out.

## Figures
On invented speakers held out (made voices: easier than life; `voicebot bench emotion` judges acted
speech):

| figure | value |
|---|---|
{figures}

## Limits
It hears excitement, not its cause: joy and surprise raise a voice too. So a label is negative only if
the words give ground for it. It abstains until it has heard a calm turn. On real calls expect less than
on acted speech.
"""
