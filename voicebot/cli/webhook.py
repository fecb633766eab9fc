"""`voicebot webhook`: other systems that are told of calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot import bootstrap
from voicebot.cli.actor import actor
from voicebot.cli.stored import stored
from voicebot.domain.errors import DataError
from voicebot.domain.webhook import CHOSEN, DeliveryStatus, Event
from voicebot.service.webhooks import probed
from voicebot.settings import Settings
from voicebot.store.audit import AuditRepository
from voicebot.store.webhooks import WebhookRepository

webhook_app = typer.Typer(
    help="Tell other systems how calls ended, signed and repeated.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="Name or id of the webhook.")]


@webhook_app.command()
def add(
    name: Annotated[str, typer.Argument(help="Of the new webhook.")],
    url: Annotated[str, typer.Argument(help="https://crm.example.com/voicebot")],
    event: Annotated[
        list[Event] | None, typer.Option(help="call.ended, outcome.recorded, contact.opted_out [all].")
    ] = None,
) -> None:
    """Add a webhook and print the secret that its receiver verifies signatures with.

    Example: voicebot webhook add crm https://crm.example.com/voicebot --event contact.opted_out
    """
    settings = Settings()
    with stored(settings) as store, store.transaction() as session:
        made = WebhookRepository(session).add(name, url, event or CHOSEN, actor(), bootstrap.vault(settings))
        AuditRepository(session).add(actor(), "webhook_add", f"webhook:{made.id}", url=url)
    print(made.secret)


@webhook_app.command("list")
def list_() -> None:
    """List all webhooks, and how many deliveries wait, were taken, or were given up."""
    with stored(Settings()) as store, store.transaction() as session:
        webhooks = WebhookRepository(session)
        found, counts = webhooks.all(), webhooks.counts()
    table = Table("name", "address", "events", "waiting", "delivered", "given up")
    for one in found:
        standing = counts.get(one.id, {})
        numbers = (str(standing.get(status, 0)) for status in DeliveryStatus)
        table.add_row(Text(one.name), Text(one.url), ", ".join(one.events), *numbers)
    Console().print(table if found else "no webhooks; voicebot webhook add makes one")


@webhook_app.command()
def test(name: Name) -> None:
    """Send a webhook a test event now, and say what it answered."""
    settings = Settings()
    with stored(settings) as store:
        done = probed(settings, store, name, actor())
    if done.status is not DeliveryStatus.DELIVERED:
        raise DataError(f"the receiver did not take it: {done.error}", hint="mend it, then test again")
    print(f"taken, HTTP {done.answer}")


@webhook_app.command()
def replay(
    name: Name,
    delivery: Annotated[list[str] | None, typer.Option(help="Id of one delivery [all given up].")] = None,
) -> None:
    """Send again what was given up, or deliveries by id; `voicebot serve` must run."""
    with stored(Settings()) as store, store.transaction() as session:
        webhooks = WebhookRepository(session)
        found = webhooks.find(name)
        count = webhooks.replay(found.id, datetime.now(UTC), delivery or ())
        AuditRepository(session).add(actor(), "webhook_replay", f"webhook:{found.id}", deliveries=count)
    print(f"{count} deliveries queued")


@webhook_app.command()
def remove(name: Name) -> None:
    """Remove a webhook with its deliveries."""
    with stored(Settings()) as store, store.transaction() as session:
        gone = WebhookRepository(session).remove(name)
        AuditRepository(session).add(actor(), "webhook_remove", f"webhook:{gone.id}")
    print(f"{gone.name} removed")
