"""Understands how something was meant: lexicon + sound -> keywords, prosody, two-fold emotion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.emotion import Emotion, KeywordEmotion, SpeakerBaseline
from voicebot.domain.speech import Prosody, Transcript, Word
from voicebot.emotion import fusion, model, prosody
from voicebot.emotion import lexicon as lexicons
from voicebot.emotion.fusion import FusionRule
from voicebot.emotion.lexicon import Lexicon, Match
from voicebot.emotion.model import EmotionModel
from voicebot.emotion.prosody import Frames
from voicebot.registry import models

NOMINAL_LEVEL_DB = -26.0  # dBov: active speech level that telephone networks are planned for (ITU-T P.56)
MAX_TEXT = 500  # characters; nobody says more in one breath, but a looping recogniser writes more
_TRUSTED_TURNS = 3  # calm turns after which the baseline is as good as it gets
_MAX_TURNS = 8  # calm turns after which it stays as it is
_BASELINE_SPEECH_S = 0.4  # a 喂 is too short to know a voice by
_UNHEARD = 0.0  # log odds of a voice that can not be judged: neither calm nor raised
_EDGE_S = 0.05  # added on both sides of a keyword, as word times are not exact


class Analyzer:
    """The EmotionAnalyzer port. Holds no state of a call, so any thread may use it."""

    def __init__(self, lexicon: Lexicon, second: EmotionModel, rule: FusionRule | None = None) -> None:
        """Take the two sources of emotion and how to fuse them; by default with the model's threshold."""
        self.lexicon = lexicon
        self.model = second
        self.rule = rule or FusionRule(negative_threshold=second.negative_threshold)
        self.version = f"{second.version}+{lexicon.version}"

    @classmethod
    def load(
        cls, roots: Sequence[Path], *, emotion: str = "", lexicon: str = "", rule: FusionRule | None = None
    ) -> Analyzer:
        """Load the named or newest versions. Raises ModelError or DataError with what to do.

        Args:
            roots: directories of models; an earlier one wins where both hold a version.
            emotion: version of the model; "" = the newest.
            lexicon: version of the lexicon; "" = the newest.
            rule: how to fuse.
        """
        words = lexicons.load(models.find(roots, lexicons.NAME, lexicon))
        return cls(words, model.load(models.find(roots, model.NAME, emotion)), rule)

    def analyse(
        self, transcript: Transcript, audio: Audio | None, baseline: SpeakerBaseline
    ) -> tuple[tuple[str, ...], Prosody | None, Emotion, SpeakerBaseline]:
        """Return keywords, the utterance's prosody, its emotion and the next baseline."""
        text = transcript.text[:MAX_TEXT]
        matches = self.lexicon.matches(text)
        keywords = tuple(
            dict.fromkeys((*(match.phrase for match in matches), *self.lexicon.tokeniser.keywords(text)))
        )
        frames, sound = self._sound(text, audio, baseline)
        if frames is not None and sound is not None and baseline.turns == 0 and not baseline.mean:
            # the line's gain is what brings the first speech of a call to the nominal level, once
            gain = NOMINAL_LEVEL_DB - sound.level_db
            sound = prosody.with_gain(sound, gain)
            baseline = SpeakerBaseline(0, (), gain) if baseline.gain_db == 0 else baseline
        voice, why = self._voice(sound, baseline)
        places = times(transcript, matches)
        per_keyword = tuple(
            self._keyword(match, place, frames, baseline, voice)
            for match, place in zip(matches, places, strict=True)
        )
        emotion = replace(
            self._emotion(per_keyword, voice, why, spoken=bool(text.strip())), baseline=baseline.mean
        )
        return keywords, sound, emotion, self._learn(baseline, sound, frames, emotion, voice)

    def _sound(
        self, text: str, audio: Audio | None, baseline: SpeakerBaseline
    ) -> tuple[Frames | None, Prosody | None]:
        if audio is None or len(audio.pcm) < 2:
            return None, None
        samples = prosody.line_samples(audio)
        skipped = max(0.0, audio.duration_s - samples.size / LINE_RATE_HZ)
        frames = prosody.frames_of(samples, skipped)
        return frames, prosody.measure(frames, syllables(text) if not skipped else 0, baseline.gain_db)

    def _voice(self, sound: Prosody | None, baseline: SpeakerBaseline) -> tuple[float | None, str]:
        """Return the log odds that the voice is raised, or None and why it abstains."""
        if sound is None:
            return None, "too little speech to hear a voice"
        if baseline.turns == 0:
            return None, "no calm turn of this speaker heard yet"
        odds = self.model.raised(prosody.relative(sound, baseline.mean)) * _trust(baseline)
        return odds, f"voice {'raised' if odds > 0 else 'calm'} ({odds:+.1f})"

    def _keyword(
        self,
        match: Match,
        place: tuple[float, float],
        frames: Frames | None,
        baseline: SpeakerBaseline,
        voice: float | None,
    ) -> KeywordEmotion:
        near = None
        if voice is not None and frames is not None:
            part = frames.between(place[0] - _EDGE_S, place[1] + _EDGE_S)
            sound = prosody.measure(part, gain_db=baseline.gain_db)
            if sound is not None:
                near = self.model.raised(prosody.relative(sound, baseline.mean), keyword=True)
                near *= _trust(baseline)
        second = self.model.second(match.distribution, _UNHEARD if voice is None else voice, near)
        return KeywordEmotion(
            text=match.phrase,
            start_s=place[0],
            end_s=place[1],
            first=match.distribution,
            second=second,
            fused=fusion.fuse(match.distribution, second, self.rule, heard=voice is not None),
            weight=fusion.keyword_weight(match.distribution, match.intensity, self.rule),
        )

    def _emotion(
        self, words: tuple[KeywordEmotion, ...], voice: float | None, why: str, *, spoken: bool
    ) -> Emotion:
        heard = voice is not None
        if words:
            first, second, fused = fusion.pool(words)
        else:
            first = None
            second = self.model.second(None, _UNHEARD if voice is None else voice, None)
            if not spoken and not heard:
                second = None
            fused = fusion.fuse(None, second, self.rule)
        if second is not None and not heard:
            why = f"{why}: second from the words alone"
        label, because = fusion.decide(fused, first, self.rule)
        silent = () if words else ("no phrase of the lexicon",)
        return Emotion(
            label=label,
            distribution=fused,
            first=first,
            second=second,
            weights=fusion.weights(first, second, self.rule, heard=heard),
            per_keyword=words,
            model_version=self.model.version,
            lexicon_version=self.lexicon.version,
            reasons=(*because, why, *silent),
        )

    def _learn(
        self,
        baseline: SpeakerBaseline,
        sound: Prosody | None,
        frames: Frames | None,
        emotion: Emotion,
        voice: float | None,
    ) -> SpeakerBaseline:
        """Return the baseline after this turn: it grows by turns without negative words or raised voice."""
        words_negative = emotion.first is not None and fusion.negative(emotion.first) >= self.rule.ground
        if (
            sound is None
            or frames is None
            or sound.f0_median_hz == 0
            or words_negative
            or baseline.turns >= _MAX_TURNS
        ):
            return baseline
        if voice is not None and voice > 0 and baseline.turns >= _TRUSTED_TURNS:
            return baseline
        if float(prosody.active(frames).sum()) * prosody.HOP_S < _BASELINE_SPEECH_S:
            return baseline
        turns = baseline.turns + 1
        before = baseline.mean or (0.0,) * len(sound.vector)
        mean = tuple(old + (new - old) / turns for old, new in zip(before, sound.vector, strict=True))
        return SpeakerBaseline(turns, mean, baseline.gain_db)


def syllables(text: str) -> int:
    """Return the number of hanzi, which is that of syllables."""
    return sum("一" <= char <= "鿿" for char in text)


def times(transcript: Transcript, matches: Sequence[Match]) -> list[tuple[float, float]]:
    """Return when each phrase was said: word times, spread evenly over the characters of a word."""
    at: list[tuple[float, float] | None] = [None] * len(transcript.text)
    place = 0
    for word in transcript.words:
        found = transcript.text.find(word.text, place) if word.text else -1
        if found < 0:
            continue
        _spread(word, at, found)
        place = found + len(word.text)
    spans = []
    for match in matches:
        known = [span for span in at[match.start : match.end] if span is not None]
        spans.append((known[0][0], known[-1][1]) if known else (0.0, 0.0))
    return spans


def _spread(word: Word, at: list[tuple[float, float] | None], start: int) -> None:
    step = (word.end_s - word.start_s) / len(word.text)
    for index in range(len(word.text)):
        at[start + index] = (word.start_s + index * step, word.start_s + (index + 1) * step)


def _trust(baseline: SpeakerBaseline) -> float:
    """Return how far to believe a voice against this baseline: one calm turn says less than three."""
    shrunk = baseline.turns / (baseline.turns + 1)
    return min(1.0, shrunk / (_TRUSTED_TURNS / (_TRUSTED_TURNS + 1)))
