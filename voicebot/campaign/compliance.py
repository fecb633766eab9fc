"""May this contact be called now? Pure, and closed by default: what is not known forbids the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers

from voicebot.campaign.policy_pack import PolicyPack
from voicebot.campaign.trunk import dialable, stays_here
from voicebot.campaign.windows import DayHours, Week, instant, intersect, of_day, openings, parse_week
from voicebot.domain.campaign import Campaign, Contact
from voicebot.domain.trunk import Trunk
from voicebot.store.attempts import PastAttempt
from voicebot.store.do_not_call import NumberList

LIST_AGAIN = timedelta(minutes=10)  # until a list that is missing or too old is looked for again


class Reason(StrEnum):
    """Why a contact is not called."""

    DO_NOT_CALL = "do_not_call"
    LIST_MISSING = "list_missing"
    LIST_STALE = "list_stale"
    REGION = "region"
    PREFIX = "prefix"
    NO_CONSENT = "no_consent"
    CONSENT_SCOPE = "consent_scope"
    CONSENT_EXPIRED = "consent_expired"
    ZONE_UNKNOWN = "zone_unknown"
    TRUNK_NOT_LOCAL = "trunk_not_local"
    ATTEMPTS_USED = "attempts_used"
    NO_WINDOW = "no_window"
    OUTSIDE_WINDOW = "outside_window"
    DAY_LIMIT = "day_limit"
    UNANSWERED_LIMIT = "unanswered_limit"
    WEEK_LIMIT = "week_limit"
    TOO_SOON = "too_soon"
    NO_AGENT = "no_agent"  # a person is to call back, and nobody is ready

    @property
    def chinese(self) -> str:
        """What people read."""
        return {
            "do_not_call": "在不呼叫名单上",
            "list_missing": "必须核对的名单还没有导入",
            "list_stale": "必须核对的名单太旧",
            "region": "号码不在规则适用的地区",
            "prefix": "线路不接这个号段",
            "no_consent": "没有有效的同意",
            "consent_scope": "同意的范围不对",
            "consent_expired": "同意已过期",
            "zone_unknown": "不知道客户的时区",
            "trunk_not_local": "只许在本机呼叫，线路指向外部",
            "attempts_used": "已达到任务的呼叫次数",
            "no_window": "没有允许呼叫的时段",
            "outside_window": "现在不在允许的时段",
            "day_limit": "今天呼叫次数已满",
            "unanswered_limit": "今天未接次数已满",
            "week_limit": "本周呼叫次数已满",
            "too_soon": "离上次呼叫太近",
            "no_agent": "等坐席回电，现在没有人就绪",
        }[self.value]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal to dial: the code, words for people, and until when (None = for good)."""

    reason: Reason
    words: str
    until: datetime | None = None


def refusal(
    campaign: Campaign,
    policy: PolicyPack,
    contact: Contact,
    attempts: int,
    history: Sequence[PastAttempt],
    *,
    forbidden: bool,
    now: datetime,
    lists: Sequence[NumberList] = (),
    trunk: Trunk | None = None,
    agreed: bool = False,
) -> Refusal | None:
    """Return why the contact must not be called now; None if it may be.

    Args:
        campaign: whose scope, trunk and limit of attempts count.
        policy: the rules.
        contact: whom to call.
        attempts: how often this campaign has called the contact.
        history: earlier calls to the number by any campaign, of seven days at least, oldest first.
        forbidden: the number is on a do-not-call list.
        now: aware.
        lists: the do-not-call lists that are loaded.
        trunk: through which the campaign calls, if it is one with a name.
        agreed: a call was agreed, which is one more than the campaign's limit of attempts; the law's holds.
    """
    if forbidden:
        return Refusal(Reason.DO_NOT_CALL, "号码在拒呼名单中")
    if found := _lists(policy, lists, now) or _number(policy, contact.number, trunk):
        return found
    if policy.loopback_only and not stays_here(campaign.trunk, trunk):
        return Refusal(Reason.TRUNK_NOT_LOCAL, "该政策只允许呼叫本机, 而线路指向外部")
    if attempts >= campaign.max_attempts + agreed:
        return Refusal(Reason.ATTEMPTS_USED, f"已呼叫 {attempts} 次, 达到任务上限")
    if policy.consent_required and (found := _consent(campaign, contact, now)):
        return found
    try:
        zone = ZoneInfo(contact.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return Refusal(Reason.ZONE_UNKNOWN, "客户时区未知")
    return _frequency(policy, history, zone, now) or _window(campaign, policy, zone, now)


def open_hours(campaign: Campaign, policy: PolicyPack) -> DayHours:
    """Return the hours of each local day: the policy's, narrowed by the campaign's. Raises CampaignError."""
    own = _week(campaign.hours) if campaign.hours else None

    def of(day: date) -> tuple[tuple[int, int], ...]:
        allowed = policy.open_on(day)
        return allowed if own is None else intersect(allowed, of_day(own, day))

    return of


def next_opening(hours: DayHours, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return when the contact's next window is open: now, later, or never (None)."""
    return next((opens for opens, _ in openings(hours, zone, now)), None)


@cache
def _week(hours: str) -> Week:
    return parse_week(hours)


def _lists(policy: PolicyPack, lists: Sequence[NumberList], now: datetime) -> Refusal | None:
    loaded = {found.name: found for found in lists}
    soon = now + LIST_AGAIN
    for name in policy.registries:
        if name not in loaded:
            return Refusal(Reason.LIST_MISSING, f"拒呼登记 {name} 没有导入", soon)
        if loaded[name].as_of + timedelta(days=policy.registry_max_age_days) < now:
            return Refusal(Reason.LIST_STALE, f"拒呼登记 {name} 已过期", soon)
    for found in lists:
        if found.stale(now):
            return Refusal(Reason.LIST_STALE, f"拒呼名单 {found.name} 已过期", soon)
    return None


def _number(policy: PolicyPack, number: str, trunk: Trunk | None) -> Refusal | None:
    if "*" not in policy.regions and _region(number) not in policy.regions:
        return Refusal(Reason.REGION, f"该政策只允许呼叫 {', '.join(policy.regions)} 的号码")
    if trunk is not None and not dialable(trunk, number):
        return Refusal(Reason.PREFIX, f"线路 {trunk.name} 不允许呼叫这个号段")
    return None


def _region(number: str) -> str:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""


def _consent(campaign: Campaign, contact: Contact, now: datetime) -> Refusal | None:
    consent = contact.consent
    if consent is None or not consent.evidence or consent.given_at > now:
        return Refusal(Reason.NO_CONSENT, "没有带凭证的同意记录")
    if campaign.scope not in (scope.strip() for scope in consent.scope.split(";")):
        return Refusal(Reason.CONSENT_SCOPE, f"客户同意的范围不包括 {campaign.scope}")
    if consent.expires_at is not None and consent.expires_at <= now:
        return Refusal(Reason.CONSENT_EXPIRED, "同意已过期")
    return None


def _frequency(
    policy: PolicyPack, history: Sequence[PastAttempt], zone: ZoneInfo, now: datetime
) -> Refusal | None:
    local = now.astimezone(zone)
    today = [past for past in history if past.at.astimezone(zone).date() == local.date()]
    tomorrow = instant(local.date() + timedelta(days=1), 0, zone)
    if len(today) >= policy.calls_per_day:
        return Refusal(Reason.DAY_LIMIT, f"今天已呼叫 {len(today)} 次", tomorrow)
    unanswered = sum(not past.answered for past in today)
    if unanswered >= policy.unanswered_per_day:
        return Refusal(Reason.UNANSWERED_LIMIT, f"今天已有 {unanswered} 次未接", tomorrow)
    week = sorted(past.at for past in history if past.at > now - timedelta(days=7))
    if len(week) >= policy.calls_per_week:
        freed = week[-policy.calls_per_week] + timedelta(days=7)
        return Refusal(Reason.WEEK_LIMIT, f"七天内已呼叫 {len(week)} 次", freed)
    free_again = week[-1] + timedelta(minutes=policy.min_gap_minutes) if week else now
    if free_again > now:
        return Refusal(Reason.TOO_SOON, f"距上次呼叫不足 {policy.min_gap_minutes} 分钟", free_again)
    return None


def _window(campaign: Campaign, policy: PolicyPack, zone: ZoneInfo, now: datetime) -> Refusal | None:
    opening = next_opening(open_hours(campaign, policy), zone, now)
    if opening is None:
        return Refusal(Reason.NO_WINDOW, "没有允许呼叫的时段")
    if opening > now:
        local = opening.astimezone(zone)
        return Refusal(
            Reason.OUTSIDE_WINDOW, f"客户当地时间不在允许时段, {local:%m-%d %H:%M} 起可呼叫", opening
        )
    return None
