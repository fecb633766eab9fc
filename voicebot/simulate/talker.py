"""Customers who keep talking, for load: every leg answers the bot, and interrupts what takes too long.

What they measure is theirs: from the end of their own speech to the first sound of the bot.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from voicebot.domain.audio import Audio
from voicebot.simulate.hearing import SPEECH_DBOV, Hearing, level_dbov
from voicebot.simulate.phone import EventLog
from voicebot.telephony import Answered, Ended, Leg, LegEvent, UserAgent, UserAgentConfig

REPLY_AFTER_S = 0.7  # of the bot's silence
AT_LATEST_S = 6.4  # after the own last utterance, whatever the bot does: at least six utterances a minute
SPREAD = 0.2  # of both, either way, drawn anew: or legs that began together would go on speaking together
CLICK_MS = 40  # of sound that is no beginning of an answer
CLEAR_MS = 200  # the bot must have been silent for so long for its next sound to be an answer


@dataclass(frozen=True, slots=True)
class Manner:
    """How a talker keeps time, in the mean."""

    reply_after_s: float = REPLY_AFTER_S
    at_latest_s: float = AT_LATEST_S


class _Talk:
    """One leg, in the media thread: must be quick and never raise."""

    def __init__(
        self, leg: Leg, speech: Sequence[Audio], manner: Manner, events: EventLog, seed: int
    ) -> None:
        self._leg = leg
        self._dice = random.Random(seed)  # noqa: S311  # which line comes next
        self._speech = speech
        self._manner = manner
        self._events = events
        self._hearing = Hearing(manner.reply_after_s * self._spread())
        self._at_latest_s = manner.at_latest_s * self._spread()
        self._spoke_at = 0.0
        self._silent_at: float | None = None  # when our own speech ended, until the bot is heard
        self._sound_ms = 0
        self._overlapped = False

    def _spread(self) -> float:
        return self._dice.uniform(1 - SPREAD, 1 + SPREAD)

    def on_event(self, event: LegEvent) -> None:
        if isinstance(event, Answered):
            self._spoke_at = time.monotonic()
            self._leg.on_frame = self._on_frame
            self._events.write("answered")
        elif isinstance(event, Ended):
            self._leg.on_frame = None
            self._events.write("ended", cause=event.cause.value)

    def _on_frame(self, pcm: bytes) -> None:
        now = time.monotonic()
        heard = self._hearing.frame(pcm)
        if self._leg.playout.playing:
            self._overlapped = self._hearing.quiet_ms < CLEAR_MS
            return
        self._listen(pcm, now)
        if heard is not None or now - self._spoke_at > self._at_latest_s:
            self._speak(now)

    def _listen(self, pcm: bytes, now: float) -> None:
        if self._silent_at is None:
            return
        if self._overlapped:  # it was still speaking when we ended: what comes next is no answer yet
            self._overlapped = self._hearing.quiet_ms < CLEAR_MS
            return
        self._sound_ms = self._sound_ms + 20 if level_dbov(pcm) > SPEECH_DBOV else 0
        if self._sound_ms >= CLICK_MS:
            began = now - self._sound_ms / 1000
            self._events.write("answer", delay_ms=round((began - self._silent_at) * 1000))
            self._silent_at = None

    def _speak(self, now: float) -> None:
        if self._silent_at is not None:
            self._events.write("no_answer")
        audio = self._dice.choice(self._speech)
        self._leg.playout.play(audio.pcm)
        self._spoke_at = now + audio.duration_s
        self._silent_at = self._spoke_at
        self._at_latest_s = self._manner.at_latest_s * self._spread()
        self._sound_ms = 0
        self._events.write("said", duration_s=round(audio.duration_s, 3))


class Talkers:
    """A user agent that answers every call at once and talks. One per process, four legs today."""

    def __init__(
        self,
        config: UserAgentConfig,
        speech: Sequence[Audio],
        events: EventLog,
        seed: int,
        manner: Manner = Manner(),
    ) -> None:
        """Take what is said; nothing listens before `start`."""
        self._speech = speech
        self._events = events
        self._seed = seed
        self._manner = manner
        self._calls = 0
        self._agent = UserAgent(config, self._invited)

    def start(self) -> str:
        """Begin to listen; return our SIP URI. Raises TelephonyError."""
        self._agent.start()
        return self._agent.sip_uri

    def stop(self) -> None:
        """Hang up everything and end."""
        self._agent.stop()

    def _invited(self, leg: Leg) -> None:
        self._calls += 1
        talk = _Talk(leg, self._speech, self._manner, self._events, self._seed * 1000 + self._calls)
        leg.listen(talk.on_event)
        leg.answer()
