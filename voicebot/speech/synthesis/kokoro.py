"""Kokoro-82M (Apache-2.0) with onnxruntime: good Mandarin at half real time, so it renders ahead."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from voicebot.domain.audio import Audio
from voicebot.domain.errors import ModelError, SynthesisError
from voicebot.domain.script import Style
from voicebot.speech.synthesis.chain import finish
from voicebot.text.tokens import Tokeniser

KOKORO_RATE_HZ = 24000
MODEL_FILE = "model_quantized.onnx"
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
SPEED = {Style.NEUTRAL: 1.0, Style.SOFT: 0.92, Style.BRISK: 1.1}
MAX_TOKENS = 500  # the model's context is 510
_MAX_HANZI = 80  # one hanzi is up to six tokens
_HANZI = re.compile(r"[\u3400-\u9fff]+")
_SENTENCE = re.compile(r"[^。！？；]+[。！？；]?")

# Symbols of Kokoro v1.0 (config.json of the model) that Mandarin needs: id of the first -> a run of symbols.
_RUNS = {
    1: ";:,.!?",
    9: '—…"()“” ',
    18: "ʣʥʦʨ",
    23: "ꭧ",
    43: "abcdef",
    50: "hijklmnopqrstuvwxyzɑɐ",
    76: "ɔɕ",
    83: "ə",
    85: "ɚɛɜ",
    92: "ɡ",
    99: "ɥ",
    101: "ɨɪ",
    110: "ɯ",
    112: "ŋ",
    114: "ɲ",
    123: "ɹ",
    126: "ɻ",
    130: "ʂʃʈʧ",
    135: "ʊ",
    138: "ʌɣɤ",
    147: "ʒʔ",
    156: "ˈ",
    158: "ː",
    162: "ʰ",
    164: "ʲ",
    169: "↓",
    171: "→↗↘",
}
_SYMBOLS = {symbol: first + index for first, run in _RUNS.items() for index, symbol in enumerate(run)}
_MARKS = "，、。！？；：—（）“”《》…"
_SPACED = (", ", ", ", ". ", "! ", "? ", "; ", ": ", "— ", " (", ") ", " “", "” ", " “", "” ", "… ")
_PUNCTUATION = str.maketrans(dict(zip(_MARKS, _SPACED, strict=True)))


def syllables(text: str, readings: Mapping[str, str]) -> list[str]:
    """Return words of pinyin with tone digits, and punctuation as it stands.

    A phrase of `readings` ("还款": "huán kuǎn") wins over the dictionary; the longest phrase first.
    """
    from pypinyin import Style as PinyinStyle
    from pypinyin import lazy_pinyin
    from pypinyin.contrib.tone_convert import to_tone3

    phrases = "|".join(re.escape(phrase) for phrase in sorted(readings, key=len, reverse=True))
    pieces = re.split(f"({phrases})", text) if phrases else [text]
    words: list[str] = []
    for piece in pieces:
        if piece in readings:
            tones = (to_tone3(p, neutral_tone_with_five=True) for p in readings[piece].split())
            words.append(" ".join(tones))
            continue
        for chunk in re.findall(r"[\u3400-\u9fff]+|[^\u3400-\u9fff]+", piece):
            if not _HANZI.fullmatch(chunk):
                words.append(chunk)
                continue
            for word in _tokeniser().cut(chunk):
                tones3 = lazy_pinyin(word, style=PinyinStyle.TONE3, neutral_tone_with_five=True)
                words.append(" ".join(tones3))
    return words


@cache
def _tokeniser() -> Tokeniser:
    return Tokeniser()


def phonemes(text: str, readings: Mapping[str, str]) -> str:
    """Return a text in Kokoro's IPA. Raises SynthesisError for what has no Mandarin reading."""
    from misaki.zh import ZHG2P

    out: list[str] = []
    spoken_before = False
    for word in syllables(text, readings):
        parts = word.split()
        spoken = bool(parts) and all(re.fullmatch(r"[a-zü]+[1-5]", part) for part in parts)
        if spoken:
            ipa = "".join(ZHG2P.py2ipa(part) for part in parts).replace(chr(815), "")
            out.append((" " if spoken_before else "") + ipa)
        else:
            out.append(word.translate(_PUNCTUATION))
        spoken_before = spoken
    line = " ".join("".join(out).split())
    unknown = sorted({symbol for symbol in line if symbol not in _SYMBOLS})
    if unknown:
        raise SynthesisError(
            f"Kokoro has no sound for {''.join(unknown)!r}", hint="Write the text in hanzi and Chinese marks."
        )
    return line


def _voices(directory: Path) -> list[str]:
    return sorted(path.stem for path in (directory / "voices").glob("z[fm]_*.bin"))


class KokoroSynthesizer:
    """Speaks through Kokoro. Safe to share between threads; one text at a time."""

    robotic = False
    live = False  # half a second of CPU for a second of speech: other calls would wait

    def __init__(
        self,
        directory: Path,
        voice: str = "zf_xiaoxiao",
        readings: Mapping[str, str] | None = None,
        threads: int = 1,
        speed: float = 1.0,
    ) -> None:
        """Make the engine; files are read at first use.

        Args:
            directory: holds model_quantized.onnx (the int8 model, its checksum is verified) and
                voices/<name>.bin (float32, rows of 256).
            voice: a Chinese voice, zf_* or zm_*.
            readings: phrase -> pinyin with tone marks, for polyphones.
            threads: CPU threads of onnxruntime.
            speed: 1.0 = as trained; multiplied by the style's speed.
        """
        self.name = f"kokoro-1.0-int8/{voice}" + ("" if speed == 1.0 else f"@{speed:g}")
        self.voice = voice
        self._directory = directory
        self._readings = dict(readings or {})
        self._threads = threads
        self._speed = speed
        self._lock = Lock()
        self._broken = ""
        self._session: Any = None
        self._rows: NDArray[np.float32] = np.zeros((0, 256), np.float32)

    def available(self) -> str:
        """Return "" if weights, voice and the G2P are there, else what is missing."""
        if find_spec("misaki") is None:
            return "the package misaki[zh] is not installed (pip install 'voicebot[kokoro]')"
        if not (self._directory / MODEL_FILE).is_file():
            return f"no {MODEL_FILE} in {self._directory}"
        if not (self._directory / "voices" / f"{self.voice}.bin").is_file():
            return f"no voice {self.voice} in {self._directory}/voices"
        return self._broken

    def synthesize(self, text: str, style: Style) -> Audio:
        """Return the text as 8 kHz speech. Raises SynthesisError or ModelError."""
        return finish(self.render(text, style), KOKORO_RATE_HZ)

    def render(self, text: str, style: Style = Style.NEUTRAL) -> NDArray[np.float32]:
        """Return the text as the model speaks it: mono float32 at 24 kHz, -1 to 1."""
        if not _HANZI.search(text):
            raise SynthesisError(f"nothing to speak in {text[:20]!r}", hint="Give a text with hanzi.")
        self._require()
        lines = [phonemes(part, self._readings) for part in _batches(text)]
        with self._lock:
            self._load()
            return np.concatenate([self._speak(line, self._speed * SPEED[style]) for line in lines])

    def _speak(self, line: str, speed: float) -> NDArray[np.float32]:
        tokens = [_SYMBOLS[symbol] for symbol in line][:MAX_TOKENS]
        # one style vector per length of the text: the model was trained so
        row = self._rows[min(len(tokens), len(self._rows) - 1)]
        feeds = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": row[None, :],
            "speed": np.array([speed], np.float32),
        }
        return np.asarray(self._session.run(None, feeds)[0], np.float32).ravel()

    def _require(self) -> None:
        missing = self.available()
        if missing:
            raise ModelError(
                f"Kokoro cannot speak: {missing}",
                hint=f"voicebot models pull kokoro, or put {MODEL_FILE} and voices/ into {self._directory}.",
            )

    def _load(self) -> None:
        if self._session is not None:
            return
        model = (self._directory / MODEL_FILE).read_bytes()
        digest = hashlib.sha256(model).hexdigest()
        if digest != MODEL_SHA256:
            # remembered: in a call nobody waits for the check a second time
            self._broken = f"{MODEL_FILE} in {self._directory} is damaged"
            raise ModelError(
                f"{self._directory / MODEL_FILE} has sha256 {digest[:16]}…, expected {MODEL_SHA256[:16]}…",
                hint="Fetch the file again: it is damaged or another export.",
            )
        self._rows = _rows(self._directory / "voices" / f"{self.voice}.bin")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _rows(path: Path) -> NDArray[np.float32]:
    data = path.read_bytes()
    if not data or len(data) % 1024:
        raise ModelError(f"{path} is not a voice of Kokoro", hint="Expected float32, rows of 256.")
    return np.frombuffer(data, np.float32).reshape(-1, 256)


def _batches(text: str) -> Sequence[str]:
    """Split at sentence ends into stretches the model can hold."""
    if len(text) <= _MAX_HANZI:
        return [text]
    batches: list[str] = []
    for sentence in _SENTENCE.findall(text):
        if len(sentence) > _MAX_HANZI:
            raise SynthesisError(
                f"a sentence of {len(sentence)} characters, at most {_MAX_HANZI} can be spoken in one breath",
                hint="Split it with 。 or ；.",
            )
        if batches and len(batches[-1]) + len(sentence) <= _MAX_HANZI:
            batches[-1] += sentence
        else:
            batches.append(sentence)
    return batches
