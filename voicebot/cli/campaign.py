"""`voicebot campaign`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot import bootstrap
from voicebot.campaign import importer, management
from voicebot.campaign.exporter import export_contacts
from voicebot.campaign.policy_pack import policy_pack
from voicebot.cli import contacts
from voicebot.cli.actor import actor
from voicebot.cli.outcomes import said
from voicebot.cli.prompts import warn_robotic
from voicebot.cli.row_count import row_count
from voicebot.cli.stored import stored
from voicebot.cli.times import moment
from voicebot.domain.campaign import Campaign, CampaignStatus, Mode
from voicebot.domain.errors import CampaignError
from voicebot.domain.ids import uuid7
from voicebot.domain.people import TakeoverKind
from voicebot.settings import Settings
from voicebot.store.campaigns import CampaignRepository, Progress

campaign_app = typer.Typer(help="Make, fill, start and watch campaigns.", no_args_is_help=True)
campaign_app.command()(contacts.explain)
campaign_app.command()(contacts.call)
campaign_app.command()(contacts.preview)
Named = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the campaign.")]

Trunk = Annotated[str | None, typer.Option(help="Name of a trunk, or sip:{number}@gateway:5060.")]
CallerId = Annotated[str | None, typer.Option(help="Number or SIP URI that customers see.")]
TakeoverOption = Annotated[
    TakeoverKind | None,
    typer.Option(
        help="How a customer is handed over: auto (agents: bridge; an address outside: blind), blind "
        "(REFER), attended (the agent answers and is briefed, then REFER with Replaces), bridge."
    ),
]
TransferTo = Annotated[str | None, typer.Option(help="SIP URI of the agents; empty = agents of the console.")]
MaxCalls = Annotated[int | None, typer.Option(min=1, help="At the same time, ringing or talking [3].")]
MaxTalks = Annotated[
    int | None, typer.Option(min=0, help="Conversations at the same time; more may ring, by answer rate.")
]
MaxAttempts = Annotated[int | None, typer.Option(min=1, help="To one contact [3].")]
RingTimeout = Annotated[float | None, typer.Option(min=5, max=120, help="Seconds [40].")]
CallsPerS = Annotated[float | None, typer.Option(min=0, help="New calls a second; 0 = no limit.")]
Priority = Annotated[int | None, typer.Option(help="Higher gets free lines first [0].")]
Hours = Annotated[str | None, typer.Option(help="Own hours: 'mon-fri 09:00-12:00,14:00-18:00'.")]
From = Annotated[str | None, typer.Option("--from", help="No call before: 2026-12-01 or with a time.")]
Until = Annotated[str | None, typer.Option(help="No call from then on.")]
ModeOption = Annotated[Mode | None, typer.Option(help="bot speaks; progressive or preview: people do.")]
Retry = Annotated[list[str] | None, typer.Option(help="busy=15: minutes before another attempt, -1 = never.")]
LeaveMessage = Annotated[
    bool | None, typer.Option("--leave-message/--hang-up-on-mailbox", help="What a mailbox gets.")
]


@campaign_app.command()
def create(
    name: Annotated[str, typer.Argument(help="Of the new campaign.")],
    playbook: Annotated[str, typer.Option(help="Playbook id.")],
    trunk: Annotated[str, typer.Option(help="Name of a trunk, or sip:{number}@gateway:5060.")],
    policy: Annotated[str, typer.Option(help="Rules that hold: CN, US or SIMULATION.")],
    scope: Annotated[str, typer.Option(help="Consent that is needed.")] = "marketing",
    caller_id: CallerId = None,
    transfer_to: TransferTo = None,
    takeover: TakeoverOption = None,
    max_calls: MaxCalls = None,
    max_talks: MaxTalks = None,
    max_attempts: MaxAttempts = None,
    ring_timeout: RingTimeout = None,
    calls_per_s: CallsPerS = None,
    priority: Priority = None,
    hours: Hours = None,
    begins: From = None,
    until: Until = None,
    mode: ModeOption = None,
    retry: Retry = None,
    leave_message: LeaveMessage = None,
) -> None:
    """Make a campaign. It calls nobody before it is started.

    Example:
      voicebot campaign create spring --playbook consumer_loan --policy CN --trunk 'sip:{number}@10.0.0.5'
    """
    settings = Settings()
    bootstrap.playbooks(settings).get(playbook)
    given = _given(
        caller_id=caller_id,
        transfer_uri=transfer_to,
        takeover=takeover,
        max_calls=max_calls,
        max_talks=max_talks,
        max_attempts=max_attempts,
        ring_timeout_s=ring_timeout,
        calls_per_s=calls_per_s,
        priority=priority,
        hours=hours,
        starts_at=begins,
        ends_at=until,
        mode=mode,
        retry=retry,
        leave_message=leave_message,
    )
    wanted = Campaign(
        id=str(uuid7()),
        name=name,
        playbook_id=playbook,
        status=CampaignStatus.DRAFT,
        policy_pack=policy,
        scope=scope,
        trunk=trunk,
        **given,
    )
    with stored(settings) as store:
        made = management.create(store, bootstrap.vault(settings), wanted, actor())
    print(made.id)


@campaign_app.command()
def edit(
    name: Named,
    rename: Annotated[str | None, typer.Option(help="New name.")] = None,
    playbook: Annotated[str | None, typer.Option(help="Playbook id.")] = None,
    trunk: Trunk = None,
    caller_id: CallerId = None,
    transfer_to: TransferTo = None,
    takeover: TakeoverOption = None,
    max_calls: MaxCalls = None,
    max_talks: MaxTalks = None,
    max_attempts: MaxAttempts = None,
    ring_timeout: RingTimeout = None,
    calls_per_s: CallsPerS = None,
    priority: Priority = None,
    hours: Hours = None,
    begins: From = None,
    until: Until = None,
    mode: ModeOption = None,
    retry: Retry = None,
    leave_message: LeaveMessage = None,
) -> None:
    """Change a campaign, also while it runs; calls under way keep what they began with."""
    settings = Settings()
    if playbook is not None:
        bootstrap.playbooks(settings).get(playbook)
    changes = _given(
        name=rename,
        playbook_id=playbook,
        trunk=trunk,
        caller_id=caller_id,
        transfer_uri=transfer_to,
        takeover=takeover,
        max_calls=max_calls,
        max_talks=max_talks,
        max_attempts=max_attempts,
        ring_timeout_s=ring_timeout,
        calls_per_s=calls_per_s,
        priority=priority,
        hours=hours,
        starts_at=begins,
        ends_at=until,
        mode=mode,
        retry=retry,
        leave_message=leave_message,
    )
    with stored(settings) as store:
        edited = management.edit(store, bootstrap.vault(settings), name, changes, actor())
    print(f"{edited.name} changed: {', '.join(sorted(changes)) or 'nothing'}")


@campaign_app.command("import")
def import_(
    name: Named,
    file: Annotated[Path, typer.Argument(help="CSV or XLSX with a header row; docs/campaigns.md has all.")],
    region: Annotated[str, typer.Option(help="Country of numbers without country code.")] = "CN",
    errors: Annotated[Path | None, typer.Option(help="Unusable rows go here [FILE.errors.csv].")] = None,
) -> None:
    """Add contacts from a CSV or XLSX file. Doing it again adds nobody twice; bad rows go to a file."""
    settings = Settings()
    aside = errors or file.with_name(f"{file.name}.errors.csv")
    console = Console()
    with stored(settings) as store, row_count(console) as count:
        with store.transaction() as session:
            campaign = CampaignRepository(session).find(name)
        done = importer.import_contacts(
            store,
            bootstrap.vault(settings),
            campaign,
            file,
            region=region,
            errors_file=aside,
            progress=count,
            actor=actor(),
        )
    console.print(f"added {done.added}, already there {done.duplicates}, not usable {done.errors}")
    if done.errors_file:
        console.print(f"[yellow]rows that are not usable, with reasons: {done.errors_file}[/yellow]")


@campaign_app.command()
def export(
    name: Named,
    out: Annotated[Path, typer.Argument(help="*.csv or *.xlsx.")],
    numbers: Annotated[bool, typer.Option("--numbers", help="In clear; the audit log says so.")] = False,
) -> None:
    """Write a campaign's list as it stands to a file, numbers masked."""
    settings = Settings()
    with stored(settings) as store:
        with store.transaction() as session:
            campaign = CampaignRepository(session).find(name)
        count = export_contacts(store, bootstrap.vault(settings), campaign, out, actor(), numbers=numbers)
    print(f"{count} contacts in {out}")


@campaign_app.command()
def start(name: Named) -> None:
    """Let a campaign call, or go on calling. `voicebot serve` must run, every prompt must have a sound."""
    settings = Settings()
    with stored(settings) as store:
        with store.transaction() as session:
            playbook_id = CampaignRepository(session).find(name).playbook_id
        started, covered = management.start(
            store,
            bootstrap.vault(settings),
            name,
            bootstrap.playbooks(settings).get(playbook_id),
            bootstrap.prompts(settings),
            actor(),
            datetime.now(UTC),
        )
    if covered.robotic:
        warn_robotic(f"{covered.robotic} of {covered.texts} prompts")
    print(f"{started.name} {started.status.value}")


@campaign_app.command()
def resume(name: Named) -> None:
    """Go on after a pause, the same as start."""
    start(name)


@campaign_app.command()
def pause(name: Named) -> None:
    """Call nobody more until it is started again; running calls go on."""
    with stored(Settings()) as store:
        paused = management.pause(store, name, actor(), datetime.now(UTC))
    print(f"{paused.name} {paused.status.value}")


@campaign_app.command()
def drain(name: Named) -> None:
    """Call nobody more; the campaign is stopped when its running calls have ended."""
    with stored(Settings()) as store:
        draining = management.drain(store, name, actor(), datetime.now(UTC))
    print(f"{draining.name} {draining.status.value}")


@campaign_app.command()
def stop(name: Named) -> None:
    """Call nobody more and hang up the calls that run."""
    with stored(Settings()) as store:
        stopping = management.stop(store, name, actor(), datetime.now(UTC))
    print(f"{stopping.name} {stopping.status.value}")


@campaign_app.command()
def settle(
    name: Named,
    older: Annotated[int, typer.Option(min=0, help="Minutes that an attempt must be old.")] = 60,
) -> None:
    """Close unknown attempts whose line workers never come back, so that their numbers are free again."""
    gap = timedelta(minutes=older)
    with stored(Settings()) as store:
        count = management.settle_unknown(store, name, actor(), datetime.now(UTC), gap)
    print(f"{count} unknown attempts closed")


@campaign_app.command()
def status(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Name or id; none = all.")] = "",
) -> None:
    """Show how far campaigns have come."""
    with stored(Settings()) as store, store.transaction() as session:
        campaigns = CampaignRepository(session)
        listed = (campaigns.find(name),) if name else campaigns.all()
        found = campaigns.with_progress(listed)
    console = Console()
    if not found:
        console.print("no campaigns; voicebot campaign create makes one")
    elif name:
        console.print(_detail(*found[0]))
    else:
        console.print(_overview(found))


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that were given, as fields of a campaign."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("starts_at", "ends_at"):
        if name in given:
            given[name] = moment(given[name])
    if "retry" in given:
        given["retry"] = dict(_pause_of(text) for text in given["retry"])
    return given


def _pause_of(text: str) -> tuple[str, int]:
    disposition, _, minutes = text.partition("=")
    try:
        return disposition, int(minutes)
    except ValueError:
        raise CampaignError(f"{text!r} is no pause", hint="write busy=15, or busy=-1 for never") from None


def _overview(found: list[tuple[Campaign, Progress]]) -> Table:
    table = Table("任务", "状态", "话术库", "名单", "待呼", "呼叫中", "完成", "呼叫次数")
    for campaign, progress in found:
        counts = (progress.contacts, progress.pending, progress.calling, progress.done, progress.attempts)
        table.add_row(
            Text(campaign.name), campaign.status.value, Text(campaign.playbook_id), *(str(n) for n in counts)
        )
    return table


def _detail(campaign: Campaign, progress: Progress) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("任务", Text(f"{campaign.name} · {campaign.status.value}", "bold"))
    table.add_row("编号", campaign.id)
    if campaign.held:
        table.add_row("未呼叫", Text(campaign.held, "yellow"))
    table.add_row("政策", Text(f"{campaign.policy_pack} · {policy_pack(campaign.policy_pack).title}"))
    table.add_row("线路", Text(campaign.trunk))
    table.add_row("名单", f"{progress.contacts}")
    table.add_row("待呼 / 呼叫中 / 完成", f"{progress.pending} / {progress.calling} / {progress.done}")
    table.add_row("呼叫次数", f"{progress.attempts}")
    if progress.unknown:
        table.add_row("未知", Text(f"{progress.unknown}（线路进程中断，规则或人工处理后才会再呼）", "red"))
    for disposition, count in sorted(progress.dispositions.items(), key=lambda pair: -pair[1]):
        table.add_row(said(disposition), str(count))
    for code, count in sorted(progress.refusals.items(), key=lambda pair: -pair[1]):
        table.add_row(Text(f"不呼叫：{code}", "yellow"), str(count))
    return table
