"""Contacts that programs send, made fit for a list."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

from voicebot.console.api import schemas
from voicebot.domain.campaign import Campaign, Consent, Contact
from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.session import Transaction


def add(
    session: Transaction, vault: NumberVault, campaign: Campaign, new: schemas.NewContacts, now: datetime
) -> schemas.ContactsAdded:
    """Add contacts to a campaign's list."""
    usable, refused = [], []
    for index, given in enumerate(new.contacts):
        try:
            usable.append(_contact(campaign, given, new.region))
        except DataError as error:
            refused.append(schemas.Refused(index=index, reason=error.detail))
    added = ContactRepository(session, vault).add(usable, now)
    ids = [contact.id for contact in usable if contact.id in added]
    return schemas.ContactsAdded(added=ids, duplicates=len(usable) - len(ids), refused=refused)


def read_number(text: str, region: str) -> phonenumbers.PhoneNumber:
    """Return a number that can be dialled. Raises DataError."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise DataError("not a telephone number") from error
    if not phonenumbers.is_valid_number(number):
        raise DataError("not a valid telephone number")
    return number


def _contact(campaign: Campaign, given: schemas.NewContact, region: str) -> Contact:
    number = read_number(given.number, region)
    consent = given.consent
    times = (consent.given_at, consent.expires_at) if consent else ()
    if any(at is not None and at.tzinfo is None for at in times):
        raise DataError("times need a time zone")
    return Contact(
        id=str(uuid7()),
        campaign_id=campaign.id,
        number=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        zone=_zone(given.zone, number),
        slots={key: value for key, value in given.slots.items() if "\0" not in key + value},
        consent=Consent(consent.scope, consent.evidence, consent.given_at, consent.expires_at)
        if consent
        else None,
    )


def _zone(given: str, number: phonenumbers.PhoneNumber) -> str:
    """Return the zone, "" if it is not known: nobody is called then."""
    if not given:
        zones = [zone for zone in time_zones_for_number(number) if zone != "Etc/Unknown"]
        return zones[0] if len(zones) == 1 else ""
    try:
        return ZoneInfo(given).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DataError("not a time zone") from error
