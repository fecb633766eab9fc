"""The learning curve as a picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from voicebot.campaign.charts import FONT, GREY, text

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 600, 50, 370
COLOURS = ("#8a8f98", "#e0a030", "#2a7d4f")


def curve(decisions: NDArray[np.int64], found: Mapping[str, NDArray[np.float64]]) -> str:
    """Return an SVG of the mean over seeds with its 95 % interval; `found` holds seeds x looks a system."""
    low = min(float(values.min()) for values in found.values())
    high = max(float(values.max()) for values in found.values())

    def x(at: float) -> float:
        return LEFT + (RIGHT - LEFT) * at / max(1, int(decisions[-1]))

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / max(high - low, 1e-9)

    parts = [text(LEFT, 28, "Right scripts on unseen contexts, by decisions with feedback", size=15)]
    for value in np.linspace(low, high, 5):
        line_at = f'<path d="M{LEFT} {y(value):.1f}H{RIGHT}" stroke="#e3e7ec"/>'
        parts += [line_at, text(LEFT - 8, y(value) + 4, f"{value:.2f}", size=11, anchor="end", colour=GREY)]
    parts += [
        text(x(at), BOTTOM + 18, f"{at:,}", size=11, anchor="middle", colour=GREY)
        for at in decisions[:: max(1, len(decisions) // 6)]
    ]
    for colour, (name, values) in zip(COLOURS, found.items(), strict=False):
        mean = values.mean(axis=0)
        half = 1.96 * values.std(axis=0, ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0 * mean
        upper = [f"{x(at):.1f} {y(value):.1f}" for at, value in zip(decisions, mean + half, strict=True)]
        lower = [f"{x(at):.1f} {y(value):.1f}" for at, value in zip(decisions, mean - half, strict=True)]
        line = [f"{x(at):.1f} {y(value):.1f}" for at, value in zip(decisions, mean, strict=True)]
        parts.append(f'<path d="M{"L".join((*upper, *reversed(lower)))}z" fill="{colour}" opacity="0.18"/>')
        parts.append(f'<path d="M{"L".join(line)}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts.append(text(RIGHT + 8, y(mean[-1]) + 4, f"{name} {mean[-1]:.3f}", size=12, colour=colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="{FONT}"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )
