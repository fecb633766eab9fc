"""Who may be called, when and how often: every rule, and that doubt forbids."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.campaign.compliance import Reason, next_opening, refusal
from voicebot.campaign.policy_pack import WEEKDAYS, PolicyPack, policy_pack
from voicebot.campaign.retry import agreed_callback, next_attempt
from voicebot.campaign.trunk import call_uri, check_trunk, is_loopback
from voicebot.domain.call import Disposition
from voicebot.domain.campaign import Campaign, CampaignStatus, Consent, Contact
from voicebot.domain.errors import CampaignError
from voicebot.store.attempts import PastAttempt

pytestmark = pytest.mark.unit

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY_10 = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
CONSENT = Consent("marketing", "form 17", MONDAY_10 - timedelta(days=30))
CONTACT = Contact("k", "c", "+8613900000000", "Asia/Shanghai", consent=CONSENT)
CAMPAIGN = Campaign(
    "c", "spring", "loan", CampaignStatus.RUNNING, "CN", trunk="sip:{number}@gateway.example:5060"
)
CN = policy_pack("CN")


def reason(
    contact: Contact = CONTACT,
    *,
    campaign: Campaign = CAMPAIGN,
    policy: PolicyPack = CN,
    attempts: int = 0,
    history: tuple[PastAttempt, ...] = (),
    forbidden: bool = False,
    now: datetime = MONDAY_10,
) -> Reason | None:
    found = refusal(campaign, policy, contact, attempts, history, forbidden=forbidden, now=now)
    return found.reason if found else None


def test_a_contact_who_agreed_is_called_inside_the_window() -> None:
    assert reason() is None


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        (replace(CONTACT, consent=None), Reason.NO_CONSENT),
        (replace(CONTACT, consent=replace(CONSENT, evidence="")), Reason.NO_CONSENT),
        (replace(CONTACT, consent=replace(CONSENT, given_at=MONDAY_10 + timedelta(1))), Reason.NO_CONSENT),
        (replace(CONTACT, consent=replace(CONSENT, scope="service")), Reason.CONSENT_SCOPE),
        (replace(CONTACT, consent=replace(CONSENT, expires_at=MONDAY_10)), Reason.CONSENT_EXPIRED),
        (replace(CONTACT, zone=""), Reason.ZONE_UNKNOWN),
        (replace(CONTACT, zone="Mars/Olympus"), Reason.ZONE_UNKNOWN),
        (replace(CONTACT, zone="../../etc/passwd"), Reason.ZONE_UNKNOWN),
    ],
)
def test_what_is_missing_or_unknown_forbids_the_call(contact: Contact, expected: Reason) -> None:
    assert reason(contact) is expected


def test_do_not_call_comes_before_everything() -> None:
    assert reason(replace(CONTACT, zone="", consent=None), forbidden=True) is Reason.DO_NOT_CALL


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-11-23T08:59:59", Reason.OUTSIDE_WINDOW),
        ("2026-11-23T09:00:00", None),
        ("2026-11-23T12:00:00", Reason.OUTSIDE_WINDOW),
        ("2026-11-23T19:59:59", None),
        ("2026-11-23T20:00:00", Reason.OUTSIDE_WINDOW),
        ("2026-11-22T15:00:00", Reason.OUTSIDE_WINDOW),  # a Sunday
        ("2026-11-28T11:00:00", None),  # a Saturday
        ("2026-11-28T19:00:00", Reason.OUTSIDE_WINDOW),
    ],
)
def test_the_window_is_the_contacts_own_clock(local: str, expected: Reason | None) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=SHANGHAI)
    assert reason(now=at.astimezone(UTC)) is expected


def test_a_refusal_outside_the_window_says_when_it_opens() -> None:
    sunday = datetime(2026, 11, 22, 15, 0, tzinfo=SHANGHAI)
    found = refusal(CAMPAIGN, CN, CONTACT, 0, (), forbidden=False, now=sunday)
    assert found is not None
    assert found.until == datetime(2026, 11, 23, 9, 0, tzinfo=SHANGHAI)


def past(*hours_ago: float, answered: bool = False) -> tuple[PastAttempt, ...]:
    return tuple(PastAttempt(MONDAY_10 - timedelta(hours=hours), answered) for hours in hours_ago)


@pytest.mark.parametrize(
    ("history", "attempts", "expected"),
    [
        (past(0.5), 1, Reason.TOO_SOON),
        (past(0.9), 1, Reason.TOO_SOON),
        (past(1.01), 1, None),
        (past(2, 1.5), 2, Reason.DAY_LIMIT),
        (past(26, 25), 2, None),
        (past(100, 99, 80, 79, 60, 59), 0, Reason.WEEK_LIMIT),
        ((), 3, Reason.ATTEMPTS_USED),
    ],
)
def test_nobody_is_called_too_often(
    history: tuple[PastAttempt, ...], attempts: int, expected: Reason | None
) -> None:
    assert reason(history=history, attempts=attempts) is expected


def test_simulation_calls_at_any_hour_but_only_on_this_machine() -> None:
    night = datetime(2026, 11, 22, 3, 0, tzinfo=SHANGHAI)
    nobody_asked = replace(CONTACT, consent=None)
    local = replace(CAMPAIGN, policy_pack="SIMULATION", trunk="sip:{number}@127.0.0.1:5090")
    simulation = policy_pack("SIMULATION")
    assert reason(nobody_asked, campaign=local, policy=simulation, now=night) is None
    assert reason(campaign=CAMPAIGN, policy=simulation, now=night) is Reason.TRUNK_NOT_LOCAL


moments = st.integers(0, 2 * 366 * 24 * 60).map(
    lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n)
)
zones = st.sampled_from(["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])


@given(now=moments, zone=zones, pack=st.sampled_from(["CN", "US"]))
def test_no_call_is_ever_allowed_outside_the_policys_hours(now: datetime, zone: str, pack: str) -> None:
    policy = policy_pack(pack)
    contact = replace(CONTACT, zone=zone, consent=replace(CONSENT, given_at=datetime(2025, 1, 1, tzinfo=UTC)))
    local = now.astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    inside = any(start <= minute < end for start, end in policy.windows[WEEKDAYS[local.weekday()]])
    assert (reason(contact, policy=policy, now=now) is None) == inside


@given(now=moments, zone=zones)
def test_the_next_opening_is_open_and_not_in_the_past(now: datetime, zone: str) -> None:
    opening = next_opening(CN, ZoneInfo(zone), now)
    assert opening is not None
    assert opening >= now
    assert next_opening(CN, ZoneInfo(zone), opening) == opening


def test_an_unknown_policy_is_refused_with_the_known_ones_named() -> None:
    with pytest.raises(CampaignError, match="MARS") as caught:
        policy_pack("MARS")
    assert "CN, SIMULATION, US" in caught.value.hint


@pytest.mark.parametrize(
    ("trunk", "local"),
    [
        ("sip:{number}@127.0.0.1:5090", True),
        ("sip:{number}@127.8.8.8", True),
        ("sip:{number}@[::1]:5090", True),
        ("sip:{number}@localhost", True),
        ("sip:{number}@localhost.example.com", False),
        ("sip:{number}@127.0.0.1.example.com", False),
        ("sip:{number}@10.0.0.1", False),
        ("sip:{number}@127.0.0.1;maddr=10.0.0.1", False),
        ("sip:{number}@127.0.0.1@10.0.0.1", False),
    ],
)
def test_only_a_loopback_address_counts_as_this_machine(trunk: str, local: bool) -> None:
    assert is_loopback(trunk) is local


@pytest.mark.parametrize(
    "trunk", ["", "sip:bot@host", "tel:{number}", "sip:{number}@a b", "sip:{number}@h:99999"]
)
def test_a_trunk_that_can_not_dial_is_refused(trunk: str) -> None:
    with pytest.raises(CampaignError, match="trunk"):
        check_trunk(trunk)


def test_a_number_can_not_smuggle_anything_into_the_uri() -> None:
    assert (
        call_uri("sip:{number}@gw;transport=tcp", "+8613900000000") == "sip:+8613900000000@gw;transport=tcp"
    )
    with pytest.raises(CampaignError):
        call_uri("sip:{number}@gw", "+86139@evil.example;x=")


@pytest.mark.parametrize(
    ("disposition", "attempts", "minutes"),
    [
        (Disposition.BUSY, 1, 15),
        (Disposition.BUSY, 2, 30),
        (Disposition.BUSY, 3, None),
        (Disposition.NO_ANSWER, 1, 180),
        (Disposition.REFUSED, 1, None),
        (Disposition.DO_NOT_CALL, 1, None),
        (Disposition.INTERESTED, 1, None),
        (Disposition.CALLBACK, 1, None),
    ],
)
def test_a_contact_is_tried_again_by_cause(disposition: str, attempts: int, minutes: int | None) -> None:
    expected = None if minutes is None else MONDAY_10 + timedelta(minutes=minutes)
    assert next_attempt(disposition, attempts, 3, MONDAY_10) == expected


def test_an_agreed_callback_is_kept_by_the_contacts_clock() -> None:
    at = agreed_callback({"callback_time": "+1d 15:00"}, "America/New_York", MONDAY_10)
    # Monday 10:00 in Shanghai is still Sunday evening in New York.
    assert at == datetime(2026, 11, 23, 15, 0, tzinfo=ZoneInfo("America/New_York"))
    assert next_attempt(Disposition.CALLBACK, 1, 3, MONDAY_10, at) == at
    assert agreed_callback({"callback_time": "sometime"}, "Asia/Shanghai", MONDAY_10) is None
