"""Listens, beside the dialogue, to what answers a call: in inference, never in the way of a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace

import structlog

from voicebot.domain.answering import AnsweredBy, Finding, Teller
from voicebot.domain.audio import FRAME_BYTES
from voicebot.domain.call import PromptRef
from voicebot.domain.errors import VoicebotError
from voicebot.speech.answering.detector import AnsweringDetector
from voicebot.speech.segmentation.vad import VoiceDetector
from voicebot.text.announcements import by_table

log = structlog.get_logger()


class Overhearing:
    """One call's detector, fed in order by one thread at a time. Belongs to an event loop."""

    def __init__(
        self,
        read: Callable[[bytes], str],
        executor: Executor,
        tell: Callable[[Finding], None],
        message: Callable[[], PromptRef | None] = lambda: None,
        tells: Teller = by_table,
        sparing: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin with nothing heard.

        Args:
            read: returns the words of 8 kHz speech; blocks, called in a thread.
            executor: threads for what blocks.
            tell: takes findings, in the event loop.
            message: returns what is left for a mailbox, None to leave nothing; called in a thread.
            tells: knows a machine by its words.
            sparing: whether decoders are in demand, so that first looks are left out; called in a thread.
        """
        self._read = read
        self._executor = executor
        self._tell = tell
        self._message = message
        self._sparing = sparing
        self._detector = AnsweringDetector(tells)
        self._voice = VoiceDetector()
        self._waiting: list[tuple[bytes, bool]] = []
        self._answered = False
        self._running: asyncio.Future[list[Finding]] | None = None
        self._over = False

    def push(self, pcm: bytes, *, answered: bool) -> None:
        """Take whole frames of what the far end says. Does not block."""
        if not self._over:
            self._waiting.append((pcm, answered))
            self._go_on()

    def stop(self) -> None:
        """Listen no more; nothing is told from now on."""
        self._over = True
        self._waiting.clear()

    def _go_on(self) -> None:
        if self._running is not None or not self._waiting or self._over:
            return
        chunks, self._waiting = self._waiting, []
        self._running = asyncio.get_running_loop().run_in_executor(self._executor, lambda: self._hear(chunks))
        self._running.add_done_callback(self._heard)

    def _heard(self, done: asyncio.Future[list[Finding]]) -> None:
        self._running = None
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:  # the call goes on without it
            log.warning("what answers is not listened to any more", error=type(error).__name__)
            self._over = True
            return
        if not self._over:
            for finding in done.result():
                self._tell(finding)
            self._over = self._detector.done
        self._go_on()

    def _hear(self, chunks: list[tuple[bytes, bool]]) -> list[Finding]:
        """Work, in a thread."""
        detector, sparing = self._detector, self._sparing()
        for pcm, answered in chunks:
            if answered and not self._answered:
                self._answered = True
                detector.answered()
            for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
                frame = pcm[at : at + FRAME_BYTES]
                wanted = detector.push(frame, self._voice.is_speech(frame), sparing=sparing)
                if wanted is not None:
                    detector.words(self._read(wanted.pcm), wanted)
        return [self._with_message(finding) for finding in detector.findings()]

    def _with_message(self, finding: Finding) -> Finding:
        if finding.by is not AnsweredBy.MAILBOX:
            return finding
        try:
            return replace(finding, message=self._message())
        except VoicebotError as error:
            log.warning("no message is left for a mailbox", error=str(error))
            return finding
