"""Why a contact is not called, or when it will be: everything that decides, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voicebot.campaign.do_not_call import parse_number
from voicebot.campaign.hopper import refuse
from voicebot.campaign.trunk import is_template
from voicebot.domain.campaign import ANY_AGENT, Campaign, CampaignStatus, Contact, ContactStatus
from voicebot.domain.errors import CampaignError, DataError
from voicebot.store.agents import AgentRepository
from voicebot.store.attempts import AttemptRepository, PastCall
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository, ContactState, Refused
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository, campaign_scope
from voicebot.store.session import Database, Session
from voicebot.store.trunks import TrunkRepository


@dataclass(frozen=True, slots=True)
class Explanation:
    """What decides about the next call of a contact."""

    contact_id: str
    campaign: str
    number_masked: str
    zone: str
    consent: str  # scope, evidence and time, in words
    status: ContactStatus
    attempts: int
    may_call: bool  # now
    at: datetime | None  # the earliest next call; None = none is planned
    reasons: tuple[str, ...]  # what stands against a call now, the strongest first
    calls: tuple[PastCall, ...]  # to the number by all campaigns, oldest first
    refusals: tuple[Refused, ...]  # every stored refusal, oldest first


def explain(
    database: Database, vault: NumberVault, who: str, now: datetime, campaign: str = "", region: str = "CN"
) -> Explanation:
    """Explain one contact.

    Args:
        database: migrated.
        vault: opens the number.
        who: contact id, or phone number: the newest contact with it.
        now: aware.
        campaign: name or id; only with a phone number.
        region: of a number without country code.

    Raises CampaignError if there is no such contact.
    """
    with database.transaction() as session:
        contacts = ContactRepository(session, vault)
        contact = contacts.get(_find(session, vault, who, campaign, region))
        of = CampaignRepository(session).find(contact.campaign_id)
        state = contacts.state(contact.id)
        attempts = AttemptRepository(session, vault)
        against, until = _against(session, vault, of, contact, state, now)
        calls = attempts.calls(contact.number)
        live = [call for call in calls if call.live]
        if live:
            against.insert(0, "号码正在通话，或上一次呼叫的结果未知，尚未结清")
        planned = state.status is ContactStatus.PENDING and until is not _NEVER
        times = [state.next_at, *((until,) if until else ())]
        return Explanation(
            contact.id,
            of.name,
            state.number_masked,
            contact.zone,
            _consent(contact),
            state.status,
            state.attempts,
            may_call=planned and not against and state.next_at <= now,
            at=max(now, *times) if planned else None,
            reasons=tuple(against),
            calls=calls,
            refusals=contacts.refusals(contact.id),
        )


_NEVER = datetime.max.replace(tzinfo=UTC)


def _against(
    session: Session,
    vault: NumberVault,
    campaign: Campaign,
    contact: Contact,
    state: ContactState,
    now: datetime,
) -> tuple[list[str], datetime | None]:
    """Return what stands against a call now, and until when; _NEVER = for good."""
    found = AttemptRepository(session, vault).look(contact.id, campaign.scope, now)
    assert found is not None, "read in the same transaction"
    numbers = DoNotCallRepository(session, vault)
    trunk = None if is_template(campaign.trunk) else TrunkRepository(session, vault).find(campaign.trunk)
    against: list[str] = []
    until: datetime | None = None
    if places := numbers.found(contact.number, campaign.scope, campaign_scope(campaign.id)):
        against.append(f"号码在拒呼名单中：{', '.join(places)}")
        until = _NEVER
    elif refused := refuse(campaign, found, now, numbers.lists(), trunk):
        against.append(refused.words)
        until = refused.until or _NEVER
    if state.status is ContactStatus.DONE:
        against.append("名单上已完成，不再呼叫")
    if state.status is ContactStatus.PENDING and state.next_at > now:
        agreed = "（约定回访）" if state.callback_at else ""
        against.append(f"下次呼叫时间 {local(state.next_at, contact.zone)}{agreed}")
    if contact.agent_id == ANY_AGENT and not AgentRepository(session).ready(now, campaign.id):
        against.append("客户等人工回电，没有就绪的坐席")
    if campaign.status is not CampaignStatus.RUNNING:
        against.append(f"任务状态为 {campaign.status.value}")
    if campaign.held:
        against.append(campaign.held)
    return against, until


def _find(session: Session, vault: NumberVault, who: str, campaign: str, region: str) -> str:
    contacts = ContactRepository(session, vault)
    try:
        return contacts.get(who).id
    except (CampaignError, DataError):
        number = parse_number(who, region)
    of = CampaignRepository(session).find(campaign).id if campaign else ""
    found = contacts.by_number(number, of)
    if not found:
        raise CampaignError("no contact has this number", hint="give the id of a contact, or its number")
    return found[0]


def _consent(contact: Contact) -> str:
    consent = contact.consent
    if consent is None:
        return "没有"
    expires = f"，到期 {_there(consent.expires_at, contact.zone):%Y-%m-%d}" if consent.expires_at else ""
    given = _there(consent.given_at, contact.zone)
    return f"{consent.scope}，凭证 {consent.evidence}，{given:%Y-%m-%d}{expires}"


def local(at: datetime, zone: str) -> str:
    """Return a time as the customer's clock shows it; in UTC where the zone is not known."""
    there = _there(at, zone)
    return f"{there:%m-%d %H:%M} UTC" if there.tzinfo is UTC else f"{there:%m-%d %H:%M}（客户当地）"


def _there(at: datetime, zone: str) -> datetime:
    try:
        return at.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return at.astimezone(UTC)
