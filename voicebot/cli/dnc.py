"""`voicebot dnc`: numbers that must not be called."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot import bootstrap
from voicebot.campaign import do_not_call
from voicebot.cli.actor import actor
from voicebot.cli.row_count import row_count
from voicebot.cli.stored import stored
from voicebot.cli.times import moment
from voicebot.settings import Settings
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.do_not_call import EVERY_SCOPE, DoNotCallRepository, campaign_scope
from voicebot.store.session import Database

dnc_app = typer.Typer(help="Numbers that must not be called (拒呼名单).", no_args_is_help=True)
Number = Annotated[str, typer.Argument(help="Phone number.")]
Region = Annotated[str, typer.Option(help="Country of numbers without country code.")]
Why = Annotated[str, typer.Option(help="The reason; it is kept.")]
Campaign = Annotated[str, typer.Option(help="Only for this campaign: name or id.")]


@dnc_app.command()
def add(number: Number, why: Why = "", campaign: Campaign = "", region: Region = "CN") -> None:
    """Put a number on the own list, for everything or for one campaign."""
    settings = Settings()
    e164 = do_not_call.parse_number(number, region)
    with stored(settings) as store:
        scope = _scope(store, campaign)
        new = do_not_call.add(store, bootstrap.vault(settings), e164, why, actor(), datetime.now(UTC), scope)
    print("added" if new else "was on the list already")


@dnc_app.command()
def remove(number: Number, why: Why, campaign: Campaign = "", region: Region = "CN") -> None:
    """Take a number off the own list, for a reason such as a new, written consent."""
    settings = Settings()
    e164 = do_not_call.parse_number(number, region)
    with stored(settings) as store:
        gone = do_not_call.remove(
            store, bootstrap.vault(settings), e164, why, actor(), _scope(store, campaign)
        )
        with store.transaction() as session:
            places = DoNotCallRepository(session, bootstrap.vault(settings)).found(e164)
    print("removed" if gone else "was not on the own list")
    if places:
        print(f"still on: {', '.join(places)}")


@dnc_app.command()
def check(number: Number, region: Region = "CN") -> None:
    """Say on which lists a number stands."""
    settings = Settings()
    e164 = do_not_call.parse_number(number, region)
    with stored(settings) as store, store.transaction() as session:
        places = DoNotCallRepository(session, bootstrap.vault(settings)).found(e164)
    print(", ".join(places) or "on no list")


@dnc_app.command()
def load(
    name: Annotated[str, typer.Argument(help="Of the list, such as US-national.")],
    file: Annotated[Path, typer.Argument(help="CSV, XLSX, or one number a line.")],
    as_of: Annotated[str, typer.Option(help="The state it shows: 2026-11-23.")],
    max_age: Annotated[int, typer.Option(min=0, help="Days; older: nobody is called. 0 = never.")] = 0,
    region: Region = "CN",
    errors: Annotated[
        Path | None, typer.Option(help="Rows without a number go here [FILE.errors.csv].")
    ] = None,
) -> None:
    """Load a whole list from a file in place of the one before, such as a country's registry.

    Rows that hold no phone number go to a file with the reason; the exit status is 1 then, for they forbid
    no call. The others are loaded.

    Example:
      voicebot dnc load US-national registry.txt --as-of 2026-11-20 --max-age 31 --region US
    """
    settings = Settings()
    console = Console()
    aside = errors or file.with_name(f"{file.name}.errors.csv")
    with stored(settings) as store, row_count(console) as count:
        done = do_not_call.load(
            store,
            bootstrap.vault(settings),
            name,
            file,
            actor(),
            as_of=moment(as_of),
            max_age_days=max_age,
            now=datetime.now(UTC),
            region=region,
            errors_file=aside,
            progress=count,
        )
    console.print(f"{done.list.numbers} numbers on {name}, {done.unreadable} rows not readable")
    if done.errors_file:
        console.print(
            f"[yellow]{done.unreadable} rows forbid no call; with reasons: {done.errors_file}. "
            "Mend them and load the whole list again.[/yellow]"
        )
        raise typer.Exit(1)


@dnc_app.command()
def drop(name: Annotated[str, typer.Argument(help="Of the list.")], why: Why) -> None:
    """Remove a whole list, for a reason. Where a policy wants it, nobody is called from then on."""
    settings = Settings()
    with stored(settings) as store:
        do_not_call.drop(store, bootstrap.vault(settings), name, why, actor())
    print(f"{name} removed")


@dnc_app.command()
def lists() -> None:
    """Show the lists that are loaded, and how old they are."""
    settings = Settings()
    now = datetime.now(UTC)
    with stored(settings) as store, store.transaction() as session:
        numbers = DoNotCallRepository(session, bootstrap.vault(settings))
        own, found = numbers.count(), numbers.lists()
    table = Table("名单", "号码数", "数据日期", "有效天数", "状态")
    table.add_row("（自有）", str(own), "—", "—", "有效")
    for one in found:
        state = Text("已过期，停止呼叫", "red") if one.stale(now) else Text("有效")
        age = str(one.max_age_days or "—")
        table.add_row(Text(one.name), str(one.numbers), f"{one.as_of:%Y-%m-%d}", age, state)
    Console().print(table)


def _scope(store: Database, campaign: str) -> str:
    if not campaign:
        return EVERY_SCOPE
    with store.transaction() as session:
        return campaign_scope(CampaignRepository(session).find(campaign).id)
