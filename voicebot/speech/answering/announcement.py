"""When the words of a stretch of speech are read, and what they say so far. Pure, on frame time."""

from __future__ import annotations

from voicebot.domain.answering import NumberStatus, Teller
from voicebot.speech.answering.person import SpeechRun
from voicebot.text.announcements import may_offer_mailbox

# Of a stretch's age. Networks name the number in the first second and a half, the reason in the next.
READ_MS = (1500, 2400, 3200, 4400, 6000, 8000, 10_000, 13_000, 17_000, 22_000, 28_000, 35_000)
LEAST_VOICE = 0.45  # share of a stretch's age; less is music, noise or breath
_END_SILENCE_MS = 400  # a stretch that has paused is read at once
_END_NEW_MS = 300  # of speech in it that was not read yet: less holds no word
KIND_MS = 4000  # within which an announcement says why
MAILBOX_MS = 8000  # within which one that may offer a mailbox does


class Reading:
    """The words of the stretch of speech that is being said."""

    def __init__(self, tells: Teller) -> None:
        """Begin with nothing read."""
        self._tells = tells
        self._read_ms = 0  # of the stretch's age
        self._steps = 0
        self.status: NumberStatus | None = None
        self.otherwise = NumberStatus.UNKNOWN  # what it is if no more is said
        self.may_be_mailbox = False  # which has not come to the point
        self.known_ms = 0  # of the stretch, when it was known to be no person
        self.looked = 0  # readings of this stretch

    def due(self, run: SpeechRun, *, sparing: bool = False) -> bool:
        """Whether the words are to be read now. Reading is asked for once.

        Args:
            run: the stretch so far.
            sparing: leave the first look to the second, 0.9 s later, if the speech goes on.
        """
        if run.age_ms < self._read_ms:  # a new stretch
            self._read_ms = self._steps = self.looked = 0
        spoken_ms = run.age_ms - run.silence_ms
        if spoken_ms < READ_MS[0] or run.voiced_ms < LEAST_VOICE * spoken_ms:
            return False
        stepped = self._steps < len(READ_MS) and spoken_ms >= READ_MS[self._steps]
        paused = run.silence_ms == _END_SILENCE_MS and spoken_ms - self._read_ms >= _END_NEW_MS
        if not (stepped or paused):
            return False
        if sparing and not (paused or self._steps):
            self._steps = 1
            return False
        while self._steps < len(READ_MS) and spoken_ms >= READ_MS[self._steps]:
            self._steps += 1
        self._read_ms = run.age_ms
        self.looked += 1
        return True

    def take(self, text: str, age_ms: int, *, answered: bool) -> None:
        """Take the words of the stretch up to an age. A kind once heard is kept."""
        told = self._tells(text)
        if told is None:
            return
        found, self.otherwise = told.status, told.likeliest
        if answered and found is not NumberStatus.MAILBOX and may_offer_mailbox(text):
            self.may_be_mailbox = True
            found = NumberStatus.UNKNOWN
        if self.status is None:
            self.known_ms = age_ms
        if self.status in (None, NumberStatus.UNKNOWN):
            self.status = found
