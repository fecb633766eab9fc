"""What the customer said, as sound and as words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from voicebot.domain.audio import Audio

_ENOUGH = 0.4  # of the chances; on 669 lines it read four wishes more, none wrongly


class UtteranceKind(StrEnum):
    """What made the bot's turn come."""

    ANSWERED = "answered"  # the call was answered: the bot opens
    SPEECH = "speech"
    SILENCE = "silence"  # the customer said nothing for the scene's patience
    DTMF = "dtmf"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of customer speech (语句), or what stands in for it."""

    kind: UtteranceKind
    start_s: float  # seconds since the call was answered
    end_s: float
    audio: Audio | None = None  # from 300 ms before onset to the last speech frame and its tail
    dtmf: str = ""
    barged_in: bool = False  # the customer began while a prompt was playing
    heard_ms: int | None = None  # of the script before: how much was played; None = all of it


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its place in the utterance's audio."""

    text: str
    start_s: float
    end_s: float
    confidence: float  # 0-1


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another text that may have been said."""

    text: str
    share: float  # 0-1, of the probability of all texts that may have been said


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of one utterance."""

    text: str
    words: tuple[Word, ...] = ()
    timing: Literal["native", "estimated"] = "estimated"
    confidence: float = 0.0  # 0-1
    engine: str = ""
    compute_s: float = 0.0  # CPU seconds of the engine
    raw_text: str = ""  # before correction by domain knowledge
    method: str = (
        "1-best"  # how text came from raw_text: 1-best, list, homophone, trie, n-best, lexicon, guard
    )
    alternatives: tuple[Alternative, ...] = ()  # what else may have been said, likeliest first; a few at most

    def probably(self, reads: Callable[[str], bool]) -> bool:
        """Whether the text reads so, or much of what may have been said does."""
        return reads(self.text) or sum(one.share for one in self.alternatives if reads(one.text)) >= _ENOUGH


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a recogniser is told of the place in the conversation where it listens."""

    answers: tuple[tuple[str, ...], ...] = ()  # phrases expected now, grouped by what they mean
    keywords: tuple[str, ...] = ()  # words of the playbook
    lines: tuple[str, ...] = ()  # how customers of the playbook talk
    announcement: bool = False  # a network or a mailbox may be speaking, in Mandarin or English

    @property
    def phrases(self) -> tuple[str, ...]:
        """Every answer and keyword."""
        return (*(phrase for phrases in self.answers for phrase in phrases), *self.keywords)


NOTHING_EXPECTED = Expectation()


@dataclass(frozen=True, slots=True)
class Prosody:
    """How a stretch of speech sounds. `vector` is what models read; the rest is for people."""

    f0_median_hz: float  # 0 = unvoiced
    f0_range_st: float  # 10th to 90th percentile, semitones
    f0_slope_st_s: float  # semitones per second
    level_db: float  # active level, dB below full scale (dBov)
    tilt_db: float  # energy below 1 kHz against above it
    voiced_ratio: float  # 0-1
    rate_syl_s: float  # syllables per second; 0 = unknown
    duration_s: float
    vector: tuple[float, ...] = ()
    feature_version: str = ""
