"""What a simulated customer does when: pure, on frame time."""

from __future__ import annotations

from dataclasses import dataclass

from voicebot.domain.audio import FRAME_MS
from voicebot.simulate.hearing import Hearing
from voicebot.simulate.personas import Line, Persona
from voicebot.simulate.signals import ToneName


@dataclass(frozen=True, slots=True)
class Say:
    """Speak this line now."""

    text: str
    after_ms: int  # of the other side's silence
    tone: ToneName | None = None  # follows it


@dataclass(frozen=True, slots=True)
class Press:
    """Press this key now."""

    key: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""

    why: str


class Mind:
    """A persona in one call: frames of the other side in, lines and the hang-up out."""

    def __init__(self, persona: Persona) -> None:
        """Begin at the moment of the answer."""
        self._persona = persona
        self._hearing = Hearing(persona.reply_after_s)
        self._turns = list(persona.turns)
        self._hang_up_ms: int | None = None
        self._idle_ms = 0
        self._over = False

    def frame(self, pcm: bytes, *, speaking: bool) -> Say | Press | HangUp | None:
        """Take 20 ms of the other side; `speaking`: our own line is still playing."""
        if self._over:
            return None
        heard = self._hearing.frame(pcm)
        if speaking:
            return None
        if self._hang_up_ms is not None:
            self._hang_up_ms -= FRAME_MS
            return self._end("as the persona does") if self._hang_up_ms <= 0 else None
        if self._turns and self._turns[0].now:
            return self._take(self._turns.pop(0), 0.0)
        self._idle_ms = self._idle_ms + FRAME_MS if self._hearing.quiet_ms else 0
        if self._idle_ms >= self._persona.patience_s * 1000:
            return self._end("nobody speaks")
        if heard is None:
            return None
        line = self._turns.pop(0) if self._turns else Line(say=self._persona.last)
        return self._take(line, heard.speech_s)

    def _take(self, line: Line, heard_s: float) -> Say | Press | None:
        if line.hang_up_s is not None:
            self._hang_up_ms = round(line.hang_up_s * 1000)
        if line.key:
            self._idle_ms = 0
            return Press(line.key)
        text = line.else_say if line.else_say and heard_s > line.longer_s else line.say
        if not text:
            return None
        self._idle_ms = 0
        return Say(text, 0 if line.now else self._hearing.quiet_ms, line.tone)

    def _end(self, why: str) -> HangUp:
        self._over = True
        return HangUp(why)
