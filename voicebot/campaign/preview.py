"""Preview: an agent looks at a contact, and then has it called, or passes it by.

    offer ──▶ dial ──▶ the dialer reserves the agent, rings the agent's phone, then the customer's
      └─────▶ skip     (delivery `suggest` from the first word)

An offer is a lease: nobody else is shown the contact meanwhile. Looking again gives the same contact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from voicebot.campaign.hopper import OFFER_LEASE, Hopper
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact, Mode
from voicebot.domain.errors import CampaignError
from voicebot.domain.people import Agent, AgentState
from voicebot.store.agents import AgentRepository
from voicebot.store.attempts import AttemptRepository, PastCall
from voicebot.store.audit import AuditRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.session import Database
from voicebot.text.redaction import mask_number

SKIPPED = timedelta(minutes=30)  # before a contact that was passed by is offered again


@dataclass(frozen=True, slots=True)
class Offer:
    """A contact as an agent sees it before the call."""

    contact_id: str
    campaign_id: str
    campaign: str
    playbook_id: str
    number_masked: str
    zone: str
    slots: Mapping[str, str]
    attempts: int  # on this campaign
    calls: tuple[PastCall, ...]  # to the number by all campaigns, oldest first
    until: datetime  # nobody else is offered the contact before


def offer(database: Database, vault: NumberVault, name: str, agent_id: str, now: datetime) -> Offer | None:
    """Return the contact that an agent of a preview campaign looks at next; None = nobody is due.

    Raises CampaignError if the campaign is not one, does not run, or is not the agent's.
    """
    with database.transaction() as session:
        campaign = CampaignRepository(session).find(name)
        _check(campaign, AgentRepository(session).get(agent_id), agent_id, now)
        contacts = ContactRepository(session, vault)
        held = contacts.leased(campaign.id, _claimer(agent_id), now)
        if held:
            contacts.lease(held, _claimer(agent_id), now + OFFER_LEASE)
            return _offer(contacts, AttemptRepository(session, vault), campaign, contacts.get(held), now)
    found = Hopper(database, vault, _claimer(agent_id)).offer(campaign, now)
    if found is None:
        return None
    with database.transaction() as session:
        contacts = ContactRepository(session, vault)
        return _offer(contacts, AttemptRepository(session, vault), campaign, found, now)


def dial(
    database: Database, vault: NumberVault, contact_id: str, agent_id: str, now: datetime, *, actor: str = ""
) -> None:
    """Have the contact called that was offered to an agent. Compliance has the last word before the INVITE.

    `actor` is who asked for it, if not the agent.
    Raises CampaignError if it is not offered to this agent (any more), or the agent is not ready.
    """
    with database.transaction() as session:
        contacts = ContactRepository(session, vault)
        campaign = _offered(contacts, CampaignRepository(session), contact_id, agent_id, now)
        agent = AgentRepository(session).get(agent_id)
        _check(campaign, agent, agent_id, now)
        if agent is None or agent.state(now) is not AgentState.READY:
            raise CampaignError(
                "{agent} is not ready",
                hint="switch to ready, with the page open, a phone saved and no call",
                agent=agent_id,
            )
        contacts.hand_to(contact_id, agent_id, now)
        AuditRepository(session).add(actor or agent_id, "preview_call", f"contact:{contact_id}")


def skip(
    database: Database,
    vault: NumberVault,
    contact_id: str,
    agent_id: str,
    now: datetime,
    why: str = "",
    *,
    actor: str = "",
) -> None:
    """Pass by the contact that was offered to an agent; it comes again later. Raises CampaignError.

    `actor` is who asked for it, if not the agent.
    """
    with database.transaction() as session:
        contacts = ContactRepository(session, vault)
        _offered(contacts, CampaignRepository(session), contact_id, agent_id, now)
        contacts.hand_to(contact_id, "", now + SKIPPED)
        AuditRepository(session).add(actor or agent_id, "preview_skip", f"contact:{contact_id}", why=why)


def _claimer(agent_id: str) -> str:
    return f"preview:{agent_id}"


def _check(campaign: Campaign, agent: Agent | None, agent_id: str, now: datetime) -> None:
    if campaign.mode is not Mode.PREVIEW:
        raise CampaignError(
            "{campaign} is no preview campaign",
            hint="campaign edit {campaign} --mode preview",
            campaign=campaign.name,
        )
    if campaign.status is not CampaignStatus.RUNNING:
        raise CampaignError(
            "{campaign} is {status}",
            hint="it must be started first",
            campaign=campaign.name,
            status=campaign.status,
        )
    if campaign.starts_at is not None and now < campaign.starts_at:
        raise CampaignError(
            "{campaign} begins at {at:%Y-%m-%d %H:%M} UTC", campaign=campaign.name, at=campaign.starts_at
        )
    if agent is None:
        raise CampaignError(
            "there is no agent {agent}", hint="an agent signs in and saves a phone once", agent=agent_id
        )
    if agent.campaigns and campaign.id not in agent.campaigns:
        raise CampaignError("{agent} takes no calls of {campaign}", agent=agent_id, campaign=campaign.name)


def _offered(
    contacts: ContactRepository,
    campaigns: CampaignRepository,
    contact_id: str,
    agent_id: str,
    now: datetime,
) -> Campaign:
    campaign = campaigns.find(contacts.get(contact_id).campaign_id)
    if contacts.leased(campaign.id, _claimer(agent_id), now) != contact_id:
        raise CampaignError("the contact is not offered to you any more", hint="look at the next one")
    return campaign


def _offer(
    contacts: ContactRepository,
    attempts: AttemptRepository,
    campaign: Campaign,
    contact: Contact,
    now: datetime,
) -> Offer:
    return Offer(
        contact.id,
        campaign.id,
        campaign.name,
        campaign.playbook_id,
        mask_number(contact.number),
        contact.zone,
        contact.slots,
        contacts.state(contact.id).attempts,
        attempts.calls(contact.number),
        now + OFFER_LEASE,
    )
