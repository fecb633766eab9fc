"""`voicebot calls`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from voicebot import bootstrap
from voicebot.campaign import corrections
from voicebot.cli import emotions
from voicebot.cli.actor import actor
from voicebot.cli.outcomes import said
from voicebot.cli.stored import stored
from voicebot.cli.times import moment
from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.errors import DataError
from voicebot.settings import Settings
from voicebot.store.audit import AuditRepository
from voicebot.store.outcomes import CallDetail, OutcomeRepository

calls_app = typer.Typer(help="Look into single calls.", no_args_is_help=True)

POOR_MOS = 3.6  # below it many users are dissatisfied (G.107, annex B)
KINDS = {"answered": "（接通）", "silence": "（没有说话）", "dtmf": "（按键）"}


@calls_app.callback()
def _group() -> None:
    """Look into single calls."""


@calls_app.command()
def show(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="Of the call, or its begin or end.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything that is stored, as JSON.")] = False,
) -> None:
    """Show one call: what was said, how, what was proposed, what was chosen, why, and how long it took."""
    with stored(Settings()) as store, store.transaction() as session:
        call = OutcomeRepository(session).call(call_id)
    if as_json:
        print(json.dumps(asdict(call), ensure_ascii=False, indent=1, default=str))
        return
    console = Console()
    console.print(_head(call))
    for turn in call.turns:
        console.print(_turn(turn))
    spoken = [turn for turn in call.turns if turn["kind"] == "speech"]
    if spoken:
        console.print(
            emotions.course((str(turn["seq"]), turn["understanding"]["emotion"]) for turn in spoken)
        )


def _head(call: CallDetail) -> Panel:
    lines = Table.grid(padding=(0, 2))
    outcome = call.outcome
    lines.add_row("通话", call.call_id)
    lines.add_row("开始", f"{call.started_at.astimezone():%Y-%m-%d %H:%M:%S}")
    lines.add_row("话术库", Text(call.playbook_id))
    lines.add_row("线路", Text(call.worker))
    if outcome is None:
        lines.add_row("结果", "进行中，或结束未知")
    else:
        lines.add_row("任务", Text(f"{outcome.campaign} {outcome.number}".strip() or "—"))
        lines.add_row("结果", said(outcome.disposition))
        lines.add_row("意向", outcome.intent_level)
        lines.add_row("原因", Text("；".join(outcome.reasons)))
        if outcome.facts:
            lines.add_row(
                "事实", Text("；".join(f"{name}：{value}" for name, value in outcome.facts.items()))
            )
        lines.add_row("时长", f"{outcome.duration_s:.1f} s，{outcome.turns} 轮，{outcome.cause}")
        lines.add_row("录音", Text(outcome.recording or "—"))
    if call.quality:
        lines.add_row("音质", _sound(call.quality))
    return Panel(lines, title="通话", title_align="left")


def _sound(quality: dict[str, Any]) -> Text:
    text = f"MOS {quality['mos']:.2f}，丢包 {quality['heard_loss']:.1%} / {quality['said_loss']:.1%}"
    text += f"，抖动 {quality['heard_jitter_ms']:.0f} ms，往返 {quality['round_trip_ms']:.0f} ms"
    return Text(text, "bold red" if quality["mos"] < POOR_MOS else "")


def _turn(turn: dict[str, Any]) -> Panel:
    decision, understanding = turn["decision"], turn["understanding"]
    lines = Table.grid(padding=(0, 2))
    lines.add_row("客户", Text(turn["customer_text"] or KINDS.get(turn["kind"], ""), "bold cyan"))
    if turn["kind"] == "speech":
        lines.add_row("识别", _recognised(understanding["transcript"]))
        if understanding["keywords"]:
            lines.add_row("关键词", Text(" ".join(understanding["keywords"])))
        lines.add_row("情感", emotions.table(understanding["emotion"]))
        lines.add_row("语句关系", f"{turn['relation']}；情境 {turn['situation']}")
    lines.add_row("场景", Text(f"{turn['scene']} → {decision['next_scene']}"))
    lines.add_row("候选", _candidates(decision["candidates"], turn["script_id"]))
    lines.add_row("话术", Text(f"{turn['script_id']}（{turn['action']}，{decision['style']}）", "bold"))
    lines.add_row("", Text(turn["script_text"], "green"))
    lines.add_row("理由", Text("；".join(decision["reasons"])))
    if turn["barged_in"]:
        lines.add_row("打断", f"上一句播放了 {turn['heard_ms']} ms")
    times = "，".join(f"{name} {value:.0f}" for name, value in turn["timings_ms"].items())
    lines.add_row("用时 ms", Text(times or "—", "dim"))
    return Panel(
        lines, title=f"{turn['seq']} · {turn['start_s']:.1f}–{turn['end_s']:.1f} s", title_align="left"
    )


def _recognised(transcript: dict[str, Any]) -> Text:
    text = Text(
        f"{transcript['engine']} {transcript['method']}，置信度 {transcript['confidence']:.2f}", "dim"
    )
    if transcript["raw_text"] and transcript["raw_text"] != transcript["text"]:
        text.append(f"，原文 {transcript['raw_text']}")
    return text


def _candidates(candidates: list[dict[str, Any]], chosen: str) -> Text:
    text = Text()
    for candidate in candidates:
        style = "bold green" if candidate["script_id"] == chosen else ""
        text.append(f"{candidate['script_id']} {candidate['probability']:.2f}  ", style)
    return text if candidates else Text("—", "dim")


@calls_app.command()
def recording(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="Of the call, or its begin or end.")],
    out: Annotated[Path, typer.Argument(help="WAV file to write: left the customer, right the bot.")],
) -> None:
    """Write the recording of a call to a file, opened. That it was heard goes to the audit log.

    Example:
      voicebot calls recording 8d41 call.wav && voicebot understand call.wav
    """
    settings = Settings()
    with stored(settings) as store, store.transaction() as session:
        outcomes = OutcomeRepository(session)
        whole = outcomes.call(call_id).call_id
        key = outcomes.recording(whole)
        if not key:
            raise DataError("this call has no recording", hint="it was not recorded, or is no longer kept")
        sound = bootstrap.recordings(settings).wav(key)
        AuditRepository(session).add(actor(), "hear_recording", f"call:{whole}")
    try:
        out.write_bytes(sound)
    except OSError as error:
        raise DataError(f"{out} can not be written: {error.strerror}") from error
    print(out)


@calls_app.command()
def correct(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="Of the call, or its begin or end.")],
    why: Annotated[str, typer.Option(help="The reason; it is kept.")],
    disposition: Annotated[Disposition | None, typer.Option(help="What the call really came to.")] = None,
    intent: Annotated[IntentLevel | None, typer.Option(help="A to F.")] = None,
    fact: Annotated[list[str] | None, typer.Option(help="name=value; an empty value removes it.")] = None,
    at: Annotated[str, typer.Option(help="Of a callback: 2026-12-01T15:00.")] = "",
) -> None:
    """Correct what a call came to. What was before stays in its history (calls history ID)."""
    settings = Settings()
    with stored(settings) as store:
        with store.transaction() as session:
            whole = OutcomeRepository(session).call(call_id).call_id
        done = corrections.correct(
            store,
            bootstrap.vault(settings),
            whole,
            actor(),
            why,
            datetime.now(UTC),
            disposition=disposition,
            intent_level=intent,
            facts=dict(_fact(text) for text in fact or ()),
            callback_at=moment(at).astimezone(UTC) if at else None,
        )
    before, after = done.told_before, done.told_after
    print(
        f"{before['disposition']} {before['intent_level']} → {after['disposition']} {after['intent_level']}"
    )


@calls_app.command()
def history(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="Of the call, or its begin or end.")],
) -> None:
    """Show every correction of what a call came to."""
    with stored(Settings()) as store:
        with store.transaction() as session:
            whole = OutcomeRepository(session).call(call_id).call_id
        found = corrections.history(store, whole)
    table = Table("时间", "谁", "之前", "之后", "原因")
    for one in found:
        was, now = one.told_before, one.told_after
        table.add_row(
            f"{one.at.astimezone():%Y-%m-%d %H:%M}",
            Text(one.actor),
            f"{was['disposition']} {was['intent_level']}",
            f"{now['disposition']} {now['intent_level']}",
            Text(one.why),
        )
    Console().print(table if found else "never corrected")


def _fact(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise DataError(f"{text!r} is no fact", hint="write name=value")
    return name, value
