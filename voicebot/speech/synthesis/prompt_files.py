"""The files of the prompt cache: verified when read, bounded in size, and spoken even if the disk is full."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock

import structlog

from voicebot.domain.audio import Audio
from voicebot.domain.call import PromptRef
from voicebot.domain.errors import SynthesisError
from voicebot.domain.ports import PromptIndex
from voicebot.domain.script import Style
from voicebot.speech.synthesis.clips import decode_flac, encode_flac
from voicebot.speech.synthesis.files import write_atomically

log = structlog.get_logger()

MAX_BYTES = 2_000_000_000
_HELD = 64  # prompts kept in memory while the disk refuses them
_LOW_WATER = 0.9
_IN_USE_S = 3600.0  # what was used within an hour may be part of a call
_LOOK_EVERY = 100  # writes


class PromptFiles:
    """A directory of prompts: <key>.flac and <key>.json, shared by processes. Thread-safe."""

    def __init__(self, directory: Path, index: PromptIndex | None = None, max_bytes: int = MAX_BYTES) -> None:
        """Take a directory; it is made at the first write."""
        self.directory = directory
        self._index = index
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._held: OrderedDict[str, tuple[PromptRef, Audio]] = OrderedDict()
        self._until_look = 0

    def read(self, key: str) -> tuple[PromptRef, Audio] | None:
        """Return a prompt; None if it is absent or damaged, so that it is made again."""
        with self._lock:
            if key in self._held:
                return self._held[key]
        path = self._path(key)
        try:
            facts = json.loads(path.with_suffix(".json").read_text("utf-8"))
            data = path.with_suffix(".flac").read_bytes()
            whole = hashlib.sha256(data).hexdigest() == facts["sha256"]
            ref = PromptRef(key, facts["text"], facts["duration_ms"], facts["engine"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning(
                "a cached prompt cannot be read and will be made again", key=key, error=type(error).__name__
            )
            return None
        if not whole:
            log.warning("a cached prompt is damaged and will be made again", key=key)
            return None
        self._used(key)
        return ref, decode_flac(data, str(path))

    def write(self, ref: PromptRef, audio: Audio, style: Style) -> PromptRef:
        """Keep a prompt and return it with its duration. If the disk refuses it, it stays in memory."""
        data = encode_flac(audio)
        ref = replace(ref, duration_ms=round(audio.duration_s * 1000))
        facts = {
            "text": ref.text,
            "engine": ref.engine,
            "style": style.value,
            "duration_ms": ref.duration_ms,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        path = self._path(ref.key)
        try:
            # the sound first: whoever sees the facts finds the sound
            write_atomically(path.with_suffix(".flac"), data)
            write_atomically(path.with_suffix(".json"), json.dumps(facts, ensure_ascii=False).encode())
        except SynthesisError as error:
            log.warning("a prompt cannot be kept on disk and stays in memory", error=str(error))
            self._hold(ref, audio)
            return ref
        if self._index is not None:
            self._index.kept(ref.key, ref.engine, style.value, ref.duration_ms, len(data))
        self._look()
        return ref

    def entries(self) -> list[tuple[str, int, float]]:
        """Return (key, bytes, last use as a POSIX time) of every prompt on disk, the unused ones first."""
        found = []
        for path in self.directory.glob("??/*.json"):
            try:
                sound, facts = path.with_suffix(".flac").stat(), path.stat()
            except OSError:
                continue  # another process dropped it
            found.append((path.stem, sound.st_size + facts.st_size, facts.st_mtime))
        return sorted(found, key=lambda entry: entry[2])

    def drop(self, keys: list[str]) -> None:
        """Delete prompts; the facts first, so that no reader finds facts without sound."""
        for key in keys:
            self._path(key).with_suffix(".json").unlink(missing_ok=True)
            self._path(key).with_suffix(".flac").unlink(missing_ok=True)
        if keys and self._index is not None:
            self._index.dropped(keys)

    def shrink(self, max_bytes: int, now: float, in_use_s: float = _IN_USE_S) -> int:
        """Drop the prompts unused for longest until the rest fits. Returns how many were dropped."""
        entries = self.entries()
        size = sum(entry[1] for entry in entries)
        if size <= max_bytes:
            return 0
        victims = []
        for key, bytes_, used in entries:
            if size <= max_bytes * _LOW_WATER or used > now - in_use_s:
                break
            victims.append(key)
            size -= bytes_
        self.drop(victims)
        return len(victims)

    def _look(self) -> None:
        with self._lock:
            self._until_look -= 1
            if self._until_look >= 0:
                return
            self._until_look = _LOOK_EVERY
        dropped = self.shrink(self._max_bytes, time.time())
        if dropped:
            log.info("old prompts dropped", prompts=dropped)

    def _hold(self, ref: PromptRef, audio: Audio) -> None:
        with self._lock:
            self._held[ref.key] = ref, audio
            while len(self._held) > _HELD:
                self._held.popitem(last=False)

    def _used(self, key: str) -> None:
        with suppress(OSError):  # a read-only cache is still a cache
            os.utime(self._path(key).with_suffix(".json"))
        if self._index is not None:
            self._index.used(key)

    def _path(self, key: str) -> Path:
        return self.directory / key[:2] / key
