"""Who may be called, when and how often: every rule, and that doubt forbids."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.campaign.compliance import Reason, next_opening, open_hours, refusal
from voicebot.campaign.policy_pack import PolicyPack, policy_pack
from voicebot.campaign.retry import agreed_callback, next_attempt, other_hours
from voicebot.campaign.trunk import call_uri, check, check_trunk, is_loopback, shown_number, trunk_uri
from voicebot.campaign.windows import intersect, parse_week
from voicebot.domain.call import Disposition
from voicebot.domain.campaign import Campaign, CampaignStatus, Consent, Contact
from voicebot.domain.errors import CampaignError
from voicebot.domain.trunk import NumberFormat, Transport, Trunk
from voicebot.store.attempts import PastAttempt
from voicebot.store.do_not_call import NumberList

pytestmark = pytest.mark.unit

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY_10 = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
CONSENT = Consent("marketing", "form 17", MONDAY_10 - timedelta(days=30))
CONTACT = Contact("k", "c", "+8613900000000", "Asia/Shanghai", consent=CONSENT)
CAMPAIGN = Campaign(
    "c", "spring", "loan", CampaignStatus.RUNNING, "CN", trunk="sip:{number}@gateway.example:5060"
)
CN = policy_pack("CN")
NUMBERS = {"CN": "+8613900000000", "US": "+12025550123"}
TRUNK = Trunk("gw", "sip.example.com:5060", ("+8613", "+86755"))


def reason(
    contact: Contact = CONTACT,
    *,
    campaign: Campaign = CAMPAIGN,
    policy: PolicyPack = CN,
    attempts: int = 0,
    history: tuple[PastAttempt, ...] = (),
    forbidden: bool = False,
    now: datetime = MONDAY_10,
    lists: tuple[NumberList, ...] = (),
    trunk: Trunk | None = None,
    agreed: bool = False,
) -> Reason | None:
    found = refusal(
        campaign,
        policy,
        contact,
        attempts,
        history,
        forbidden=forbidden,
        now=now,
        lists=lists,
        trunk=trunk,
        agreed=agreed,
    )
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
    consent = replace(CONSENT, given_at=datetime(2025, 1, 1, tzinfo=UTC))
    contact = replace(CONTACT, number=NUMBERS[pack], zone=zone, consent=consent)
    fresh = NumberList("US-national", now, 0, 10, now)
    local = now.astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    inside = any(start <= minute < end for start, end in policy.open_on(local.date()))
    assert (reason(contact, policy=policy, now=now, lists=(fresh,)) is None) == inside


@given(now=moments, zone=zones)
def test_the_next_opening_is_open_and_not_in_the_past(now: datetime, zone: str) -> None:
    hours = open_hours(CAMPAIGN, CN)
    opening = next_opening(hours, ZoneInfo(zone), now)
    assert opening is not None
    assert opening >= now
    assert next_opening(hours, ZoneInfo(zone), opening) == opening


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
        (Disposition.COMPLETED, 1, None),
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


def test_a_callback_is_one_attempt_more_than_the_campaign_allows_and_no_more() -> None:
    at = MONDAY_10 + timedelta(days=1)
    assert next_attempt(Disposition.CALLBACK, 3, 3, MONDAY_10, at) == at
    assert next_attempt(Disposition.CALLBACK, 4, 3, MONDAY_10, at) is None
    assert reason(attempts=3) is Reason.ATTEMPTS_USED
    assert reason(attempts=3, agreed=True) is None
    assert reason(attempts=4, agreed=True) is Reason.ATTEMPTS_USED


@pytest.mark.parametrize(
    ("status", "table", "minutes"),
    [
        (404, {}, None),  # nobody has the number
        (484, {}, None),
        (503, {}, 10),  # the network is congested
        (480, {}, 360),
        (480, {"unreachable": 45}, 45),
        (480, {"unreachable": -1}, None),
    ],
)
def test_who_was_not_reached_is_tried_again_by_the_networks_answer(
    status: int, table: dict[str, int], minutes: int | None
) -> None:
    expected = None if minutes is None else MONDAY_10 + timedelta(minutes=minutes)
    assert next_attempt("unreachable", 1, 3, MONDAY_10, sip_status=status, table=table) == expected


def test_who_did_not_answer_in_the_morning_is_tried_in_the_afternoon() -> None:
    def local(hour: int) -> datetime:
        return MONDAY_10.replace(hour=hour)

    after = other_hours(local(11), "no_answer", [MONDAY_10], "Asia/Shanghai")
    assert after == local(12)
    assert other_hours(local(11), "busy", [MONDAY_10], "Asia/Shanghai") == local(11)
    assert other_hours(local(15), "no_answer", [MONDAY_10], "Asia/Shanghai") == local(15)
    everywhere = [local(10), local(15), local(18)]
    assert other_hours(local(19), "no_answer", everywhere, "Asia/Shanghai") == local(19)
    assert other_hours(local(19), "no_answer", [local(15), local(18)], "Asia/Shanghai") == datetime(
        2026, 11, 24, tzinfo=SHANGHAI
    )
    assert other_hours(local(11), "no_answer", [MONDAY_10], "Mars/Olympus") == local(11)


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ((), Reason.LIST_MISSING),
        ((NumberList("US-national", MONDAY_10 - timedelta(days=32), 0, 1, MONDAY_10),), Reason.LIST_STALE),
        ((NumberList("US-national", MONDAY_10 - timedelta(days=30), 0, 1, MONDAY_10),), None),
    ],
)
def test_without_a_fresh_registry_nobody_is_called_where_the_law_wants_one(
    lists: tuple[NumberList, ...], expected: Reason | None
) -> None:
    contact = replace(CONTACT, number=NUMBERS["US"])
    assert reason(contact, policy=policy_pack("US"), lists=lists, now=MONDAY_10) is expected


def test_an_own_list_that_is_too_old_forbids_too() -> None:
    old = NumberList("partner", MONDAY_10 - timedelta(days=8), 7, 1, MONDAY_10)
    assert reason(lists=(old,)) is Reason.LIST_STALE
    assert reason(lists=(replace(old, max_age_days=0),)) is None


@pytest.mark.parametrize("number", ["+12025550123", "+18765550123", "+85221234567", "+999123456789"])
def test_a_number_of_another_country_is_not_called(number: str) -> None:
    assert reason(replace(CONTACT, number=number)) is Reason.REGION


def test_a_trunk_dials_only_what_it_may() -> None:
    assert reason(trunk=TRUNK) is None
    assert reason(replace(CONTACT, number="+8675588888888"), trunk=TRUNK) is None
    assert reason(replace(CONTACT, number="+862088888888"), trunk=TRUNK) is Reason.PREFIX
    with pytest.raises(CampaignError, match="may not dial"):
        trunk_uri(TRUNK, "+862088888888")


def test_nobody_is_called_on_a_public_holiday() -> None:
    national_day = datetime(2026, 10, 1, 10, 0, tzinfo=SHANGHAI)  # a Thursday
    contact = replace(CONTACT, consent=replace(CONSENT, given_at=national_day - timedelta(days=1)))
    assert reason(contact, now=national_day) is Reason.OUTSIDE_WINDOW
    found = refusal(CAMPAIGN, CN, contact, 0, (), forbidden=False, now=national_day)
    assert found is not None
    assert found.until is not None
    assert found.until.astimezone(SHANGHAI).date().day == 8  # the week of holidays is over


def test_a_campaigns_own_hours_narrow_the_policys() -> None:
    own = replace(CAMPAIGN, hours="mon-fri 11:00-13:00")
    assert reason(campaign=own) is Reason.OUTSIDE_WINDOW
    assert reason(campaign=own, now=MONDAY_10.replace(hour=11)) is None
    assert reason(campaign=own, now=MONDAY_10.replace(hour=12, minute=30)) is Reason.OUTSIDE_WINDOW
    assert reason(campaign=replace(CAMPAIGN, hours="mon 21:00-22:00")) is Reason.NO_WINDOW


def test_hours_are_read_as_people_write_them() -> None:
    week = parse_week("Mon-Fri 09:00-12:00,14:00-18:00; sat 10:00-12:00")
    assert week["wed"] == ((540, 720), (840, 1080))
    assert (week["sat"], week["sun"]) == (((600, 720),), ())
    assert parse_week("10:00-11:00")["sun"] == ((600, 660),)
    assert intersect(((540, 720),), ((600, 800),)) == ((600, 720),)
    for wrong in ("", "mon 12:00-09:00", "moon 09:00-10:00", "fri-mon 09:00-10:00", "mon 9-10"):
        with pytest.raises(CampaignError, match="hours"):
            parse_week(wrong)


def test_several_scopes_may_be_agreed_to() -> None:
    both = replace(CONTACT, consent=replace(CONSENT, scope="service; marketing"))
    assert reason(both) is None
    assert reason(both, campaign=replace(CAMPAIGN, scope="research")) is Reason.CONSENT_SCOPE


@pytest.mark.parametrize(
    ("changes", "uri"),
    [
        ({}, "sip:+8613900000000@sip.example.com:5060"),
        ({"number_format": NumberFormat.DIGITS}, "sip:8613900000000@sip.example.com:5060"),
        ({"number_format": NumberFormat.NATIONAL}, "sip:13900000000@sip.example.com:5060"),
        (
            {"number_format": NumberFormat.NATIONAL, "dial_prefix": "9"},
            "sip:913900000000@sip.example.com:5060",
        ),
        ({"transport": Transport.TLS}, "sip:+8613900000000@sip.example.com:5060;transport=tls"),
    ],
)
def test_a_number_is_written_as_the_trunk_wants_it(changes: dict[str, object], uri: str) -> None:
    assert trunk_uri(replace(TRUNK, **changes), CONTACT.number) == uri  # type: ignore[arg-type]


def test_a_trunk_shows_only_numbers_that_are_ours() -> None:
    assert shown_number(TRUNK, "4008") == "4008"
    ours = replace(TRUNK, caller_ids=("02088888888", "02099999999"))
    assert shown_number(ours, "") == "02088888888"
    assert shown_number(ours, "02099999999") == "02099999999"
    with pytest.raises(CampaignError, match="may not show"):
        shown_number(ours, "110")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prefixes": ()}, "prefixes"),
        ({"prefixes": ("+",)}, "prefixes"),
        ({"host": "a b"}, "host"),
        ({"host": "h:99999"}, "host"),
        ({"register": True}, "user"),
        ({"user": "a@b"}, "user"),
        ({"codecs": ("G729",)}, "codecs"),
        ({"causes": {480: "asleep"}}, "causes"),
        ({"causes": {200: "busy"}}, "causes"),
        ({"name": "../x"}, "name"),
    ],
)
def test_a_trunk_that_can_not_work_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(CampaignError, match=words):
        check(replace(TRUNK, **changes))  # type: ignore[arg-type]
