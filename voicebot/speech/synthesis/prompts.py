"""The prompt cache: every text is spoken once, then it is a file."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock

import structlog

from voicebot.domain.audio import Audio
from voicebot.domain.call import PromptRef
from voicebot.domain.errors import DataError, SynthesisError, VoicebotError
from voicebot.domain.ports import PromptIndex, Synthesizer
from voicebot.domain.script import Style
from voicebot.speech.synthesis import joins, tempo
from voicebot.speech.synthesis.chain import CHAIN_VERSION
from voicebot.speech.synthesis.clips import Clip, ClipLibrary, used_readings
from voicebot.speech.synthesis.prompt_files import MAX_BYTES, PromptFiles

log = structlog.get_logger()

_HANZI = re.compile(r"[\u3400-\u9fff〇]")
_UNSPOKEN = re.compile(r"[^\u3400-\u9fff〇，、。！？；：—（）“”‘’《》…·\s]")
_LOCKS = 64  # keys share them: now and then a text waits for another one
MISS = "rendered:"  # begins the engine of a prompt that had to be rendered in the call
MAX_TEXT = 300  # hanzi; longer than a minute is no prompt for a phone


class PromptCache:
    """Rendered prompts (the PromptStore port). Thread-safe; a directory may be shared by processes.

    A text is looked for in this order:

    1. a clip in its style; 2. a join of clips at clause borders; 3. the same two in the neutral style, at
    the tempo of the style; 4. a rendering in the cache, of the best engine that has one; 5. a neutral
    rendering at the tempo of the style, unless a robot spoke it; 6. a miss: rendered now, by an engine
    quick enough for a call, else by any.

    Which of them spoke is in the prompt's `engine`, a miss as `rendered:NAME`, and in `counts`.
    """

    def __init__(
        self,
        directory: Path,
        clips: Sequence[ClipLibrary],
        engines: Sequence[Synthesizer],
        readings: Mapping[str, str] | None = None,
        *,
        index: PromptIndex | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Make the cache.

        Args:
            directory: where renderings are kept; made if absent.
            clips: libraries of clips, the first wins.
            engines: best first; those that cannot speak here are skipped.
            readings: polyphones as told to the engines; part of the key.
            index: told what is kept, used and dropped.
            max_bytes: beyond that the prompts unused for longest are dropped.
        """
        self._files = PromptFiles(directory, index, max_bytes)
        self._clips = tuple(clips)
        self._engines = tuple(engines)
        self._readings = dict(readings or {})
        self._locks = tuple(Lock() for _ in range(_LOCKS))
        self._known: dict[str, tuple[ClipLibrary, Clip]] = {
            f"clip-{clip.sha256[:24]}": (library, clip) for library in self._clips for clip in library.clips
        }
        self._warned: set[str] = set()
        self.counts: Counter[str] = Counter()  # clip, joined, styled, cached, rendered, robotic, failed

    def prepare(self, text: str, style: Style, *, protected: bool = False) -> PromptRef:
        """Return the prompt for a text, rendering it first if need be.

        Raises:
            SynthesisError: the text is empty or too long, or no engine could speak it.
        """
        line = checked(text)
        return (
            self._clip(line, style, protected)
            or self._joined(line, style, protected)
            or self._styled(line, style, protected)
            or self._kept(line, style, protected)
            or self._spoken(line, style, protected, [e for e in self._engines if e.live])
        )

    def ready(self, text: str, style: Style = Style.NEUTRAL) -> str:
        """Return what would speak a text without rendering anything; "" if something had to render."""
        line = checked(text)
        for library in self._clips:
            for tone in dict.fromkeys((style, Style.NEUTRAL)):
                clip = library.find(line, tone)
                if clip is not None:
                    return f"clip:{clip.engine}"
                if joins.cover(line, partial(_has, library, tone)):
                    return f"joined:{library.clips[0].engine}"
        for engine in self._engines:
            if self._files.read(self._engine_key(engine, line, style)):
                return engine.name
        return ""

    def robotic(self, source: str) -> bool:
        """Whether an engine, or the clip of an engine, is not fit for customers."""
        return any(engine.robotic and engine.name in source for engine in self._engines)

    def ahead(self, text: str, style: Style = Style.NEUTRAL) -> None:
        """Make a text ready, if need be by rendering it, with a voice fit for customers.

        Raises:
            SynthesisError: only a robotic voice could speak it here.
        """
        source = self.ready(text, style)
        if not source or self.robotic(source):
            engines = [engine for engine in self._engines if not engine.robotic]
            self._spoken(checked(text), style, False, engines, ahead=True)

    def audio(self, key: str) -> Audio:
        """Return a prompt's sound. Raises SynthesisError if it is missing or damaged."""
        if key in self._known:
            library, clip = self._known[key]
            try:
                return library.audio(clip)
            except DataError as error:
                raise SynthesisError(error.detail, hint=error.hint) from error
        found = self._files.read(key)
        if found is None:
            raise SynthesisError(f"no prompt {key} in {self._files.directory}", hint="Prepare it again.")
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
            key = _key("join", joins.JOIN_VERSION, CHAIN_VERSION, *(clip.sha256 for clip in clips))
            cached = self._cached(key, text, protected)
            if cached is not None:
                return cached
            pairs = [(clip.text, sound) for clip in clips if (sound := self._sound(library, clip))]
            if len(pairs) == len(clips):
                self.counts["joined"] += 1
                ref = PromptRef(key, text, 0, f"joined:{clips[0].engine}", protected)
                return self._files.write(ref, joins.join(pairs), style)
        return None

    def _styled(self, text: str, style: Style, protected: bool) -> PromptRef | None:
        """Return the neutral clip or join at the tempo of the style."""
        if style is Style.NEUTRAL:
            return None
        neutral = self._clip(text, Style.NEUTRAL, protected) or self._joined(text, Style.NEUTRAL, protected)
        if neutral is None:
            return None
        return self._at_tempo(neutral, style)

    def _at_tempo(self, neutral: PromptRef, style: Style) -> PromptRef:
        key = _key("tempo", CHAIN_VERSION, tempo.TEMPO_VERSION, style.value, neutral.key)
        cached = self._cached(key, neutral.text, neutral.protected)
        if cached is not None:
            return cached
        self.counts["styled"] += 1
        ref = replace(neutral, key=key, duration_ms=0, engine=f"{neutral.engine}@{style.value}")
        return self._files.write(ref, tempo.in_style(self.audio(neutral.key), style), style)

    def _cached(self, key: str, text: str, protected: bool) -> PromptRef | None:
        found = self._files.read(key)
        if found is None:
            return None
        self.counts["cached"] += 1
        return replace(found[0], text=text, protected=protected)

    def _sound(self, library: ClipLibrary, clip: Clip) -> Audio | None:
        try:
            return library.audio(clip)
        except DataError as error:
            if clip.file not in self._warned:
                self._warned.add(clip.file)
                log.warning("a clip cannot be used", clip=clip.file, error=str(error))
            return None

    # -- engines --

    def _kept(self, text: str, style: Style, protected: bool) -> PromptRef | None:
        """Return what was rendered before: in the style, else neutral at the tempo of the style."""
        for engine in self._engines:
            cached = self._cached(self._engine_key(engine, text, style), text, protected)
            if cached is not None:
                return cached
            if style is Style.NEUTRAL or engine.robotic:
                continue
            neutral = self._cached(self._engine_key(engine, text, Style.NEUTRAL), text, protected)
            if neutral is not None:
                return self._at_tempo(neutral, style)
        return None

    def _spoken(
        self,
        text: str,
        style: Style,
        protected: bool,
        first: Sequence[Synthesizer],
        *,
        ahead: bool = False,
    ) -> PromptRef:
        """Render a text, with the first engine that can; `ahead` of a call, with none but these."""
        reasons: list[str] = []
        others = () if ahead else [engine for engine in self._engines if engine not in first]
        for engine in (*first, *others):
            absent = engine.available()
            if absent:
                reasons.append(f"{engine.name}: {absent}")
                continue
            key = self._engine_key(engine, text, style)
            with self._one_at_a_time(key):
                cached = self._cached(key, text, protected)
                if cached is not None:
                    return cached
                try:
                    audio = engine.synthesize(text, style)
                except VoicebotError as error:
                    reasons.append(f"{engine.name}: {error.detail}")
                    log.warning("an engine could not speak a prompt", engine=engine.name, error=error.hint)
                    continue
                self._warn_once(engine)
                self.counts["rendered"] += 1
                kept = self._files.write(PromptRef(key, text, 0, engine.name, protected), audio, style)
                return kept if ahead else replace(kept, engine=f"{MISS}{engine.name}")
        self.counts["failed"] += 1
        raise SynthesisError(
            "no engine spoke the text; " + ("; ".join(reasons) or "none is configured"),
            hint="Run `voicebot doctor` to see the engines.",
        )

    def _engine_key(self, engine: Synthesizer, text: str, style: Style) -> str:
        return _key(engine.name, CHAIN_VERSION, style.value, used_readings(text, self._readings), text)

    def _warn_once(self, engine: Synthesizer) -> None:
        self.counts["robotic"] += engine.robotic
        if engine.robotic and engine.name not in self._warned:
            self._warned.add(engine.name)
            log.warning(
                "a robotic voice speaks to customers: render the prompts ahead with a better engine",
                engine=engine.name,
            )

    def _one_at_a_time(self, key: str) -> Lock:
        return self._locks[int(key[:8], 16) % _LOCKS]


def checked(text: str) -> str:
    """Return a text that can be a prompt.

    Raises:
        SynthesisError: it is empty, too long, or has characters that nobody says.
    """
    line = text.strip()
    if not line:
        raise SynthesisError("an empty text", hint="Look at the script that was chosen.")
    if len(line) > MAX_TEXT:
        raise SynthesisError(
            f"a text of {len(line)} characters, at most {MAX_TEXT} fit into a prompt",
            hint="Split the script.",
        )
    unknown = "".join(dict.fromkeys(_UNSPOKEN.findall(line)))
    if unknown or not _HANZI.search(line):
        raise SynthesisError(
            f"nobody can say {unknown or 'punctuation alone'!r}",
            hint="Write it in hanzi and Chinese punctuation; a {slot} needs a value in hanzi.",
        )
    return line


def _has(library: ClipLibrary, style: Style, text: str) -> bool:
    return library.find(text, style) is not None


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
