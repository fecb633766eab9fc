"""`voicebot feedback`: what people think of turns, and the samples that come of it."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot.cli.files import save
from voicebot.cli.stored import stored
from voicebot.cli.times import parse_time
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import DataError
from voicebot.domain.people import Grade
from voicebot.learning.gather import gather as gather_samples
from voicebot.learning.scores import THRESHOLD
from voicebot.service import grading
from voicebot.settings import Settings
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.outcomes import OutcomeRepository
from voicebot.store.samples import SampleRepository, StoredSample

feedback_app = typer.Typer(help="Grade turns, see what is to be graded, make samples.", no_args_is_help=True)
_LABELS = {label.chinese: label for label in EmotionLabel}


def _label(name: str) -> EmotionLabel:
    found = _LABELS.get(name) or next((label for label in EmotionLabel if label.value == name), None)
    if found is None:
        raise typer.BadParameter(f"{name!r} is none of {' '.join((*_LABELS, *EmotionLabel))}")
    return found


def _mark(said: str) -> Grade | float:
    if said in list(Grade):
        return Grade(said)
    try:
        score = float(said)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 100:
        raise typer.BadParameter(f"{said!r} is none of {' '.join(Grade)}, nor 0 to 100")
    return score


Called = Annotated[str, typer.Argument(metavar="CALL", help="Id of the call, or a part of it.")]


@feedback_app.command()
def grade(
    call: Called,
    turn: Annotated[int, typer.Argument(help="Number of the turn: voicebot calls show CALL.")],
    mark: Annotated[
        str, typer.Argument(metavar="优|良|中|差|0-100", help="The words count 80, 70, 50 and 20.")
    ],
    better: Annotated[str, typer.Option(help="Id of the script that would have been better.")] = "",
) -> None:
    """Grade the script that was chosen in a turn. A later grade of yours takes the place of an earlier one.

    Examples:
      voicebot feedback grade 4f81c2 3 差 --better busy_offer
      voicebot feedback grade 4f81c2 4 85
    """
    with stored(Settings()) as store, store.transaction() as session:
        given = grading.grade(
            session, call, turn, _mark(mark), getpass.getuser(), datetime.now(UTC), better_script_id=better
        )
    print(f"{given.script_id} {given.action} {given.score:.0f}")


@feedback_app.command()
def emotion(
    call: Called,
    turn: Annotated[int, typer.Argument(help="Number of the turn: voicebot calls show CALL.")],
    label: Annotated[EmotionLabel, typer.Argument(parser=_label, metavar="|".join(_LABELS))],
    said: Annotated[str, typer.Option(help="What the customer really said, if it was misheard.")] = "",
) -> None:
    """Say how the customer meant a turn: voicebot train emotion --from-database learns from it.

    A later label of yours takes the place of an earlier one.

    Example:
      voicebot feedback emotion 4f81c2 3 平静 --said 现在有事不要说了
    """
    now = datetime.now(UTC)
    with stored(Settings()) as store, store.transaction() as session:
        detail = OutcomeRepository(session).call(call)
        found = next((row for row in detail.turns if row["seq"] == turn), None)
        if found is None or not (found["customer_text"] or said):
            raise DataError(f"call {call} has no words in turn {turn}", hint=f"voicebot calls show {call}")
        FeedbackRepository(session).meant(detail.call_id, turn, label, getpass.getuser(), now, text=said)
    print(f"{said or found['customer_text']} {label.chinese}")


@feedback_app.command("list")
def list_(call: Called) -> None:
    """Show what was said about a call's turns, implicit signals included."""
    with stored(Settings()) as store, store.transaction() as session:
        detail = OutcomeRepository(session).call(call)
        found = FeedbackRepository(session).of_call(detail.call_id)
    table = Table("轮次", "话术", "来源", "谁", "评价", "分数", "权重", "更好的话术")
    for one in sorted(found, key=lambda one: (one.seq, one.at)):
        score = "" if one.score is None else f"{one.score:.0f}"
        cells = (
            str(one.seq),
            one.script_id,
            one.origin.value,
            one.actor,
            one.action,
            score,
            f"{one.weight:g}",
        )
        table.add_row(*(Text(cell) for cell in (*cells, one.better_script_id)))
    Console().print(table if found else "nobody said anything about this call")


@feedback_app.command()
def queue(
    since: Annotated[str, typer.Option(help="Turns at or after: 7d, 2026-11-23.")] = "7d",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    playbook: Annotated[str, typer.Option(help="Id of a playbook; none = all.")] = "",
) -> None:
    """Show the turns that teach most when graded: where the bot was least sure of script or words.

    Example:
      voicebot feedback queue --since 30d --playbook consumer_loan
    """
    now = datetime.now().astimezone()
    with stored(Settings()) as store, store.transaction() as session:
        found = grading.queue(session, parse_time(since, now), limit, playbook)
    table = Table("通话", "轮次", "客户", "话术", "概率", "识别")
    for one in found:
        cells = (one.call_id[-12:], str(one.seq), one.customer_text, f"{one.script_id}：{one.script_text}")
        table.add_row(*(Text(cell) for cell in cells), f"{one.probability:.2f}", f"{one.confidence:.2f}")
    Console().print(table if found else "nothing to grade: the bot was sure, or all is graded")


@feedback_app.command()
def gather(
    since: Annotated[str, typer.Option(help="Calls ended or judged at or after: 6h, 30d.")] = "30d",
) -> None:
    """Make samples of what was judged. Runs every ten minutes by itself; doing it again changes nothing."""
    now = datetime.now(UTC)
    with stored(Settings()) as store:
        made = gather_samples(store, parse_time(since, now), now + timedelta(seconds=1))
    print(f"{made} samples")


@feedback_app.command()
def samples(
    playbook: Annotated[str, typer.Argument(help="Playbook id; none = counts of all.")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write them to a JSONL file.")] = None,
) -> None:
    """Show or write the samples of a playbook: voicebot train ranker --samples FILE learns from them.

    Example:
      voicebot feedback samples consumer_loan --out samples.jsonl
    """
    with stored(Settings()) as store, store.transaction() as session:
        counts = SampleRepository(session).counts()
        found = SampleRepository(session).of_playbook(playbook) if playbook else []
    if not playbook:
        table = Table("话术库", "来源", "样本", f"高于 {THRESHOLD:.0f}", f"低于 {THRESHOLD:.0f}")
        for name, origin, *numbers in counts:
            table.add_row(name, origin, *(str(number) for number in numbers))
        Console().print(table if counts else "no samples yet; voicebot feedback gather makes them")
        return
    lines = [json.dumps(_line(one), ensure_ascii=False) for one in found]
    if out:
        save(out, ("\n".join(lines) + "\n").encode())
        print(f"{len(lines)} samples written: {out}")
    else:
        print("\n".join(lines))


def _line(one: StoredSample) -> dict[str, object]:
    return {
        "said": one.said,
        "script": one.script_id,
        "agent": one.agent,
        "before": one.before,
        "scene": one.scene,
        "keywords": list(one.keywords),
        "emotion": dict(one.emotion),
        "conversation": one.call_id,
        "weight": round(one.weight, 3),
        "playbook": one.playbook_id,
    }
