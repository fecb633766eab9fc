"""`voicebot campaign explain`, `call`, `preview`: single contacts."""

from __future__ import annotations

from datetime import UTC
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot import bootstrap
from voicebot.campaign import explain as explaining
from voicebot.campaign import management
from voicebot.campaign import preview as previewing
from voicebot.cli.actor import actor
from voicebot.cli.stored import clock, stored
from voicebot.cli.times import moment
from voicebot.domain.campaign import ContactStatus
from voicebot.settings import Settings

Who = Annotated[str, typer.Argument(metavar="CONTACT", help="Id of the contact, or its phone number.")]


class Choice(StrEnum):
    """What an agent does with a contact."""

    CALL = "call"
    SKIP = "skip"
    QUIT = "quit"


def explain(
    who: Who,
    campaign: Annotated[str, typer.Option(help="Whose contact, if a number is on several lists.")] = "",
    region: Annotated[str, typer.Option(help="Country of a number without country code.")] = "CN",
) -> None:
    """Say why a contact is not called, or when it will be, with every call and refusal so far.

    Example:
      voicebot campaign explain 13900000000 --campaign spring
    """
    settings = Settings()
    with stored(settings) as store:
        now = clock(store)()
        found = explaining.explain(store, bootstrap.vault(settings), who, now, campaign, region)
    Console().print(_table(found))


def call(
    who: Who,
    at: Annotated[str, typer.Option(help="When: 2026-12-01T15:00; now, if left out.")] = "",
    campaign: Annotated[str, typer.Option(help="Whose contact, if a number is on several lists.")] = "",
) -> None:
    """Have a contact called at a time, also one who was done. Consent, do-not-call and hours still hold."""
    settings = Settings()
    vault = bootstrap.vault(settings)
    with stored(settings) as store:
        now = clock(store)()
        found = explaining.explain(store, vault, who, now, campaign)
        when = moment(at).astimezone(UTC) if at else now
        management.schedule_call(store, vault, found.contact_id, when, actor())
    print(f"{found.number_masked} {when.astimezone():%Y-%m-%d %H:%M}")


def preview(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or id of a preview campaign.")],
    agent: Annotated[str, typer.Option(help="Login of the agent, who must be ready.")],
    choice: Annotated[
        Choice | None, typer.Option("--then", help="Call or skip the contact without asking.")
    ] = None,
) -> None:
    """Show an agent the next contact of a preview campaign, then call it or pass it by.

    Examples:
      voicebot campaign preview spring --agent eve
      voicebot campaign preview spring --agent eve --then call
    """
    settings = Settings()
    vault, console = bootstrap.vault(settings), Console()
    with stored(settings) as store:
        now = clock(store)
        while True:
            found = previewing.offer(store, vault, name, agent, now())
            if found is None:
                console.print("没有可呼叫的客户 · nobody is due")
                return
            console.print(_offered(found))
            chosen = choice or typer.prompt("call, skip, quit", type=Choice, default=Choice.QUIT)
            if chosen is Choice.CALL:
                previewing.dial(store, vault, found.contact_id, agent, now())
                console.print(f"呼叫中：先响坐席 {agent} 的话机 · ringing the agent's phone first")
            elif chosen is Choice.SKIP:
                previewing.skip(store, vault, found.contact_id, agent, now())
                console.print("已跳过，半小时后再提供 · passed by")
            if choice or chosen is not Choice.SKIP:
                return


def _offered(found: previewing.Offer) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("客户", Text(f"{found.number_masked} · {found.campaign} · {found.contact_id}", "bold"))
    table.add_row("时区", found.zone)
    table.add_row("已呼叫", f"{found.attempts} 次")
    for slot, value in found.slots.items():
        table.add_row(Text(slot), Text(value))
    for past in found.calls:
        table.add_row(f"{past.at.astimezone():%m-%d %H:%M}", Text(past.disposition or past.cause))
    table.add_row("保留至", f"{found.until.astimezone():%H:%M:%S}")
    return table


def _table(found: explaining.Explanation) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("客户", Text(f"{found.number_masked} · {found.campaign} · {found.contact_id}", "bold"))
    table.add_row("时区", found.zone or "未知")
    table.add_row("同意", Text(found.consent))
    table.add_row("名单状态", f"{found.status.value}，已呼叫 {found.attempts} 次")
    table.add_row("结论", _conclusion(found))
    told = () if found.at is None else found.conditions  # in the conclusion
    for reason in (reason for reason in found.reasons if reason not in told):
        table.add_row("原因", Text(reason))
    for past in found.calls:
        words = f"{past.direction} {past.status} {past.disposition or past.cause}"
        table.add_row(f"{past.at.astimezone():%m-%d %H:%M:%S}", Text(f"呼叫 {words}"))
    for refused in found.refusals:
        table.add_row(
            f"{refused.at.astimezone():%m-%d %H:%M:%S}",
            Text(f"未呼叫 {refused.code}：{refused.words}", "dim"),
        )
    return table


def _conclusion(found: explaining.Explanation) -> Text:
    if found.may_call:
        return Text("现在可以呼叫", "green")
    if found.status is ContactStatus.CALLING:
        return Text(f"现在不能呼叫：{'；'.join(found.conditions)}", "yellow")
    if found.at is None:
        return Text("不会呼叫", "red")
    earliest = f"最早 {explaining.local(found.at, found.zone)} 呼叫"
    if not found.conditions:
        return Text(earliest, "yellow")
    return Text(f"现在不能呼叫；先要解决：{'；'.join(found.conditions)}。此后{earliest}", "yellow")
