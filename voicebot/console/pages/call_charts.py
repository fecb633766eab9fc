"""Emotion over the turns of a call: first, second and fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from voicebot.console.visitor import Visitor
from voicebot.console.widgets import axis, chart, faint
from voicebot.domain.emotion import NEGATIVE, EmotionLabel

COLOURS = {
    "interested": "#1b7a3d",
    "calm": "#9aa7b3",
    "hesitant": "#c98a00",
    "annoyed": "#c4552d",
    "angry": "#8c1d18",
}


def emotion_over_time(visitor: Visitor, turns: Sequence[Mapping[str, Any]]) -> None:
    """Draw the fused distribution as bars, and how negative first, second and fused say it is as lines."""
    t = visitor.t
    emotions = [turn["understanding"]["emotion"] for turn in turns]
    bars = [
        {
            "name": visitor.known("emotion", label.value),
            "type": "bar",
            "stack": "fused",
            "barMaxWidth": 48,
            "itemStyle": {"color": COLOURS[label.value], "opacity": 0.55},
            "data": [round(emotion["distribution"][label.value], 3) for emotion in emotions],
        }
        for label in EmotionLabel
    ]
    lines = [
        {
            "name": t(f"call.{name}"),
            "type": "line",
            "connectNulls": True,
            "symbolSize": 8,
            "lineStyle": {"type": style, "color": colour, "width": 2},
            "itemStyle": {"color": colour},
            "data": [_negative(emotion[key]) for emotion in emotions],
        }
        for name, key, style, colour in (
            ("first", "first", "dotted", "#5b3fa0"),
            ("second", "second", "dashed", "#0b5c8a"),
            ("fused", "distribution", "solid", "#b3261e"),
        )
    ]
    options = {
        "grid": {"left": 40, "right": 10, "top": 60, "bottom": 40},
        "legend": {"top": 0, "bottom": "auto", "textStyle": {"color": faint(visitor)}, "type": "scroll"},
        "tooltip": {"trigger": "axis"},
        "xAxis": axis(
            visitor,
            type="category",
            data=[f"{turn['seq']} · {turn['start_s']:.0f} s" for turn in turns],
            splitLine={},
        ),
        "yAxis": axis(visitor, type="value", min=0, max=1),
        "series": [*bars, *lines],
    }
    chart(options, "20rem", t("call.emotion"))


def _negative(distribution: Mapping[str, float] | None) -> float | None:
    return (
        round(sum(distribution[label.value] for label in NEGATIVE), 3) if distribution is not None else None
    )
