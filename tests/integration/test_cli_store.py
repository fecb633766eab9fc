"""What a campaign manager sees on the command line: outcomes, single calls, campaigns."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import typer
from typer.testing import CliRunner, Result

from tests.pixels import size
from voicebot.call.journal import PostgresJournal
from voicebot.campaign import charts
from voicebot.campaign.dialer import call_request
from voicebot.campaign.hopper import Hopper
from voicebot.cli.calls import calls_app
from voicebot.cli.campaign import campaign_app
from voicebot.cli.campaign_report import report
from voicebot.cli.dnc import dnc_app
from voicebot.cli.outcomes import outcomes
from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.campaign import CampaignStatus
from voicebot.domain.errors import CampaignError, DataError
from voicebot.registry import resources
from voicebot.store.crypto import NumberVault, load_or_create_key
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

app = typer.Typer()
app.command()(outcomes)
app.add_typer(calls_app, name="calls")
app.add_typer(campaign_app, name="campaign")
app.add_typer(dnc_app, name="dnc")
app.command()(report)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    monkeypatch.setenv("VOICEBOT_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def output(*arguments: str) -> str:
    result = run(*arguments)
    if result.exception:
        raise result.exception
    return result.stdout


CREATE = ("campaign", "create", "spring", "--playbook", "consumer_loan", "--policy", "SIMULATION")
LOCAL = ("--trunk", "sip:{number}@127.0.0.1:5090")


@pytest.fixture
def called(database: Database, tmp_path: Path, make: Any) -> list[str]:
    """A campaign of two contacts who were called; the ids of the calls."""
    output(*CREATE, *LOCAL)
    file = tmp_path / "list.csv"
    file.write_text("number,name\n13900000001,王\n13900000002,李\n17,坏\n", encoding="utf-8")
    assert "added 2, already there 0, not usable 1" in output("campaign", "import", "spring", str(file))
    output("campaign", "start", "spring")
    vault = NumberVault(load_or_create_key(tmp_path / "number.key"))
    hopper = Hopper(database, vault, "dialer")
    (campaign,) = hopper.campaigns()
    assert campaign.status is CampaignStatus.RUNNING
    journal = PostgresJournal(database, tmp_path / "spool", "line-0")
    calls = []
    results = [(Disposition.CALLBACK, IntentLevel.C), (Disposition.INTERESTED, IntentLevel.A)]
    now = make.record(make.request()).ended_at
    for contact, result in zip(hopper.claim(campaign, 2, now), results, strict=True):
        request = call_request(campaign, contact)
        assert hopper.open(campaign, request, "line-0", now)
        journal.answered(request, "line-0")
        journal.turn(make.turn(request.call_id, 1))
        journal.ended(make.record(request, *result))
        calls.append(request.call_id)
    assert journal.flush(10)
    journal.close()
    return calls


def test_outcomes_are_shown_with_masked_numbers(called: list[str]) -> None:
    table = output("outcomes")
    assert "约回访 callback" in table
    assert "+86139****000" in table
    assert "1390000000" not in table
    assert called[0][-12:] in table


def test_outcomes_are_filtered(called: list[str]) -> None:
    def ids(*options: str) -> list[str]:
        return [row["call_id"] for row in json.loads(output("outcomes", "-f", "json", *options))]

    assert sorted(ids()) == sorted(called)
    assert ids("--disposition", "interested") == called[1:]
    assert ids("--intent", "C", "--campaign", "spring") == called[:1]
    assert ids("--intent", "B") == []
    assert ids("--since", "1h", "--limit", "1") == called[1:]
    assert ids("--until", "2020-01-01") == []
    with pytest.raises(CampaignError, match="winter"):
        output("outcomes", "--campaign", "winter")
    with pytest.raises(DataError, match="no time"):
        output("outcomes", "--since", "yesterday")


def test_outcomes_come_as_csv_for_a_spreadsheet(called: list[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(output("outcomes", "-f", "csv"))))
    assert {row["disposition"] for row in rows} == {"callback", "interested"}
    assert rows[0]["reasons"] == "asked to be called back"


def test_outcomes_and_reports_go_to_files_of_every_kind(called: list[str], tmp_path: Path) -> None:
    for ending in ("csv", "json", "parquet"):
        output("outcomes", "--out", str(tmp_path / f"outcomes.{ending}"))
        output("report", "spring", "--out", str(tmp_path / f"report.{ending}"))
    document = json.loads((tmp_path / "outcomes.json").read_text("utf-8"))
    table = pyarrow.parquet.read_table(tmp_path / "outcomes.parquet").to_pylist()
    assert {row["call_id"] for row in document} == {row["call_id"] for row in table} == set(called)
    with (tmp_path / "outcomes.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["call_id"] for row in csv.DictReader(file)} == set(called)
    figures = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert figures["funnel"]["calls"] == sum(one["calls"] for one in figures["dispositions"]) == len(called)
    rows = pyarrow.parquet.read_table(tmp_path / "report.parquet").to_pylist()
    assert sum(row["value"] for row in rows if row["section"] == "disposition") == len(called)
    output("report", "spring", "--out", str(tmp_path / "report.html"))
    assert "<svg" in (tmp_path / "report.html").read_text("utf-8")
    output("report", "spring", "--out", str(tmp_path / "report.png"))
    assert size((tmp_path / "report.png").read_bytes())[0] == 2 * charts.WIDTH
    output("outcomes", "--intent", "B", "--out", str(tmp_path / "none.csv"))
    assert (tmp_path / "none.csv").read_text("utf-8-sig").startswith("call_id,at,campaign,")
    with pytest.raises(DataError, match="no kind of report"):
        output("report", "spring", "--out", str(tmp_path / "report.doc"))


def test_a_list_of_numbers_with_unreadable_rows_is_loaded_and_the_exit_status_says_so(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("13900000001\nnobody\n")
    load = ("dnc", "load", "partner", str(file), "--as-of", "2026-11-20")
    result = run(*load)
    assert result.exit_code == 1
    assert "1 numbers on partner, 1 rows not readable" in result.stdout
    assert "nobody" in (tmp_path / "list.txt.errors.csv").read_text("utf-8-sig")
    assert "partner" in output("dnc", "check", "13900000001")
    file.write_text("13900000001\n")
    assert run(*load).exit_code == 0
    output("dnc", "drop", "partner", "--why", "no partner any more")
    assert "on no list" in output("dnc", "check", "13900000001")


@pytest.mark.parametrize("part", [slice(None), slice(0, 24), slice(-12, None)])
def test_a_call_is_shown_with_all_that_led_to_each_answer(called: list[str], part: slice) -> None:
    shown = output("calls", "show", called[0][part])
    for expected in (
        "现在有事不要说了",
        "callback_offer 0.70",
        "apology 0.20",
        "那您看什么时候方便",
        "busy and calm",
        "第一 ×0.4",
        "厌烦 0.60",
        "asr 310",
        "objects",
    ):
        assert expected in shown


def test_a_call_comes_as_json_and_an_unknown_one_is_named(called: list[str]) -> None:
    document = json.loads(output("calls", "show", "--json", called[0]))
    assert document["outcome"]["disposition"] == "callback"
    assert len(document["turns"][0]["decision"]["candidates"]) == 2
    with pytest.raises(DataError, match="no call is named"):
        output("calls", "show", "00000000-0000")
    with pytest.raises(DataError, match="more than one call"):
        output("calls", "show", called[0][:6])
    with pytest.raises(DataError, match="no call id"):
        output("calls", "show", "%")


def test_the_state_of_campaigns_is_shown(called: list[str]) -> None:
    assert "spring" in output("campaign", "status")
    detail = output("campaign", "status", "spring")
    assert "0 / 2 / 0" in detail
    assert "有意向 interested" in detail
    output("campaign", "pause", "spring")
    with pytest.raises(CampaignError, match="paused"):
        output("campaign", "pause", "spring")


def test_a_campaign_that_could_not_work_is_not_made() -> None:
    with pytest.raises(CampaignError, match="stay on this machine"):
        output(*CREATE, "--trunk", "sip:{number}@gateway.example")
    with pytest.raises(CampaignError, match="no trunk"):
        output(*CREATE, "--trunk", "gateway")
    output(*CREATE, *LOCAL)
    with pytest.raises(CampaignError, match="exists already"):
        output(*CREATE, *LOCAL)


def test_with_a_database_of_its_own_a_command_prints_nothing_but_its_answer(
    monkeypatch: pytest.MonkeyPatch, postgres_directory: Path
) -> None:
    monkeypatch.setenv("VOICEBOT_DATABASE_URL", "")
    monkeypatch.setenv("VOICEBOT_HOME", str(postgres_directory / "home"))
    assert json.loads(output("outcomes", "-f", "json")) == []


def test_a_campaign_whose_prompts_have_no_sound_does_not_start(database: Database, tmp_path: Path) -> None:
    book = (resources.playbooks_dir() / "consumer_loan.yaml").read_text("utf-8")
    own = tmp_path / "playbooks"
    own.mkdir()
    (own / "my_loan.yaml").write_text(
        book.replace("id: consumer_loan", "id: my_loan").replace("再见。", "回头见。"), "utf-8"
    )
    output("campaign", "create", "autumn", "--playbook", "my_loan", "--policy", "SIMULATION", *LOCAL)
    file = tmp_path / "list.csv"
    file.write_text("number\n13900000001\n", encoding="utf-8")
    output("campaign", "import", "autumn", str(file))

    with pytest.raises(CampaignError, match="prompts of my_loan have no sound yet") as refused:
        output("campaign", "start", "autumn")

    assert "voicebot prompts render" in refused.value.hint
    assert "draft" in output("campaign", "status", "autumn")
