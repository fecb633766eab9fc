"""`voicebot user`: who may sign in to the console."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voicebot.cli.stored import stored
from voicebot.console.auth.passwords import hash_password, random_password
from voicebot.domain.errors import DataError
from voicebot.domain.users import Role, User
from voicebot.service.supervisor import Supervisor
from voicebot.settings import Settings
from voicebot.store.audit import AuditRepository
from voicebot.store.session import Transaction
from voicebot.store.user_sessions import UserSessionRepository
from voicebot.store.users import UserRepository

user_app = typer.Typer(help="Who may sign in to the console.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="User name.")]
_ACTOR = "command line"


@user_app.command("list")
def list_() -> None:
    """List all users."""
    with stored(Settings()) as store, store.transaction() as session:
        users = UserRepository(session).all()
    table = Table("name", "role", "shown as", "state")
    for user in users:
        table.add_row(user.name, user.role.value, user.display_name, "disabled" if user.disabled else "")
    Console().print(table)


@user_app.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="What the user is here for.")],
    shown_as: Annotated[str, typer.Option(help="Name that others see.")] = "",
    extension: Annotated[str, typer.Option(help="SIP URI of an agent's phone.")] = "",
) -> None:
    """Add a user and print a first password, to be changed at the first sign-in.

    Example: voicebot user add wang --role agent --extension sip:8001@10.0.0.5
    """
    password = random_password()
    user = User("", name, role, shown_as, must_change=True, extension=extension)
    with stored(Settings()) as store, store.transaction() as session:
        added = UserRepository(session).add(user, hash_password(password))
        AuditRepository(session).add(_ACTOR, "add_user", f"user:{added.id}", role=role.value)
    print(password)


@user_app.command()
def password(name: Name) -> None:
    """Give a user a new first password, print it, and end all their sessions."""
    made = random_password()
    with stored(Settings()) as store, store.transaction() as session:
        user = _find(session, name)
        UserRepository(session).set_password(user.id, hash_password(made), must_change=True)
        AuditRepository(session).add(_ACTOR, "set_password", f"user:{user.id}")
    print(made)


@user_app.command()
def link(name: Name) -> None:
    """Print a link that signs a user in once, within the hour."""
    settings = Settings()
    with stored(settings) as store, store.transaction() as session:
        user = _find(session, name)
        token = UserSessionRepository(session).link(user, datetime.now(UTC))
        AuditRepository(session).add(_ACTOR, "sign_in_link", f"user:{user.id}")
    base = settings.console_url or f"http://{settings.console_bind}:{settings.console_port}"
    print(f"{base.rstrip('/')}/login/once/{token}")


@user_app.command()
def disable(name: Name) -> None:
    """Sign a user out and let them in no more."""
    with stored(Settings()) as store, store.transaction() as session:
        user = _find(session, name)
        UserRepository(session).change(user.id, disabled=True)
        AuditRepository(session).add(_ACTOR, "disable_user", f"user:{user.id}")
    print(f"{name} may not sign in any more")


def _find(session: Transaction, name: str) -> User:
    known = UserRepository(session).named(name)
    if known is None:
        raise DataError(f"there is no user {name!r}", hint="voicebot user list shows them all")
    return known[0]


def show_console(out: Console, supervisor: Supervisor) -> None:
    """Print where the console is, and the first administrator's password if it was just made."""
    if supervisor.console is None:
        return
    facts = supervisor.console.facts
    out.print(f"console [bold]{facts['url']}[/bold]")
    if facts.get("first_password"):
        out.print(
            f"first sign-in: user [bold]admin[/bold], password [bold]{facts['first_password']}[/bold] "
            "(shown this once; it must be changed)"
        )
