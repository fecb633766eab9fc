"""When a contact can be called next: never a time at which the rules forbid it, never later than needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebot.campaign.compliance import Reason, Refusal, refusal
from voicebot.campaign.outlook import Outlook, Rule, outlook
from voicebot.campaign.policy_pack import policy_pack
from voicebot.domain.campaign import Campaign, CampaignStatus, Consent, Contact
from voicebot.store.attempts import PastAttempt
from voicebot.store.do_not_call import NumberList

pytestmark = pytest.mark.unit

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY_10 = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
NUMBERS = {"CN": "+8613900000000", "US": "+12025550123"}
CAMPAIGN = Campaign("c", "spring", "loan", CampaignStatus.RUNNING, "CN", trunk="sip:{number}@gateway.example")
CONSENT = Consent("marketing", "form 17", datetime(2025, 1, 1, tzinfo=UTC))
CONTACT = Contact("k", "c", NUMBERS["CN"], "Asia/Shanghai", consent=CONSENT)


def rule(
    campaign: Campaign = CAMPAIGN,
    contact: Contact = CONTACT,
    history: tuple[PastAttempt, ...] = (),
    attempts: int = 0,
) -> Rule:
    policy = policy_pack(campaign.policy_pack)

    def ask(at: datetime, lists: Sequence[NumberList]) -> Refusal | None:
        return refusal(campaign, policy, contact, attempts, history, forbidden=False, now=at, lists=lists)

    return ask


def look(
    ask: Rule,
    now: datetime = MONDAY_10,
    *,
    pack: str = "CN",
    lists: tuple[NumberList, ...] = (),
    ends_at: datetime | None = None,
) -> Outlook:
    return outlook(ask, policy_pack(pack), lists, now, ends_at)


def local(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=SHANGHAI)


def past(*hours_ago: float, before: datetime = MONDAY_10) -> tuple[PastAttempt, ...]:
    return tuple(PastAttempt(before - timedelta(hours=hours), answered=False) for hours in hours_ago)


STALE = NumberList("partner", MONDAY_10 - timedelta(days=8), 7, 1, MONDAY_10)
UNTIL_TUESDAY = replace(STALE, as_of=MONDAY_10 - timedelta(days=6, hours=12))


@pytest.mark.parametrize(
    ("now", "history", "contact", "lists", "at", "reasons", "loads"),
    [
        # nothing stands against it; outside the hours; on a Sunday; in the week of national holidays
        (MONDAY_10, (), CONTACT, (), MONDAY_10, [], 0),
        (local(23, 13), (), CONTACT, (), local(23, 14), [Reason.OUTSIDE_WINDOW], 0),
        (local(22, 15), (), CONTACT, (), local(23, 9), [Reason.OUTSIDE_WINDOW], 0),
        (local(3, 10, month=10), (), CONTACT, (), local(8, 9, month=10), [Reason.OUTSIDE_WINDOW], 0),
        # the hour after the last call lies at night
        (
            local(23, 19, 50),
            past(0.5, before=local(23, 19, 50)),
            CONTACT,
            (),
            local(24, 9),
            [Reason.TOO_SOON, Reason.OUTSIDE_WINDOW],
            0,
        ),
        # the day's calls are used; midnight is no time to call
        (
            local(28, 17),
            past(5, 3, before=local(28, 17)),
            CONTACT,
            (),
            local(30, 9),
            [Reason.DAY_LIMIT, Reason.OUTSIDE_WINDOW],
            0,
        ),
        # a list that is too old: inside the hours, outside them, and one that will be by then
        (MONDAY_10, (), CONTACT, (STALE,), MONDAY_10, [], 1),
        (local(22, 15), (), CONTACT, (STALE,), local(23, 9), [Reason.OUTSIDE_WINDOW], 1),
        (
            local(23, 20, 30),
            (),
            CONTACT,
            (UNTIL_TUESDAY,),
            local(24, 9),
            [Reason.OUTSIDE_WINDOW],
            1,
        ),
        # with a list that is too old, what forbids for good is told too
        (MONDAY_10, (), replace(CONTACT, consent=None), (STALE,), None, [Reason.NO_CONSENT], 1),
        (MONDAY_10, (), replace(CONTACT, zone=""), (STALE,), None, [Reason.ZONE_UNKNOWN], 1),
        # the consent ends before the hours begin again
        (
            local(23, 21),
            (),
            replace(CONTACT, consent=replace(CONSENT, expires_at=local(24, 8))),
            (),
            None,
            [Reason.OUTSIDE_WINDOW, Reason.CONSENT_EXPIRED],
            0,
        ),
    ],
)
def test_the_time_that_is_named_is_inside_every_rule(
    now: datetime,
    history: tuple[PastAttempt, ...],
    contact: Contact,
    lists: tuple[NumberList, ...],
    at: datetime | None,
    reasons: list[Reason],
    loads: int,
) -> None:
    found = look(rule(contact=contact, history=history), now, lists=lists)
    assert found.at == at
    assert [refused.reason for _, refused in found.refusals] == reasons
    assert len(found.loads) == loads


def test_a_campaign_that_ends_first_calls_nobody() -> None:
    ends = local(24, 8)
    assert look(rule(), local(23, 21), ends_at=ends).at is None
    assert look(rule(), local(23, 21), ends_at=ends).ended
    assert look(rule(), local(23, 21), ends_at=local(24, 10)).at == local(24, 9)


def test_a_registry_that_is_not_loaded_is_named_and_the_time_is_that_after_loading() -> None:
    american = replace(CAMPAIGN, policy_pack="US")
    contact = replace(CONTACT, number=NUMBERS["US"], zone="America/New_York")
    found = look(rule(american, contact), pack="US")  # 21 o'clock on Sunday there
    assert "US-national" in found.loads[0]
    assert found.at == datetime(2026, 11, 23, 8, tzinfo=ZoneInfo("America/New_York"))


HORIZON = timedelta(days=12)  # longer than any week of holidays and any seven days of calls


@settings(max_examples=60, deadline=None)
@given(
    minute=st.integers(0, 2 * 366 * 24 * 60),
    zone=st.sampled_from(["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    pack=st.sampled_from(["CN", "US"]),
    ago=st.lists(st.integers(1, 7 * 24 * 60), max_size=9),
    expires=st.none() | st.integers(1, 20_000),
    age=st.integers(0, 40),
    ends=st.none() | st.integers(1, 20_000),
    hours=st.sampled_from(["", "mon-fri 11:00-13:00", "tue 09:30-09:45; sat 17:00-23:00"]),
)
def test_no_time_before_is_allowed_and_the_time_itself_is(
    minute: int,
    zone: str,
    pack: str,
    ago: list[int],
    expires: int | None,
    age: int,
    ends: int | None,
    hours: str,
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    later = [None if part is None else now + timedelta(minutes=part) for part in (expires, ends)]
    contact = replace(CONTACT, number=NUMBERS[pack], zone=zone, consent=replace(CONSENT, expires_at=later[0]))
    history = tuple(PastAttempt(now - timedelta(minutes=part), False) for part in sorted(ago, reverse=True))
    ask = rule(replace(CAMPAIGN, policy_pack=pack, hours=hours), contact, history)
    registry = NumberList("US-national", now - timedelta(days=age), 31, 1, now)
    found = look(ask, now, pack=pack, lists=(registry,), ends_at=later[1])

    def forbidden(at: datetime) -> bool:
        over = later[1] is not None and at >= later[1]
        return over or ask(at, (replace(registry, as_of=at),)) is not None

    until = found.at or now + HORIZON
    step = timedelta(minutes=11)
    moments = [now + step * index for index in range((until - now) // step + 1)]
    assert all(forbidden(at) for at in [*moments, until - timedelta(seconds=1)] if now <= at < until)
    if found.at is not None:
        assert not forbidden(found.at)
    stale = found.at is not None and found.at - registry.as_of > timedelta(days=31)
    assert not stale or found.loads
