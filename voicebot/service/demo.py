"""The demo: a campaign of simulated customers, called over SIP and RTP on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from voicebot import bootstrap
from voicebot.domain.call import CallEvent, Disposition
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.errors import CampaignError
from voicebot.domain.ids import uuid7
from voicebot.domain.speech import UtteranceKind
from voicebot.domain.users import Role, User
from voicebot.registry import resources
from voicebot.service.child import Child
from voicebot.service.lines import Lines
from voicebot.service.rehearsal import contacts_of, phone_of_customers
from voicebot.service.supervisor import ROLES, Supervisor
from voicebot.settings import Settings
from voicebot.simulate import personas as people_file
from voicebot.simulate.personas import Persona
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.outcomes import CallDetail, CallOutcome, OutcomeFilter, OutcomeRepository
from voicebot.store.session import Database
from voicebot.store.user_sessions import UserSessionRepository
from voicebot.store.users import UserRepository
from voicebot.text.distance import character_error

PLAYBOOK = "consumer_loan"
SIMULTANEOUS = 3
LONGEST_S = 600.0
RING_S = 8.0
POLL_S = 0.5
SLACK_S = 0.3  # by which the two ends' clocks and the line's delay may differ
GUEST = "demo"  # who looks at the demo in the console
AGENT = "agent"  # role of the personas who take transfers


class Screen(Protocol):
    """Where the demo shows what happens."""

    def step(self, text: str) -> None:
        """Say which step of the set-up runs."""

    def call(self, name: str, event: CallEvent) -> None:
        """Show an event of the call to a persona."""

    def finished(self, report: Report) -> None:
        """Show what came of it."""

    def console(self, link: str) -> None:
        """Say where the calls can be watched in a browser."""

    def waiting(self, addresses: Sequence[str]) -> None:
        """Say where the bot can be called now."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line that a customer really said."""

    text: str
    start_s: float  # since the answer
    end_s: float


@dataclass(frozen=True, slots=True)
class DemoCall:
    """One call, as Postgres has it, beside what the customer really said."""

    persona: Persona
    detail: CallDetail
    outcome: CallOutcome
    said: tuple[Said, ...]

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield (said, understood) for every utterance, paired by when they took place.

        What was said into an announcement that is not interrupted, or after the goodbye, is no utterance.
        """
        for turn in self.detail.turns:
            if turn["kind"] == UtteranceKind.SPEECH:
                start_s, end_s = turn["start_s"] - SLACK_S, turn["end_s"] + SLACK_S
                said = (
                    line.text for line in self.said if start_s <= (line.start_s + line.end_s) / 2 <= end_s
                )
                yield "".join(said), turn["customer_text"]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a demo campaign."""

    campaign_id: str
    calls: tuple[DemoCall, ...]

    @property
    def cer(self) -> float | None:
        """Character error rate of all that was understood against all that was said; None = nothing said."""
        pairs = [pair for call in self.calls for pair in call.pairs()]
        return round(character_error(pairs), 4) if pairs else None

    def waits_ms(self) -> list[float]:
        """Return how long each answer to speech kept the customer waiting after the endpoint, sorted."""
        return sorted(
            turn["timings_ms"]["wait_ms"]
            for call in self.calls
            for turn in call.detail.turns
            if turn["kind"] == UtteranceKind.SPEECH and "wait_ms" in turn["timings_ms"]
        )

    def document(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return {
            "campaign_id": self.campaign_id,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "cer": self.cer,
            "calls": [_call(call) for call in self.calls],
        }


def _call(call: DemoCall) -> dict[str, Any]:
    outcome = call.outcome
    return {
        "id": outcome.call_id,
        "persona": call.persona.id,
        "disposition": outcome.disposition,
        "intent_level": outcome.intent_level,
        "reasons": list(outcome.reasons),
        "facts": outcome.facts,
        "duration_s": outcome.duration_s,
        "said": [line.text for line in call.said],
        "turns": [_turn(turn) for turn in call.detail.turns],
    }


_COLUMNS = ("seq", "kind", "customer_text", "situation", "relation", "scene", "action", "script_id")
_MORE_COLUMNS = ("script_text", "prompt_engine", "barged_in", "timings_ms")


def _turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    emotion, decision = turn["understanding"]["emotion"], turn["decision"]
    return {
        **{column: turn[column] for column in _COLUMNS},
        "emotion": {key: emotion[key] for key in ("label", "first", "second")}
        | {"fused": emotion["distribution"]},
        "candidates": [
            {"script_id": candidate["script_id"], "probability": candidate["probability"]}
            for candidate in decision["candidates"]
        ],
        "reasons": decision["reasons"],
        **{column: turn[column] for column in _MORE_COLUMNS},
    }


async def run(settings: Settings, screen: Screen, *, only: Sequence[str] = (), keep: bool = False) -> Report:
    """Start everything, call the customers, and return what came of it. Raises VoicebotError."""
    # Any free ports: the demo must not collide with anything that runs here.
    settings = settings.model_copy(
        update={
            "bind": "127.0.0.1",
            "calls": SIMULTANEOUS,
            "sip_port": settings.sip_port if keep else 0,
            "rtp_port": 0,
            "inference_port": 0,
            "line_port": 0,
            "console_bind": "127.0.0.1",
            "console_port": settings.console_port if keep else 0,
            "console_url": "",
            "open_playbook": PLAYBOOK,
        }
    )
    people = people_file.load(resources.demo_dir() / "personas.yaml")
    customers = [person for person in people_file.choose(people, only) if person.role != AGENT]
    logs = settings.home / "logs" / "demo"
    screen.step("Postgres")
    with bootstrap.store(settings) as store:
        screen.step(f"inference, line workers, dialer, console (logs: {logs})")
        url = str(store.engine.url.render_as_string(hide_password=False))
        # The agent's phone is another process: a transferred customer needs one leg more.
        async with (
            Supervisor(settings, url, logs, roles=ROLES) as supervisor,
            _phone("customer", logs) as phone,
            _phone("agent", logs) as agent,
        ):
            screen.step(f"simulated customers at {phone.facts['sip_uri']}")
            assert supervisor.console is not None
            screen.console(await asyncio.to_thread(_guest, store, str(supervisor.console.facts["url"])))
            campaign = _campaign_of(phone.facts["sip_uri"], agent.facts["sip_uri"])
            report = await _call_all(settings, store, supervisor, campaign, customers, logs, screen)
            screen.finished(report)
            if keep:
                screen.waiting([line.facts["sip_uri"] for line in supervisor.lines])
                await asyncio.Event().wait()
    return report


def _guest(store: Database, console: str) -> str:
    """Return a link that signs somebody in, once, to look at the demo as a manager."""
    with store.transaction() as session:
        users = UserRepository(session)
        known = users.named(GUEST)
        guest = known[0] if known else users.add(User("", GUEST, Role.MANAGER))
        return f"{console}/login/once/{UserSessionRepository(session).link(guest, datetime.now(UTC))}"


@asynccontextmanager
async def _phone(role: str, logs: Path) -> AsyncIterator[Child]:
    """Run a user agent of simulated people as a process of its own."""
    phone = phone_of_customers(logs, role)
    await phone.start()
    try:
        yield phone
    finally:
        await phone.stop()


async def _call_all(
    settings: Settings,
    store: Database,
    supervisor: Supervisor,
    campaign: Campaign,
    customers: Sequence[Persona],
    logs: Path,
    screen: Screen,
) -> Report:
    contacts = {contact.id: (contact, person) for contact, person in contacts_of(campaign, customers)}
    watch = _Watch({key: person for key, (_, person) in contacts.items()}, screen)
    lines = Lines()
    watchers = [
        asyncio.create_task(watch.follow(lines, f"{settings.bind}:{line.facts['port']}"))
        for line in supervisor.lines
    ]
    try:
        await asyncio.to_thread(
            _start, settings, store, campaign, [contact for contact, _ in contacts.values()]
        )
        await asyncio.wait_for(_finished(store, campaign.id), LONGEST_S)
    except TimeoutError:
        raise CampaignError(
            f"the demo was not finished after {LONGEST_S:.0f} s", hint=f"see the logs in {logs}"
        ) from None
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        await lines.close()
    said = _said(logs / "customer.jsonl")
    return await asyncio.to_thread(_report, store, campaign.id, watch.calls, said)


def _campaign_of(phone_uri: str, agent_uri: str) -> Campaign:
    address = phone_uri.rpartition("@")[2].partition(";")[0]
    return Campaign(
        id=str(uuid7()),
        name=f"demo {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        playbook_id=PLAYBOOK,
        status=CampaignStatus.DRAFT,
        policy_pack="SIMULATION",
        trunk=f"sip:{{number}}@{address}",
        transfer_uri=agent_uri,
        max_calls=SIMULTANEOUS,
        max_attempts=1,
        ring_timeout_s=RING_S,
    )


def _start(settings: Settings, store: Database, campaign: Campaign, contacts: Sequence[Contact]) -> None:
    now = datetime.now(UTC)
    with store.transaction() as session:
        CampaignRepository(session).add(campaign)
        ContactRepository(session, bootstrap.vault(settings)).add(contacts, now)
        CampaignRepository(session).change(campaign.id, [CampaignStatus.DRAFT], CampaignStatus.RUNNING, now)


async def _finished(store: Database, campaign_id: str) -> None:
    def over() -> bool:
        with store.transaction() as session:
            campaigns = CampaignRepository(session)
            if campaigns.find(campaign_id).status is CampaignStatus.FINISHED:
                return True
            progress = campaigns.progress(campaign_id)
        # Whoever agreed to be called back stays on the list until then: nobody waits for that here.
        agreed = progress.dispositions.get(Disposition.CALLBACK, 0)
        called = progress.attempts >= progress.contacts and not progress.calling
        return called and 0 < progress.pending <= agreed

    while not await asyncio.to_thread(over):  # noqa: ASYNC110  # by another process
        await asyncio.sleep(POLL_S)


class _Watch:
    """Follows the calls as they happen, and knows whose each was."""

    def __init__(self, people: Mapping[str, Persona], screen: Screen) -> None:
        self._people = people  # by contact id
        self._screen = screen
        self.calls: dict[str, tuple[Persona, str]] = {}  # call id -> persona, attempt id

    async def follow(self, lines: Lines, address: str) -> None:
        async for event in lines.at(address).watch():
            person = self._people.get(event.contact_id)
            if person is None:
                continue
            if event.record is not None:
                self.calls[event.call_id] = (person, event.record.request.attempt_id)
            self._screen.call(person.id, event)


def _report(
    store: Database,
    campaign_id: str,
    calls: Mapping[str, tuple[Persona, str]],
    said: Mapping[str, Sequence[Said]],
) -> Report:
    """Read what Postgres has of the campaign."""
    with store.transaction() as session:
        outcomes = OutcomeRepository(session)
        found = [
            DemoCall(person, outcomes.call(outcome.call_id), outcome, tuple(said.get(attempt_id, ())))
            for outcome in outcomes.find(OutcomeFilter(campaign_id=campaign_id))
            for person, attempt_id in [calls[outcome.call_id]]
        ]
    return Report(campaign_id, tuple(sorted(found, key=lambda call: call.persona.number)))


def _said(events: Path) -> dict[str, list[Said]]:
    """Return what each customer said, by call attempt."""
    said: dict[str, list[Said]] = {}
    for line in events.read_text("utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "said":
            start_s = event["start_s"]
            words = Said(event["text"], start_s, start_s + event["duration_s"])
            said.setdefault(event["attempt"], []).append(words)
    return said
