"""Contacts from a CSV or XLSX file: read as a stream, every bad row named with its reason, good rows kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

from voicebot.campaign.aside import Aside
from voicebot.campaign.sheets import MAX_FIELD, NUMBER_NAMES, find_columns, open_sheet
from voicebot.domain.campaign import Campaign, Consent, Contact
from voicebot.domain.errors import DataError, Told, VoicebotError
from voicebot.domain.ids import uuid7
from voicebot.store.audit import AuditRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.imports import ImportRepository
from voicebot.store.session import Database

BATCH = 1000  # rows a transaction

# column -> names it goes by; every other column becomes a slot of that name
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "number": NUMBER_NAMES,
    "zone": ("zone", "timezone", "time_zone", "时区"),
    "priority": ("priority", "优先级"),
    "consent_scope": ("consent_scope", "同意范围"),
    "consent_evidence": ("consent_evidence", "同意凭证"),
    "consent_given_at": ("consent_given_at", "同意时间"),
    "consent_expires_at": ("consent_expires_at", "同意到期"),
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file's rows."""

    added: int
    duplicates: int  # on the campaign's list already, or twice in the file
    errors: int
    errors_file: Path | None
    id: str = ""  # of the import, by which its progress is found


class RowError(VoicebotError):
    """The row is not usable."""


def import_contacts(
    database: Database,
    vault: NumberVault,
    campaign: Campaign,
    file: Path,
    *,
    region: str = "CN",
    errors_file: Path | None = None,
    progress: Callable[[int], None] = lambda rows: None,
    actor: str = "",
    import_id: str = "",
    words: Callable[[Told], str] = str,
) -> Imported:
    """Add the contacts of a CSV or XLSX file to a campaign. Importing a file again adds nothing twice.

    How far it is stands in the table of imports, for whoever watches from another process.

    Args:
        database: migrated.
        vault: seals the numbers.
        campaign: whose list grows.
        file: with a header row. CSV: comma, semicolon, tab or bar; UTF-8, UTF-16 or GB18030.
        region: of numbers without country code, ISO 3166.
        errors_file: gets the rows that are not usable, as they are, with a column "error".
        progress: told how many rows are read, after each batch.
        actor: who imports.
        import_id: under which the import is kept; "" = a new one.
        words: says why a row is not usable, in the language of whoever reads the file.

    Raises DataError if the file can not be read at all, or only up to a row; rows before it are kept.
    """
    import_id = import_id or str(uuid7())
    with database.transaction() as session:
        ImportRepository(session).begin(import_id, campaign.id, file.name, actor, datetime.now(UTC))
    try:
        return _import(
            database, vault, campaign, file, region, errors_file, progress, import_id, actor, words
        )
    except VoicebotError as error:
        with database.transaction() as session:
            ImportRepository(session).fail(import_id, error.detail, datetime.now(UTC))
        raise


def _import(
    database: Database,
    vault: NumberVault,
    campaign: Campaign,
    file: Path,
    region: str,
    errors_file: Path | None,
    progress: Callable[[int], None],
    import_id: str,
    actor: str,
    words: Callable[[Told], str],
) -> Imported:
    added = duplicates = errors = read = 0
    with ExitStack() as stack:
        sheet = stack.enter_context(open_sheet(file))
        columns = _columns(sheet.header)
        aside = Aside(stack, errors_file, sheet.header)
        try:
            for batch in _batches(sheet.rows):
                contacts: dict[str, Contact] = {}
                for row in batch:
                    try:
                        contact = _contact(campaign, columns, sheet.header, row, region)
                    except RowError as error:
                        errors += 1
                        aside.write(row, words(error.what))
                        continue
                    if contact.number in contacts:
                        duplicates += 1
                    else:
                        contacts[contact.number] = contact
                read += len(batch)
                with database.transaction() as session:
                    new = ContactRepository(session, vault).add(contacts.values(), datetime.now(UTC))
                    added += len(new)
                    duplicates += len(contacts) - len(new)
                    ImportRepository(session).progress(import_id, read, added, duplicates, errors)
                progress(read)
        except DataError as error:
            if not added:
                raise
            raise _broken(error, added) from error
    kept = errors_file if errors else None
    with database.transaction() as session:
        ImportRepository(session).finish(import_id, str(kept or ""), datetime.now(UTC))
        counts = {"rows": read, "added": added, "duplicates": duplicates, "errors": errors}
        AuditRepository(session).add(
            actor or "import", "contacts_import", f"campaign:{campaign.id}", file=file.name, **counts
        )
    return Imported(added, duplicates, errors, kept, import_id)


def _batches(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """Yield rows by the thousand, also those right before the place where a file breaks. Raises DataError."""
    batch: list[list[str]] = []
    try:
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except DataError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _broken(error: DataError, added: int) -> DataError:
    """Return an error that tells what is on the list although the file broke."""
    return DataError(
        "{what}; {added} contacts from above are on the list",
        hint="mend the file and load it again: nobody is added twice",
        what=error.what,
        added=added,
    )


def _columns(header: list[str]) -> dict[str, int]:
    found = find_columns(header, COLUMNS)
    if "number" not in found:
        raise DataError(
            "no column holds the phone number; there are: {columns}",
            hint="name it one of {names}",
            columns=tuple(header),
            names=NUMBER_NAMES,
        )
    return found


def _contact(
    campaign: Campaign, columns: Mapping[str, int], header: list[str], row: list[str], region: str
) -> Contact:
    if len(row) > len(header):
        raise RowError("{cells} cells, but {count} columns", cells=len(row), count=len(header))
    if any(len(cell) > MAX_FIELD for cell in row):
        raise RowError("a cell is longer than {most} characters", most=MAX_FIELD)
    if any("\ufffd" in cell or "\0" in cell for cell in row):
        raise RowError("characters that can not be read")
    cells = [cell.strip() for cell in row] + [""] * (len(header) - len(row))
    known = {column: cells[index] for column, index in columns.items()}
    number = _number(known["number"], region)
    slots = {
        name: cell
        for index, (name, cell) in enumerate(zip(header, cells, strict=True))
        if name and cell and index not in columns.values()
    }
    return Contact(
        id=str(uuid7()),
        campaign_id=campaign.id,
        number=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        zone=_zone(known.get("zone", ""), number),
        slots=slots,
        consent=_consent(known),
        priority=_priority(known.get("priority", "")),
    )


def _priority(text: str) -> int:
    if not text:
        return 0
    try:
        priority = int(text)
    except ValueError as error:
        raise RowError("{text!r} is no priority; write a number", text=text) from error
    if not -1000 <= priority <= 1000:
        raise RowError("a priority lies between -1000 and 1000")
    return priority


def _number(text: str, region: str) -> phonenumbers.PhoneNumber:
    if not text:
        raise RowError("no number")
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise RowError("not a phone number") from error
    if not phonenumbers.is_possible_number(number) or not phonenumbers.is_valid_number(number):
        raise RowError("no valid phone number")
    return number


def _zone(text: str, number: phonenumbers.PhoneNumber) -> str:
    """Return the zone that is given, or the only one that the number can be in; "" = unknown."""
    if not text:
        zones = time_zones_for_number(number)
        return zones[0] if len(zones) == 1 and zones[0] != "Etc/Unknown" else ""
    if not (known := _known_zone(text)):
        raise RowError("{text!r} is no time zone; write Asia/Shanghai", text=text)
    return known


@lru_cache(maxsize=1000)
def _known_zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ""


def _consent(known: Mapping[str, str]) -> Consent | None:
    scope, evidence = known.get("consent_scope", ""), known.get("consent_evidence", "")
    given, expires = known.get("consent_given_at", ""), known.get("consent_expires_at", "")
    if not (scope or evidence or given or expires):
        return None
    if not (scope and evidence and given):
        raise RowError("consent needs scope, evidence and the time it was given")
    return Consent(scope, evidence, _time(given), _time(expires) if expires else None)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise RowError("{text!r} is no time; write 2026-11-23T10:00+08:00", text=text) from error
    if at.tzinfo is None:
        raise RowError("{text!r} has no time zone; write 2026-11-23T10:00+08:00", text=text)
    return at
