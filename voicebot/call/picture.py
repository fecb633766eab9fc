"""A picture of a recording: waveform, pitch, words and emotion over one time axis, as SVG or PNG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from voicebot.call.recording import Heard
from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import DataError

COLOURS = {
    EmotionLabel.INTERESTED: "#2a9d62",
    EmotionLabel.CALM: "#8fb8de",
    EmotionLabel.HESITANT: "#e9c46a",
    EmotionLabel.ANNOYED: "#ee8959",
    EmotionLabel.ANGRY: "#c1272d",
}

_WIDTH, _LEFT, _RIGHT = 1000, 70, 980
_WAVE = (40, 140)  # top and bottom of each panel
_PITCH = (160, 280)
_WORDS = (290, 362)
_EMOTION = (372, 452)
_HEIGHT = 500
_PITCH_HZ = (75.0, 450.0)
_STEP_S = 10.0  # of sound measured at a time
_ROWS = 4  # in which words stand, so that they do not overlap

_Place = Callable[[float], float]  # seconds to pixels


def svg(title: str, audio: Audio, heard: Sequence[Heard]) -> str:
    """Return the picture of 8 kHz audio and what was understood of it."""
    length = max(audio.duration_s, 0.02)

    def x(second: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, second / length)), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="Noto Sans SC, Noto Sans CJK SC, sans-serif" '
        f'font-size="13" fill="#222"><rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 24, title, size=15),
        *_axes(length, x),
        _wave(audio),
        *_pitch(audio, x),
    ]
    for one in heard:
        parts += _words(one, x)
        parts += _emotion(one, x)
    parts += _legend()
    return "\n".join([*parts, "</svg>", ""])


def save(path: Path, drawn: str) -> None:
    """Write a picture as .svg, or as .png with the extra `plot`. Raises DataError."""
    kind = path.suffix.lower()
    if kind not in {".svg", ".png"}:
        raise DataError(f"{path.name} is no kind of picture", hint="end the name in .png or .svg")
    data = drawn.encode() if kind == ".svg" else png(drawn)
    try:
        path.write_bytes(data)
    except OSError as refused:
        raise DataError(f"{path} can not be written ({refused.strerror})", hint="name another") from refused


def png(drawn: str) -> bytes:
    """Return an SVG as a PNG, two pixels a unit, with a font that has hanzi. Raises DataError."""
    try:
        import justmytype_intl_cjk
        import resvg_py
    except ImportError as absent:
        raise _no_renderer() from absent
    fonts = [str(font) for font in Path(justmytype_intl_cjk.__file__).parent.rglob("NotoSansSC*.ttf")]
    if not fonts:  # it would draw empty boxes
        raise _no_renderer()
    image = resvg_py.svg_to_bytes(
        svg_string=drawn, skip_system_fonts=True, font_files=fonts, sans_serif_family="Noto Sans SC", zoom=2
    )
    return bytes(image)


def _no_renderer() -> DataError:
    return DataError(
        "a PNG needs a renderer and a font with hanzi",
        hint="pip install 'voicebot[plot]', or name an .svg: any browser shows it",
    )


def _axes(length: float, x: _Place) -> Iterator[str]:
    for name, (top, bottom) in (("波形", _WAVE), ("音高 Hz", _PITCH), ("词", _WORDS), ("情感", _EMOTION)):
        yield f'<rect x="{_LEFT}" y="{top}" width="{_RIGHT - _LEFT}" height="{bottom - top}" fill="#f7f7f7"/>'
        yield _text(_LEFT - 8, (top + bottom) / 2 + 5, name, anchor="end")
    for hz in (100, 200, 400):
        yield _text(_LEFT + 3, _pitch_y(hz) + 4, str(hz), size=10, colour="#777")
        yield f'<path d="M{_LEFT + 26} {_pitch_y(hz)}H{_RIGHT}" stroke="#ddd"/>'
    step = next(step for step in (0.2, 0.5, 1, 2, 5, 10, 20, 30) if length / step <= 12 or step == 30)
    for tick in range(int(length / step + 1e-6) + 1):
        yield _text(x(tick * step), _EMOTION[1] + 15, f"{tick * step:g} s", anchor="middle", size=11)


def _wave(audio: Audio) -> str:
    """Draw the extremes of each pixel's stretch."""
    samples = np.frombuffer(audio.pcm[: len(audio.pcm) // 2 * 2], "<i2").astype(np.float32) / 32768
    middle = (_WAVE[0] + _WAVE[1]) / 2
    # a quiet recording fills the panel too; silence stays a line
    half = (_WAVE[1] - _WAVE[0]) / 2 / max(0.02, float(np.abs(samples).max(initial=0.0)))
    columns = [part for part in np.array_split(samples, _RIGHT - _LEFT) if part.size]
    lines = [
        f"M{_LEFT + index} {middle - half * part.max():.1f}V{middle - half * part.min() + 0.5:.1f}"
        for index, part in enumerate(columns)
    ]
    return f'<path d="{"".join(lines)}" stroke="#456"/>'


def _pitch(audio: Audio, x: _Place) -> Iterator[str]:
    from voicebot.emotion import prosody  # a second of import: only where pitch is drawn

    size = int(_STEP_S * LINE_RATE_HZ) * 2
    for at in range(0, len(audio.pcm), size):
        offset = at / 2 / LINE_RATE_HZ
        frames = prosody.frames_of(prosody.line_samples(Audio(audio.pcm[at : at + size])), offset)
        voiced = np.flatnonzero((frames.f0_hz > 0) & prosody.active(frames))
        dots = "".join(
            f"M{x(offset + index * prosody.HOP_S)} {_pitch_y(float(frames.f0_hz[index]))}h1"
            for index in voiced
        )
        if dots:
            yield f'<path d="{dots}" stroke="#1d4e89" stroke-width="2.4" stroke-linecap="round"/>'


def _pitch_y(hz: float) -> float:
    low, high = np.log2(_PITCH_HZ)
    share = (np.log2(np.clip(hz, *_PITCH_HZ)) - low) / (high - low)
    return round(float(_PITCH[1] - (_PITCH[1] - _PITCH[0]) * share), 1)


def _words(one: Heard, x: _Place) -> Iterator[str]:
    """Put each word where it was said, a row lower where the one before is still being read."""
    free = [0.0] * _ROWS  # up to where each row is taken
    for word in one.understanding.transcript.words:
        place = x(one.start_s + word.start_s)
        row = next((row for row, taken in enumerate(free) if taken <= place), None)
        if row is None:
            continue  # too dense to be read at this length: the text is in the list
        free[row] = place + 14 * len(word.text) + 2
        yield _text(place, _WORDS[0] + 16 + 16 * row, word.text, size=13)


def _emotion(one: Heard, x: _Place) -> Iterator[str]:
    """Stack the five shares over the utterance's time, and name the label."""
    emotion = one.understanding.emotion
    left, right = x(one.start_s), x(one.end_s)
    top, (above, below) = float(_EMOTION[1]), _EMOTION
    for label, share in zip(EmotionLabel, astuple(emotion.distribution), strict=True):
        height = (below - above) * share
        top -= height
        yield (
            f'<rect x="{left}" y="{top:.1f}" width="{max(1.0, right - left - 1):.1f}" height="{height:.1f}" '
            f'fill="{COLOURS[label]}"/>'
        )
    if right - left > 44:
        yield _text((left + right) / 2, above + 16, emotion.label.chinese, anchor="middle")


def _legend() -> Iterator[str]:
    for index, (label, colour) in enumerate(COLOURS.items()):
        left = _LEFT + index * 90
        yield f'<rect x="{left}" y="{_HEIGHT - 22}" width="12" height="12" fill="{colour}"/>'
        yield _text(left + 17, _HEIGHT - 11, label.chinese, size=12)


def _text(
    x: float, y: float, said: str, *, anchor: str = "start", size: int = 13, colour: str = "#222"
) -> str:
    shown = escape("".join(char for char in said if char.isprintable()))
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{shown}</text>'
