"""One turn of a call: what was heard, how it was understood, what was said and why."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from nicegui import ui

from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badge, quiet
from voicebot.domain.emotion import EmotionLabel
from voicebot.store.outcomes import said_script


def draw_turn(visitor: Visitor, turn: Mapping[str, Any], *, playable: bool = True) -> None:
    """Draw a turn, a column of the turns table a key; with a player on the page its words lead there."""
    with ui.element("section").classes("vb-turn").props(f'data-seq="{turn["seq"]}"'):
        if turn["kind"] == "speech":
            _heard(visitor, turn, playable=playable)
        elif turn["kind"] != "answered":
            quiet(visitor.t(f"call.kind_{turn['kind']}"))
        _said(visitor, turn)
        with (
            ui.expansion(visitor.t("call.more"), icon="insights")
            .classes("full-width")
            .props("dense header-class=vb-quiet"),
            ui.element("div").classes("vb-two"),
        ):
            _why(visitor, turn)
            _emotion(visitor, turn)


def _heard(visitor: Visitor, turn: Mapping[str, Any], *, playable: bool) -> None:
    with ui.element("div").classes("vb-bubble vb-customer"):
        with ui.element("div").classes("vb-row"):
            quiet(f"{visitor.t('call.customer')} · {turn['start_s']:.1f} s")
            badge(visitor, "emotion", turn["emotion"])
            for section in ("situation", "relation"):
                quiet(visitor.known(section, turn[section]))
            if turn["barged_in"]:
                quiet(visitor.t("call.barged_in"))
        if playable:
            ui.html(_words(turn), sanitize=False).classes("vb-said")
        else:
            ui.label(turn["customer_text"] or visitor.t("call.not_understood")).classes("vb-said")


def _said(visitor: Visitor, turn: Mapping[str, Any]) -> None:
    """What the customer heard; where a person spoke, the bot's choice stands below as a proposal."""
    person = turn["delivered_text"] is not None
    with ui.element("div").classes("vb-bubble vb-bot"):
        who = visitor.t("agent.agent" if person else "call.bot")
        text = turn["delivered_text"] if person else turn["script_text"]
        own = "call.own_words" if person and text else "call.no_script"
        quiet(f"{who} · {said_script(turn) or visitor.t(own)}")
        ui.label(text or visitor.t("call.nothing_said"))
        if person and turn["script_text"]:
            quiet(f"{visitor.t('call.proposed')} · {turn['script_id']}：{turn['script_text']}")


def _words(turn: Mapping[str, Any]) -> str:
    """Return the words with their places in the recording, which the player lights up."""
    transcript = turn["understanding"]["transcript"]
    words = transcript["words"] or [
        {"text": transcript["text"], "start_s": 0.0, "end_s": turn["end_s"] - turn["start_s"]}
    ]
    return "".join(
        f'<span tabindex="0" role="button" data-start="{turn["start_s"] + word["start_s"]:.2f}" '
        f'data-end="{turn["start_s"] + word["end_s"]:.2f}">{html.escape(word["text"])}</span>'
        for word in words
    )


def _why(visitor: Visitor, turn: Mapping[str, Any]) -> None:
    t, decision = visitor.t, turn["decision"]
    with ui.element("div"):
        ui.label(t("call.candidates")).classes("vb-subtitle")
        if not decision["candidates"]:
            quiet(t("call.no_candidates"))
        with ui.element("div").classes("vb-bars"):
            for candidate in decision["candidates"]:
                chosen = candidate["script_id"] == turn["script_id"]
                ui.label(("✓ " if chosen else "") + candidate["script_id"]).classes("vb-mono")
                with ui.element("div").classes("vb-bar"):
                    ui.element("div").style(f"width: {100 * candidate['probability']:.0f}%")
                ui.label(_share(candidate["probability"]))
        ui.label(t("call.reasons")).classes("vb-subtitle")
        for reason in decision["reasons"]:
            ui.label(reason)
        quiet(f"{decision['scene']} → {decision['next_scene'] or decision['scene']} · {decision['style']}")
        quiet(t("call.propensity", value=f"{turn['propensity']:.2f}"))
        ui.label(t("call.timings")).classes("vb-subtitle")
        for name, value in turn["timings_ms"].items():
            shown = f"{value:.0f} ms" if name.endswith("_ms") else f"{value:g}"
            quiet(f"{visitor.known('stage', name)}: {shown}")
        quiet(f"{turn['prompt_engine']} · {turn['model_version']} · {turn['playbook_version']}").classes(
            "vb-mono"
        )


def _emotion(visitor: Visitor, turn: Mapping[str, Any]) -> None:
    t, emotion = visitor.t, turn["understanding"]["emotion"]
    with ui.element("div"):
        ui.label(t("call.emotion_parts")).classes("vb-subtitle")
        rows = [(t(f"call.{key}"), emotion[part]) for key, part in _PARTS if emotion[part]]
        with ui.element("table").classes("vb-small"):
            with ui.element("tr"):
                for title in ("", *(visitor.known("emotion", label.value) for label in EmotionLabel)):
                    with ui.element("th"):
                        ui.label(title)
            for name, distribution in rows:
                _row(name, distribution)
            for word in emotion["per_keyword"]:
                for key, part in _PARTS:
                    value = word["fused" if part == "distribution" else part]
                    if value:
                        _row(f"{word['text']} · {t(f'call.{key}')}", value)
        first, second = emotion["weights"]
        quiet(t("call.weights", first=f"{first:.2f}", second=f"{second:.2f}"))
        for reason in emotion["reasons"]:
            quiet(reason)
        prosody = turn["understanding"]["prosody"]
        if prosody:
            quiet(
                t(
                    "call.prosody",
                    pitch=f"{prosody['f0_median_hz']:.0f}",
                    level=f"{prosody['level_db']:.0f}",
                    rate=f"{prosody['rate_syl_s']:.1f}",
                )
            )


def _share(probability: float) -> str:
    return f"{probability:.2f}" if probability >= 0.01 else "< 0.01"


_PARTS = (("first", "first"), ("second", "second"), ("fused", "distribution"))


def _row(name: str, distribution: Mapping[str, float]) -> None:
    with ui.element("tr"):
        with ui.element("th"):
            ui.label(name)
        for label in EmotionLabel:
            with ui.element("td"):
                ui.label(f"{distribution[label.value]:.2f}")
