"""Phone numbers: sealed at rest, found by HMAC, masked for people."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.domain.errors import SettingsError, StoreError
from voicebot.store.crypto import KeyRing, NumberVault, load_or_create_key, parse_key
from voicebot.text.redaction import mask_number, redact

pytestmark = pytest.mark.unit

VAULT = NumberVault(bytes(range(32)))
NUMBER = "+8613900000000"


@given(st.text(alphabet="+0123456789", min_size=1, max_size=16))
def test_what_is_sealed_comes_back_and_is_not_seen(number: str) -> None:
    assert VAULT.unseal(VAULT.seal(number)) == number
    assert len(number) < 4 or number.encode() not in VAULT.seal(number)


def test_sealing_twice_differs_but_looking_up_does_not() -> None:
    assert VAULT.seal(NUMBER) != VAULT.seal(NUMBER)
    assert VAULT.lookup(NUMBER) == NumberVault(bytes(range(32))).lookup(NUMBER)
    assert VAULT.lookup(NUMBER) != NumberVault(bytes(32)).lookup(NUMBER)


def test_a_changed_byte_or_another_key_is_noticed() -> None:
    sealed = bytearray(VAULT.seal(NUMBER))
    for index in range(len(sealed)):
        damaged = bytes(sealed[:index]) + bytes([sealed[index] ^ 1]) + bytes(sealed[index + 1 :])
        with pytest.raises(StoreError):
            VAULT.unseal(damaged)
    with pytest.raises(StoreError, match="decrypted"):
        NumberVault(bytes(32)).unseal(bytes(sealed))
    with pytest.raises(StoreError):
        VAULT.unseal(b"")


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "home" / "number.key"
    keys: list[KeyRing] = []
    threads = [threading.Thread(target=lambda: keys.append(load_or_create_key(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert len(keys[0].keys[0]) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["number.key"]


def test_a_damaged_key_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="base64"):
        parse_key("not base64!")
    with pytest.raises(SettingsError, match="32"):
        NumberVault(b"short")


@pytest.mark.parametrize(
    ("number", "masked"),
    [("+8613812345678", "+86138****5678"), ("+12025550123", "+120****0123"), ("110", "***"), ("", "")],
)
def test_a_number_is_masked_in_its_middle(number: str, masked: str) -> None:
    assert mask_number(number) == masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("我的号码是13812345678，谢谢", "我的号码是＊＊＊＊，谢谢"),
        ("幺三八 一二三四 五六七八", "＊＊＊＊"),
        ("一三八，一二三四，五六七八。", "＊＊＊＊。"),
        ("每月还三千五百元，分十二期", "每月还三千五百元，分十二期"),
        ("2026年11月23日", "2026年11月23日"),
    ],
)
def test_long_digits_are_hidden_spoken_or_written(text: str, shown: str) -> None:
    assert redact(text) == shown
