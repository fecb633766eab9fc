"""Joins tones, words and the shape of speech into what answered. Pure: frames and words in, findings out.

Human first: nobody is taken for a machine but by its words or tones, so a long greeting is a person until
it says what only machines say; and a decision never waits for more than the first words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from voicebot.domain.answering import AnsweredBy, Finding, NumberStatus, Teller
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS
from voicebot.speech.answering.announcement import KIND_MS, MAILBOX_MS, Reading
from voicebot.speech.answering.machine import MailboxWait
from voicebot.speech.answering.person import SpeechRun
from voicebot.speech.answering.tones import Signal, ToneEar, signal
from voicebot.text.announcements import by_table

PERSON_MS = 2400  # of speech without an announcement's words: a person, until other words come
LONGEST_WORDS_MS = 11_000  # handed to the recogniser at once
_LEAD_MS = 200  # before the first voice
_BY_SIGNAL = {
    Signal.BUSY: NumberStatus.BUSY,
    Signal.CONGESTION: NumberStatus.CONGESTED,
    Signal.VACANT: NumberStatus.VACANT,
    Signal.FAX: NumberStatus.FAX,
}
_SIT_WAIT_MS = 6000  # for the words after it


@dataclass(frozen=True, slots=True)
class Words:
    """Speech to be recognised."""

    pcm: bytes
    age_ms: int  # of the stretch, at its end
    at_ms: int


class AnsweringDetector:
    """What answers one call. Early media and the time after the answer are one audio, `answered` marks it."""

    def __init__(self, tells: Teller = by_table) -> None:
        """Begin with nothing heard. `tells` knows a machine by its words."""
        self._tells = tells
        self.now_ms = 0
        self.done = False  # nothing more will be found
        self._answered = False
        self._tones = ToneEar()
        self._run = SpeechRun()
        self._reading = Reading(self._tells)
        self._mailbox: MailboxWait | None = None
        self._heard = bytearray()  # the newest audio, for the recogniser
        self._last: Finding | None = None
        self._onset_ms = 0  # of the first voice
        self._sit_ms = 0  # when a special information tone was heard
        self._found: list[Finding] = []

    def answered(self) -> None:
        """The call is answered: who spoke before was the network."""
        self._answered = True
        self._run, self._reading = SpeechRun(), Reading(self._tells)
        self._onset_ms = 0
        self._heard.clear()

    def push(self, frame: bytes, voiced: bool, *, sparing: bool = False) -> Words | None:
        """Take 20 ms with the voice detector's verdict; return speech whose words are wanted.

        Args:
            frame: 20 ms of PCM.
            voiced: whether somebody speaks in it.
            sparing: decoders are in demand: the first look may be left out.
        """
        if self.done:
            return None
        self.now_ms += FRAME_MS
        self._tones.push(frame)
        heard = signal(self._tones.bursts(), self.now_ms)
        voiced = voiced and not self._tones.sounding
        self._heard += frame
        if self._mailbox is not None:
            self._wait(self._mailbox, voiced, heard)
            return None
        self._run.push(voiced)
        if self._run.voiced_ms and not self._onset_ms:
            self._onset_ms = self.now_ms
        self._take_signal(heard)
        self._judge_shape()
        return self._wanted(sparing=sparing)

    def words(self, text: str, wanted: Words) -> None:
        """Take the words of what was wanted."""
        if self.done or self._mailbox is not None:
            return
        self._reading.take(text, wanted.age_ms, answered=self._answered)
        status = self._reading.status
        if status is NumberStatus.MAILBOX and not self._answered:
            status = NumberStatus.UNKNOWN  # a network that offers a mailbox has not connected us to it
        if status is NumberStatus.MAILBOX:
            self._mailbox = MailboxWait()
            self._tell(Finding(AnsweredBy.MAILBOX, status, wanted.at_ms))
        elif status not in (None, NumberStatus.UNKNOWN):
            self._close(Finding(AnsweredBy.ANNOUNCEMENT, status, wanted.at_ms))
        elif status is NumberStatus.UNKNOWN:
            self._tell(Finding(AnsweredBy.ANNOUNCEMENT, status, wanted.at_ms, final=False))

    def findings(self) -> list[Finding]:
        """Return what was found since the last time, in order."""
        found, self._found = self._found, []
        return found

    # -- what follows from it --

    def _take_signal(self, heard: Signal | None) -> None:
        if heard in _BY_SIGNAL:
            self._close(Finding(AnsweredBy.TONE, _BY_SIGNAL[heard], self.now_ms))
        elif heard is Signal.SIT and not self._sit_ms:
            self._sit_ms = self.now_ms
            self._tell(Finding(AnsweredBy.TONE, NumberStatus.UNKNOWN, self.now_ms, final=False))

    def _judge_shape(self) -> None:
        """Close what will not say more, and greet who waits for an answer."""
        if self.done:
            return
        announced = self._reading.status is NumberStatus.UNKNOWN
        patience_ms = MAILBOX_MS if self._reading.may_be_mailbox else KIND_MS
        late = self.now_ms - (self._last.at_ms if self._last else 0) >= patience_ms
        silent = self._run.silence_ms >= 1500
        if announced and (late or silent) and self._last is not None:
            self._close(replace(self._last, status=self._reading.otherwise, at_ms=self.now_ms, final=True))
        elif self._sit_ms and self.now_ms - self._sit_ms >= _SIT_WAIT_MS and not announced:
            self._close(Finding(AnsweredBy.TONE, NumberStatus.UNKNOWN, self.now_ms))
        elif self._answered and self._last is None and (self._run.greeted or self._long_spoken()):
            self._person(self.now_ms)

    def _long_spoken(self) -> bool:
        """Whether somebody has spoken for so long that an announcement would have been known."""
        return bool(self._onset_ms) and self.now_ms - self._onset_ms >= PERSON_MS

    def _wanted(self, *, sparing: bool) -> Words | None:
        run = self._run
        keep = min(LONGEST_WORDS_MS, run.age_ms + _LEAD_MS) if run.voiced_ms else _LEAD_MS
        excess = len(self._heard) - keep // FRAME_MS * FRAME_BYTES
        if excess > 0:
            del self._heard[:excess]
        if self.done or not run.voiced_ms or not self._reading.due(run, sparing=sparing):
            return None
        return Words(bytes(self._heard), run.age_ms, self.now_ms)

    def _wait(self, mailbox: MailboxWait, voiced: bool, heard: Signal | None) -> None:
        if mailbox.push(voiced, heard):
            self._close(Finding(AnsweredBy.MAILBOX, NumberStatus.MAILBOX, self.now_ms, speak=True))
        elif mailbox.over:
            self.done = True

    def _person(self, at_ms: int) -> None:
        if self._last is None:
            self._tell(Finding(AnsweredBy.PERSON, None, at_ms))

    def _tell(self, finding: Finding) -> None:
        if self._last is None or (self._last.by, self._last.status) != (finding.by, finding.status):
            self._last = finding
            self._found.append(finding)

    def _close(self, finding: Finding) -> None:
        self.done = True
        self._last = finding
        self._found.append(finding)
