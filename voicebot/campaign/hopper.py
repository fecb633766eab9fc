"""The hopper: from a campaign's list to committed call attempts, every step one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from voicebot.campaign.compliance import Refusal, refusal
from voicebot.campaign.policy_pack import policy_pack
from voicebot.campaign.retry import agreed_callback, next_attempt
from voicebot.domain.answering import NUMBER_STATUS, NumberStatus
from voicebot.domain.call import CallRequest
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.store.attempts import NOT_DIALLED, AttemptRepository, Claimed, Finished
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.session import Database
from voicebot.store.workers import Worker, WorkerRepository

log = structlog.get_logger()

LEASE = timedelta(seconds=60)
BATCH = 50
GIVEN_BACK = timedelta(seconds=2)  # before a contact is tried again whose worker was full


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

    def campaigns(self) -> tuple[Campaign, ...]:
        """Return the campaigns that have work: running ones, and draining ones."""
        with self._database.transaction() as session:
            return CampaignRepository(session).all(CampaignStatus.RUNNING, CampaignStatus.DRAINING)

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
            contacts = ContactRepository(session, self._vault)
            claimed = attempts.claim(campaign, self._claimer, min(limit, BATCH), now, LEASE)
            return tuple(
                found.contact
                for found in claimed
                if not self._refused(contacts, found, refuse(campaign, found, now), now)
            )

    def release(self) -> None:
        """Give back what this claimer, or an earlier one of its name, has leased and not opened."""
        with self._database.transaction() as session:
            AttemptRepository(session, self._vault).release(self._claimer)

    def open(self, campaign: Campaign, request: CallRequest, worker: str, now: datetime) -> bool:
        """Commit the attempt of a leased contact, if compliance still allows it; then INVITE at once."""
        with self._database.transaction() as session:
            attempts = AttemptRepository(session, self._vault)
            if not attempts.open(request, self._claimer, worker, now):
                return False
            found = attempts.look(request.contact_id, campaign.scope, now)
            again = found and refuse(campaign, found, now, opened=1)
            if found and again:
                attempts.give_back(request.attempt_id, now, now)
                self._refused(ContactRepository(session, self._vault), found, again, now)
            return not again

    def give_back(self, request: CallRequest, now: datetime) -> None:
        """End an attempt whose INVITE was certainly not sent."""
        with self._database.transaction() as session:
            AttemptRepository(session, self._vault).give_back(request.attempt_id, now, now + GIVEN_BACK)

    def lose(self, request: CallRequest) -> None:
        """Mark an attempt unknown: nobody can tell whether its INVITE was sent."""
        with self._database.transaction() as session:
            AttemptRepository(session, self._vault).lose(request.attempt_id)

    def sweep(self, now: datetime) -> None:
        """Find attempts whose worker died, and close those that a rule may close."""
        with self._database.transaction() as session:
            attempts = AttemptRepository(session, self._vault)
            if lost := attempts.lose_orphans(now):
                log.warning("attempts lost their worker", attempts=lost)
            if settled := attempts.settle_unknown(now, self._unknown_gap):
                log.info("unknown attempts settled by rule", attempts=settled)

    def settle(self, campaign: Campaign) -> int:
        """Decide for every contact whose attempt ended: done, or again at a time. Return how many."""
        with self._database.transaction() as session:
            contacts = ContactRepository(session, self._vault)
            finished = AttemptRepository(session, self._vault).finished(campaign.id)
            for attempt in finished:
                contacts.settle(attempt.contact_id, _again(campaign, attempt))
            return len(finished)

    def finish(self, campaign: Campaign, now: datetime) -> bool:
        """Finish a campaign that has nothing left to do; return whether it had not."""
        with self._database.transaction() as session:
            campaigns = CampaignRepository(session)
            draining = campaign.status is CampaignStatus.DRAINING
            if draining and AttemptRepository(session, self._vault).live(campaign.id) == 0:
                return campaigns.change(campaign.id, [CampaignStatus.DRAINING], CampaignStatus.STOPPED, now)
            if not draining and ContactRepository(session, self._vault).unsettled(campaign.id) == 0:
                return campaigns.change(campaign.id, [CampaignStatus.RUNNING], CampaignStatus.FINISHED, now)
            return False

    def _refused(
        self, contacts: ContactRepository, found: Claimed, refused: Refusal | None, now: datetime
    ) -> bool:
        if refused is None:
            return False
        contacts.refuse(found.contact.id, refused.reason.value, refused.words, refused.until, now)
        return True


def refuse(campaign: Campaign, found: Claimed, now: datetime, *, opened: int = 0) -> Refusal | None:
    """Return why a claimed contact must not be called; `opened` attempts of the count are the one at hand."""
    return refusal(
        campaign,
        policy_pack(campaign.policy_pack),
        found.contact,
        found.attempts - opened,
        found.history,
        forbidden=found.forbidden,
        now=now,
    )


def _again(campaign: Campaign, attempt: Finished) -> datetime | None:
    if attempt.cause == NOT_DIALLED:
        return attempt.ended_at
    if attempt.facts.get(NUMBER_STATUS) == NumberStatus.VACANT:
        return None  # the network knows no such number
    return next_attempt(
        attempt.disposition,
        attempt.attempts,
        campaign.max_attempts,
        attempt.ended_at,
        agreed_callback(attempt.facts, attempt.zone, attempt.ended_at),
    )
