"""Calls that come in: from a PBX with the header contract, from customers who call a campaign back, or from
anybody who may try the bot.

A customer who calls back has no headers of ours: the number that calls tells the contact and the number that
was dialled the campaign. Both are only what the peer says, so only peers that are trusted are believed. The
number of a caller on no list goes with the call, sealed, so that a wish not to be called can be kept.
"""

from __future__ import annotations

import asyncio
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import structlog

from voicebot.campaign.callers import (
    caller,
    dialled,
    host_of,
    likeliest,
    numbers,
    prefixes_of,
    shows,
    trusted,
    withheld,
)
from voicebot.domain.call import Caller, CallRequest, Direction, Rejection
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.errors import CampaignError, DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.people import TakeoverKind
from voicebot.domain.trunk import Trunk
from voicebot.store.attempts import AttemptRepository
from voicebot.store.callers import CallerRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.store.session import Database, Session, time_of
from voicebot.store.trunks import TrunkRepository
from voicebot.telephony.headers import ATTEMPT, CAMPAIGN, CONTACT
from voicebot.text.redaction import mask_number

log = structlog.get_logger()

T = TypeVar("T")
CALLED_BACK = timedelta(days=90)  # so long after our call a caller is taken for one who calls back
NAMES_S = 300.0  # how long an address that a trunk's name stands for is believed
STARTED = (
    CampaignStatus.RUNNING,
    CampaignStatus.PAUSED,
    CampaignStatus.DRAINING,
    CampaignStatus.STOPPING,
    CampaignStatus.FINISHED,
    CampaignStatus.STOPPED,
)


class _RejectedError(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.rejection = Rejection(status, reason)


class Inbound:
    """Turns the headers of an INVITE into a call."""

    def __init__(
        self,
        database: Database,
        vault: NumberVault,
        worker: str = "",
        *,
        open_playbook: str = "",
        trusted_peers: Sequence[str] = (),
    ) -> None:
        """Take a database.

        Args:
            database: migrated.
            vault: opens the numbers.
            worker: name of the line worker that answers, as in its heartbeat.
            open_playbook: who calls without any of our headers gets this playbook; "" = is refused.
            trusted_peers: addresses and networks whose callers' numbers are believed, beside the trunks'.
        """
        self._database = database
        self._vault = vault
        self._worker = worker
        self._open_playbook = open_playbook
        self._trusted_peers = tuple(trusted_peers)
        self._resolved: dict[str, tuple[float, tuple[str, ...]]] = {}  # a trunk's host -> when, addresses

    async def resolve(
        self, headers: Mapping[str, str], called: str, source: str = ""
    ) -> CallRequest | Rejection:
        """Look an INVITE up, off the event loop: see `look_up`."""
        return await asyncio.to_thread(self.look_up, headers, called, source)

    def look_up(
        self, headers: Mapping[str, str], called: str = "", source: str = ""
    ) -> CallRequest | Rejection:
        """Return the call, its attempt committed, or the SIP answer that refuses it.

        With headers of ours, X-Campaign-Id and X-Contact-Id are needed. X-Attempt-Id names an attempt that
        we opened; a PBX that dialled by itself leaves it out, and the attempt is opened here. Without any, a
        trusted peer's caller is looked up.

        Args:
            headers: of the INVITE, by lower-case name or in any case.
            called: the user part of its URI.
            source: the address it came from, host:port.

        Raises StoreError.
        """
        given = {
            name.lower(): value.strip()
            for name, value in headers.items()
            if name.lower() in (CAMPAIGN.lower(), CONTACT.lower(), ATTEMPT.lower())
        }
        try:
            if given:
                return self._find(given)
            said = {name.lower(): value for name, value in headers.items()}
            found = self._called_back(said, dialled(said, called), source)
            if found is not None:
                return found
            return _request(self._open_playbook) if self._open_playbook else self._find(given)
        except _RejectedError as rejected:
            return rejected.rejection

    def _find(self, given: Mapping[str, str]) -> CallRequest:
        with self._database.transaction() as session:
            campaign = _found(CAMPAIGN, given, CampaignRepository(session).find)
            contact = _found(CONTACT, given, ContactRepository(session, self._vault).get)
            if contact.campaign_id != campaign.id:
                raise _RejectedError(404, f"{CONTACT} is not on this campaign's list")
            if attempt := given.get(ATTEMPT.lower()):
                return _ours(AttemptRepository(session, self._vault), attempt, campaign, contact)
            return self._opened(session, campaign, contact)

    def _called_back(
        self, headers: Mapping[str, str], called: Sequence[str], source: str
    ) -> CallRequest | None:
        """Return the call of a customer who calls a campaign back; None = no campaign is meant."""
        with self._database.transaction() as session:
            trunks = TrunkRepository(session, self._vault).all()
            trunk = next((one for one in trunks if one.enabled and self._comes_from(one, source)), None)
            if trunk is None and not trusted(source, self._trusted_peers):
                return None
            campaigns = _meant(CampaignRepository(session).all(*STARTED), trunk, called)
            contact_id = self._contact_of(session, headers, trunk, campaigns)
            if contact_id:
                contact = ContactRepository(session, self._vault).get(contact_id)
                campaign = CampaignRepository(session).find(contact.campaign_id)
                log.info("a contact calls back", campaign=campaign.id, contact=contact.id)
                return self._opened(session, campaign, contact)
            found = () if withheld(headers) else numbers(caller(headers), prefixes_of(trunk))
            request = self._from_nobody(session, campaigns, found)
            if request is None:
                return None
            log.info("an unknown caller", campaign=request.campaign_id, withheld=not found)
            return replace(request, caller=self._caller(found, prefixes_of(trunk)))

    def _from_nobody(
        self, session: Session, campaigns: Sequence[Campaign], found: Sequence[str]
    ) -> CallRequest | None:
        """Return the call of a caller on no list."""
        if not campaigns:
            return _request(self._open_playbook) if self._open_playbook else None
        self._not_forbidden(session, found, campaigns[0].scope)
        return _request(campaigns[0].playbook_id, campaigns[0])

    def _contact_of(
        self,
        session: Session,
        headers: Mapping[str, str],
        trunk: Trunk | None,
        campaigns: Sequence[Campaign],
    ) -> str:
        """Return the contact of a caller: whom we called last, else who stands on a list that is meant."""
        found = numbers(caller(headers), prefixes_of(trunk))
        if not found:
            return ""
        known = CallerRepository(session, self._vault)
        meant = [campaign.id for campaign in campaigns]
        return known.last_called(found, time_of(session) - CALLED_BACK) or known.listed(found, meant)

    def _opened(self, session: Session, campaign: Campaign, contact: Contact) -> CallRequest:
        """Open the attempt of a call that comes in."""
        self._not_forbidden(session, [contact.number], campaign.scope)
        request = _request(campaign.playbook_id, campaign, contact, str(uuid7()))
        attempts = AttemptRepository(session, self._vault)
        if not attempts.open_inbound(request, self._worker, time_of(session)):
            raise _RejectedError(486, "contact is in another call")
        return request

    def _not_forbidden(self, session: Session, found: Sequence[str], scope: str) -> None:
        listed = DoNotCallRepository(session, self._vault)
        if any(listed.forbids(number, scope) for number in found):
            raise _RejectedError(403, "number is on the do-not-call list")

    def _caller(self, found: Sequence[str], prefixes: Sequence[str]) -> Caller | None:
        """Return a number as it may be passed on; None if there is none."""
        if not found:
            return None
        number = likeliest(found, prefixes)
        ordered = dict.fromkeys((number, *found))
        return Caller(
            mask_number(number),
            b64encode(self._vault.seal(number)).decode(),
            tuple(self._vault.lookup(one).hex() for one in ordered),
        )

    def _comes_from(self, trunk: Trunk, source: str) -> bool:
        """Return whether an INVITE came from a trunk's host; its port may be any."""
        host, now = host_of(trunk.host), time.monotonic()
        known = self._resolved.get(host)
        if known is None or now - known[0] > NAMES_S:
            try:
                found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
            except OSError:
                found = set()
            known = self._resolved[host] = (now, tuple(found))
        return trusted(source, known[1])


def _meant(campaigns: Sequence[Campaign], trunk: Trunk | None, called: Sequence[str]) -> tuple[Campaign, ...]:
    """Return the campaigns that a call may be meant for: running ones before others, the newest first.

    They show the number that was called; where a trunk shows it for all, they call through that trunk.
    """
    prefixes = prefixes_of(trunk)
    by_number = [one for one in campaigns if one.caller_id and shows([one.caller_id], called, prefixes)]
    by_trunk = [
        one for one in campaigns if trunk is not None and one.trunk == trunk.name and not one.caller_id
    ]
    if trunk is not None and trunk.caller_ids and not shows(trunk.caller_ids, called, prefixes):
        by_trunk = []  # another number of that trunk was called
    newest = sorted(by_number or by_trunk, key=lambda one: one.id, reverse=True)
    return tuple(sorted(newest, key=lambda one: one.status is not CampaignStatus.RUNNING))


def _found(name: str, given: Mapping[str, str], find: Callable[[str], T]) -> T:
    value = given.get(name.lower())
    if not value:
        raise _RejectedError(400, f"{name} is missing")
    try:
        return find(value)
    except DataError as error:
        raise _RejectedError(400, f"{name} is no id") from error
    except CampaignError as error:
        raise _RejectedError(404, f"{name} is unknown") from error


def _ours(attempts: AttemptRepository, attempt_id: str, campaign: Campaign, contact: Contact) -> CallRequest:
    try:
        call_id = attempts.is_open(attempt_id, contact.id)
    except DataError as error:
        raise _RejectedError(400, f"{ATTEMPT} is no id") from error
    if not call_id:
        raise _RejectedError(404, f"{ATTEMPT} names no open attempt of this contact")
    return _request(campaign.playbook_id, campaign, contact, attempt_id, call_id)


def _request(
    playbook_id: str,
    campaign: Campaign | None = None,
    contact: Contact | None = None,
    attempt_id: str = "",
    call_id: str = "",
) -> CallRequest:
    return CallRequest(
        call_id=call_id or str(uuid7()),
        attempt_id=attempt_id,
        campaign_id=campaign.id if campaign else "",
        contact_id=contact.id if contact else "",
        playbook_id=playbook_id,
        direction=Direction.INBOUND,
        slots=contact.slots if contact else {},
        transfer_uri=campaign.transfer_uri if campaign else "",
        takeover=campaign.takeover if campaign else TakeoverKind.AUTO,
    )
