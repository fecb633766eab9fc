"""The segmenter: cuts the customer's frames into stretches of speech, with their audio."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from voicebot.domain.audio import FRAME_MS
from voicebot.speech.segmentation.vad import VoiceActivity, VoiceState, VoiceTuning


@dataclass(frozen=True, slots=True)
class SegmentTuning:
    """What of the sound around the speech belongs to it."""

    lookback_ms: int = 300  # before onset: soft beginnings
    voice: VoiceTuning = field(default_factory=VoiceTuning)


class Segmenter:
    """One stretch of speech at a time: open from its onset until whoever reads it closes it.

    Time is the number of frames, and the bridge goes on giving frames when the far end sends none:
    so silence is silence by the clock, under DTX too.
    """

    def __init__(self, tuning: SegmentTuning | None = None) -> None:
        """Begin at time 0, in silence."""
        self._tuning = tuning or SegmentTuning()
        self._voice = VoiceActivity(self._tuning.voice)
        starting = self._tuning.voice.start_ms + self._tuning.voice.start_gap_ms * (
            self._tuning.voice.start_ms // FRAME_MS
        )
        self._recent: deque[bytes] = deque(maxlen=(self._tuning.lookback_ms + starting) // FRAME_MS)
        self._untaken: list[bytes] = []
        self.now_ms = 0
        self.active = False  # speech has begun and was not closed
        self.start_ms = 0  # of the open stretch: its first voiced frame
        self.end_ms = 0  # end of its last voiced frame so far

    @property
    def speaking(self) -> bool:
        """True while the voice goes on; False from the first unvoiced frame."""
        return self.active and self._voice.state == VoiceState.SPEAKING

    @property
    def speech_ms(self) -> int:
        """Voiced frames of the open stretch."""
        return self._voice.voiced_ms if self.active else 0

    @property
    def silence_ms(self) -> int:
        """Silence since the open stretch's last voiced frame."""
        return self._voice.silence_ms if self.active else 0

    def push(self, frame: bytes, voiced: bool) -> None:
        """Take the next frame and the detector's verdict on it."""
        self.now_ms += FRAME_MS
        state = self._voice.push(voiced)
        self._recent.append(frame)
        if self.active:
            self._untaken.append(frame)
        elif state == VoiceState.SPEAKING:
            self._begin()
        if self.active:
            self.end_ms = self.now_ms - self._voice.silence_ms

    def take(self) -> bytes:
        """Return the open stretch's audio that was not taken yet, look-back included."""
        pcm = b"".join(self._untaken)
        self._untaken.clear()
        return pcm

    def untaken_ms(self) -> int:
        """Return how much `take` would give."""
        return len(self._untaken) * FRAME_MS

    def close(self) -> None:
        """End the open stretch; what was not taken is dropped."""
        self._voice.reset()
        self._untaken.clear()
        self.active = False

    def _begin(self) -> None:
        self.active = True
        self.start_ms = self.now_ms - self._voice.age_ms
        frames = (self._voice.age_ms + self._tuning.lookback_ms) // FRAME_MS
        self._untaken = list(self._recent)[-frames:]
