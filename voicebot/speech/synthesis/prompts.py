"""The prompt cache: every text is spoken once, then it is a file."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock

import structlog

from voicebot.domain.audio import Audio
from voicebot.domain.call import PromptRef
from voicebot.domain.errors import DataError, SynthesisError, VoicebotError
from voicebot.domain.ports import Synthesizer
from voicebot.domain.script import Style
from voicebot.speech.synthesis import joins
from voicebot.speech.synthesis.chain import CHAIN_VERSION
from voicebot.speech.synthesis.clips import Clip, ClipLibrary, decode_flac, encode_flac, used_readings
from voicebot.speech.synthesis.files import write_atomically

log = structlog.get_logger()

MAX_TEXT = 300  # hanzi; longer than a minute is no prompt for a phone


class PromptCache:
    """Rendered prompts (the PromptStore port). Thread-safe; a directory may be shared by processes.

    A text is looked for in this order: a clip in its style, a join of clips at clause borders, the same
    two in the neutral style, then each engine, best first: its rendering in the cache, else rendered now.
    """

    def __init__(
        self,
        directory: Path,
        clips: Sequence[ClipLibrary],
        engines: Sequence[Synthesizer],
        readings: Mapping[str, str] | None = None,
    ) -> None:
        """Make the cache.

        Args:
            directory: where renderings are kept; made if absent.
            clips: libraries of clips, the first wins.
            engines: best first; those that cannot speak here are skipped.
            readings: polyphones as told to the engines; part of the key.
        """
        self._directory = directory
        self._clips = tuple(clips)
        self._engines = tuple(engines)
        self._readings = dict(readings or {})
        self._lock = Lock()
        self._busy: dict[str, Lock] = {}
        self._known: dict[str, tuple[ClipLibrary, Clip]] = {
            f"clip-{clip.sha256[:24]}": (library, clip) for library in self._clips for clip in library.clips
        }
        self._warned: set[str] = set()
        self.counts: Counter[str] = Counter()  # clip, joined, cached, rendered, failed

    def prepare(self, text: str, style: Style, *, protected: bool = False) -> PromptRef:
        """Return the prompt for a text, rendering it first if need be.

        Raises:
            SynthesisError: the text is empty or too long, or no engine could speak it.
        """
        line = text.strip()
        if not line:
            raise SynthesisError("an empty text", hint="Look at the script that was chosen.")
        if len(line) > MAX_TEXT:
            raise SynthesisError(
                f"a text of {len(line)} characters, at most {MAX_TEXT} fit into a prompt",
                hint="Split the script.",
            )
        for tone in dict.fromkeys((style, Style.NEUTRAL)):
            found = self._clip(line, tone, protected) or self._joined(line, tone, protected)
            if found is not None:
                return found
        return self._spoken(line, style, protected)

    def audio(self, key: str) -> Audio:
        """Return a prompt's sound. Raises SynthesisError if it is missing or damaged."""
        if key in self._known:
            library, clip = self._known[key]
            try:
                return library.audio(clip)
            except DataError as error:
                raise SynthesisError(error.detail, hint=error.hint) from error
        found = self._read(key, text="", protected=False)
        if found is None:
            raise SynthesisError(f"no prompt {key} in {self._directory}", hint="Prepare it again.")
        return found[1]

    # -- clips --

    def _clip(self, text: str, style: Style, protected: bool) -> PromptRef | None:
        for library in self._clips:
            clip = library.find(text, style)
            if clip is not None and self._sound(library, clip) is not None:
                self.counts["clip"] += 1
                key = f"clip-{clip.sha256[:24]}"
                return PromptRef(key, text, clip.duration_ms, f"clip:{clip.engine}", protected)
        return None

    def _joined(self, text: str, style: Style, protected: bool) -> PromptRef | None:
        for library in self._clips:
            parts = joins.cover(text, partial(_has, library, style))
            if parts is None or len(parts) < 2:
                continue
            clips = [clip for part in parts if (clip := library.find(part, style))]
            key = _key("join", CHAIN_VERSION, *(clip.sha256 for clip in clips))
            cached = self._read(key, text, protected)
            if cached is not None:
                self.counts["cached"] += 1
                return cached[0]
            pairs = [(clip.text, sound) for clip in clips if (sound := self._sound(library, clip))]
            if len(pairs) == len(clips):
                self.counts["joined"] += 1
                return self._write(key, text, joins.join(pairs), f"joined:{clips[0].engine}", protected)
        return None

    def _sound(self, library: ClipLibrary, clip: Clip) -> Audio | None:
        try:
            return library.audio(clip)
        except DataError as error:
            if clip.file not in self._warned:
                self._warned.add(clip.file)
                log.warning("a clip cannot be used", clip=clip.file, error=str(error))
            return None

    # -- engines --

    def _spoken(self, text: str, style: Style, protected: bool) -> PromptRef:
        reasons: list[str] = []
        for engine in self._engines:
            absent = engine.available()
            if absent:
                reasons.append(f"{engine.name}: {absent}")
                continue
            told = used_readings(text, self._readings)
            key = _key(engine.name, CHAIN_VERSION, style.value, told, text)
            with self._one_at_a_time(key):
                cached = self._read(key, text, protected)
                if cached is not None:
                    self.counts["cached"] += 1
                    return cached[0]
                try:
                    audio = engine.synthesize(text, style)
                except VoicebotError as error:
                    reasons.append(f"{engine.name}: {error.detail}")
                    log.warning("an engine could not speak a prompt", engine=engine.name, error=str(error))
                    continue
                self._warn_once(engine)
                self.counts["rendered"] += 1
                return self._write(key, text, audio, engine.name, protected)
        self.counts["failed"] += 1
        raise SynthesisError(
            "no engine spoke the text; " + ("; ".join(reasons) or "none is configured"),
            hint="Run `voicebot doctor` to see the engines.",
        )

    def _warn_once(self, engine: Synthesizer) -> None:
        if engine.robotic and engine.name not in self._warned:
            self._warned.add(engine.name)
            log.warning(
                "a robotic voice speaks to customers: render the prompts ahead with a better engine",
                engine=engine.name,
            )

    def _one_at_a_time(self, key: str) -> Lock:
        with self._lock:
            return self._busy.setdefault(key, Lock())

    # -- files --

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / key

    def _read(self, key: str, text: str, protected: bool) -> tuple[PromptRef, Audio] | None:
        """Return a cached prompt; None if it is absent or damaged, so that it is made again."""
        path = self._path(key)
        try:
            facts = json.loads(path.with_suffix(".json").read_text("utf-8"))
            data = path.with_suffix(".flac").read_bytes()
            whole = hashlib.sha256(data).hexdigest() == facts["sha256"]
            ref = PromptRef(key, text or facts["text"], facts["duration_ms"], facts["engine"], protected)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("a cached prompt cannot be read and will be made again", key=key, error=str(error))
            return None
        if not whole:
            log.warning("a cached prompt is damaged and will be made again", key=key)
            return None
        return ref, decode_flac(data, str(path))

    def _write(self, key: str, text: str, audio: Audio, engine: str, protected: bool) -> PromptRef:
        data = encode_flac(audio)
        ref = PromptRef(key, text, round(audio.duration_s * 1000), engine, protected)
        facts = {
            "text": text,
            "engine": engine,
            "duration_ms": ref.duration_ms,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        # the sound first: whoever sees the facts finds the sound
        write_atomically(self._path(key).with_suffix(".flac"), data)
        write_atomically(self._path(key).with_suffix(".json"), json.dumps(facts, ensure_ascii=False).encode())
        return ref


def _has(library: ClipLibrary, style: Style, text: str) -> bool:
    return library.find(text, style) is not None


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
