"""Why a contact is not called, or when it will be: everything that decides, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voicebot.campaign.compliance import Reason, Refusal
from voicebot.campaign.do_not_call import parse_number
from voicebot.campaign.hopper import refuse
from voicebot.campaign.outlook import Outlook, outlook
from voicebot.campaign.policy_pack import policy_pack
from voicebot.campaign.trunk import is_template
from voicebot.domain.campaign import (
    ANY_AGENT,
    AttemptStatus,
    Campaign,
    CampaignStatus,
    Contact,
    ContactStatus,
    Mode,
)
from voicebot.domain.errors import CampaignError, DataError
from voicebot.domain.trunk import Trunk
from voicebot.store.agents import AgentRepository
from voicebot.store.attempts import AttemptRepository, PastCall
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository, ContactState, Refused
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository, campaign_scope
from voicebot.store.session import Database, Session
from voicebot.store.trunks import TrunkRepository

# a campaign that stands so never calls again
OVER = frozenset({CampaignStatus.DRAINING, CampaignStatus.STOPPING, CampaignStatus.STOPPED})


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
    at: datetime | None  # the earliest next call, once the conditions are met; None = none is planned (yet)
    reasons: tuple[str, ...]  # what stands against a call now, the strongest first
    conditions: tuple[str, ...]  # of these, what no clock ends: somebody or something must act first
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
        ahead = _rules(session, vault, of, contact, state, now)
        over = _over(of, state)
        at = ahead.at if state.status is ContactStatus.PENDING and not over else None
        conditions = (
            *_line_conditions(attempts, contact, state),
            *(f"{words}，须重新导入" for words in ahead.loads),
            *_campaign_conditions(session, vault, of, contact, now),
        )
        rules = tuple(_words(ahead, of, contact, now))
        passing = (*conditions, *_waiting(of, contact, state, now))
        reasons = (*over, *passing, *rules) if ahead.at else (*over, *rules, *passing)
        return Explanation(
            contact.id,
            of.name,
            state.number_masked,
            contact.zone,
            _consent(contact),
            state.status,
            state.attempts,
            may_call=at is not None and at <= now and not conditions,
            at=at,
            reasons=reasons,
            conditions=conditions,
            calls=attempts.calls(contact.number),
            refusals=contacts.refusals(contact.id),
        )


def _rules(
    session: Session,
    vault: NumberVault,
    campaign: Campaign,
    contact: Contact,
    state: ContactState,
    now: datetime,
) -> Outlook:
    """Return what the rules say of the contact's next call, from when it is due on."""
    found = AttemptRepository(session, vault).look(contact.id, campaign.scope, now)
    assert found is not None, "read in the same transaction"
    numbers = DoNotCallRepository(session, vault)
    if places := numbers.found(contact.number, campaign.scope, campaign_scope(campaign.id)):
        words = f"号码在拒呼名单中：{', '.join(places)}"
        return Outlook(None, ((now, Refusal(Reason.DO_NOT_CALL, words)),))
    trunk = _trunk(session, vault, campaign)
    return outlook(
        lambda at, lists: refuse(campaign, found, at, lists, trunk),
        policy_pack(campaign.policy_pack),
        numbers.lists(),
        max(now, state.next_at, campaign.starts_at or now),
        campaign.ends_at,
    )


def _trunk(session: Session, vault: NumberVault, campaign: Campaign) -> Trunk | None:
    return None if is_template(campaign.trunk) else TrunkRepository(session, vault).find(campaign.trunk)


def _over(campaign: Campaign, state: ContactState) -> tuple[str, ...]:
    """Return why no call is planned at all, in words."""
    if campaign.status in OVER:
        return (f"任务状态为 {campaign.status.value}，不再呼叫",)
    if state.status is ContactStatus.DONE:
        return ("名单上已完成，不再呼叫",)
    return ()


def _line_conditions(attempts: AttemptRepository, contact: Contact, state: ContactState) -> Iterator[str]:
    """Yield what must be known of earlier calls to the number before it is called again."""
    if state.status is ContactStatus.CALLING:
        yield "这次呼叫还没有结算，之后才定下次呼叫"
    statuses = {call.status for call in attempts.calls(contact.number)}
    if AttemptStatus.OPEN in statuses:
        yield "号码正在通话"
    if AttemptStatus.UNKNOWN in statuses:
        yield "上一次呼叫的结果未知，尚未结清（线路进程恢复后按规则结清，或 voicebot campaign settle）"
    for worker in attempts.unreplayed(contact.number):
        yield f"线路进程 {worker} 的通话记录还没有写入数据库"


def _campaign_conditions(
    session: Session, vault: NumberVault, campaign: Campaign, contact: Contact, now: datetime
) -> Iterator[str]:
    """Yield what holds the campaign back, other than the clock."""
    if campaign.status is not CampaignStatus.RUNNING and campaign.status not in OVER:
        yield f"任务状态为 {campaign.status.value}"
    if campaign.held and not (campaign.starts_at and campaign.starts_at > now):
        yield campaign.held
    trunk = _trunk(session, vault, campaign)
    if trunk is not None and not trunk.enabled and not campaign.held:
        yield f"线路 {trunk.name} 已停用"
    if contact.agent_id == ANY_AGENT and not AgentRepository(session).ready(now, campaign.id):
        yield "客户等人工回电，没有就绪的坐席"
    if campaign.mode is Mode.PREVIEW and not contact.agent_id:
        yield "预览模式：坐席看过客户资料、选择呼叫之后才呼叫"


def _waiting(campaign: Campaign, contact: Contact, state: ContactState, now: datetime) -> Iterator[str]:
    """Yield what the clock ends by itself, apart from the rules."""
    if campaign.starts_at and campaign.starts_at > now:
        yield f"任务计划 {local(campaign.starts_at, contact.zone)}开始"
    if state.status is ContactStatus.PENDING and state.next_at > now:
        agreed = "（约定回访）" if state.callback_at else ""
        yield f"下次呼叫时间 {local(state.next_at, contact.zone)}{agreed}"


def _words(ahead: Outlook, campaign: Campaign, contact: Contact, now: datetime) -> Iterator[str]:
    """Yield the refusals in the way, once each; those that come later with their time."""
    told: set[str] = set()
    for at, refused in ahead.refusals:
        if refused.words not in told:
            told.add(refused.words)
            yield refused.words if at <= now else f"{local(at, contact.zone)}：{refused.words}"
    if ahead.ended and campaign.ends_at:
        yield f"在此之前任务已结束：{local(campaign.ends_at, contact.zone)}"


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
