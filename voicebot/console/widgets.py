"""Small parts that many pages are made of."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from voicebot.console.visitor import Visitor

TONES = {
    "interested": "good",
    "transferred": "good",
    "A": "good",
    "B": "good",
    "callback": "info",
    "C": "info",
    "refused": "warn",
    "hesitant": "warn",
    "do_not_call": "bad",
    "annoyed": "bad",
    "angry": "bad",
    "dropped": "bad",
    "F": "bad",
    "running": "good",
    "paused": "warn",
    "draining": "warn",
}


def heading(text: str, level: int = 1) -> ui.label:
    """Write a heading that screen readers find."""
    style = "vb-title" if level == 1 else "vb-subtitle"
    return ui.label(text).classes(style).props(f"role=heading aria-level={level}")


def tile(label: str, value: object, more: str = "", tone: str = "") -> None:
    """Show one figure."""
    figure = bool(re.fullmatch(r"[\d.,:/% –]+", str(value)))
    with ui.element("div").classes("vb-tile" if figure else "vb-tile vb-words"):
        with ui.element("b").classes(f"vb-{tone}" if tone else ""):
            ui.label(str(value))
        ui.label(label)
        if more:
            ui.label(more).classes("vb-quiet")


def badge(visitor: Visitor, section: str, value: str) -> None:
    """Show a value of the domain as a coloured word; the colour never says it alone."""
    ui.label(visitor.known(section, value)).classes(f"vb-badge vb-badge-{TONES.get(value, 'plain')}")


def when(visitor: Visitor, at: datetime | None, *, seconds: bool = False, year: bool = True) -> str:
    """Return a time in the console's zone."""
    if at is None:
        return "–"
    local = at.astimezone(ZoneInfo(visitor.house.settings.console_zone))
    if seconds:
        return f"{local:%m-%d %H:%M:%S}"
    return f"{local:%Y-%m-%d %H:%M}" if year else f"{local:%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """Return a length as 1:05."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def percent(part: float, whole: float) -> str:
    """Return a share, "–" of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def table(
    columns: Sequence[tuple[str, str]], rows: Sequence[dict[str, Any]], *, key: str = "id", page: int = 0
) -> ui.table:
    """Show rows under (field, title) columns. A row is reached by the keyboard as well as by a click."""
    drawn = ui.table(
        columns=[
            {"name": field, "label": title, "field": field, "align": "left"} for field, title in columns
        ],
        rows=list(rows),
        row_key=key,
        pagination=page or None,
    )
    drawn.props("flat wrap-cells" + (f' :rows-per-page-options="[{page}]"' if page else " hide-pagination"))
    return drawn.classes("vb-table")


def linked(drawn: ui.table, field: str, path: str) -> None:
    """Make a column of a table lead to a page: `path` with :key replaced by the row's key."""
    drawn.add_slot(
        f"body-cell-{field}",
        f"""<q-td :props="props"><a :href="'{path}'.replace(':key', props.key)">
        {{{{ props.value }}}}</a></q-td>""",
    )


def badged(drawn: ui.table, field: str, tone_field: str) -> None:
    """Show a column of a table as coloured words; another field of the row names the tone."""
    drawn.add_slot(
        f"body-cell-{field}",
        f"""<q-td :props="props"><span v-if="props.value"
        :class="'vb-badge vb-badge-' + props.row.{tone_field}">{{{{ props.value }}}}</span></q-td>""",
    )


def chosen_by_button(field: ui.upload, words: str) -> None:
    """Let files be chosen by a named button, and list them in words.

    Quasar's own button is an icon without a name around a field that screen readers can not tell.
    """
    field.add_slot(
        "header",
        f"""<div class="row items-center q-pa-sm">
        <q-btn flat no-caps icon="upload_file" label="{html.escape(words)}" @click="props.pickFiles"
        :disable="!props.canAddFiles"></q-btn><q-space></q-space>
        <q-spinner v-if="props.isUploading"></q-spinner><div class="vb-away" aria-hidden="true">
        <q-uploader-add-trigger></q-uploader-add-trigger></div></div>""",
    )
    field.add_slot(
        "list",
        """<div v-for="file in props.files" :key="file.__key">
        {{ file.name }} · {{ file.__sizeLabel }}</div>""",
    )


def named_inside(editor: ui.codemirror, words: str) -> None:
    """Give the box in which an editor is typed a name for screen readers; it lies inside and has none."""
    ui.run_javascript(
        f"getElement({editor.id}).editorPromise.then(({{contentDOM}}) => {{"
        f"contentDOM.setAttribute('aria-label', {json.dumps(words)}); contentDOM.tabIndex = 0; }})"
    )


def tone(value: str) -> str:
    """Return the colour's name for a value of the domain."""
    return TONES.get(value, "plain")


def chart(options: dict[str, Any], height: str = "18rem", summary: str = "") -> ui.echart:
    """Draw a chart with what it says in words for who can not see it."""
    shared = {
        "backgroundColor": "transparent",
        "textStyle": {"fontFamily": 'system-ui, "Noto Sans CJK SC", sans-serif'},
        "animation": False,
        "aria": {"enabled": True},
    }
    drawn = ui.echart(shared | options).style(f"height: {height}; width: 100%")
    return drawn.props(f'role=img aria-label="{summary}"' if summary else "role=img")


def ink(visitor: Visitor) -> str:
    """Return the colour of writing inside a chart, which no style sheet reaches: --vb-ink."""
    return "#e8edf2" if visitor.user.dark else "#1c2733"


def faint(visitor: Visitor) -> str:
    """Return the colour of an axis of a chart: --vb-quiet."""
    return "#a9b6c2" if visitor.user.dark else "#55626f"


def axis(visitor: Visitor, **options: Any) -> dict[str, Any]:
    """Return an axis of a chart whose figures and lines can be read in both themes."""
    lines = {"lineStyle": {"color": "#37434f" if visitor.user.dark else "#d5dce3"}}  # --vb-line
    return {"axisLabel": {"color": faint(visitor)}, "splitLine": lines} | options


def quiet(text: str) -> ui.label:
    """Write an aside."""
    return ui.label(text).classes("vb-quiet")
