"""A playbook's scenes as an SVG picture: who may follow whom. Needs no drawing program."""

from __future__ import annotations

from collections import Counter
from html import escape

from voicebot.domain.script import Playbook

_BOX_W, _BOX_H, _GAP_X, _GAP_Y, _MARGIN = 150, 54, 110, 34, 30
_STYLE = (
    "text{font-family:'Noto Sans CJK SC','Microsoft YaHei',sans-serif;font-size:15px;text-anchor:middle}"
    ".small{font-size:11px;fill:#666}.box{fill:#fff;stroke:#2f6f9f;stroke-width:1.5}"
    ".first{fill:#e6f1f8}.edge{fill:none;stroke:#9ab;stroke-width:1.2;marker-end:url(#tip)}"
)


def svg(playbook: Playbook) -> str:
    """Return the picture: one column for each step away from the opening, an arrow for each way on."""
    edges = sorted(_edges(playbook))
    columns = _columns(playbook, edges)
    place = {
        scene: (_MARGIN + x * (_BOX_W + _GAP_X), _MARGIN + y * (_BOX_H + _GAP_Y))
        for x, column in enumerate(columns)
        for y, scene in enumerate(column)
    }
    width = max(x for x, _ in place.values()) + _BOX_W + _GAP_X
    height = max(y for _, y in place.values()) + _BOX_H + _MARGIN
    counts = Counter(script.scene for script in playbook.scripts.values())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
        f"<title>{escape(playbook.title)}</title><style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="#9ab"/></marker></defs>',
        *(_arrow(place[a], place[b]) for a, b in edges),
        *(
            _box(playbook.scenes[scene].title, scene, counts[scene], at, first=at[0] == _MARGIN)
            for scene, at in place.items()
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _edges(playbook: Playbook) -> set[tuple[str, str]]:
    edges = {(scene.id, following) for scene in playbook.scenes.values() for following in scene.next}
    for script in playbook.scripts.values():
        ends = [playbook.scripts[answer.then].scene for answer in script.answers if answer.then]
        edges |= {(script.scene, end) for end in (*ends, script.next_scene)}
    return {(a, b) for a, b in edges if a != b and a in playbook.scenes and b in playbook.scenes}


def _columns(playbook: Playbook, edges: list[tuple[str, str]]) -> list[list[str]]:
    first = playbook.scripts[playbook.opening].scene
    column = [first if first in playbook.scenes else next(iter(playbook.scenes))]
    columns, seen = [], set(column)
    while column:
        columns.append(column)
        following = [b for a in column for x, b in edges if x == a]
        column = [scene for scene in dict.fromkeys(following) if scene not in seen]
        seen |= set(column)
    # Scenes that only scripts said from anywhere lead to.
    rest = [scene for scene in playbook.scenes if scene not in seen]
    return [*columns, rest] if rest else columns


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    middle = _BOX_H // 2
    if end[0] > start[0]:
        x1, x2, bend = start[0] + _BOX_W, end[0], _GAP_X // 2
    else:
        x1, x2, bend = start[0] + _BOX_W, end[0] + _BOX_W, _GAP_X // 2 + abs(start[1] - end[1]) // 6
    y1, y2 = start[1] + middle, end[1] + middle
    x2_bend = x2 - bend if end[0] > start[0] else x2 + bend
    return f'<path class="edge" d="M{x1} {y1} C{x1 + bend} {y1} {x2_bend} {y2} {x2} {y2}"/>'


def _box(title: str, scene: str, scripts: int, at: tuple[int, int], *, first: bool) -> str:
    x, y = at
    kind = "box first" if first else "box"
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{_BOX_W}" height="{_BOX_H}" rx="8"/>'
        f'<text x="{x + _BOX_W // 2}" y="{y + 24}">{escape(title)}</text>'
        f'<text class="small" x="{x + _BOX_W // 2}" y="{y + 43}">{escape(scene)} · {scripts}</text>'
    )
