"""Voice activity: the detector's verdict on one frame, and hysteresis over its verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import webrtcvad

from voicebot.domain.audio import FRAME_MS, LINE_RATE_HZ

AGGRESSIVENESS = 3  # of 0-3: 2 fires on 17 % of silent tails
PEAK_FLOOR = 64  # of 32767: A-law's silence, +-8, makes a fresh detector fire for 120 ms


class VoiceDetector:
    """WebRTC's Gaussian-mixture voice detector on 20 ms frames of 8 kHz. One per call: it adapts."""

    def __init__(self) -> None:
        """Make a detector that has heard nothing."""
        self._vad = webrtcvad.Vad(AGGRESSIVENESS)

    def is_speech(self, frame: bytes) -> bool:
        """Return whether a frame of 320 bytes sounds like speech. About 10 us."""
        if max(memoryview(frame).cast("h")) < PEAK_FLOOR:
            return False
        return bool(self._vad.is_speech(frame, LINE_RATE_HZ))


class VoiceState(StrEnum):
    """Where the customer's voice stands."""

    QUIET = "quiet"
    STARTING = "starting"  # perhaps speech
    SPEAKING = "speaking"
    STOPPING = "stopping"  # perhaps a pause, perhaps the end


@dataclass(frozen=True, slots=True)
class VoiceTuning:
    """How much voice it takes to change state."""

    start_ms: int = 100  # minimum speech: voiced frames before STARTING becomes SPEAKING
    start_gap_ms: int = 60  # unvoiced frames that end STARTING
    sure_ms: int = 100  # of silence, up to which one voiced frame resumes
    resume_ms: int = 60  # voiced frames in a row that resume after more


class VoiceActivity:
    """Hysteresis over verdicts. Leaves SPEAKING or STOPPING for QUIET only by `reset`."""

    def __init__(self, tuning: VoiceTuning | None = None) -> None:
        """Begin in QUIET."""
        self._tuning = tuning or VoiceTuning()
        self.reset()

    def reset(self) -> None:
        """Go back to QUIET."""
        self.state = VoiceState.QUIET
        self.voiced_ms = 0  # voiced frames since onset
        self.silence_ms = 0  # since the last voiced frame that counts
        self.age_ms = 0  # since the first voiced frame, that frame included
        self._run_ms = 0

    def push(self, voiced: bool) -> VoiceState:
        """Take the verdict on the next frame and return the state after it."""
        if self.state == VoiceState.QUIET:
            if voiced:
                self.state = VoiceState.STARTING
                self.age_ms = self.voiced_ms = FRAME_MS
                self.silence_ms = 0
            return self.state
        self.age_ms += FRAME_MS
        if self.state == VoiceState.STARTING:
            self._start(voiced)
        else:
            self._go_on(voiced)
        return self.state

    def _start(self, voiced: bool) -> None:
        if voiced:
            self.voiced_ms += FRAME_MS
            self.silence_ms = 0
            if self.voiced_ms >= self._tuning.start_ms:
                self.state = VoiceState.SPEAKING
        else:
            self.silence_ms += FRAME_MS
            if self.silence_ms > self._tuning.start_gap_ms:
                self.reset()

    def _go_on(self, voiced: bool) -> None:
        if not voiced:
            self._run_ms = 0
            self.silence_ms += FRAME_MS
            self.state = VoiceState.STOPPING
            return
        self._run_ms += FRAME_MS
        unsure = self.silence_ms > self._tuning.sure_ms
        if unsure and self._run_ms < self._tuning.resume_ms:
            self.silence_ms += FRAME_MS
            return
        self.voiced_ms += self._run_ms if unsure else FRAME_MS
        self._run_ms = 0
        self.silence_ms = 0
        self.state = VoiceState.SPEAKING
