"""Charts in SVG: bars, columns by the hour, shares with intervals, the flow of emotion. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from voicebot.domain.call import Disposition
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.intervals import Share
from voicebot.domain.report import EmotionMove, HourCount

WIDTH = 1000
LEFT, RIGHT = 230, 820  # of the bars; names stand left of them, figures right
ROW = 24
FONT = "Noto Sans SC, Noto Sans CJK SC, sans-serif"
BLUE, PALE, GREY = "#3b78b8", "#e8eef5", "#777"

EMOTIONS = {
    EmotionLabel.INTERESTED: "#2a9d62",
    EmotionLabel.CALM: "#8fb8de",
    EmotionLabel.HESITANT: "#e9c46a",
    EmotionLabel.ANNOYED: "#ee8959",
    EmotionLabel.ANGRY: "#c1272d",
}
DISPOSITIONS = {
    Disposition.INTERESTED: "#2a9d62",
    Disposition.TRANSFERRED: "#1d6f46",
    Disposition.CALLBACK: "#3b78b8",
    Disposition.UNDECIDED: "#b9c6d3",
    Disposition.REFUSED: "#e9c46a",
    Disposition.WRONG_PERSON: "#c9a227",
    Disposition.DO_NOT_CALL: "#c1272d",
    Disposition.DROPPED: "#ee8959",
}
_OTHERS = "#d9dde2"  # nobody talked


@dataclass(frozen=True, slots=True)
class Chart:
    """A piece of a picture: drawn from y = 0 down."""

    title: str
    height: int
    parts: tuple[str, ...]


def picture(title: str, subtitle: str, charts: Sequence[Chart]) -> str:
    """Return one SVG with the charts below each other."""
    top, parts = 80, []
    for chart in charts:
        parts.append(f'<g transform="translate(0 {top})">{text(24, 0, chart.title, size=16)}')
        parts += [f'<g transform="translate(0 18)">{"".join(chart.parts)}</g></g>']
        top += chart.height + 62
    size = f'viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'font-family="{FONT}"><rect width="{WIDTH}" height="{top}" fill="white"/>'
        f"{text(24, 34, title, size=22)}{text(24, 56, subtitle, size=12, colour=GREY)}"
        f"{''.join(parts)}</svg>\n"
    )


def bars(
    title: str, rows: Sequence[tuple[str, float, str]], colours: Mapping[str, str] | None = None
) -> Chart:
    """Draw (name, length, figure) rows; the longest fills the width."""
    most = max((length for _, length, _ in rows), default=0) or 1
    parts = []
    for index, (name, length, figure) in enumerate(rows):
        y = index * ROW
        colour = (colours or {}).get(name, BLUE)
        width = max(1.0, (RIGHT - LEFT) * length / most) if length else 0
        parts += [
            _name(y, name),
            _bar(LEFT, y, width, colour),
            text(LEFT + width + 8, y + 16, figure, size=12),
        ]
    return Chart(title, *_filled(parts, len(rows)))


def shares(title: str, rows: Sequence[tuple[str, Share, str]]) -> Chart:
    """Draw shares from 0 to the largest upper end, each with its 95 % interval."""
    most = max((share.high for _, share, _ in rows), default=0) or 1
    parts = []
    for index, (name, share, note) in enumerate(rows):
        y = index * ROW
        low, rate, high = (LEFT + (RIGHT - LEFT) * at / most for at in (share.low, share.rate, share.high))
        parts += [
            _name(y, name),
            _bar(LEFT, y, RIGHT - LEFT, PALE),
            _bar(LEFT, y, rate - LEFT, BLUE),
            f'<path d="M{low:.1f} {y + 11}H{high:.1f}M{low:.1f} {y + 7}v8M{high:.1f} {y + 7}v8" '
            'stroke="#222" stroke-width="1.5"/>',
            text(RIGHT + 8, y + 16, f"{share.rate:.1%} · {share.hits}/{share.of} {note}", size=12),
        ]
    return Chart(title, *_filled(parts, len(rows)))


def by_hour(title: str, hours: Iterable[HourCount]) -> Chart:
    """Draw a column for each hour of the day, by result."""
    counts: dict[int, dict[Disposition, int]] = {}
    for count in hours:
        counts.setdefault(count.hour, {})[count.disposition] = count.calls
    most = max((sum(kinds.values()) for kinds in counts.values()), default=0) or 1
    parts, height = [], 170
    step = (WIDTH - 60) / 24
    for hour in range(24):
        x, y = 30 + hour * step, float(height)
        for kind in sorted(counts.get(hour, {}), key=_stacked):
            part = counts[hour][kind] / most * height
            y -= part
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{step - 5:.1f}" height="{part:.1f}" '
                f'fill="{DISPOSITIONS.get(kind, _OTHERS)}"/>'
            )
        total = sum(counts.get(hour, {}).values())
        parts.append(text(x + step / 2 - 3, height + 15, str(hour), size=11, anchor="middle", colour=GREY))
        if total:
            parts.append(text(x + step / 2 - 3, y - 3, f"{total:,}", size=10, anchor="middle"))
    legend = [(kind.chinese, colour) for kind, colour in DISPOSITIONS.items()] + [("未谈成话", _OTHERS)]
    return Chart(title, height + 44, (*parts, *_legend(height + 32, legend)))


def emotion_flow(title: str, moves: Iterable[EmotionMove], steps: int = 6) -> Chart:
    """Draw a column of shares for each utterance, with ribbons from one to the next."""
    moves = [move for move in moves if move.step <= steps]
    height, column = 220, 36
    gap = (WIDTH - 120) / max(1, steps - 1)
    starts = {step: _stack([move for move in moves if move.step == step]) for step in range(1, steps + 1)}
    most = max((sum(labels.values()) for labels in starts.values()), default=0) or 1
    scale = height / most
    parts = []
    for step, labels in starts.items():
        x, y = 40 + (step - 1) * gap, 0.0
        tops: dict[EmotionLabel, float] = {}
        for label in EmotionLabel:
            part = labels.get(label, 0) * scale
            tops[label] = y
            colour = EMOTIONS[label]
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{column}" height="{part:.1f}" fill="{colour}"/>'
            )
            y += part
        if sum(labels.values()):
            said = f"第{step}句 {sum(labels.values()):,}"
            parts.append(text(x + column / 2, height + 16, said, size=11, anchor="middle", colour=GREY))
        if step < steps:
            parts += _ribbons(
                [move for move in moves if move.step == step], tops, x + column, gap - column, scale
            )
    legend = [(label.chinese, colour) for label, colour in EMOTIONS.items()]
    return Chart(title, height + 46, (*parts, *_legend(height + 34, legend)))


def text(
    x: float, y: float, said: str, *, size: int = 13, anchor: str = "start", colour: str = "#222"
) -> str:
    """Return a line of text."""
    shown = escape("".join(char for char in said if char.isprintable()))
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}">{shown}</text>'


def _stack(moves: Iterable[EmotionMove]) -> dict[EmotionLabel, int]:
    sums: dict[EmotionLabel, int] = {}
    for move in moves:
        sums[move.before] = sums.get(move.before, 0) + move.calls
    return sums


def _ribbons(
    moves: Sequence[EmotionMove], tops: Mapping[EmotionLabel, float], x: float, width: float, scale: float
) -> list[str]:
    left = dict(tops)
    right, y = {}, 0.0
    for label in EmotionLabel:  # the next column stacks what arrives in the same order
        right[label] = y
        y += sum(move.calls for move in moves if move.after is label) * scale
    ribbons = []
    for before in EmotionLabel:
        for move in sorted(
            (move for move in moves if move.before is before and move.after is not None),
            key=lambda move: list(EmotionLabel).index(move.after or before),
        ):
            assert move.after is not None
            part = move.calls * scale
            a, b = left[before], right[move.after]
            middle, end, below = x + width / 2, x + width, a + part
            ribbons.append(
                f'<path d="M{x:.1f} {a:.1f}C{middle:.1f} {a:.1f} {middle:.1f} {b:.1f} {end:.1f} {b:.1f}'
                f'v{part:.1f}C{middle:.1f} {b + part:.1f} {middle:.1f} {below:.1f} {x:.1f} {below:.1f}z" '
                f'fill="{EMOTIONS[before]}" opacity="0.35"/>'
            )
            left[before] += part
            right[move.after] += part
    return ribbons


def _stacked(kind: Disposition) -> int:
    order = list(DISPOSITIONS)
    return order.index(kind) if kind in order else len(order)


def _legend(y: float, entries: Iterable[tuple[str, str]]) -> list[str]:
    parts = []
    for index, (name, colour) in enumerate(entries):
        x = 40 + index * 100
        parts.append(f'<rect x="{x}" y="{y - 9:.1f}" width="11" height="11" fill="{colour}"/>')
        parts.append(text(x + 16, y + 1, name, size=12))
    return parts


def _name(y: float, name: str) -> str:
    shown = name if len(name) <= 28 else name[:27] + "…"
    return text(LEFT - 10, y + 16, shown, anchor="end")


def _bar(x: float, y: float, width: float, colour: str) -> str:
    return f'<rect x="{x}" y="{y + 3}" width="{width:.1f}" height="{ROW - 8}" rx="2" fill="{colour}"/>'


def _filled(parts: list[str], rows: int) -> tuple[int, tuple[str, ...]]:
    if not rows:
        return ROW, (text(LEFT, 16, "没有数据", colour=GREY),)
    return rows * ROW, tuple(parts)
