"""What stands in the log when something goes wrong: enough to find it, and nothing of a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text

from voicebot.domain.errors import DataError, StoreError
from voicebot.domain.ids import uuid7
from voicebot.service import logs
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

NAME, NUMBER, SAID = "王小明", "+8613912345678", "我的身份证号是一一零一零一一九九零零三零七"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_row_that_the_database_refuses_is_not_shown(
    database: Database, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    logs.configure("line-0", as_json=as_json)
    with database.transaction() as session:
        session.execute(
            text("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, said text UNIQUE)")
        )
    values = {"name": NAME, "said": f"{SAID} {NUMBER}"}
    mistakes: tuple[dict[str, object], ...] = ({}, {}, {"name": None}, {"id": "x" * 40})
    for number, wrong in enumerate(mistakes):
        try:
            with database.transaction() as session:
                row = {"id": number, **values, **wrong}
                session.execute(text("INSERT INTO people VALUES (:id, :name, :said)"), row)
        except (DataError, StoreError):
            structlog.get_logger().exception("journal failed on a batch")
    told = capsys.readouterr().err
    assert told.count("journal failed on a batch") == 3
    assert "UniqueViolation" in told, "the kind of trouble is told"
    for secret in (NAME, SAID, NUMBER, NUMBER[3:]):
        assert secret not in told


def test_numbers_are_masked_and_what_finds_the_trouble_stays(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("dialer", as_json=True)
    call, at = str(uuid7()), datetime.now(UTC).isoformat()
    structlog.get_logger().warning(
        "nobody knows of a call",
        call_id=call,
        address="192.168.100.200:50100",
        until=at,
        error=f"sip:13912345678@10.0.0.5:5060 refused {NUMBER}, 139 1234 5678 and {SAID} ({call})",
        attempt=17,
        others=[NUMBER, {"number": NUMBER}],
    )
    told = json.loads(capsys.readouterr().err)
    assert (told["call_id"], told["address"], told["until"]) == (call, "192.168.100.200:50100", at)
    assert told["attempt"] == 17
    assert NUMBER[1:] not in str(told["others"])
    assert call in told["error"]
    assert "@10.0.0.5:5060 refused" in told["error"]
    assert "1391234" not in told["error"]
    assert "1234 5678" not in told["error"]
    assert "一一零一" not in told["error"]


def test_a_traceback_is_masked_but_its_files_and_lines_stay(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("jobs", as_json=True)
    try:
        int(f"{NUMBER} of {NAME}")
    except ValueError:
        structlog.get_logger().exception("job failed")
    told = json.loads(capsys.readouterr().err)
    assert Path(__file__).name in told["exception"]
    assert "invalid literal for int()" in told["exception"]
    assert NUMBER[1:] not in told["exception"]
