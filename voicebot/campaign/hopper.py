"""The hopper: from a campaign's list to committed call attempts, every step one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from voicebot.campaign.compliance import Reason, Refusal, refusal
from voicebot.campaign.pacing import Pacing
from voicebot.campaign.policy_pack import policy_pack
from voicebot.campaign.retry import PAUSES, agreed_callback, next_attempt, other_hours
from voicebot.campaign.trunk import is_template
from voicebot.dialogue.state import CALLBACK_BY, PERSON
from voicebot.domain.answering import NUMBER_STATUS, NumberStatus
from voicebot.domain.call import CallRequest, Delivery, Disposition
from voicebot.domain.campaign import ANY_AGENT, Campaign, CampaignStatus, Contact, Mode
from voicebot.domain.trunk import Trunk
from voicebot.store.agents import AgentRepository
from voicebot.store.attempts import NOT_DIALLED, AttemptRepository, Claimed, Finished
from voicebot.store.callers import CallerRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository, NumberList
from voicebot.store.orphans import OrphanRepository
from voicebot.store.session import Database, DatabaseClock, Session
from voicebot.store.trunks import TrunkRepository
from voicebot.store.workers import Worker, WorkerRepository

log = structlog.get_logger()

LEASE = timedelta(seconds=60)
BATCH = 50
GIVEN_BACK = timedelta(seconds=2)  # before a contact is tried again whose worker was full
NO_AGENT = timedelta(minutes=1)  # before it is looked again for a person who calls back
AGENT_SLACK = timedelta(seconds=45)  # an agent is kept so much longer than a customer's phone rings
OFFER_LEASE = timedelta(minutes=5)  # of a contact that an agent looks at
MOST_REFUSED = 50  # contacts looked at for one offer
FINAL = tuple(kind.value for kind in Disposition if kind not in PAUSES and kind is not Disposition.CALLBACK)


class Hopper:
    """Claims contacts, opens attempts and settles them, for one claimer. Blocking."""

    def __init__(
        self,
        database: Database,
        vault: NumberVault,
        claimer: str,
        unknown_gap: timedelta = timedelta(hours=1),
    ) -> None:
        """Take a database.

        Args:
            database: migrated.
            vault: opens the numbers.
            claimer: this dialer's name, unique among those running.
            unknown_gap: how old an attempt whose worker died must be before a rule may close it.
        """
        self._database = database
        self._vault = vault
        self._claimer = claimer
        self._unknown_gap = unknown_gap
        self.pacing = Pacing(database, vault)

    def clock(self) -> DatabaseClock:
        """Return the time by which claims, attempts and heartbeats are judged."""
        return DatabaseClock(self._database)

    def campaigns(self) -> tuple[Campaign, ...]:
        """Return the campaigns that have work: running ones, and those that end."""
        with self._database.transaction() as session:
            return CampaignRepository(session).all(
                CampaignStatus.RUNNING, CampaignStatus.DRAINING, CampaignStatus.STOPPING
            )

    def free_workers(self, now: datetime) -> list[tuple[Worker, int]]:
        """Return the line workers that can take calls, with how many; the freest first."""
        with self._database.transaction() as session:
            return WorkerRepository(session).free(now)

    def live(self, campaign: Campaign) -> int:
        """Count a campaign's open attempts."""
        with self._database.transaction() as session:
            return AttemptRepository(session, self._vault).live(campaign.id)

    def claim(self, campaign: Campaign, limit: int, now: datetime) -> tuple[Contact, ...]:
        """Lease contacts that are due and may be called. Those that may not get their reason stored."""
        with self._database.transaction() as session:
            attempts = AttemptRepository(session, self._vault)
            claimed = attempts.claim(campaign, self._claimer, min(limit, BATCH), now, LEASE)
            return self._allowed(session, campaign, claimed, now)

    def offer(self, campaign: Campaign, now: datetime) -> Contact | None:
        """Lease the next contact that an agent of a preview campaign may look at; None = there is none."""
        for _ in range(MOST_REFUSED):
            with self._database.transaction() as session:
                attempts = AttemptRepository(session, self._vault)
                claimed = attempts.claim(campaign, self._claimer, 1, now, OFFER_LEASE, offered=True)
                if not claimed:
                    return None
                if allowed := self._allowed(session, campaign, claimed, now):
                    return allowed[0]
        return None

    def release(self) -> None:
        """Give back what this claimer, or an earlier one of its name, has leased and not opened."""
        with self._database.transaction() as session:
            AttemptRepository(session, self._vault).release(self._claimer)

    def open(
        self, campaign: Campaign, request: CallRequest, worker: str, now: datetime
    ) -> CallRequest | None:
        """Commit the attempt of a leased contact, if compliance still allows it; then INVITE at once.

        Where people talk, or a person is to call back, an agent is reserved in the same transaction: the
        request names the phone, which the line worker rings before the customer's. None = not now.
        """
        with self._database.transaction() as session:
            attempts = AttemptRepository(session, self._vault)
            if not attempts.open(request, self._claimer, worker, now):
                return None
            found = attempts.look(request.contact_id, campaign.scope, now)
            lists, trunk = self._rules(session, campaign)
            again = found and refuse(campaign, found, now, lists, trunk, opened=1)
            if found and again:
                attempts.give_back(request.attempt_id, now, now)
                self._refused(ContactRepository(session, self._vault), found, again, now)
                return None
            wanted = found.contact.agent_id if found else ""
            if campaign.mode is Mode.BOT and not wanted:
                return request
            agents = AgentRepository(session)
            named = "" if wanted == ANY_AGENT else wanted
            agent = agents.reserve(
                request.call_id,
                worker,
                now,
                campaign_id=campaign.id,
                agent_id=named,
                lease=timedelta(seconds=campaign.ring_timeout_s) + AGENT_SLACK,
            )
            if agent is None:
                wait = NO_AGENT if campaign.mode is Mode.BOT else GIVEN_BACK
                attempts.give_back(request.attempt_id, now, now + wait)
                if named and agents.away(named, now):
                    ContactRepository(session, self._vault).hand_to(request.contact_id, "", now)
                return None
            return replace(request, delivery=Delivery.SUGGEST, agent_id=agent.id, agent_uri=agent.uri)

    def give_back(self, request: CallRequest, now: datetime) -> None:
        """End an attempt whose INVITE was certainly not sent; its agent is free again."""
        with self._database.transaction() as session:
            AttemptRepository(session, self._vault).give_back(request.attempt_id, now, now + GIVEN_BACK)
            if request.agent_id:
                AgentRepository(session).release(request.agent_id, request.call_id, now)

    def lose(self, request: CallRequest) -> None:
        """Mark an attempt unknown: nobody can tell whether its INVITE was sent."""
        with self._database.transaction() as session:
            OrphanRepository(session).lose(request.attempt_id)

    def sweep(self, now: datetime) -> None:
        """Find attempts whose worker died, and close those that a rule may close."""
        with self._database.transaction() as session:
            AgentRepository(session).sweep(now)
            attempts = OrphanRepository(session)
            if lost := attempts.lose_orphans(now):
                log.warning("attempts lost their worker", attempts=lost)
            if settled := attempts.settle_unknown(now, self._unknown_gap):
                log.info("unknown attempts settled by rule", attempts=settled)

    def settle(self, campaign: Campaign) -> int:
        """Decide for every contact whose attempt ended: done, or again at a time. Return how many."""
        with self._database.transaction() as session:
            contacts = ContactRepository(session, self._vault)
            attempts = AttemptRepository(session, self._vault)
            finished = attempts.finished(campaign.id)
            for attempt in finished:
                again = _again(campaign, attempt)
                agreed = attempt.disposition == Disposition.CALLBACK
                by = ANY_AGENT if _by_person(campaign, attempt) else ""
                contacts.settle(attempt.contact_id, again, agreed=agreed, agent_id=by)
            callers = CallerRepository(session, self._vault)
            for attempt in callers.agreed(campaign.id):
                if (again := _again(campaign, attempt)) is not None:
                    by = ANY_AGENT if _by_person(campaign, attempt) else ""
                    contacts.settle(attempt.contact_id, again, agreed=True, agent_id=by)
            return len(finished) + callers.settle(campaign.id, FINAL)

    def finish(self, campaign: Campaign, now: datetime) -> bool:
        """Finish a campaign that has nothing left to do; return whether it had not."""
        with self._database.transaction() as session:
            campaigns = CampaignRepository(session)
            draining = campaign.status is not CampaignStatus.RUNNING
            if draining and AttemptRepository(session, self._vault).live(campaign.id) == 0:
                return campaigns.change(campaign.id, [campaign.status], CampaignStatus.STOPPED, now)
            if not draining and ContactRepository(session, self._vault).unsettled(campaign.id) == 0:
                return campaigns.change(campaign.id, [CampaignStatus.RUNNING], CampaignStatus.FINISHED, now)
            return False

    def trunk(self, campaign: Campaign) -> Trunk | None:
        """Return the trunk that a campaign names; None if it has a URI template. Raises CampaignError."""
        if is_template(campaign.trunk):
            return None
        with self._database.transaction() as session:
            return TrunkRepository(session, self._vault).find(campaign.trunk)

    def _allowed(
        self, session: Session, campaign: Campaign, claimed: Sequence[Claimed], now: datetime
    ) -> tuple[Contact, ...]:
        """Return those that may be called; the others get their reason stored."""
        if not claimed:
            return ()
        contacts = ContactRepository(session, self._vault)
        lists, trunk = self._rules(session, campaign)
        nobody = campaign.mode is Mode.BOT and AgentRepository(session).ready(now, campaign.id) == 0
        return tuple(
            found.contact
            for found in claimed
            if not self._refused(
                contacts,
                found,
                refuse(campaign, found, now, lists, trunk)
                or (_no_agent(now) if nobody and found.contact.agent_id else None),
                now,
            )
        )

    def _rules(self, session: Session, campaign: Campaign) -> tuple[tuple[NumberList, ...], Trunk | None]:
        named = not is_template(campaign.trunk)
        trunk = TrunkRepository(session, self._vault).find(campaign.trunk) if named else None
        return DoNotCallRepository(session, self._vault).lists(), trunk

    def _refused(
        self, contacts: ContactRepository, found: Claimed, refused: Refusal | None, now: datetime
    ) -> bool:
        if refused is None:
            return False
        contacts.refuse(found.contact, refused.reason.value, refused.words, refused.until, now)
        return True


def refuse(
    campaign: Campaign,
    found: Claimed,
    now: datetime,
    lists: Sequence[NumberList],
    trunk: Trunk | None,
    *,
    opened: int = 0,
) -> Refusal | None:
    """Return why a claimed contact must not be called; `opened` attempts of the count are the one at hand."""
    return refusal(
        campaign,
        policy_pack(campaign.policy_pack),
        found.contact,
        found.attempts - opened,
        found.history,
        forbidden=found.forbidden,
        now=now,
        lists=lists,
        trunk=trunk,
        agreed=found.agreed,
    )


def _no_agent(now: datetime) -> Refusal:
    return Refusal(Reason.NO_AGENT, "客户等人工回电，没有就绪的坐席", now + NO_AGENT)


def _by_person(campaign: Campaign, attempt: Finished) -> bool:
    """Whether an agent of ours is to call back. Where takeovers go to an address outside, the bot calls."""
    return attempt.facts.get(CALLBACK_BY) == PERSON and not campaign.transfer_uri


def _again(campaign: Campaign, attempt: Finished) -> datetime | None:
    if attempt.cause == NOT_DIALLED:
        return attempt.ended_at
    if attempt.facts.get(NUMBER_STATUS) == NumberStatus.VACANT:
        return None  # the network knows no such number
    again = next_attempt(
        attempt.disposition,
        attempt.attempts,
        campaign.max_attempts,
        attempt.ended_at,
        agreed_callback(attempt.facts, attempt.zone, attempt.ended_at),
        sip_status=attempt.sip_status,
        table=campaign.retry,
    )
    if again is None:
        return None
    return other_hours(again, attempt.disposition, attempt.tried, attempt.zone)
