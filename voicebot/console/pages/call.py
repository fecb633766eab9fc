"""One call in every detail: sound, words, emotion, candidates, reasons, timings."""

from __future__ import annotations

from collections.abc import Mapping

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.pages.call_charts import emotion_over_time
from voicebot.console.pages.call_turn import draw_turn
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badge, duration, heading, quiet, tile, when
from voicebot.domain.errors import DataError
from voicebot.domain.users import Right
from voicebot.store.callers import CallerRepository
from voicebot.store.outcomes import CallDetail, OutcomeRepository
from voicebot.store.session import Transaction

SHORTEST_REASON = 4  # characters


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/calls/{call_id}", "call", right=Right.SEE_CALLS)
    async def call(visitor: Visitor, call_id: str) -> None:
        detail = await visitor.query(lambda session: OutcomeRepository(session).call(call_id))
        _head(visitor, detail)
        if detail.outcome and detail.outcome.recording and visitor.may(Right.HEAR_CALLS):
            _player(visitor, detail)
        spoken = [turn for turn in detail.turns if turn["kind"] == "speech"]
        if spoken:
            with ui.card().classes("vb-card"):
                heading(visitor.t("call.emotion"), 2)
                emotion_over_time(visitor, spoken)
        with ui.card().classes("vb-card"):
            heading(visitor.t("call.turns"), 2)
            if not detail.turns:
                quiet(visitor.t("call.no_turns"))
            for turn in detail.turns:
                draw_turn(visitor, turn)


def _head(visitor: Visitor, detail: CallDetail) -> None:
    t, outcome = visitor.t, detail.outcome
    with ui.element("div").classes("vb-row"):
        heading(t("call.title", at=when(visitor, detail.started_at)))
        if outcome:
            badge(visitor, "disposition", outcome.disposition)
            badge(visitor, "intent", outcome.intent_level)
        ui.space()
        if visitor.may(Right.REVEAL_NUMBERS):
            ui.button(
                t("call.reveal"), icon="visibility", on_click=lambda: _reveal(visitor, detail.call_id)
            ).props("outline")
    if outcome is None:
        quiet(t("call.running"))
        return
    with ui.element("div").classes("vb-tiles"):
        tile(t("outcomes.number"), outcome.number or "–")
        tile(t("outcomes.campaign"), outcome.campaign or "–")
        tile(t("outcomes.duration"), duration(outcome.duration_s))
        tile(t("outcomes.turns"), len(detail.turns))
        tile(t("call.cause"), visitor.known("cause", outcome.cause) or "–")
    with ui.card().classes("vb-card"):
        heading(t("call.why"), 2)
        for reason in outcome.reasons:
            ui.label(reason)
        _facts(outcome.facts)
        quiet(f"{detail.call_id} · {detail.playbook_id} · {detail.worker}").classes("vb-mono")


def _facts(facts: Mapping[str, str]) -> None:
    for name, value in facts.items():
        ui.label(f"{name}: {value}")


def _player(visitor: Visitor, detail: CallDetail) -> None:
    ui.add_body_html('<script src="/static/player.js" defer></script>')
    with ui.card().classes("vb-card"):
        heading(visitor.t("call.recording"), 2)
        quiet(visitor.t("call.recording_note"))
        source = f"/recordings/{detail.call_id}"
        ui.element("vb-player").props(
            f'src="{source}.wav" peaks="{source}/peaks" label="{visitor.t("call.recording")}"'
        )


def _reveal(visitor: Visitor, call_id: str) -> None:
    t = visitor.t

    async def show() -> None:
        words = (reason.value or "").strip()
        if len(words) < SHORTEST_REASON:
            raise DataError("a number is revealed only for a reason", hint="say why")
        number = await visitor.act(
            Right.REVEAL_NUMBERS,
            "reveal_number",
            f"call:{call_id}",
            lambda session: _number(visitor, session, call_id),
            reason=words,
        )
        shown.set_text(number)

    with ui.dialog() as dialog, ui.card().classes("vb-card"):
        heading(t("call.reveal"), 2)
        quiet(t("call.reveal_note"))
        reason = ui.input(t("call.reason")).classes("full-width")
        shown = ui.label().classes("vb-title")
        with ui.element("div").classes("vb-row"):
            ui.button(t("call.reveal"), on_click=visitor.guarded(show))
            ui.button(t("frame.close"), on_click=dialog.close).props("flat")
    dialog.open()


def _number(visitor: Visitor, session: Transaction, call_id: str) -> str:
    number = CallerRepository(session, visitor.house.vault).number(call_id)
    if not number:
        raise DataError("no number is known of this call")
    return number
