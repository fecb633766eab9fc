"""Rehearsals: a campaign tried on simulated customers, or on one's own phone, before it calls anybody else.

A rehearsal is a campaign itself, called by the same dialer over the same lines, so it proves the whole way.
It is not counted where campaigns are.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

from voicebot import bootstrap
from voicebot.campaign import management, readiness
from voicebot.domain.campaign import Campaign, CampaignStatus, Consent, Contact, Mode
from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.registry import resources
from voicebot.service.child import Child
from voicebot.settings import Settings
from voicebot.simulate import personas
from voicebot.simulate.personas import Persona
from voicebot.store.audit import AuditRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.session import Database

SIMULATION = "SIMULATION"
ZONE = "Asia/Shanghai"
SIMULTANEOUS = 3
RING_S = 8.0
FIRST = 100  # priority: a rehearsal is short, and somebody waits for it
QUICK = ("interested", "busy_calm", "annoyed", "polite_no", "silent", "no_answer")


def customers() -> tuple[Persona, ...]:
    """Return who can be called in a rehearsal."""
    people = personas.load(resources.demo_dir() / "personas.yaml")
    return tuple(person for person in people if person.role == "customer")


def phone_of_customers(logs: Path, role: str = "customer") -> Child:
    """Return the process that answers for simulated people; its facts tell its sip_uri."""
    return Child(
        role,
        "voicebot.service.customers",
        ("--role", role, "--events", str(logs / f"{role}.jsonl")),
        log_file=logs / f"{role}.log",
    )


def contacts_of(campaign: Campaign, people: Sequence[Persona]) -> Iterator[tuple[Contact, Persona]]:
    """Yield a contact for each persona.

    Country code 999 is assigned to nobody. New numbers every time: who said "never again" stays on the
    do-not-call list, as anybody would.
    """
    run = secrets.randbelow(900_000) + 100_000
    for person in people:
        yield Contact(str(uuid7()), campaign.id, f"+999{run}{person.number}", ZONE), person


def on_customers(
    settings: Settings,
    database: Database,
    campaign: Campaign,
    phone_uri: str,
    people: Sequence[Persona],
    actor: str,
) -> Campaign:
    """Start a rehearsal that calls personas at a phone. Raises CampaignError if a prompt has no sound."""
    address = phone_uri.rpartition("@")[2].partition(";")[0]
    made = replace(
        _like(campaign),
        policy_pack=SIMULATION,
        trunk=f"sip:{{number}}@{address}",
        caller_id="",
        max_calls=min(campaign.max_calls, SIMULTANEOUS),
        ring_timeout_s=RING_S,
    )
    return _started(settings, database, made, [contact for contact, _ in contacts_of(made, people)], actor)


def on_own_phone(
    settings: Settings, database: Database, campaign: Campaign, number: str, actor: str
) -> Campaign:
    """Start a rehearsal that calls whoever rehearses, by the campaign's trunk and under its rules.

    The person's own wish is the consent that is kept. Hours, do-not-call and the other rules hold as for
    anybody.

    Raises DataError for a number that is none, CampaignError, ComplianceError.
    """
    called, zone = _own(number)
    if campaign.policy_pack == SIMULATION:
        zone = ZONE
    made = replace(_like(campaign), max_calls=1)
    consent = Consent(campaign.scope, f"rehearsal: {actor} asked to be called", datetime.now(UTC))
    contact = Contact(str(uuid7()), made.id, called, zone, {}, consent)
    return _started(settings, database, made, [contact], actor)


def _own(text: str) -> tuple[str, str]:
    """Return a number as it is kept, and the only zone it can be in; "" = unknown: nobody is called then."""
    try:
        number = phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException as error:
        raise DataError("this is no telephone number", hint="such as 13800138000 or +442071838750") from error
    zones = [zone for zone in time_zones_for_number(number) if zone != "Etc/Unknown"]
    called = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return called, zones[0] if len(zones) == 1 else ""


def _like(campaign: Campaign) -> Campaign:
    now = datetime.now(UTC)
    return replace(
        campaign,
        id=str(uuid7()),
        name=f"{campaign.name} · 彩排 {now:%m-%d %H:%M:%S}",
        status=CampaignStatus.DRAFT,
        mode=Mode.BOT,
        max_attempts=1,
        priority=FIRST,
        hours="" if campaign.policy_pack == SIMULATION else campaign.hours,
        starts_at=None,
        ends_at=None,
        held="",
        rehearses=campaign.id,
    )


def _started(
    settings: Settings, database: Database, made: Campaign, contacts: Sequence[Contact], actor: str
) -> Campaign:
    vault, prompts = bootstrap.vault(settings), bootstrap.prompts(settings)
    playbook = bootstrap.playbooks(settings).get(made.playbook_id)
    readiness.require(playbook, prompts)  # before anything is kept of it
    now = datetime.now(UTC)
    management.create(database, vault, made, actor)
    with database.transaction() as session:
        ContactRepository(session, vault).add(contacts, now)
        AuditRepository(session).add(actor, "rehearse", f"campaign:{made.rehearses}", rehearsal=made.id)
    started, _ = management.start(database, vault, made.id, playbook, prompts, actor, now)
    return started
