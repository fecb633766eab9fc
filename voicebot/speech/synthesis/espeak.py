"""espeak-ng by ctypes: always there, at once, and robotic. The last resort."""

from __future__ import annotations

import ctypes
from threading import Lock
from typing import Any

import espeakng_loader
import numpy as np

from voicebot.domain.audio import Audio
from voicebot.domain.errors import SynthesisError
from voicebot.domain.script import Style
from voicebot.speech.synthesis.chain import finish

VOICE = b"cmn"
WORDS_PER_MINUTE = {Style.NEUTRAL: 165, Style.SOFT: 150, Style.BRISK: 182}
# speak_lib.h
_SYNCHRONOUS = 2
_NO_EXIT = 0x8000
_UTF8 = 1
_BY_CHARACTER = 1
_RATE = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class _Library:
    """The library is one per process, with global state: one lock around it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._dll: Any = None
        self._rate_hz = 0
        self._pcm = bytearray()
        self._callback = _CALLBACK(self._take)  # kept: espeak holds only its address

    def speak(self, text: str, words_per_minute: int) -> tuple[bytes, int]:
        """Return 16-bit PCM and its rate. The lock must be held."""
        if self._dll is None:
            self._open()
        self._pcm.clear()
        data = text.encode()
        self._dll.espeak_SetParameter(_RATE, words_per_minute, 0)
        status = self._dll.espeak_Synth(data, len(data) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None)
        if status != 0:
            raise SynthesisError(f"espeak-ng answers with status {status}")
        return bytes(self._pcm), self._rate_hz

    def _open(self) -> None:
        dll = ctypes.CDLL(espeakng_loader.get_library_path())
        dll.espeak_Synth.argtypes = (
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
        )
        path = espeakng_loader.get_data_path().encode()
        rate_hz = dll.espeak_Initialize(_SYNCHRONOUS, 0, path, _NO_EXIT)
        if rate_hz <= 0:
            raise SynthesisError("espeak-ng does not start", hint="Reinstall the package espeakng-loader.")
        if dll.espeak_SetVoiceByName(VOICE) != 0:
            raise SynthesisError("espeak-ng has no Mandarin voice", hint="Reinstall espeakng-loader.")
        dll.espeak_SetSynthCallback(self._callback)
        self._dll, self._rate_hz = dll, rate_hz

    def _take(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._pcm += ctypes.string_at(samples, count * 2)
        return 0


_library = _Library()


class EspeakSynthesizer:
    """Speaks through espeak-ng in this process. Thread-safe; one text at a time."""

    name = "espeak-ng/cmn"
    robotic = True
    live = True

    def available(self) -> str:
        """Return "": the library comes with the package."""
        return ""

    def synthesize(self, text: str, style: Style) -> Audio:
        """Return the text as 8 kHz speech. Raises SynthesisError."""
        if not any(char.isalnum() for char in text):
            raise SynthesisError(f"nothing to speak in {text[:20]!r}", hint="Give a text with hanzi.")
        with _library.lock:
            pcm, rate_hz = _library.speak(text, WORDS_PER_MINUTE[style])
        return finish(np.frombuffer(pcm, "<i2").astype(np.float64) / 32768, rate_hz)
