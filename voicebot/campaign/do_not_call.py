"""Do-not-call lists: single numbers by hand, whole lists from files, each with who did it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import phonenumbers

from voicebot.campaign.aside import Aside
from voicebot.campaign.sheets import Sheet, number_column, open_sheet
from voicebot.domain.errors import DataError
from voicebot.store.audit import AuditRepository
from voicebot.store.calls import EVERY_SCOPE
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository, NumberList
from voicebot.store.session import Database

BATCH = 2000  # numbers a transaction
AHEAD = timedelta(days=1)  # a date may lie so much ahead: elsewhere it is tomorrow already


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a file."""

    list: NumberList
    unreadable: int  # rows that hold no phone number: whoever was meant is not protected
    errors_file: Path | None = None  # where these are, with the reasons


def parse_number(text: str, region: str = "CN") -> str:
    """Return a phone number in E.164. Raises DataError."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise DataError("that is no phone number", hint="write it as +8613900000000") from error
    if not phonenumbers.is_possible_number(number):
        raise DataError("that is no phone number", hint="write it as +8613900000000")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def add(
    database: Database,
    vault: NumberVault,
    number: str,
    why: str,
    actor: str,
    now: datetime,
    scope: str = EVERY_SCOPE,
) -> bool:
    """Put a number (E.164) on the own list; return whether it is new there."""
    with database.transaction() as session:
        added = DoNotCallRepository(session, vault).add([number], "person", actor, now, scope)
        AuditRepository(session).add(actor, "dnc_add", _subject(vault, number), scope=scope, why=why)
    return bool(added)


def remove(
    database: Database, vault: NumberVault, number: str, why: str, actor: str, scope: str = EVERY_SCOPE
) -> bool:
    """Take a number off the own list; return whether it was on it. A reason is needed."""
    if not why.strip():
        raise DataError("a number is taken off only for a reason", hint="say why")
    with database.transaction() as session:
        removed = DoNotCallRepository(session, vault).remove(number, scope)
        if removed:
            AuditRepository(session).add(actor, "dnc_remove", _subject(vault, number), scope=scope, why=why)
    return removed


def load(
    database: Database,
    vault: NumberVault,
    name: str,
    file: Path,
    actor: str,
    *,
    as_of: datetime,
    max_age_days: int,
    now: datetime,
    region: str = "CN",
    errors_file: Path | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> Loaded:
    """Load a whole list from a file; it takes the place of the one before at once, at the end.

    Args:
        database: migrated.
        vault: makes the numbers findable.
        name: of the list, such as US-national.
        file: CSV or XLSX with a column of numbers, or one number a line without a header.
        actor: who.
        as_of: the state that the file shows.
        max_age_days: older than that, nobody is called; 0 = never too old.
        now: aware.
        region: of numbers without country code.
        errors_file: gets the rows without a phone number, as they are, with a column "error".
        progress: told how many rows are read.

    Raises DataError if the file can not be read, holds no number at all, or shows a state of the future.
    """
    if as_of > now + AHEAD:
        raise DataError(
            f"a list can not show the state of {as_of:%Y-%m-%d}: that day has not come",
            hint="give the date on which the list was made; how long it may be used is counted from there",
        )
    with database.transaction() as session:
        edition = DoNotCallRepository(session, vault).begin(name, now)
    rows = unreadable = 0
    batch: list[str] = []

    def put() -> None:
        with database.transaction() as session:
            DoNotCallRepository(session, vault).put(name, edition, batch)
        batch.clear()

    with ExitStack() as stack:
        sheet = stack.enter_context(open_sheet(file))
        column = number_column(sheet.header)
        # A plain list: its first row is a number already.
        header = ["number", *([""] * (len(sheet.header) - 1))] if column is None else sheet.header
        aside = Aside(stack, errors_file, header)
        for row in _rows(sheet, plain=column is None):
            rows += 1
            try:
                batch.append(_number_of(row, column or 0, region))
            except DataError as error:
                unreadable += 1
                aside.write(row, error.detail)
            if len(batch) >= BATCH:
                put()
                progress(rows)
    put()
    if rows == unreadable:
        raise DataError(f"{file} holds no phone number", hint="one number a line, or a column named number")
    with database.transaction() as session:
        made = DoNotCallRepository(session, vault).publish(name, edition, as_of, max_age_days, now)
        AuditRepository(session).add(
            actor,
            "dnc_load",
            f"dnc:{name}",
            numbers=made.numbers,
            unreadable=unreadable,
            as_of=as_of.isoformat(),
            file=file.name,
        )
    progress(rows)
    return Loaded(made, unreadable, errors_file if unreadable else None)


def drop(database: Database, vault: NumberVault, name: str, why: str, actor: str) -> None:
    """Remove a whole list, for a reason. Where a policy wants it, nobody is called from then on.

    Raises DataError if no list has the name, or no reason is given.
    """
    if not why.strip():
        raise DataError("a list is removed only for a reason", hint="say why")
    with database.transaction() as session:
        if not DoNotCallRepository(session, vault).drop(name):
            raise DataError(f"there is no list {name!r}", hint="voicebot dnc lists shows them")
        AuditRepository(session).add(actor, "dnc_drop", f"dnc:{name}", why=why)


def _rows(sheet: Sheet, *, plain: bool) -> Iterator[list[str]]:
    if plain:
        yield sheet.header
    yield from sheet.rows


def _number_of(row: list[str], column: int, region: str) -> str:
    cell = row[column].strip() if len(row) > column else ""
    if not cell:
        raise DataError("no number")
    return parse_number(cell, region)


def _subject(vault: NumberVault, number: str) -> str:
    """Return how the audit log names a number: so that it can be found by it, not read from it."""
    return f"number:{vault.lookup(number).hex()[:32]}"
