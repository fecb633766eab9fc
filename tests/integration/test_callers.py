"""Somebody on no list calls in and wants no calls: over SIP, after crashes, until the number is forgotten."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.telephone import Telephone
from tests.integration.test_line_worker import until
from tests.unit import conversation as talks
from tests.unit import parts
from voicebot.call.conversation import LocalConversation
from voicebot.call.events import SessionConfig
from voicebot.call.journal import PostgresJournal, replay_left_over
from voicebot.call.pipeline import Pipeline
from voicebot.call.prompts import PromptMemory
from voicebot.call.worker import LineWorker
from voicebot.campaign import corrections, subject
from voicebot.campaign.inbound import Inbound
from voicebot.dialogue.policy import RulePolicy
from voicebot.dialogue.situation import WordSituationReader
from voicebot.domain.call import CallRequest, Disposition, Rejection
from voicebot.domain.campaign import Campaign, CampaignStatus
from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.script import Playbook
from voicebot.domain.speech import Transcript
from voicebot.service.inference import warm
from voicebot.service.jobs.house import forget_old
from voicebot.service.jobs.task import Work
from voicebot.settings import Settings
from voicebot.store.callers import CallerRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.store.outcomes import OutcomeRepository
from voicebot.store.recordings import Recordings
from voicebot.store.sealing import RecordingSeal
from voicebot.store.session import Database
from voicebot.telephony import UserAgentConfig

pytestmark = pytest.mark.integration

VAULT = NumberVault(bytes(32))
STRANGER, SHOWN = "+8613911112222", "02088888888"
FROM = {"From": f"<sip:{STRANGER}@127.0.0.1>;tag=1"}
AWAY = "postgresql://voicebot@/voicebot?host=/nonexistent"


class Stream(parts.Stream):
    """Hears the same of every utterance."""

    def result(self, *, final: bool) -> Transcript:
        return Transcript("不要再打了", confidence=0.95, engine="fake")


class Recognizer(parts.Recognizer):
    """Opens such streams."""

    def open(self, *args: Any, **more: Any) -> Stream:
        return Stream(self, *args[1:], **more)


class Playbooks:
    """The shipped loans."""

    def get(self, playbook_id: str, version: str = "") -> Playbook:
        return talks.consumer_loan()


def conversations() -> Callable[[], LocalConversation]:
    """The real dialogue over ears that hear a refusal."""
    way = Pipeline(
        Recognizer(),
        parts.Analyzer(),
        WordSituationReader(),
        talks.ranker(),
        RulePolicy(),
        parts.Prompts(),
        Playbooks(),
    )
    warm(way, ["consumer_loan"])  # as inference does: the first decision makes what all others use
    threads = ThreadPoolExecutor(4)
    return lambda: LocalConversation(way, threads)


@pytest.fixture
def campaign(database: Database) -> Campaign:
    made = Campaign(str(uuid7()), "spring", "consumer_loan", CampaignStatus.RUNNING, "SIMULATION")
    with database.transaction() as session:
        CampaignRepository(session).add(replace(made, caller_id=SHOWN))
    return made


@pytest.fixture
async def host(database: Database, campaign: Campaign, tmp_path: Path) -> AsyncIterator[str]:
    """A line worker that trusts this machine; its address."""
    journal = PostgresJournal(database, tmp_path / "spool", "w-1")
    inbound = Inbound(database, VAULT, "w-1", trusted_peers=["127.0.0.1"])
    config = SessionConfig("w-1", conversations(), journal, PromptMemory())
    worker = LineWorker(UserAgentConfig(sip_port=0, rtp_port=0), config, inbound.resolve)
    await worker.start()
    yield worker.sip_uri.partition("@")[2]
    await worker.stop()
    journal.close()


@pytest.fixture
async def phone() -> AsyncIterator[Telephone]:
    made = await asyncio.to_thread(Telephone)
    yield made
    made.close()


async def refuse(phone: Telephone, host: str, caller: str, database: Database) -> None:
    """Call in, say that no calls are wanted, and wait until all is written."""
    begun = len(phone.events)
    phone.do("call", uri=f"sip:{SHOWN}@{host}", caller=caller)
    await asyncio.to_thread(phone.wait, "Answered", 30, after=begun)  # the first decision loads much
    await asyncio.sleep(0.5)
    phone.do("speak", ms=900)
    await asyncio.to_thread(phone.wait, "Ended", 20, after=begun)
    await until(lambda: found(database, "SELECT 1 FROM outcomes"))


def found(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.transaction() as session:
        return [tuple(row) for row in session.execute(text(query))]


def forbidden(database: Database, number: str = STRANGER) -> tuple[str, ...]:
    with database.transaction() as session:
        return DoNotCallRepository(session, VAULT).found(number)


async def test_who_is_on_no_list_is_never_called_after_saying_so(
    phone: Telephone, host: str, database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await refuse(phone, host, f"sip:{STRANGER}@127.0.0.1", database)
    assert forbidden(database) == ("all (call)",)
    assert [one[0] for one in found(database, "SELECT script_id FROM turns ORDER BY seq")] == [
        "opening_greet",
        "do_not_call",
    ]
    ((call_id, written),) = found(
        database,
        "SELECT call_id::text, origin_id FROM outcomes, do_not_call WHERE disposition = 'do_not_call'",
    )
    assert written == call_id
    with database.transaction() as session:
        outcome = OutcomeRepository(session).call(call_id).outcome
        assert CallerRepository(session, VAULT).number(call_id) == STRANGER
    assert outcome is not None
    assert outcome.number == "+86139****2222"
    told = capfd.readouterr()
    assert STRANGER[3:] not in told.out + told.err
    begun = len(phone.events)
    phone.do("call", uri=f"sip:{SHOWN}@{host}", caller=f"sip:{STRANGER}@127.0.0.1")
    ended = await asyncio.to_thread(phone.wait, "Ended", after=begun)
    assert ended["status"] == 403, "whom we promised silence is not talked to again"

    recordings = Recordings(tmp_path / "recordings", None, RecordingSeal(VAULT.ring))
    subject.export(database, VAULT, STRANGER, tmp_path / "out.zip", "ann", recordings)
    gone = subject.erase(database, VAULT, STRANGER, "ann", "asked for it", lambda key: None)
    assert (gone.calls, gone.turns) == (1, 2)
    assert found(database, "SELECT caller_sealed, caller_lookups FROM calls") == [(None, None)]
    assert forbidden(database) == ("all (call)",), "the promise stays"


async def test_who_withholds_the_number_is_told_that_it_can_not_be_noted(
    phone: Telephone, host: str, database: Database
) -> None:
    await refuse(phone, host, "sip:anonymous@anonymous.invalid", database)
    (said,) = found(database, "SELECT script_id, script_text, action FROM turns WHERE kind = 'speech'")
    assert (said[0], said[2]) == ("do_not_call_withheld", "hang_up")
    assert "看不到您的号码" in said[1]
    assert found(database, "SELECT count(*) FROM do_not_call") == [(0,)]
    ((disposition, reasons),) = found(database, "SELECT disposition, reasons FROM outcomes")
    assert (disposition, reasons[:2]) == ("do_not_call", ["客户要求不再来电", "来电没有显示号码，未能登记"])
    assert found(database, "SELECT caller_sealed, caller_masked FROM calls") == [(None, None)]


def resolved(database: Database, headers: dict[str, str]) -> CallRequest:
    answer = Inbound(database, VAULT, "w-1", trusted_peers=["10.0.0.5"]).look_up(
        headers, SHOWN, "10.0.0.5:5060"
    )
    assert isinstance(answer, CallRequest)
    return answer


@pytest.mark.parametrize(
    "headers",
    [
        FROM | {"Privacy": "id"},
        {"From": "<sip:anonymous@anonymous.invalid>", "P-Asserted-Identity": f"<sip:{STRANGER}@c>"},
        {"From": "<sip:alice@c>"},
    ],
)
def test_a_number_that_is_not_to_be_shown_is_not_kept(
    database: Database, campaign: Campaign, headers: dict[str, str]
) -> None:
    assert resolved(database, headers).withheld


def test_of_two_numbers_that_digits_may_stand_for_both_are_kept_the_peers_first(
    database: Database, campaign: Campaign
) -> None:
    caller = resolved(database, {"From": "<sip:13012345678@c>"}).caller
    assert caller is not None
    assert caller.masked == "+86130****5678"
    assert caller.lookups == tuple(VAULT.lookup(one).hex() for one in ("+8613012345678", "+13012345678"))


def test_a_refusal_outlives_a_killed_worker_and_a_database_that_was_away(
    database: Database, campaign: Campaign, tmp_path: Path, make: Any
) -> None:
    request = resolved(database, FROM)
    away = PostgresJournal(Database(AWAY), tmp_path, "w-1")
    away.answered(request, "w-1")
    turn = make.turn(request.call_id, 1)
    away.turn(replace(turn, decision=replace(turn.decision, do_not_call=True)))
    away.close()
    assert STRANGER[3:].encode() not in (tmp_path / "w-1.spool").read_bytes()
    assert replay_left_over(database, tmp_path) == 2
    assert forbidden(database) == ("all (call)",)


def test_the_end_of_a_call_alone_keeps_the_refusal(
    database: Database, campaign: Campaign, tmp_path: Path, make: Any
) -> None:
    ended(database, tmp_path, make, resolved(database, FROM), opted_out=True)
    assert forbidden(database) == ("all (call)",)


def ended(
    database: Database, folder: Path, make: Any, request: CallRequest, *, opted_out: bool = False
) -> None:
    record = make.record(request, Disposition.UNDECIDED)
    journal = PostgresJournal(database, folder / request.call_id, "w-1")
    journal.ended(replace(record, outcome=replace(record.outcome, opted_out=opted_out)))
    assert journal.flush(10)
    journal.close()


def test_a_manager_who_corrects_the_outcome_puts_the_caller_on_the_list(
    database: Database, campaign: Campaign, tmp_path: Path, make: Any
) -> None:
    request = resolved(database, FROM)
    ended(database, tmp_path, make, request)
    wanted, now = Disposition.DO_NOT_CALL, datetime.now(UTC)
    corrections.correct(database, VAULT, request.call_id, "ann", "not heard", now, disposition=wanted)
    assert forbidden(database) == ("all (person)",)


def test_nobody_is_erased_while_calling(database: Database, campaign: Campaign, tmp_path: Path) -> None:
    request = resolved(database, FROM)
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO workers (id, kind, address, sip_uri, capacity, busy, started_at, seen_at) "
                "VALUES ('w-1', 'line', '', '', 3, 1, now() - interval '1 hour', now())"
            )
        )
    journal = PostgresJournal(database, tmp_path, "w-1")
    journal.answered(request, "w-1")
    assert journal.flush(10)
    journal.close()
    with pytest.raises(DataError, match="call"):
        subject.erase(database, VAULT, STRANGER, "ann", "asked for it", lambda key: None)


def test_numbers_of_callers_are_forgotten_with_what_was_said(
    database: Database, campaign: Campaign, tmp_path: Path, make: Any
) -> None:
    request = resolved(database, FROM)
    ended(database, tmp_path, make, request)
    settings = Settings(home=tmp_path, keep_turns_days=30, keep_recordings_days=30)

    def forget(now: datetime) -> list[tuple[Any, ...]]:
        forget_old(Work(settings, database, now, 1, threading.Event()))
        return found(database, "SELECT caller_masked FROM calls")

    with database.transaction() as session:
        session.execute(text("UPDATE calls SET started_at = now() - interval '5 days'"))
    assert forget(datetime.now(UTC)) == [("+86139****2222",)]
    assert forget(datetime.now(UTC) + timedelta(days=29)) == [(None,)]


def test_a_stranger_on_the_do_not_call_list_is_not_taken(database: Database, campaign: Campaign) -> None:
    with database.transaction() as session:
        DoNotCallRepository(session, VAULT).add([STRANGER], "person", "x", datetime.now(UTC))
    inbound = Inbound(database, VAULT, "w-1", trusted_peers=["10.0.0.5"])
    assert inbound.look_up(FROM, SHOWN, "10.0.0.5:5060") == Rejection(
        403, "number is on the do-not-call list"
    )
