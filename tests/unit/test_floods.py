"""Limits for what comes from outside."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from voicebot.telephony.floods import SOURCES_KEPT, Bucket, Gate, Sources, admitted, host_of, networks

pytestmark = pytest.mark.unit


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_never_more_than_the_burst_and_the_rate(steps: list[float]) -> None:
    bucket, now, passed = Bucket(rate=5, burst=3), 100.0, 0
    for step in steps:
        now += step
        passed += bucket.take(now)
    assert passed <= 3 + 5 * sum(steps) + 1


def test_who_keeps_to_the_rate_is_never_refused() -> None:
    bucket = Bucket(rate=5, burst=2)
    assert all(bucket.take(100 + number / 5) for number in range(100))


def test_one_source_does_not_use_up_anothers_share_and_inventing_sources_fills_no_memory() -> None:
    sources = Sources(rate=1, burst=2)
    assert [sources.take("10.0.0.1", 1.0) for _ in range(3)] == [True, True, False]
    assert sources.take("10.0.0.2", 1.0)
    for number in range(2 * SOURCES_KEPT):
        sources.take(f"10.1.{number // 256}.{number % 256}", 1.0)
    assert len(sources._buckets) == SOURCES_KEPT


@pytest.mark.parametrize(
    ("source", "inside"),
    [
        ("10.1.2.3:5060", True),
        ("10.2.0.1:5060", False),
        ("192.0.2.7:5061", True),
        ("[2001:db8::5]:5060", True),
        ("sip.example.com:5060", False),
        ("", False),
    ],
)
def test_only_named_networks_are_admitted(source: str, inside: bool) -> None:
    allowed = networks(["10.1.0.0/16", "192.0.2.7", "2001:db8::/32", ""])
    assert admitted(source, allowed) is inside
    assert admitted(source, ())


def test_addresses_are_read_with_and_without_a_port() -> None:
    assert [host_of(text) for text in ("1.2.3.4:5", "1.2.3.4", "[::1]:5060")] == ["1.2.3.4", "1.2.3.4", "::1"]


def test_a_flood_neither_floods_the_log_nor_seems_over_while_it_goes_on() -> None:
    gate = Gate(("10.0.0.0/8",), rate=1, burst=1)
    told: list[float] = []
    with capture_logs() as lines:
        for number in range(100 * 1200):  # 20 minutes of 100 a second
            now = 50.0 + number / 100
            before = len(lines)
            assert gate.refusal("192.0.2.1:5060", now) is not None
            if len(lines) > before:
                told.append(now)
    assert max(later - one for one, later in pairwise(told)) <= 61
    assert len(told) < 20 + 20
