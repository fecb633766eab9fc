"""May this contact be called now? Pure, and closed by default: what is not known forbids the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voicebot.campaign.policy_pack import WEEKDAYS, PolicyPack
from voicebot.campaign.trunk import is_loopback
from voicebot.domain.campaign import Campaign, Contact
from voicebot.store.attempts import PastAttempt


class Reason(StrEnum):
    """Why a contact is not called."""

    DO_NOT_CALL = "do_not_call"
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
    """
    if forbidden:
        return Refusal(Reason.DO_NOT_CALL, "号码在拒呼名单中")
    if policy.loopback_only and not is_loopback(campaign.trunk):
        return Refusal(Reason.TRUNK_NOT_LOCAL, "该政策只允许呼叫本机, 而线路指向外部")
    if attempts >= campaign.max_attempts:
        return Refusal(Reason.ATTEMPTS_USED, f"已呼叫 {attempts} 次, 达到任务上限")
    if policy.consent_required and (found := _consent(campaign, contact, now)):
        return found
    try:
        zone = ZoneInfo(contact.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return Refusal(Reason.ZONE_UNKNOWN, "客户时区未知")
    return _frequency(policy, history, zone, now) or _window(policy, zone, now)


def next_opening(policy: PolicyPack, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return when the contact's next window is open: now, later, or never (None)."""
    local = now.astimezone(zone)
    midnight = datetime.combine(local.date(), time(), UTC)
    for days in range(8):
        day = midnight + timedelta(days=days)
        for start, end in policy.windows[WEEKDAYS[day.weekday()]]:
            opens, closes = _instant(day, start, zone), _instant(day, end, zone)
            if now < closes and opens < closes:
                return max(now, opens)
    return None


def _consent(campaign: Campaign, contact: Contact, now: datetime) -> Refusal | None:
    consent = contact.consent
    if consent is None or not consent.evidence or consent.given_at > now:
        return Refusal(Reason.NO_CONSENT, "没有带凭证的同意记录")
    if consent.scope != campaign.scope:
        return Refusal(Reason.CONSENT_SCOPE, f"客户同意的范围不包括 {campaign.scope}")
    if consent.expires_at is not None and consent.expires_at <= now:
        return Refusal(Reason.CONSENT_EXPIRED, "同意已过期")
    return None


def _frequency(
    policy: PolicyPack, history: Sequence[PastAttempt], zone: ZoneInfo, now: datetime
) -> Refusal | None:
    local = now.astimezone(zone)
    today = [past for past in history if past.at.astimezone(zone).date() == local.date()]
    tomorrow = _instant(datetime.combine(local.date(), time(), UTC) + timedelta(days=1), 0, zone)
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


def _window(policy: PolicyPack, zone: ZoneInfo, now: datetime) -> Refusal | None:
    opening = next_opening(policy, zone, now)
    if opening is None:
        return Refusal(Reason.NO_WINDOW, "政策中没有允许呼叫的时段")
    if opening > now:
        local = opening.astimezone(zone)
        return Refusal(
            Reason.OUTSIDE_WINDOW, f"客户当地时间不在允许时段, {local:%m-%d %H:%M} 起可呼叫", opening
        )
    return None


def _instant(day: datetime, minute: int, zone: ZoneInfo) -> datetime:
    # The wall clock is set first and the zone after, so days of 23 or 25 hours come out right.
    wall = (day + timedelta(minutes=minute)).replace(tzinfo=zone)
    return wall.astimezone(UTC)
