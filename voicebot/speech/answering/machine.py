"""When to leave a message: a mailbox has beeped, or has said its piece and fallen silent. Pure."""

from __future__ import annotations

from voicebot.domain.audio import FRAME_MS
from voicebot.speech.answering.tones import Signal

SILENCE_MS = 2500  # without a beep: the mailbox listens
LONGEST_MS = 45_000  # then nothing is left


class MailboxWait:
    """Waits for the moment from which a mailbox records."""

    def __init__(self) -> None:
        """Begin when a mailbox was recognised."""
        self._quiet_ms = 0
        self._age_ms = 0
        self.over = False  # it has come, or will not come any more

    def push(self, voiced: bool, heard: Signal | None) -> bool:
        """Take a frame; return whether the message may be left now."""
        if self.over:
            return False
        self._age_ms += FRAME_MS
        self._quiet_ms = 0 if voiced else self._quiet_ms + FRAME_MS
        if heard is Signal.BEEP or self._quiet_ms >= SILENCE_MS:
            self.over = True
            return True
        self.over = self._age_ms >= LONGEST_MS
        return False
