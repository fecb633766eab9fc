"""`voicebot demo`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot.domain.call import CallEvent, Turn
from voicebot.domain.speech import UtteranceKind
from voicebot.service import demo as service
from voicebot.service import logs
from voicebot.settings import Settings

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "bright_red", "bright_cyan", "bright_magenta")
EMOTIONS = {"interested": "感兴趣", "calm": "平静", "hesitant": "犹豫", "annoyed": "厌烦", "angry": "愤怒"}
NOT_SPOKEN = {
    UtteranceKind.ANSWERED: "(接通)",
    UtteranceKind.SILENCE: "(没有说话)",
    UtteranceKind.DTMF: "(按键)",
}


def demo(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write calls and turns to FILE.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Call only this persona; may be repeated.")] = None,
    keep: Annotated[bool, typer.Option(help="Stay up afterwards, so that a softphone can call in.")] = False,
) -> None:
    """Call simulated customers on this machine over real SIP and RTP, and show what came of it.

    Examples:
      voicebot demo
      voicebot demo --only busy_calm --only annoyed --json demo.json
      voicebot demo --keep
    """
    settings = Settings()
    logs.configure("demo", "warning")
    console = Console()
    show = Progress(console)
    report = asyncio.run(service.run(settings, show, only=tuple(only or ()), keep=keep))
    if json_file:
        json_file.write_text(json.dumps(report.document(), ensure_ascii=False, indent=1) + "\n", "utf-8")
        console.print(f"written: {json_file}")


class Progress:
    """Prints what happens, a line each: who is called, what was understood, what is answered."""

    def __init__(self, console: Console) -> None:
        """Print to a console."""
        self._console = console
        self._names: dict[str, str] = {}

    def step(self, text: str) -> None:
        """Say which step of the set-up runs."""
        self._console.print(f"[dim]· {text}[/dim]")

    def call(self, name: str, event: CallEvent) -> None:
        """Show an event of the call to a persona."""
        colour = self._colour(name)
        if event.kind == "turn" and event.turn is not None:
            self._turn(name, colour, event.turn)
        elif event.kind == "ended" and event.record is not None:
            outcome = event.record.outcome
            why = "；".join(outcome.reasons)
            self._line(
                name, colour, f"■ {outcome.disposition.value} · {outcome.intent_level.value}", f"  {why}"
            )
        else:
            words = {"dialling": "☎ 呼叫", "ringing": "♪ 振铃", "answered": "● 接通", "takeover": "⇢ 转人工"}
            self._line(name, colour, words.get(event.kind, event.kind), "")

    def _colour(self, name: str) -> str:
        if name not in self._names:
            self._names[name] = COLOURS[len(self._names) % len(COLOURS)]
        return self._names[name]

    def _turn(self, name: str, colour: str, turn: Turn) -> None:
        understood = turn.understanding
        if turn.kind == UtteranceKind.SPEECH:
            emotion = understood.emotion
            share = emotion.distribution.of(emotion.label)
            relation = turn.decision.relation.value
            self._line(
                name,
                colour,
                f"客户 {understood.transcript.text or '(没有听清)'}",
                f"  {EMOTIONS[emotion.label.value]} {share:.2f} · {relation} · {understood.situation.value}",
            )
        elif turn.kind in NOT_SPOKEN and turn.kind != UtteranceKind.ANSWERED:
            self._line(name, colour, f"客户 {NOT_SPOKEN[turn.kind]}", "")
        self._line(
            name, colour, f"  → {turn.decision.script_text}", f"  {turn.decision.script_id}{_latency(turn)}"
        )

    def _line(self, name: str, colour: str, text: str, aside: str) -> None:
        line = Text(f"{name:<13}", style=colour)
        line.append(text, style="default")
        line.append(aside, style="dim")
        self._console.print(line, soft_wrap=True)

    def finished(self, report: service.Report) -> None:
        """Show the table of outcomes and what was measured."""
        table = Table(title="外呼结果 outcomes")
        for column in ("客户", "结果", "意向", "轮次", "原因"):
            table.add_column(column, overflow="fold")
        for call in report.calls:
            table.add_row(
                f"{call.persona.id} {call.persona.title}",
                call.outcome.disposition,
                call.outcome.intent_level,
                str(call.outcome.turns),
                "；".join(call.outcome.reasons),
            )
        self._console.print(table)
        waits = report.waits_ms()
        if waits:
            self._console.print(
                f"answer after the endpoint: {median(waits):.0f} ms in the median of {len(waits)}"
            )
        if report.cer is not None:
            self._console.print(f"character error rate of what was understood: {report.cer:.3f}")

    def console(self, link: str) -> None:
        """Say where the calls can be watched in a browser."""
        self._console.print(f"· watch in a browser: [bold]{link}[/bold]", soft_wrap=True, highlight=False)

    def waiting(self, addresses: Sequence[str]) -> None:
        """Say where the bot can be called now."""
        self._console.print("call the bot with any softphone at " + " or ".join(addresses) + "; Ctrl-C ends")


def _latency(turn: Turn) -> str:
    wait = turn.timings_ms.get("wait_ms")
    return f" · {wait:.0f} ms" if wait is not None else ""
