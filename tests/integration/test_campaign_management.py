"""What managers do with campaigns, contacts and outcomes, and what the audit log then says."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import text

from voicebot import bootstrap
from voicebot.call.journal import PostgresJournal
from voicebot.campaign import corrections, do_not_call, management, preview, sheets, subject, trunks
from voicebot.campaign.dialer import call_request
from voicebot.campaign.explain import explain
from voicebot.campaign.exporter import export_contacts
from voicebot.campaign.hopper import Hopper
from voicebot.campaign.importer import import_contacts
from voicebot.domain.call import CallRequest, Disposition, EndCause, IntentLevel
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact, Mode
from voicebot.domain.errors import CampaignError, ComplianceError, DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.people import Grade, Takeover, TakeoverKind, TakeoverReason, TakeoverResult
from voicebot.domain.trunk import Trunk
from voicebot.learning.gather import gather
from voicebot.settings import Settings
from voicebot.store.agents import AgentRepository
from voicebot.store.audit import AuditRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.imports import ImportRepository
from voicebot.store.recordings import Recordings
from voicebot.store.samples import SampleRepository
from voicebot.store.sealing import RecordingSeal
from voicebot.store.session import Database
from voicebot.store.workers import LINE, Worker, WorkerRepository

pytestmark = pytest.mark.integration

VAULT = NumberVault(bytes(32))
NUMBER = "+8613900000001"
LOCAL = "sip:{number}@127.0.0.1:5090"


def now() -> datetime:
    return datetime.now(UTC)


def draft(**changes: Any) -> Campaign:
    made = Campaign(str(uuid7()), "spring", "loan", CampaignStatus.DRAFT, "SIMULATION", trunk=LOCAL)
    return replace(made, **changes)


def running(database: Database, *numbers: str, **changes: Any) -> tuple[Campaign, list[Contact]]:
    campaign = draft(status=CampaignStatus.RUNNING, **changes)
    contacts = [
        Contact(str(uuid7()), campaign.id, number, "Asia/Shanghai", {"surname": "王"}, priority=-index)
        for index, number in enumerate(numbers)
    ]
    with database.transaction() as session:
        CampaignRepository(session).add(campaign)
        ContactRepository(session, VAULT).add(contacts, now())
        WorkerRepository(session).beat(
            Worker("line-0", LINE, "127.0.0.1:1", "", 4, 0, now() - timedelta(hours=1), now())
        )
    return campaign, contacts


def one(database: Database, query: str) -> Any:
    with database.transaction() as session:
        return session.execute(text(query)).scalar()


def audited(database: Database) -> list[str]:
    with database.transaction() as session:
        return [entry.action for entry in AuditRepository(session).find()][::-1]


@pytest.fixture
def called(database: Database, tmp_path: Path, make: Any) -> Callable[..., CallRequest]:
    """Calls a contact of a campaign to its end."""

    def call(campaign: Campaign, **ending: Any) -> CallRequest:
        journal = PostgresJournal(database, tmp_path / "spool", "line-0")
        hopper = Hopper(database, VAULT, "dialer")
        (contact,) = hopper.claim(campaign, 1, now())
        request = hopper.open(campaign, call_request(campaign, contact), "line-0", now())
        assert request is not None
        journal.answered(request, "line-0")
        journal.turn(make.turn(request.call_id, 1))
        record = make.record(request)
        journal.ended(replace(record, **ending))
        assert journal.flush(10)
        journal.close()
        hopper.settle(campaign)
        return request

    return call


def test_a_campaign_is_made_changed_and_led_through_its_life(database: Database) -> None:
    made = management.create(database, VAULT, draft(), "ann")
    changed = management.edit(database, VAULT, "spring", {"max_calls": 7, "hours": "mon 09:00-10:00"}, "ann")
    assert (changed.id, changed.max_calls) == (made.id, 7)
    with pytest.raises(CampaignError, match="hours"):
        management.edit(database, VAULT, "spring", {"hours": "when I like"}, "ann")
    with pytest.raises(CampaignError, match="status"):
        management.edit(database, VAULT, "spring", {"status": CampaignStatus.RUNNING}, "ann")
    with pytest.raises(CampaignError, match="draft"):
        management.pause(database, "spring", "ann", now())
    with database.transaction() as session:
        CampaignRepository(session).change(made.id, [CampaignStatus.DRAFT], CampaignStatus.RUNNING, now())
    management.pause(database, "spring", "ann", now())
    management.drain(database, "spring", "ann", now())
    management.stop(database, "spring", "ann", now())
    assert audited(database) == [
        "campaign_create", "campaign_edit", "campaign_paused", "campaign_draining", "campaign_stopping",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"trunk": "nowhere"},
        {"trunk": "sip:{number}@10.0.0.1"},  # SIMULATION stays here
        {"retry": {"interested": 5}},
        {"starts_at": datetime(2026, 12, 2, tzinfo=UTC), "ends_at": datetime(2026, 12, 1, tzinfo=UTC)},
        {"max_calls": 0},
        {"policy_pack": "MARS"},
    ],
)
def test_a_campaign_that_can_not_work_is_refused(database: Database, changes: dict[str, Any]) -> None:
    with pytest.raises(CampaignError):
        management.create(database, VAULT, draft(**changes), "ann")


def test_a_trunk_keeps_its_password_sealed_and_is_not_removed_in_use(database: Database) -> None:
    trunk = Trunk("gw", "127.0.0.1:5070", ("+86",), user="bot", password="open sesame", causes={480: "busy"})
    trunks.save(database, VAULT, trunk, "ann")
    assert trunks.listed(database, VAULT) == (trunk,)
    assert "sesame" not in repr(trunk)
    assert "sesame" not in str(one(database, "SELECT trunks::text FROM trunks"))
    running(database, trunk="gw")
    with pytest.raises(CampaignError, match="spring"):
        trunks.remove(database, VAULT, "gw", "ann")
    assert not trunks.switch(database, VAULT, "gw", "ann", on=False).enabled


def test_a_list_from_a_file_forbids_and_a_new_edition_takes_its_place(
    database: Database, tmp_path: Path
) -> None:
    campaign, _ = running(database, NUMBER, "+8613900000002", "+8613900000003")
    file = tmp_path / "list.txt"

    def load(*numbers: str, age: int = 0, as_of: datetime | None = None) -> do_not_call.Loaded:
        file.write_text("\n".join(numbers))
        return do_not_call.load(
            database, VAULT, "partner", file, "ann", as_of=as_of or now(), max_age_days=age, now=now()
        )

    assert load("13900000001", "13900000002", "rubbish").list.numbers == 2
    with database.transaction() as session:
        assert DoNotCallRepository(session, VAULT).found(NUMBER) == ("partner",)
    assert load("13900000002", "13900000003").unreadable == 0
    with database.transaction() as session:
        found = DoNotCallRepository(session, VAULT)
        assert found.found(NUMBER) == ()
        assert found.found("+8613900000002") == ("partner",)
    hopper = Hopper(database, VAULT, "dialer")
    assert [contact.number for contact in hopper.claim(campaign, 5, now())] == [NUMBER]
    assert one(database, "SELECT count(*) FROM refusals WHERE code = 'do_not_call'") == 2


def test_a_stale_list_stops_every_call_until_it_is_loaded_anew(database: Database, tmp_path: Path) -> None:
    campaign, _ = running(database, NUMBER)
    file = tmp_path / "list.txt"
    file.write_text("13900000009")
    old = now() - timedelta(days=40)
    do_not_call.load(database, VAULT, "p", file, "ann", as_of=old, max_age_days=31, now=now())
    assert Hopper(database, VAULT, "dialer").claim(campaign, 5, now()) == ()
    assert one(database, "SELECT refusal FROM contacts") == "list_stale"


def test_rows_without_a_number_are_kept_with_their_reasons(database: Database, tmp_path: Path) -> None:
    file, aside = tmp_path / "list.csv", tmp_path / "list.csv.errors.csv"
    file.write_text("name,phone\n王,13900000001\n李,\n张,12\n赵,call me\n,\n", "utf-8")

    def load(number_file: Path) -> do_not_call.Loaded:
        return do_not_call.load(
            database, VAULT, "p", number_file, "ann",
            as_of=now(), max_age_days=0, now=now(), errors_file=aside,
        )  # fmt: skip

    done = load(file)
    assert (done.list.numbers, done.unreadable, done.errors_file) == (1, 3, aside)
    with aside.open(encoding="utf-8-sig", newline="") as back:
        kept = list(csv.reader(back))
    assert [row[:2] for row in kept] == [["name", "phone"], ["李", ""], ["张", "12"], ["赵", "call me"]]
    assert [row[2] for row in kept] == [
        "error", "no number", "that is no phone number", "that is no phone number",
    ]  # fmt: skip
    plain = tmp_path / "plain.txt"
    plain.write_text("telephone\n13900000002\n")
    assert load(plain).unreadable == 1
    assert aside.read_text("utf-8-sig").splitlines() == [
        "number,error", "telephone,that is no phone number",
    ]  # fmt: skip
    plain.write_text("13900000002\n")
    assert load(plain).errors_file is None


def test_a_list_that_could_not_be_loaded_counts_as_none(database: Database, tmp_path: Path) -> None:
    campaign, _ = running(database, "+12025550123", policy_pack="US", trunk="sip:{number}@gw.example")
    file = tmp_path / "registry.txt"
    file.write_text("no\nnumber\n")

    def load(as_of: datetime) -> None:
        do_not_call.load(
            database, VAULT, "US-national", file, "ann",
            as_of=as_of, max_age_days=31, now=now(), region="US",
        )  # fmt: skip

    with pytest.raises(DataError, match="no phone number"):
        load(now())
    with database.transaction() as session:
        assert DoNotCallRepository(session, VAULT).lists() == ()
    assert Hopper(database, VAULT, "dialer").claim(campaign, 1, now()) == ()
    assert one(database, "SELECT refusal FROM contacts") == "list_missing"
    file.write_text("2025550199\n")
    with pytest.raises(DataError, match="has not come"):
        load(now() + timedelta(days=300))
    load(now())
    with database.transaction() as session:
        assert [found.name for found in DoNotCallRepository(session, VAULT).lists()] == ["US-national"]


def test_a_list_is_removed_for_a_reason_only(database: Database) -> None:
    with database.transaction() as session:
        numbers = DoNotCallRepository(session, VAULT)
        numbers.put("p", numbers.begin("p", now()), [NUMBER])
        numbers.publish("p", 1, now(), 0, now())
    with pytest.raises(DataError, match="reason"):
        do_not_call.drop(database, VAULT, "p", " ", "ann")
    do_not_call.drop(database, VAULT, "p", "the partner left", "ann")
    with database.transaction() as session:
        assert DoNotCallRepository(session, VAULT).found(NUMBER) == ()
    with pytest.raises(DataError, match="no list"):
        do_not_call.drop(database, VAULT, "p", "again", "ann")
    assert audited(database) == ["dnc_drop"]


def test_an_import_of_a_list_that_breaks_off_leaves_the_old_one(database: Database) -> None:
    with database.transaction() as session:
        numbers = DoNotCallRepository(session, VAULT)
        numbers.put("p", numbers.begin("p", now()), [NUMBER])
        numbers.publish("p", 1, now(), 0, now())
    for _ in range(2):  # begun twice, never published
        with database.transaction() as session:
            numbers = DoNotCallRepository(session, VAULT)
            numbers.put("p", numbers.begin("p", now()), ["+8613900000002", NUMBER])
    with database.transaction() as session:
        numbers = DoNotCallRepository(session, VAULT)
        assert numbers.found(NUMBER) == ("p",)
        assert numbers.found("+8613900000002") == ()


def test_one_campaigns_list_does_not_bind_another(database: Database) -> None:
    first, _ = running(database, NUMBER)
    second, _ = running(database, NUMBER, name="autumn")
    do_not_call.add(database, VAULT, NUMBER, "asked us", "ann", now(), f"campaign:{first.id}")
    hopper = Hopper(database, VAULT, "dialer")
    assert hopper.claim(first, 1, now()) == ()
    assert len(hopper.claim(second, 1, now())) == 1
    with pytest.raises(DataError, match="reason"):
        do_not_call.remove(database, VAULT, NUMBER, " ", "ann")
    assert do_not_call.remove(database, VAULT, NUMBER, "signed again", "ann", f"campaign:{first.id}")


def test_explains_why_not_and_when(database: Database, called: Callable[..., CallRequest]) -> None:
    campaign, (contact,) = running(database, NUMBER)
    assert explain(database, VAULT, "13900000001", now()).may_call
    called(campaign)
    later = explain(database, VAULT, contact.id, now())
    assert not later.may_call
    assert later.at is None  # a callback without a time is left to people
    management.schedule_call(database, VAULT, contact.id, now() + timedelta(hours=2), "ann")
    later = explain(database, VAULT, NUMBER, now(), "spring")
    assert later.at is not None
    assert "约定回访" in later.reasons[0]
    assert [call.disposition for call in later.calls] == ["callback"]
    do_not_call.add(database, VAULT, NUMBER, "asked us", "ann", now())
    never = explain(database, VAULT, contact.id, now())
    assert (never.may_call, never.at) == (False, None)
    assert "拒呼名单" in never.reasons[0]
    with pytest.raises(CampaignError):
        explain(database, VAULT, "13900000099", now())


def test_a_callback_is_called_before_the_rest_of_the_list(
    database: Database, called: Callable[..., CallRequest], make: Any
) -> None:
    campaign, _ = running(database, NUMBER, "+8613900000002", max_attempts=1)
    request = called(
        campaign, outcome=replace(make.record(make.request()).outcome, facts={"callback_time": "+30m"})
    )
    hopper = Hopper(database, VAULT, "dialer")
    soon = now() + timedelta(hours=1)
    first = hopper.claim(campaign, 1, soon)
    assert [contact.id for contact in first] == [request.contact_id]


def test_a_correction_keeps_what_was_and_a_do_not_call_holds(
    database: Database, called: Callable[..., CallRequest]
) -> None:
    campaign, _ = running(database, NUMBER)
    call_id = called(campaign).call_id
    with pytest.raises(DataError, match="reason"):
        corrections.correct(database, VAULT, call_id, "ann", "", now(), intent_level=IntentLevel.A)
    corrections.correct(
        database, VAULT, call_id, "ann", "heard it", now(), intent_level=IntentLevel.A, facts={"product": "B"}
    )
    with pytest.raises(DataError, match="nothing"):
        corrections.correct(database, VAULT, call_id, "ann", "again", now(), intent_level=IntentLevel.A)
    corrections.correct(
        database, VAULT, call_id, "bob", "listened again", now(), disposition=Disposition.DO_NOT_CALL
    )
    found = corrections.history(database, call_id)
    assert [one.actor for one in found] == ["ann", "bob"]
    assert found[0].before["intent_level"] == "C"
    assert found[1].after["facts"]["product"] == "B"
    with database.transaction() as session:
        assert DoNotCallRepository(session, VAULT).found(NUMBER) == ("all (person)",)
    assert one(database, "SELECT disposition FROM call_attempts") == "do_not_call"


def test_a_person_sees_everything_and_is_erased_without_a_trace_of_data(
    database: Database, called: Callable[..., CallRequest], tmp_path: Path
) -> None:
    campaign, _ = running(database, NUMBER, "+8613900000002")
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"RIFF")
    recordings = Recordings(folder, None, RecordingSeal(VAULT.ring))
    request = called(campaign, recording="a.wav")
    with database.transaction() as session:  # what an agent said in the call
        session.execute(text("UPDATE turns SET delivered_text = '王女士您好', delivered_script_id = 'greet'"))
    do_not_call.add(database, VAULT, NUMBER, "asked us", "ann", now())
    with database.transaction() as session:
        FeedbackRepository(session).graded(
            request.call_id, 1, "callback_offer", Grade.EXCELLENT, "li", now(), better_script_id=""
        )
    gather(database, now() - timedelta(hours=1), now() + timedelta(seconds=1))
    with database.transaction() as session:
        samples = SampleRepository(session)
        samples.learnt("ranker-7", samples.of_playbook(request.playbook_id))
    assert one(database, "SELECT count(*) FROM model_samples") > 0
    out = tmp_path / "person.zip"
    done = subject.export(database, VAULT, "13900000001", out, "ann", recordings)
    assert done.recordings == 1
    with zipfile.ZipFile(out) as archive:
        data = json.loads(archive.read("data.json"))
    assert data["turns"][0]["call_id"] == request.call_id
    assert data["contacts"][0]["slots"] == {"surname": "王"}
    assert {row["script_id"] for row in data["samples"]} == {"callback_offer", "greet"}
    assert data["feedback"][0]["actor"] == "li"
    said = one(database, "SELECT customer_text FROM turns")
    with pytest.raises(DataError, match="reason"):
        subject.erase(database, VAULT, "13900000001", "ann", " ", recordings.delete)
    gone = subject.erase(database, VAULT, "13900000001", "ann", "asked for it", recordings.delete)
    assert (gone.contacts, gone.calls, gone.turns) == (1, 1, 1)
    assert not (folder / "a.wav").exists()
    assert one(database, "SELECT count(*) FROM samples") == 0
    assert gone.models == ("ranker-7",)
    with database.transaction() as session:
        everything = " ".join(
            str(row)
            for table in ("contacts", "calls", "turns", "outcomes", "audit_log", "call_attempts")
            for row in session.execute(text(f"SELECT t::text FROM {table} t")).scalars()
        )
    assert said not in everything
    assert one(database, "SELECT delivered_text || understanding || decision FROM turns") == "{}{}"
    assert "王" in everything  # the other contact's
    assert everything.count("王") == 1
    assert one(database, "SELECT count(*) FROM outcomes") == 1  # sums stay true
    with pytest.raises(DataError, match="nothing"):
        subject.erase(database, VAULT, "13900000001", "ann", "again", recordings.delete)
    with database.transaction() as session:
        assert DoNotCallRepository(session, VAULT).forbids(NUMBER)
    assert audited(database)[-1] == "subject_erase"


def test_nobody_is_erased_in_the_middle_of_a_call(database: Database) -> None:
    campaign, (contact,) = running(database, NUMBER)
    hopper = Hopper(database, VAULT, "dialer")
    hopper.claim(campaign, 1, now())
    assert hopper.open(campaign, call_request(campaign, contact), "line-0", now())
    with pytest.raises(DataError, match="goes on"):
        subject.erase(database, VAULT, NUMBER, "ann", "asked", lambda key: None)


def test_a_spreadsheet_goes_in_and_comes_out(database: Database, tmp_path: Path) -> None:
    campaign, _ = running(database)
    file = tmp_path / "contacts.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["手机号", "姓名", "优先级"],
        [13900000001, "王", 5],
        ["13900000002", "=1+1", None],
        [17, "坏", 0],
    ):
        sheet.append(row)
    book.save(file)
    errors = tmp_path / "errors.csv"
    done = import_contacts(database, VAULT, campaign, file, errors_file=errors, actor="ann")
    assert (done.added, done.errors) == (2, 1)
    with database.transaction() as session:
        (state,) = ImportRepository(session).of_campaign(campaign.id)
    assert (state.status, state.rows, state.errors_file) == ("done", 3, str(errors))
    out = tmp_path / "list.csv"
    assert export_contacts(database, VAULT, campaign, out, "ann") == 2
    with out.open(encoding="utf-8-sig", newline="") as back:
        rows = list(csv.DictReader(back))
    assert rows[0]["number"].startswith("+86139****")
    assert {row["priority"] for row in rows} == {"0", "5"}
    assert all(not row["姓名"].startswith("=") for row in rows)
    assert export_contacts(database, VAULT, campaign, tmp_path / "list.xlsx", "ann", numbers=True) == 2
    assert import_contacts(database, VAULT, campaign, tmp_path / "list.xlsx").duplicates == 2


def test_a_spreadsheet_that_unpacks_without_end_is_refused(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, _ = running(database)
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (80 << 20))
    with pytest.raises(DataError, match="unpacks"):
        import_contacts(database, VAULT, campaign, bomb)
    texts = tmp_path / "texts.xlsx"
    with zipfile.ZipFile(texts, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
        archive.writestr("xl/sharedStrings.xml", b"0" * (2 << 20))
    monkeypatch.setattr(sheets, "MAX_SHARED", 1 << 20)
    with pytest.raises(DataError, match="of texts"):
        import_contacts(database, VAULT, campaign, texts)
    entities = tmp_path / "entities.xlsx"
    with zipfile.ZipFile(entities, "w") as archive:
        archive.writestr("xl/workbook.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    with pytest.raises(DataError):
        import_contacts(database, VAULT, campaign, entities)
    with database.transaction() as session:
        assert {state.status for state in ImportRepository(session).of_campaign(campaign.id)} == {"failed"}


def test_people_are_dialled_for_only_while_one_is_ready_and_gets_the_suggestions(database: Database) -> None:
    campaign, (contact,) = running(database, NUMBER, mode=Mode.PROGRESSIVE)
    hopper = Hopper(database, VAULT, "dialer")
    assert not hopper.pacing.may_call(campaign, now())
    assert one(database, "SELECT held FROM campaigns") == "没有就绪的坐席"
    with database.transaction() as session:
        agents = AgentRepository(session)
        agents.save("eve", "Eve", "sip:eve@127.0.0.1:5099")
        agents.set_available("eve", True, now())
    assert hopper.pacing.may_call(campaign, now())
    assert hopper.pacing.shares([campaign], 4, now()) == {campaign.id: 1}
    hopper.claim(campaign, 1, now())
    opened = hopper.open(campaign, call_request(campaign, contact), "line-0", now())
    assert opened is not None
    assert (opened.delivery, opened.agent_id) == ("suggest", "eve")
    assert opened.agent_uri == "sip:eve@127.0.0.1:5099"
    assert hopper.pacing.shares([campaign], 4, now()) == {campaign.id: 0}
    hopper.give_back(opened, now())
    assert hopper.pacing.shares([campaign], 4, now()) == {campaign.id: 1}, "the agent is free again at once"


def test_an_agent_who_does_not_pick_up_costs_the_contact_no_attempt(
    database: Database, tmp_path: Path, make: Any
) -> None:
    campaign, (contact,) = running(database, NUMBER, mode=Mode.PROGRESSIVE, max_attempts=1)
    ready(database, "eve")
    hopper = Hopper(database, VAULT, "dialer")
    hopper.claim(campaign, 1, now())
    opened = hopper.open(campaign, call_request(campaign, contact), "line-0", now())
    assert opened is not None
    journal = PostgresJournal(database, tmp_path / "spool", "line-0")
    journal.ended(replace(make.record(opened), cause=EndCause.NOT_DIALLED))
    journal.ended(replace(make.record(opened), cause=EndCause.NOT_DIALLED))  # replayed
    assert journal.flush(10)
    journal.close()
    assert one(database, "SELECT status || attempts FROM contacts") == "pending0"
    assert one(database, "SELECT count(*) FROM outcomes") == 0
    assert [claimed.id for claimed in hopper.claim(campaign, 1, now())] == [contact.id]


def ready(database: Database, login: str) -> None:
    with database.transaction() as session:
        agents = AgentRepository(session)
        agents.save(login, login.title(), f"sip:{login}@127.0.0.1:5099")
        agents.set_available(login, True, now())


def test_in_preview_only_what_an_agent_asked_for_is_dialled(database: Database) -> None:
    campaign, contacts = running(database, NUMBER, "+8613900000002", mode=Mode.PREVIEW)
    hopper = Hopper(database, VAULT, "dialer")
    ready(database, "eve")
    ready(database, "bob")
    assert hopper.claim(campaign, 5, now()) == ()
    shown = preview.offer(database, VAULT, "spring", "eve", now())
    assert shown is not None
    assert (shown.contact_id, shown.number_masked, shown.slots) == (
        contacts[0].id, "+86139****0001", {"surname": "王"},
    )  # fmt: skip
    again = preview.offer(database, VAULT, "spring", "eve", now())
    other = preview.offer(database, VAULT, "spring", "bob", now())
    assert again is not None
    assert other is not None
    assert (again.contact_id, other.contact_id) == (contacts[0].id, contacts[1].id)
    preview.skip(database, VAULT, other.contact_id, "bob", now(), "on holiday")
    assert preview.offer(database, VAULT, "spring", "bob", now()) is None
    with pytest.raises(CampaignError, match="not offered to you"):
        preview.dial(database, VAULT, shown.contact_id, "bob", now())
    preview.dial(database, VAULT, shown.contact_id, "eve", now())
    (claimed,) = hopper.claim(campaign, 5, now() + timedelta(seconds=1))
    assert (claimed.id, claimed.agent_id) == (shown.contact_id, "eve")
    assert audited(database) == ["preview_skip", "preview_call"]


def test_who_goes_away_after_asking_leaves_the_contact_to_others(database: Database) -> None:
    campaign, _ = running(database, NUMBER, mode=Mode.PREVIEW)
    ready(database, "eve")
    shown = preview.offer(database, VAULT, "spring", "eve", now())
    assert shown is not None
    preview.dial(database, VAULT, shown.contact_id, "eve", now())
    with database.transaction() as session:
        AgentRepository(session).set_available("eve", False, now())
    hopper, then = Hopper(database, VAULT, "dialer"), now() + timedelta(seconds=1)
    (claimed,) = hopper.claim(campaign, 1, then)
    assert hopper.open(campaign, call_request(campaign, claimed), "line-0", then) is None
    ready(database, "bob")
    assert preview.offer(database, VAULT, "spring", "bob", now() + timedelta(seconds=5)) is not None
    with pytest.raises(CampaignError, match="no agent"):
        preview.offer(database, VAULT, "spring", "nobody", now())


def test_whom_the_rules_protect_is_shown_to_no_agent(database: Database) -> None:
    running(database, NUMBER, mode=Mode.PREVIEW)
    ready(database, "eve")
    do_not_call.add(database, VAULT, NUMBER, "asked", "ann", now())
    assert preview.offer(database, VAULT, "spring", "eve", now()) is None
    assert one(database, "SELECT refusal FROM contacts") == "do_not_call"


def test_a_trunk_that_fails_pauses_the_campaign_until_it_is_started_again(
    database: Database, called: Callable[..., CallRequest], make: Any
) -> None:
    numbers = [f"+861390000000{index}" for index in range(7)]
    campaign, _ = running(database, *numbers, max_attempts=1)
    with database.transaction() as session:
        for status in (CampaignStatus.PAUSED, CampaignStatus.RUNNING):
            CampaignRepository(session).change(campaign.id, list(CampaignStatus), status, now())
    for _ in numbers[:6]:
        called(campaign, cause=EndCause.UNREACHABLE, sip_status=503, answered_at=None)
    hopper = Hopper(database, VAULT, "dialer")
    assert not hopper.pacing.may_call(campaign, now())
    assert one(database, "SELECT status FROM campaigns") == "paused"
    assert "503" in one(database, "SELECT held FROM campaigns")
    assert audited(database) == ["circuit_breaker"]
    with database.transaction() as session:
        CampaignRepository(session).change(
            campaign.id, [CampaignStatus.PAUSED], CampaignStatus.RUNNING, now() + timedelta(seconds=1)
        )
    assert hopper.pacing.may_call(campaign, now() + timedelta(seconds=2))


def test_customers_whom_no_agent_took_hold_the_campaign_back(
    database: Database, called: Callable[..., CallRequest], tmp_path: Path
) -> None:
    numbers = [f"+8613900000{index:03}" for index in range(30)]
    campaign, _ = running(database, *numbers, max_attempts=1)
    calls = [called(campaign) for _ in numbers]
    journal = PostgresJournal(database, tmp_path / "more", "line-1")
    pacing, real = Hopper(database, VAULT, "dialer").pacing, replace(campaign, policy_pack="CN")

    def taken(request: CallRequest, result: TakeoverResult) -> None:
        journal.taken_over(
            Takeover(
                request.call_id, campaign.id, now(), TakeoverReason.ASKED, TakeoverKind.BRIDGE, result, "eve"
            )
        )
        assert journal.flush(10)

    taken(calls[0], TakeoverResult.CONNECTED)
    assert pacing.may_call(real, now())
    taken(calls[1], TakeoverResult.NO_AGENT)  # one of thirty: more than three of a hundred
    assert not pacing.may_call(real, now())
    assert "1 通转人工无人接听" in one(database, "SELECT held FROM campaigns")
    journal.close()


def test_a_schedule_holds_a_campaign_back_and_ends_it(database: Database) -> None:
    begins, ends = now() + timedelta(hours=1), now() + timedelta(hours=2)
    campaign, _ = running(database, NUMBER, starts_at=begins, ends_at=ends)
    pacing = Hopper(database, VAULT, "dialer").pacing
    assert not pacing.may_call(campaign, now())
    assert pacing.may_call(campaign, begins)
    assert not pacing.may_call(campaign, ends)
    assert one(database, "SELECT status FROM campaigns") == "draining"


class Voice:
    """Every prompt has a sound."""

    def ready(self, text: str, style: Any = None) -> str:
        return "clip"

    def robotic(self, source: str) -> bool:
        return False

    def ahead(self, text: str, style: Any = None) -> None:
        """Everything is ready."""


def test_a_campaign_does_not_start_on_a_trunk_that_is_switched_off(database: Database) -> None:
    trunks.save(database, VAULT, Trunk("gw", "127.0.0.1:5070", ("+86",)), "ann")
    campaign, _ = running(database, NUMBER, trunk="gw")
    management.pause(database, "spring", "ann", now())
    playbook = bootstrap.playbooks(Settings()).get("consumer_loan")
    trunks.switch(database, VAULT, "gw", "ann", on=False)
    with pytest.raises(CampaignError, match="switched off"):
        management.start(database, VAULT, "spring", playbook, Voice(), "ann", now())
    trunks.switch(database, VAULT, "gw", "ann", on=True)
    started, _ = management.start(database, VAULT, "spring", playbook, Voice(), "ann", now())
    assert (started.id, started.status) == (campaign.id, CampaignStatus.RUNNING)


def test_where_the_law_wants_a_registry_no_campaign_starts_without_it(database: Database) -> None:
    running(database, "+12025550123", policy_pack="US", trunk="sip:{number}@gw.example")
    with database.transaction() as session:
        CampaignRepository(session).change(
            CampaignRepository(session).find("spring").id,
            list(CampaignStatus),
            CampaignStatus.PAUSED,
            now(),
        )
    playbook = bootstrap.playbooks(Settings()).get("consumer_loan")

    with pytest.raises(ComplianceError, match="US-national"):
        management.start(database, VAULT, "spring", playbook, Voice(), "ann", now())
    with database.transaction() as session:
        numbers = DoNotCallRepository(session, VAULT)
        numbers.publish("US-national", numbers.begin("US-national", now()), now(), 31, now())
    started, _ = management.start(database, VAULT, "spring", playbook, Voice(), "ann", now())
    assert started.status is CampaignStatus.RUNNING
