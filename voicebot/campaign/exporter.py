"""A campaign's list as it stands, as a CSV or XLSX file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import openpyxl

from voicebot.domain.campaign import Campaign, Contact
from voicebot.domain.errors import DataError
from voicebot.store.audit import AuditRepository
from voicebot.store.contacts import ContactRepository, ContactState
from voicebot.store.crypto import NumberVault
from voicebot.store.session import Database

_FIXED = (
    "contact_id", "number", "zone", "status", "attempts", "next_at", "callback_at", "priority", "refusal",
    "refusal_words", "consent_scope", "consent_evidence", "consent_given_at", "consent_expires_at",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would take such a cell for a formula


def export_contacts(
    database: Database,
    vault: NumberVault,
    campaign: Campaign,
    out: Path,
    actor: str,
    *,
    numbers: bool = False,
) -> int:
    """Write a campaign's contacts to a file, by its suffix; return how many.

    Args:
        database: migrated.
        vault: opens the numbers.
        campaign: whose list.
        out: *.csv or *.xlsx.
        actor: who.
        numbers: in clear instead of masked; the audit log says so.

    Raises DataError if the file can not be written.
    """
    if out.suffix.lower() not in (".csv", ".xlsx"):
        raise DataError(f"{out.name} is neither .csv nor .xlsx")
    with database.transaction() as session:
        AuditRepository(session).add(
            actor, "contacts_export", f"campaign:{campaign.id}", clear_numbers=numbers
        )
        contacts = ContactRepository(session, vault)
        names = sorted({name for contact, _ in contacts.listed(campaign.id) for name in contact.slots})
        rows = (_row(contact, state, names, clear=numbers) for contact, state in contacts.listed(campaign.id))
        try:
            return _write(out, [*_FIXED, *names], rows)
        except OSError as error:
            raise DataError(f"{out} can not be written: {error.strerror}") from error


def _write(out: Path, header: list[str], rows: Iterable[list[str]]) -> int:
    count = 0
    if out.suffix.lower() == ".csv":
        with out.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for row in rows:
                writer.writerow([_harmless(cell) for cell in row])
                count += 1
        return count
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("contacts")
    sheet.append(header)
    for row in rows:
        sheet.append([_harmless(cell) for cell in row])
        count += 1
    book.save(out)
    return count


def _row(contact: Contact, state: ContactState, names: list[str], *, clear: bool) -> list[str]:
    return [*_cells(contact, state, clear=clear), *(contact.slots.get(name, "") for name in names)]


def _cells(contact: Contact, state: ContactState, *, clear: bool) -> Iterator[str]:
    consent = contact.consent
    yield contact.id
    yield contact.number if clear else state.number_masked
    yield contact.zone
    yield state.status.value
    yield str(state.attempts)
    yield state.next_at.isoformat(timespec="seconds")
    yield state.callback_at.isoformat(timespec="seconds") if state.callback_at else ""
    yield str(contact.priority)
    yield state.refusal
    yield state.refusal_words
    yield consent.scope if consent else ""
    yield consent.evidence if consent else ""
    yield consent.given_at.isoformat(timespec="seconds") if consent else ""
    yield consent.expires_at.isoformat(timespec="seconds") if consent and consent.expires_at else ""


def _harmless(cell: str) -> str:
    numeric = cell.lstrip("+-").replace("*", "").isdigit()
    return f"'{cell}" if cell.startswith(_FORMULA) and not numeric else cell
