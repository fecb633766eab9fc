"""pyttsx3, driven so that it cannot hang or lose a prompt: its own process, a watchdog, retries."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import soundfile
import structlog

from voicebot.domain.audio import Audio
from voicebot.domain.errors import SynthesisError
from voicebot.domain.script import Style
from voicebot.speech.synthesis.chain import finish

log = structlog.get_logger()

WORDS_PER_MINUTE = {Style.NEUTRAL: 165, Style.SOFT: 150, Style.BRISK: 182}
TRIES = 8  # it loses one file in twenty, and its process may be killed
MIN_SECONDS_PER_HANZI = 0.06  # anything shorter lost a part


class Pyttsx3Synthesizer:
    """Speaks through pyttsx3 and espeak-ng. Thread-safe; one text at a time."""

    name = "pyttsx3/sit-cmn"
    robotic = True
    live = True

    def __init__(self, timeout_s: float = 15.0) -> None:
        """Make the engine; its process starts with the first text.

        Args:
            timeout_s: for one text. The process is killed then, and the text tried again in a new one.
        """
        self._timeout_s = timeout_s
        self._lock = Lock()
        self._child: subprocess.Popen[str] | None = None

    def available(self) -> str:
        """Return "" if pyttsx3 is installed."""
        return "" if find_spec("pyttsx3") else "the package pyttsx3 is not installed"

    @property
    def process_id(self) -> int | None:
        """The process that speaks now; None before the first text."""
        child = self._child
        return child.pid if child is not None and child.returncode is None else None

    def synthesize(self, text: str, style: Style) -> Audio:
        """Return the text as 8 kHz speech. Raises SynthesisError after eight tries."""
        if not any(char.isalnum() for char in text):
            raise SynthesisError(f"nothing to speak in {text[:20]!r}", hint="Give a text with hanzi.")
        with self._lock, tempfile.TemporaryDirectory(prefix="voicebot-tts-") as folder:
            for attempt in range(1, TRIES + 1):
                path = Path(folder) / f"{attempt}.wav"
                trouble = self._speak(text, WORDS_PER_MINUTE[style], path)
                if not trouble:
                    samples, rate_hz = soundfile.read(path, dtype="float64")
                    if len(samples) / rate_hz >= MIN_SECONDS_PER_HANZI * len(text):
                        return finish(samples, rate_hz)
                    trouble = f"only {len(samples) / rate_hz:.2f} s of sound"
                log.warning("pyttsx3 failed, trying again", attempt=attempt, trouble=trouble)
                self._end()
        raise SynthesisError(f"pyttsx3 failed {TRIES} times: {trouble}")

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _speak(self, text: str, rate: int, path: Path) -> str:
        """Let the child write the file. Returns "" or what went wrong."""
        child = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps({"text": text, "file": str(path), "rate": rate}) + "\n")
            child.stdin.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(child.stdout, selectors.EVENT_READ)
                if not selector.select(self._timeout_s):
                    return f"no answer within {self._timeout_s:.0f} s"
            answer = child.stdout.readline()
        except OSError as error:
            return f"its process is gone ({error.strerror})"
        if not answer:
            return f"its process ended with status {child.wait()}"
        try:
            return "" if json.loads(answer)["done"] else "an empty or missing file"
        except (ValueError, KeyError):
            return "an answer that makes no sense"

    def _running(self) -> subprocess.Popen[str]:
        if self._child is not None and self._child.poll() is not None:
            self._end()
        if self._child is None:
            self._child = subprocess.Popen(  # our own module
                [sys.executable, "-m", "voicebot.speech.synthesis.pyttsx3_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                # a request that could not be sent is still in the pipe's buffer: closing sends it once more
                with suppress(BrokenPipeError):
                    pipe.close()
