"""Understanding (语音信息) of one utterance: semantic information and emotion information."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from voicebot.domain.emotion import Emotion
from voicebot.domain.speech import Prosody, Transcript


class Situation(StrEnum):
    """The situation the customer is in; with the dialogue node it makes the scene (场景)."""

    FREE = "free"
    BUSY = "busy"
    DRIVING = "driving"
    MEETING = "meeting"
    OTHER_PERSON = "other_person"  # somebody else answers
    NOISY = "noisy"


@dataclass(frozen=True, slots=True)
class Understanding:
    """Everything known about one utterance before a script is chosen."""

    transcript: Transcript
    keywords: tuple[str, ...]
    prosody: Prosody | None  # None: nothing was spoken (silence, DTMF)
    emotion: Emotion
    situation: Situation = Situation.FREE
