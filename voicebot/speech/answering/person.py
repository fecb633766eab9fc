"""How a person answers: a word or two, then silence. Pure, on frame time."""

from __future__ import annotations

from dataclasses import dataclass

from voicebot.domain.audio import FRAME_MS


@dataclass(frozen=True, slots=True)
class SpeechTuning:
    """What a stretch of speech is cut by."""

    greeting_ms: int = 1500  # of voice at most in a person's 喂, 你好: announcements go on
    silence_ms: int = 600  # after it: somebody waits for an answer
    pause_ms: int = 900  # ends a stretch; announcements pause less between their sentences


class SpeechRun:
    """One stretch of speech after another, with pauses inside."""

    def __init__(self, tuning: SpeechTuning | None = None) -> None:
        """Begin in silence."""
        self._tuning = tuning or SpeechTuning()
        self.voiced_ms = 0  # in the stretch
        self.silence_ms = 0  # since its last voice
        self.age_ms = 0  # since it began

    def push(self, voiced: bool) -> None:
        """Take the verdict on the next frame."""
        if voiced:
            if self.voiced_ms and self.silence_ms >= self._tuning.pause_ms:
                self.voiced_ms = self.age_ms = 0
            self.voiced_ms += FRAME_MS
            self.silence_ms = 0
        else:
            self.silence_ms += FRAME_MS
        if self.voiced_ms:
            self.age_ms += FRAME_MS

    @property
    def greeted(self) -> bool:
        """A short greeting was said, and silence waits for an answer."""
        return 80 <= self.voiced_ms <= self._tuning.greeting_ms and self.silence_ms >= self._tuning.silence_ms
