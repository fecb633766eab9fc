"""Calls that come in: from a PBX with the header contract, or from anybody who may try the bot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from voicebot.domain.call import CallRequest, Direction, Rejection
from voicebot.domain.campaign import Campaign, Contact
from voicebot.domain.errors import CampaignError, DataError
from voicebot.domain.ids import uuid7
from voicebot.store.attempts import AttemptRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.store.session import Database
from voicebot.telephony.headers import ATTEMPT, CAMPAIGN, CONTACT

T = TypeVar("T")


class _RejectedError(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.rejection = Rejection(status, reason)


class Inbound:
    """Turns the headers of an INVITE into a call."""

    def __init__(
        self, database: Database, vault: NumberVault, worker: str = "", *, open_playbook: str = ""
    ) -> None:
        """Take a database.

        Args:
            database: migrated.
            vault: opens the numbers.
            worker: name of the line worker that answers, as in its heartbeat.
            open_playbook: who calls without any of our headers gets this playbook; "" = is refused.
        """
        self._database = database
        self._vault = vault
        self._worker = worker
        self._open_playbook = open_playbook

    async def resolve(self, headers: Mapping[str, str], called: str) -> CallRequest | Rejection:
        """Look an INVITE up, off the event loop. `called`, the user part of its URI, decides nothing."""
        return await asyncio.to_thread(self.look_up, headers)

    def look_up(self, headers: Mapping[str, str]) -> CallRequest | Rejection:
        """Return the call, its attempt committed, or the SIP answer that refuses it.

        X-Campaign-Id and X-Contact-Id are needed. X-Attempt-Id names an attempt that we opened; a PBX
        that dialled by itself leaves it out, and the attempt is opened here. Raises StoreError.
        """
        given = {
            name.lower(): value.strip()
            for name, value in headers.items()
            if name.lower() in (CAMPAIGN.lower(), CONTACT.lower(), ATTEMPT.lower())
        }
        if not given and self._open_playbook:
            return _request(self._open_playbook)
        try:
            return self._find(given)
        except _RejectedError as rejected:
            return rejected.rejection

    def _find(self, given: Mapping[str, str]) -> CallRequest:
        with self._database.transaction() as session:
            campaign = _found(CAMPAIGN, given, CampaignRepository(session).find)
            contact = _found(CONTACT, given, ContactRepository(session, self._vault).get)
            if contact.campaign_id != campaign.id:
                raise _RejectedError(404, f"{CONTACT} is not on this campaign's list")
            attempts = AttemptRepository(session, self._vault)
            if attempt := given.get(ATTEMPT.lower()):
                return _ours(attempts, attempt, campaign, contact)
            if DoNotCallRepository(session, self._vault).forbids(contact.number, campaign.scope):
                raise _RejectedError(403, "number is on the do-not-call list")
            request = _request(campaign.playbook_id, campaign, contact, str(uuid7()))
            if not attempts.open_inbound(request, self._worker, datetime.now(UTC)):
                raise _RejectedError(486, "contact is in another call")
            return request


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
    )
