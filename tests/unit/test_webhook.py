"""Where webhooks may go, and when they are tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from voicebot.domain.errors import DataError, SettingsError
from voicebot.domain.webhook import KEEP_TRYING, WAITS_S, wait
from voicebot.service.webhook_target import networks, target
from voicebot.store.webhooks import check_url

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "[::1]", "[fe80::1]", "[fc00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "2130706433", "localhost",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_however_they_are_written(host: str) -> None:
    with pytest.raises(DataError):
        target(f"https://{host}/hook", ())


def test_a_public_address_is_reached_by_https_only() -> None:
    assert target("https://1.1.1.1/hook", ()).port == 443
    with pytest.raises(DataError, match="HTTPS only"):
        target("http://1.1.1.1/hook", ())


def test_a_private_network_is_reached_if_the_setting_names_it() -> None:
    allowed = networks("127.0.0.0/8, 10.1.0.0/16")
    assert target("http://127.0.0.1:8000/hook", allowed).address == "127.0.0.1"
    with pytest.raises(DataError):
        target("http://10.2.0.1/hook", allowed)
    with pytest.raises(SettingsError):
        networks("10.1.0.0/33")


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "https://", "https://user:word@a.example/", "https://a.example:99999/", "x"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(DataError):
        check_url(url)


def test_waits_grow_and_end() -> None:
    waits = [wait(tries, NOW, NOW, 0.0) for tries in range(1, len(WAITS_S) + 1)]
    assert waits == sorted(waits, key=lambda one: one or timedelta.max)
    assert wait(1, NOW, NOW, 1.0) == timedelta(seconds=WAITS_S[0] * 1.2)
    assert wait(len(WAITS_S) + 1, NOW, NOW, 0.0) is None
    assert wait(1, NOW - KEEP_TRYING - timedelta(seconds=1), NOW, 0.0) is None
