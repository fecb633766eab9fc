"""`voicebot campaign`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from voicebot import bootstrap
from voicebot.campaign import importer
from voicebot.campaign.policy_pack import policy_pack
from voicebot.campaign.readiness import require
from voicebot.campaign.trunk import check_trunk, is_loopback
from voicebot.cli.outcomes import said
from voicebot.cli.prompts import warn_robotic
from voicebot.cli.stored import stored
from voicebot.domain.campaign import Campaign, CampaignStatus
from voicebot.domain.errors import CampaignError
from voicebot.domain.ids import uuid7
from voicebot.settings import Settings
from voicebot.store.campaigns import CampaignRepository, Progress

campaign_app = typer.Typer(help="Make, fill, start and watch campaigns.", no_args_is_help=True)
Named = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the campaign.")]


@campaign_app.command()
def create(
    name: Annotated[str, typer.Argument(help="Of the new campaign.")],
    playbook: Annotated[str, typer.Option(help="Playbook id.")],
    trunk: Annotated[str, typer.Option(help="SIP URI with {number}: sip:{number}@gateway:5060.")],
    policy: Annotated[str, typer.Option(help="Rules that hold: CN, US or SIMULATION.")],
    scope: Annotated[str, typer.Option(help="Consent that is needed.")] = "marketing",
    caller_id: Annotated[str, typer.Option(help="Number or SIP URI that customers see.")] = "",
    transfer_to: Annotated[str, typer.Option(help="SIP URI of the agents; empty = no takeover.")] = "",
    max_calls: Annotated[int, typer.Option(min=1, help="At the same time.")] = 3,
    max_attempts: Annotated[int, typer.Option(min=1, help="To one contact.")] = 3,
    ring_timeout: Annotated[float, typer.Option(min=5, max=120, help="Seconds.")] = 40.0,
) -> None:
    """Make a campaign. It calls nobody before it is started.

    Example:
      voicebot campaign create spring --playbook consumer_loan --policy CN --trunk 'sip:{number}@10.0.0.5'
    """
    settings = Settings()
    rules = policy_pack(policy)
    check_trunk(trunk)
    if rules.loopback_only and not is_loopback(trunk):
        raise CampaignError(
            f"{policy} calls stay on this machine, but {trunk} does not",
            hint="use a trunk at 127.0.0.1, or the policy of the country you call",
        )
    bootstrap.playbooks(settings).get(playbook)
    made = Campaign(
        id=str(uuid7()),
        name=name,
        playbook_id=playbook,
        status=CampaignStatus.DRAFT,
        policy_pack=policy,
        scope=scope,
        trunk=trunk,
        caller_id=caller_id,
        transfer_uri=transfer_to,
        max_calls=max_calls,
        max_attempts=max_attempts,
        ring_timeout_s=ring_timeout,
    )
    with stored(settings) as store, store.transaction() as session:
        CampaignRepository(session).add(made)
    print(made.id)


@campaign_app.command("import")
def import_(
    name: Named,
    file: Annotated[Path, typer.Argument(help="CSV with a header row; see the README for its columns.")],
    region: Annotated[str, typer.Option(help="Country of numbers without country code.")] = "CN",
    errors: Annotated[Path | None, typer.Option(help="Unusable rows go here [FILE.errors.csv].")] = None,
) -> None:
    """Add contacts from a CSV file. Doing it again adds nobody twice; bad rows go to a file with reasons."""
    settings = Settings()
    aside = errors or file.with_name(f"{file.stem}.errors.csv")
    console = Console()
    with stored(settings) as store, Bar(console=console, transient=True) as bar:
        with store.transaction() as session:
            campaign = CampaignRepository(session).find(name)
        task = bar.add_task("rows", total=None)
        done = importer.import_contacts(
            store,
            bootstrap.vault(settings),
            campaign,
            file,
            region=region,
            errors_file=aside,
            progress=lambda rows: bar.update(task, completed=rows),
        )
    console.print(f"added {done.added}, already there {done.duplicates}, not usable {done.errors}")
    if done.errors_file:
        console.print(f"[yellow]rows that are not usable, with reasons: {done.errors_file}[/yellow]")


@campaign_app.command()
def start(name: Named) -> None:
    """Let a campaign call, or go on calling. `voicebot serve` must run, every prompt must have a sound."""
    _change(
        name,
        (CampaignStatus.DRAFT, CampaignStatus.PAUSED, CampaignStatus.FINISHED),
        CampaignStatus.RUNNING,
        _check_prompts,
    )


def _check_prompts(campaign: Campaign, settings: Settings) -> None:
    found = require(bootstrap.playbooks(settings).get(campaign.playbook_id), bootstrap.prompts(settings))
    if found.robotic:
        warn_robotic(f"{found.robotic} of {found.texts} prompts")


@campaign_app.command()
def pause(name: Named) -> None:
    """Call nobody more until it is started again; running calls go on."""
    _change(name, (CampaignStatus.RUNNING,), CampaignStatus.PAUSED)


@campaign_app.command()
def stop(name: Named) -> None:
    """Call nobody more; the campaign is stopped when its running calls have ended."""
    _change(name, (CampaignStatus.RUNNING, CampaignStatus.PAUSED), CampaignStatus.DRAINING)


@campaign_app.command()
def status(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Name or id; none = all.")] = "",
) -> None:
    """Show how far campaigns have come."""
    with stored(Settings()) as store, store.transaction() as session:
        campaigns = CampaignRepository(session)
        listed = (campaigns.find(name),) if name else campaigns.all()
        found = [(campaign, campaigns.progress(campaign.id)) for campaign in listed]
    console = Console()
    if not found:
        console.print("no campaigns; voicebot campaign create makes one")
    elif name:
        console.print(_detail(*found[0]))
    else:
        console.print(_overview(found))


def _change(
    name: str,
    expected: tuple[CampaignStatus, ...],
    wanted: CampaignStatus,
    check: Callable[[Campaign, Settings], None] | None = None,
) -> None:
    settings = Settings()
    with stored(settings) as store, store.transaction() as session:
        campaigns = CampaignRepository(session)
        campaign = campaigns.find(name)
        if check is not None:
            check(campaign, settings)
        if not campaigns.change(campaign.id, expected, wanted, datetime.now(UTC)):
            raise CampaignError(
                f"{campaign.name!r} is {campaign.status.value}",
                hint=f"this works on campaigns that are {', '.join(expected)}",
            )
    print(f"{campaign.name} {wanted.value}")


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
