"""Emotion on a terminal: why it is what it is, and its course over the turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from voicebot.domain.emotion import EmotionLabel

WIDTH = 40  # of a bar, characters
_COLOURS = {
    EmotionLabel.INTERESTED: "green",
    EmotionLabel.CALM: "blue",
    EmotionLabel.HESITANT: "yellow",
    EmotionLabel.ANNOYED: "magenta",
    EmotionLabel.ANGRY: "red",
}
_FILLS = dict(zip(EmotionLabel, "▒░▓█■", strict=True))  # to be told apart without colour too


def table(emotion: Mapping[str, Any]) -> Table:
    """Return label and reasons, then fused, first and second emotion, then each keyword's."""
    lines = Table(box=None, padding=(0, 1), show_header=False)
    first, second = emotion["weights"]
    lines.add_row(
        Text(EmotionLabel(emotion["label"]).chinese, "bold"), Text("；".join(emotion["reasons"]), "dim")
    )
    lines.add_row("融合", shares(emotion["distribution"]))
    lines.add_row(f"第一 ×{first:g}", shares(emotion["first"]))
    lines.add_row(f"第二 ×{second:g}", shares(emotion["second"]))
    for keyword in emotion["per_keyword"]:
        lines.add_row(Text(keyword["text"]), shares(keyword["fused"]))
    return lines


def shares(values: Mapping[str, float] | None) -> Text:
    """Return a distribution in words, the greatest share first."""
    if values is None:
        return Text("—", "dim")
    shown = sorted(((share, name) for name, share in values.items() if share >= 0.005), reverse=True)
    return Text("  ".join(f"{EmotionLabel(name).chinese} {share:.2f}" for share, name in shown))


def bar(values: Mapping[str, float]) -> Text:
    """Return a distribution as one bar, the labels in their fixed order."""
    text, drawn, total = Text(), 0, 0.0
    for label in EmotionLabel:
        total += values[label.value]
        upto = round(total * WIDTH)
        text.append(_FILLS[label] * (upto - drawn), _COLOURS[label])
        drawn = upto
    return text


def course(turns: Iterable[tuple[str, Mapping[str, Any]]]) -> Panel:
    """Return the emotion turn by turn: (name of the turn, its emotion)."""
    lines = Table.grid(padding=(0, 2))
    for name, emotion in turns:
        lines.add_row(name, bar(emotion["distribution"]), EmotionLabel(emotion["label"]).chinese)
    legend = Text("  ").join(
        Text.assemble((_FILLS[label], _COLOURS[label]), f" {label.chinese}") for label in EmotionLabel
    )
    lines.add_row("", legend, "")
    return Panel(lines, title="情感走势", title_align="left")
