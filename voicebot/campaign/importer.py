"""Contacts from a CSV file: read as a stream, every bad row named with its reason, good rows kept."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

from voicebot.domain.campaign import Campaign, Consent, Contact
from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.session import Database

BATCH = 1000  # rows a transaction
ENCODINGS = ("utf-8-sig", "gb18030")
SEPARATORS = ",;\t|"
SAMPLE_BYTES = 1 << 20  # the encoding is judged by the beginning of the file
MAX_FIELD = 4000  # characters

# column -> names it goes by; every other column becomes a slot of that name
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "number": (
        "number",
        "phone",
        "mobile",
        "号码",
        "电话",
        "手机",
        "手机号",
        "电话号码",
        "手机号码",
        "联系电话",
    ),
    "zone": ("zone", "timezone", "time_zone", "时区"),
    "consent_scope": ("consent_scope", "同意范围"),
    "consent_evidence": ("consent_evidence", "同意凭证"),
    "consent_given_at": ("consent_given_at", "同意时间"),
    "consent_expires_at": ("consent_expires_at", "同意到期"),
}
ERROR_COLUMN = "error"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file's rows."""

    added: int
    duplicates: int  # on the campaign's list already, or twice in the file
    errors: int
    errors_file: Path | None


class _RowError(ValueError):
    pass


def import_contacts(
    database: Database,
    vault: NumberVault,
    campaign: Campaign,
    file: Path,
    *,
    region: str = "CN",
    errors_file: Path | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> Imported:
    """Add the contacts of a CSV file to a campaign. Importing a file again adds nothing twice.

    Args:
        database: migrated.
        vault: seals the numbers.
        campaign: whose list grows.
        file: with a header row; comma, semicolon, tab or bar; UTF-8 or GB18030.
        region: of numbers without country code, ISO 3166.
        errors_file: gets the rows that are not usable, as they are, with a column "error".
        progress: told how many rows are read, after each batch.

    Raises DataError if the file can not be read at all.
    """
    added = duplicates = errors = read = 0
    with ExitStack() as stack:
        rows, header = _open(stack, file)
        columns = _columns(header)
        aside = _Aside(stack, errors_file, header)
        while batch := list(islice(rows, BATCH)):
            contacts: dict[str, Contact] = {}
            for row in batch:
                try:
                    contact = _contact(campaign, columns, header, row, region)
                except _RowError as error:
                    errors += 1
                    aside.write(row, str(error))
                    continue
                if contact.number in contacts:
                    duplicates += 1
                else:
                    contacts[contact.number] = contact
            with database.transaction() as session:
                new = ContactRepository(session, vault).add(contacts.values(), datetime.now(UTC))
            added += len(new)
            duplicates += len(contacts) - len(new)
            read += len(batch)
            progress(read)
    return Imported(added, duplicates, errors, errors_file if errors else None)


class _Aside:
    """The rows that are not usable. The file is made with the first of them."""

    def __init__(self, stack: ExitStack, path: Path | None, header: list[str]) -> None:
        self._stack = stack
        self._path = path
        self._header = header
        self._file: IO[str] | None = None

    def write(self, row: list[str], reason: str) -> None:
        if self._path is None:
            return
        first = self._file is None
        if self._file is None:
            self._file = self._stack.enter_context(self._path.open("w", encoding="utf-8-sig", newline=""))
        writer = csv.writer(self._file)
        if first:
            writer.writerow([*self._header, ERROR_COLUMN])
        padded = row[: len(self._header)] + [""] * (len(self._header) - len(row))
        writer.writerow([*padded, reason])


def _open(stack: ExitStack, path: Path) -> tuple[Iterator[list[str]], list[str]]:
    try:
        encoding = _encoding(path)
        file = stack.enter_context(path.open(encoding=encoding, newline="", errors="replace"))
        first = file.readline(SAMPLE_BYTES)
        separator = max(SEPARATORS, key=first.count)
        file.seek(0)
        csv.field_size_limit(MAX_FIELD * 16)
        rows = _rows(path, csv.reader(file, delimiter=separator))
        header = [name.strip() for name in next(rows, [])]
    except OSError as error:
        raise DataError(f"{path} can not be read: {error.strerror}") from error
    if not any(header):
        raise DataError(f"{path} is empty", hint="the first row names the columns: number, zone, …")
    return (row for row in rows if any(cell.strip() for cell in row)), header


def _rows(path: Path, reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise DataError(f"{path} is no CSV file: {error}", hint="save it as CSV, UTF-8") from error


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
    if b"\0" in sample:
        raise DataError(f"{path} is no text file", hint="save the sheet as CSV, UTF-8")
    for encoding in ENCODINGS:
        try:
            # The last character may be cut by the end of the sample.
            codecs.getincrementaldecoder(encoding)().decode(sample, final=len(sample) < SAMPLE_BYTES)
        except UnicodeDecodeError:
            continue
        return encoding
    raise DataError(f"{path} is neither UTF-8 nor GB18030", hint="save it as CSV, UTF-8")


def _columns(header: list[str]) -> dict[str, int]:
    lowered = [name.lower() for name in header]
    found = {
        column: next((lowered.index(name) for name in names if name in lowered), -1)
        for column, names in COLUMNS.items()
    }
    if found["number"] < 0:
        raise DataError(
            f"no column holds the phone number; there are: {', '.join(header)}",
            hint=f"name it one of {', '.join(COLUMNS['number'])}",
        )
    return {column: index for column, index in found.items() if index >= 0}


def _contact(
    campaign: Campaign, columns: Mapping[str, int], header: list[str], row: list[str], region: str
) -> Contact:
    if len(row) > len(header):
        raise _RowError(f"{len(row)} cells, but {len(header)} columns")
    if any(len(cell) > MAX_FIELD for cell in row):
        raise _RowError(f"a cell is longer than {MAX_FIELD} characters")
    if any("\ufffd" in cell or "\0" in cell for cell in row):
        raise _RowError("characters that can not be read")
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
    )


def _number(text: str, region: str) -> phonenumbers.PhoneNumber:
    if not text:
        raise _RowError("no number")
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise _RowError("not a phone number") from error
    if not phonenumbers.is_possible_number(number) or not phonenumbers.is_valid_number(number):
        raise _RowError("no valid phone number")
    return number


def _zone(text: str, number: phonenumbers.PhoneNumber) -> str:
    """Return the zone that is given, or the only one that the number can be in; "" = unknown."""
    if not text:
        zones = time_zones_for_number(number)
        return zones[0] if len(zones) == 1 and zones[0] != "Etc/Unknown" else ""
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _RowError(f"{text!r} is no time zone; write Asia/Shanghai") from error


def _consent(known: Mapping[str, str]) -> Consent | None:
    scope, evidence = known.get("consent_scope", ""), known.get("consent_evidence", "")
    given, expires = known.get("consent_given_at", ""), known.get("consent_expires_at", "")
    if not (scope or evidence or given or expires):
        return None
    if not (scope and evidence and given):
        raise _RowError("consent needs scope, evidence and the time it was given")
    return Consent(scope, evidence, _time(given), _time(expires) if expires else None)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise _RowError(f"{text!r} is no time; write 2026-11-23T10:00+08:00") from error
    if at.tzinfo is None:
        raise _RowError(f"{text!r} has no time zone; write 2026-11-23T10:00+08:00")
    return at
