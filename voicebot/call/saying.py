"""What the bot is saying, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

from voicebot.call.orders import Answer
from voicebot.call.rewind import resume_ms
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, SILENT_FRAME, fade_in
from voicebot.domain.script import Action


@dataclass(slots=True)
class Saying:
    """A prompt on its way to the customer."""

    answer: Answer
    pcm: bytes
    at_ms: int = 0  # already sent
    held: bool = False  # silent, until it is known whether the customer interrupts
    false_stops: int = 0

    @property
    def length_ms(self) -> int:
        """How long it takes, in whole frames."""
        return -(-len(self.pcm) // FRAME_BYTES) * FRAME_MS

    def frame(self) -> bytes:
        """What the line says while this prompt plays."""
        if self.held:
            return SILENT_FRAME
        at = self.at_ms // FRAME_MS * FRAME_BYTES
        return self.pcm[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")

    @property
    def final(self) -> bool:
        """True if the call ends with it: it is said to its end."""
        return self.answer.action is not Action.SAY

    @property
    def protected(self) -> bool:
        """True while a protected stretch is being said."""
        end = 0
        for stretch in self.answer.stretches:
            end += len(stretch.pcm)
            if self.at_ms * FRAME_BYTES < end * FRAME_MS:
                return stretch.protected
        return False

    def hold(self) -> bool:
        """Fall silent; return whether it was not silent before."""
        fresh, self.held = not self.held, True
        return fresh

    def go_on(self) -> bytes:
        """End a false stop and return what is left to say, from the phrase that was cut."""
        self.held = False
        self.false_stops += 1
        self.at_ms = resume_ms(self.pcm, self.at_ms)
        return fade_in(self.pcm[self.at_ms // FRAME_MS * FRAME_BYTES :])
