"""`voicebot understand`."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from voicebot import bootstrap
from voicebot.call.recording import Heard
from voicebot.cli import emotions
from voicebot.domain.speech import Prosody
from voicebot.domain.understanding import Situation
from voicebot.settings import Settings
from voicebot.speech.recordings import CLIPPED_FROM, LONGEST_S, Recording

SITUATIONS = {
    Situation.FREE: "空闲",
    Situation.BUSY: "在忙",
    Situation.DRIVING: "在开车或骑车",
    Situation.MEETING: "在开会或上课",
    Situation.OTHER_PERSON: "他人接听",
    Situation.NOISY: "环境嘈杂",
}


class Channel(StrEnum):
    """Which channel of a stereo recording holds the customer."""

    MIX = "mix"
    LEFT = "left"
    RIGHT = "right"


def understand(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording: WAV, FLAC, OGG or MP3.")],
    plot: Annotated[
        Path | None, typer.Option(help="Draw waveform, pitch, words and emotion into .svg or .png.")
    ] = None,
    channel: Annotated[
        Channel, typer.Option(help="Of a stereo recording; our own hold the customer on the left.")
    ] = Channel.MIX,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
) -> None:
    """Understand a recording of one speaker: what was said and how.

    Examples:
      voicebot understand customer.wav
      voicebot understand call.wav --channel left --plot call.png
    """
    from voicebot.call import picture
    from voicebot.call import recording as calls
    from voicebot.speech import recordings

    recording = recordings.read(file, channel.value)
    settings = Settings()
    parts = bootstrap.recognizer(settings), bootstrap.analyzer(settings), bootstrap.situations()
    heard = calls.understand(recording.audio, *parts)
    remarks = _remarks(recording, heard)
    if as_json:
        told = {"file": str(file), "remarks": remarks, "utterances": [asdict(one) for one in heard]}
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        _show(Console(), heard, remarks)
    if plot is not None:
        picture.save(plot, picture.svg(file.name, recording.audio, heard))


def _remarks(recording: Recording, heard: list[Heard]) -> list[str]:
    """Say what limits the result."""
    remarks = []
    if recording.length_s > LONGEST_S:
        remarks.append(f"录音长 {recording.length_s:.0f} s，只分析前 {LONGEST_S:.0f} s")
    if recording.clipped >= CLIPPED_FROM:
        remarks.append(f"录音削波（{recording.clipped:.0%} 的采样到顶），音高和音量不可靠")
    if not heard:
        remarks.append("没有听到说话声")
    elif not any(one.understanding.transcript.text for one in heard):
        remarks.append("听到声音，但没有听清任何话")
    return remarks


def _show(console: Console, heard: list[Heard], remarks: list[str]) -> None:
    for remark in remarks:
        console.print(Text(remark, "yellow"))
    for number, one in enumerate(heard, 1):
        console.print(_panel(number, one))
    if len(heard) > 1:
        console.print(
            emotions.course(
                (str(number), asdict(one.understanding.emotion)) for number, one in enumerate(heard, 1)
            )
        )


def _panel(number: int, one: Heard) -> Panel:
    understood = one.understanding
    transcript = understood.transcript
    lines = Table.grid(padding=(0, 2))
    lines.add_row("文本", Text(transcript.text or "（没听清）", "bold cyan"))
    lines.add_row("识别", Text(f"{transcript.engine}，置信度 {transcript.confidence:.2f}", "dim"))
    words = " ".join(f"{word.text} {one.start_s + word.start_s:.2f}" for word in transcript.words)
    timing = "词" if transcript.timing == "native" else "词（估计）"
    lines.add_row(timing, Text(words or "—", "dim"))
    lines.add_row("关键词", Text(" ".join(understood.keywords) or "—"))
    lines.add_row("声音", Text(_sound(understood.prosody)))
    lines.add_row("情感", emotions.table(asdict(understood.emotion)))
    lines.add_row("情境", SITUATIONS[understood.situation])
    return Panel(lines, title=f"{number} · {one.start_s:.1f}–{one.end_s:.1f} s", title_align="left")


def _sound(sound: Prosody | None) -> str:
    if sound is None:
        return "语音太短，听不出语气"
    pitch = "无音高"
    if sound.f0_median_hz:
        pitch = (
            f"音高 {sound.f0_median_hz:.0f} Hz，幅度 {sound.f0_range_st:.1f} 半音，"
            f"走向 {sound.f0_slope_st_s:+.1f} 半音/秒"
        )
    rate = f"，{sound.rate_syl_s:.1f} 字/秒" if sound.rate_syl_s else ""
    return (
        f"{pitch}，音量 {sound.level_db:.0f} dBov，"
        f"频谱倾斜 {sound.tilt_db:.0f} dB，浊音 {sound.voiced_ratio:.0%}{rate}"
    )
