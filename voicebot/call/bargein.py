"""Barge-in: what a sound over a prompt is. Pure: reads the prompt and the speech so far, names the next move.

    CLEAR ──voice──▶ NOTICED ──hold_ms──▶ HELD ──barge_in_ms──▶ an interruption
                        │                   │
                        └──── it pauses ────┴──▶ ASKED ──words──▶ an interruption, or the prompt goes on

A prompt is held at the first doubt and goes on after a mere 嗯, a cough, or what nobody could read. A
protected stretch and a last prompt are never held; what is said over the former is answered after it.
"""

from __future__ import annotations

from enum import StrEnum

from voicebot.call.orders import TurnTuning
from voicebot.call.saying import Saying
from voicebot.domain.call import Progress
from voicebot.speech.segmentation.segmenter import Segmenter


class BargeInState(StrEnum):
    """Where the sound over a prompt stands."""

    CLEAR = "clear"  # nobody speaks over it
    NOTICED = "noticed"  # somebody may
    HELD = "held"  # the prompt is silent
    ASKED = "asked"  # the sound has paused; its words are asked for


class Move(StrEnum):
    """What is to be done."""

    WAIT = "wait"
    HOLD = "hold"  # fall silent
    ASK = "ask"  # what were its words?
    REVIVE = "revive"  # the voice goes on: what was asked is out of date
    GO_ON = "go_on"  # it was no interruption
    IGNORE = "ignore"  # the sound is over, nothing of it matters
    INTERRUPT = "interrupt"  # it is the customer's turn


class BargeIn:
    """The sound over one prompt after another."""

    def __init__(self, tuning: TurnTuning) -> None:
        """Begin with nobody speaking."""
        self._tuning = tuning
        self.state = BargeInState.CLEAR

    def clear(self) -> None:
        """The sound was dealt with, or the prompt is over."""
        self.state = BargeInState.CLEAR

    def frame(self, prompt: Saying, segments: Segmenter) -> Move:
        """Return what follows from the speech so far over a prompt that plays."""
        if prompt.final:
            return Move.IGNORE if segments.silence_ms >= self._tuning.endpoint_ms else Move.WAIT
        if segments.speech_ms >= self._tuning.barge_in_ms:
            self.clear()
            return Move.INTERRUPT
        if segments.speaking:
            return self._voiced(prompt, segments.speech_ms)
        if self.state is BargeInState.ASKED:
            return Move.GO_ON if segments.silence_ms >= self._tuning.words_ms else Move.WAIT
        if segments.silence_ms < self._tuning.pause_ms:
            return Move.WAIT
        if segments.speech_ms < self._tuning.hold_ms:
            return Move.GO_ON  # too short for a word
        self.state = BargeInState.ASKED
        return Move.ASK

    def words(self, told: Progress) -> Move:
        """Return what follows from the words of the sound."""
        self.clear()
        return Move.INTERRUPT if told.partial_text and not told.backchannel else Move.GO_ON

    def _voiced(self, prompt: Saying, speech_ms: int) -> Move:
        hold_ms = self._tuning.hold_again_ms if prompt.false_stops else self._tuning.hold_ms
        if speech_ms >= hold_ms and not prompt.held and not prompt.protected:
            self.state = BargeInState.HELD
            return Move.HOLD
        revived = self.state is BargeInState.ASKED
        self.state = BargeInState.HELD if prompt.held else BargeInState.NOTICED
        return Move.REVIVE if revived else Move.WAIT
