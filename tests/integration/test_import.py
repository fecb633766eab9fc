"""Importing contacts: good rows are kept whatever the file looks like, bad ones come back with reasons."""

from __future__ import annotations

import csv
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import select

from voicebot.campaign.importer import import_contacts
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import contact_of
from voicebot.store.crypto import NumberVault
from voicebot.store.session import Database
from voicebot.store.tables import ContactRow

pytestmark = pytest.mark.integration

VAULT = NumberVault(bytes(32))


@pytest.fixture
def campaign(database: Database) -> Campaign:
    made = Campaign(
        str(uuid7()), "spring", "loan", CampaignStatus.DRAFT, "CN", trunk="sip:{number}@127.0.0.1"
    )
    with database.transaction() as session:
        CampaignRepository(session).add(made)
    return made


def stored(database: Database) -> list[Contact]:
    with database.transaction() as session:
        rows = session.scalars(select(ContactRow).order_by(ContactRow.id))
        return [contact_of(row, VAULT) for row in rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_reads_what_spreadsheets_write(
    database: Database, campaign: Campaign, tmp_path: Path, encoding: str, separator: str
) -> None:
    rows = [
        ["手机号", "姓名", "同意范围", "同意凭证", "同意时间"],
        ["139 0000 0000", "王女士", "marketing", "表单17", "2026-10-01T09:00+08:00"],
    ]
    file = tmp_path / "contacts.csv"
    file.write_bytes("\r\n".join(separator.join(row) for row in rows).encode(encoding))
    assert import_contacts(database, VAULT, campaign, file).added == 1
    (contact,) = stored(database)
    assert contact.number == "+8613900000000"
    assert contact.zone == "Asia/Shanghai"
    assert contact.slots == {"姓名": "王女士"}
    assert contact.consent is not None
    assert contact.consent.given_at == datetime(2026, 10, 1, 9, tzinfo=UTC) - timedelta(hours=8)


def test_bad_rows_come_back_with_their_reason_and_good_ones_stay(
    database: Database, campaign: Campaign, tmp_path: Path
) -> None:
    file, errors = tmp_path / "contacts.csv", tmp_path / "errors.csv"
    file.write_text(
        "number,name,zone,consent_scope,consent_evidence,consent_given_at\n"
        "13900000001,a,,,,\n"
        "12345,b,,,,\n"
        ",c,,,,\n"
        "13900000002,d,Mars/Olympus,,,\n"
        "13900000003,e,,marketing,,\n"
        "13900000004,f,,marketing,form,2026-10-01\n"
        "13900000005,g,,,,,too,many\n"
        "\n"
        "+8613900000001,again,,,,\n"
        '13900000006,"王, 女士",America/New_York,,,\n',
        encoding="utf-8",
    )
    done = import_contacts(database, VAULT, campaign, file, errors_file=errors)
    assert (done.added, done.duplicates, done.errors) == (2, 1, 6)
    with errors.open(encoding="utf-8-sig", newline="") as back:
        reasons = {row["name"]: row["error"] for row in csv.DictReader(back)}
    assert list(reasons) == ["b", "c", "d", "e", "f", "g"]
    assert "number" in reasons["b"]
    assert "Mars/Olympus" in reasons["d"]
    assert "time zone" in reasons["f"]
    assert {contact.zone for contact in stored(database)} == {"Asia/Shanghai", "America/New_York"}


def test_importing_again_adds_nobody_twice(database: Database, campaign: Campaign, tmp_path: Path) -> None:
    file = tmp_path / "contacts.csv"
    file.write_text("number\n" + "\n".join(f"139{index:08d}" for index in range(2500)))
    told: list[int] = []
    first = import_contacts(database, VAULT, campaign, file, progress=told.append)
    second = import_contacts(database, VAULT, campaign, file)
    assert (first.added, first.duplicates) == (2500, 0)
    assert (second.added, second.duplicates) == (0, 2500)
    assert told == [1000, 2000, 2500]


def test_of_a_file_that_breaks_off_what_stands_above_is_kept_and_the_place_is_told(
    database: Database, campaign: Campaign, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    good = "".join(f"1390000{n:04}\n" for n in range(1500))
    file.write_text(f'number\n{good}"{"0" * 200_000}\n')
    with pytest.raises(
        DataError, match=r"from line 1502 on.*1500 contacts from above are on the list"
    ) as broken:
        import_contacts(database, VAULT, campaign, file)
    assert "load it again" in broken.value.hint
    file.write_text(f"number\n{good}13800138000\n")
    again = import_contacts(database, VAULT, campaign, file)
    assert (again.added, again.duplicates) == (1, 1500)


def test_of_a_spreadsheet_that_breaks_off_the_row_is_told(
    database: Database, campaign: Campaign, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    for row in [["number"], *([f"1390000{n:04}"] for n in range(50))]:
        book.active.append(row)
    whole, file = tmp_path / "whole.xlsx", tmp_path / "list.xlsx"
    book.save(whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(file, "w") as new:
        for part in old.infolist():
            data = old.read(part)
            cut = data.find(b'<row r="41"') if part.filename.endswith("sheet1.xml") else len(data)
            new.writestr(part.filename, data[:cut])
    with pytest.raises(DataError, match=r"damaged from row 41 on; 39 contacts from above are on the list"):
        import_contacts(database, VAULT, campaign, file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"name,city\na,b\n", "phone number"),
        (b"PK\x03\x04\x00\x00", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old or encrypted"),
        (b"number\n\x00\x01\x02", "no text file"),
        (b"number\n\xff\xff\xff\xff\n", "neither"),
        (b'number\n"13900000001' + b"0" * 200_000, "no CSV file"),
        (b"number" + b",more" * 600 + b"\n", "601 columns"),
        (b"x" * (3 << 20), "no CSV file"),
    ],
)
def test_a_file_that_is_no_list_is_refused_clearly(
    database: Database, campaign: Campaign, tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "contacts.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        import_contacts(database, VAULT, campaign, file)
    with pytest.raises(DataError, match="can not be read"):
        import_contacts(database, VAULT, campaign, tmp_path / "absent.csv")
