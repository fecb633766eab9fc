"""A person's right to see, and to have erased, what is kept about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from voicebot.campaign.do_not_call import parse_number
from voicebot.domain.errors import DataError, StoreError
from voicebot.store.audit import AuditRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.recordings import Recordings
from voicebot.store.session import Database
from voicebot.store.subjects import Erased, SubjectRepository


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    file: Path
    rows: int
    recordings: int


def export(
    database: Database,
    vault: NumberVault,
    number: str,
    out: Path,
    actor: str,
    recordings: Recordings,
    region: str = "CN",
) -> Exported:
    """Write all that is kept about a person into a ZIP: data.json and the recordings.

    Raises DataError if nothing is kept, or the file can not be written.
    """
    number = parse_number(number, region)
    with database.transaction() as session:
        found = SubjectRepository(session, vault).export(number)
        rows = sum(len(part) for part in found.values())
        if not rows:
            raise DataError("nothing is kept about this number")
        AuditRepository(session).add(actor, "subject_export", _subject(vault, number), rows=rows)
    present = 0
    try:
        with ZipFile(out, "w", ZIP_DEFLATED) as archive:
            archive.writestr("data.json", json.dumps(found, ensure_ascii=False, indent=1, default=str))
            for key in (row["recording"] for row in found["calls"] if row["recording"]):
                try:
                    sound = recordings.wav(key)
                except StoreError:
                    continue  # its time to be kept is over
                archive.writestr(f"recordings/{key}", sound)
                present += 1
    except OSError as error:
        raise DataError(f"{out} can not be written: {error.strerror}") from error
    return Exported(out, rows, present)


def erase(
    database: Database,
    vault: NumberVault,
    number: str,
    actor: str,
    why: str,
    forget: Callable[[str], None],
    region: str = "CN",
) -> Erased:
    """Erase what is kept about a person, in one transaction, and leave a trace without the person's data.

    Args:
        database: migrated.
        vault: finds the person.
        number: of the person.
        actor: who erases.
        why: the reason, such as the person's request; it must not hold personal data.
        forget: deletes a recording by its key; called before the database forgets where it was.
        region: of a number without country code.

    Raises DataError if nothing is kept, no reason is given, or a call goes on or is not yet written down.
    """
    if not why.strip():
        raise DataError(
            "a person is erased only for a reason", hint="say why, such as: asked for it in writing"
        )
    number = parse_number(number, region)
    with database.transaction() as session:
        people = SubjectRepository(session, vault)
        if people.busy(number):
            raise DataError(
                "a call with this person goes on, or is not yet written down",
                hint="try again when it has ended; voicebot campaign settle closes attempts that never will",
            )
        erased = people.erase(number, datetime.now(UTC))
        if not erased.contacts and not erased.calls:
            raise DataError("nothing is kept about this number")
        for key in erased.recordings:
            forget(key)
        AuditRepository(session).add(
            actor,
            "subject_erase",
            _subject(vault, number),
            why=why,
            contacts=erased.contacts,
            calls=erased.calls,
            turns=erased.turns,
            recordings=len(erased.recordings),
            models=list(erased.models),
        )
    return erased


def _subject(vault: NumberVault, number: str) -> str:
    """Return how the audit log names a person: who knows the number finds the entry, nobody else."""
    return f"number:{vault.lookup(number).hex()[:32]}"
