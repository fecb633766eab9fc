"""Recordings at rest: sealed while they are written, opened with the right key, never changed unnoticed."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.domain.audio import FRAME_BYTES
from voicebot.domain.errors import SettingsError, StoreError
from voicebot.store.blobs import DirectoryBlobs
from voicebot.store.crypto import KeyRing, NumberVault, parse_ring, write_ring
from voicebot.store.recordings import FINISHED_S, PREFIX, Recordings
from voicebot.store.sealing import HEAD_BYTES, RecordingSeal, is_sealed
from voicebot.telephony import Recording

pytestmark = pytest.mark.unit

OLD = KeyRing((bytes(range(32)),))
FRAME = b"\1\2" * (FRAME_BYTES // 2)


def sealed(parts: list[bytes], ring: KeyRing = OLD, *, whole: bool = True) -> bytes:
    file = io.BytesIO()
    sink = RecordingSeal(ring).begin(file)
    for part in parts:
        sink.add(part)
    if whole:
        sink.finish()
    return file.getvalue()


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_what_is_sealed_comes_back(parts: list[bytes]) -> None:
    data = sealed(parts)
    assert RecordingSeal(OLD).open(data).data == b"".join(parts)
    assert RecordingSeal(OLD).open(data).complete
    assert all(len(part) < 8 or part not in data for part in parts)


@given(st.data())
def test_no_byte_can_be_changed_and_nothing_cut_off_unnoticed(data: st.DataObject) -> None:
    whole = sealed([b"first second", b"second second"])
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    try:
        opened = RecordingSeal(OLD).open(changed)
    except StoreError:
        pass
    else:
        assert not opened.complete, "a length that lies looks like a torn end"
    cut = RecordingSeal(OLD).open(whole[: max(at, HEAD_BYTES)])
    assert not cut.complete


def test_chunks_can_not_be_exchanged() -> None:
    whole = sealed([b"aaaa", b"bbbb"])
    size = 4 + 4 + 16
    first, second = whole[HEAD_BYTES : HEAD_BYTES + size], whole[HEAD_BYTES + size : HEAD_BYTES + 2 * size]
    with pytest.raises(StoreError, match="changed"):
        RecordingSeal(OLD).open(whole[:HEAD_BYTES] + second + first + whole[HEAD_BYTES + 2 * size :])


def test_a_recording_is_sealed_as_it_is_written_and_heard_again(tmp_path: Path) -> None:
    place = Recordings(tmp_path, None, RecordingSeal(OLD))
    recording = Recording(tmp_path / "2026" / "call.wav", place.sealer)
    for _ in range(70):
        recording.write(FRAME, bytes(FRAME_BYTES))
    recording.close()
    raw = recording.path.read_bytes()
    assert is_sealed(raw)
    assert FRAME not in raw
    with wave.open(io.BytesIO(place.wav("2026/call.wav"))) as file:
        assert (file.getnchannels(), file.getnframes()) == (2, 70 * 160)
        assert file.readframes(1) == b"\1\2\0\0"


def test_what_a_killed_worker_left_opens_up_to_its_last_second(tmp_path: Path) -> None:
    place = Recordings(tmp_path, None, RecordingSeal(OLD))
    recording = Recording(tmp_path / "call.wav", place.sealer)
    for _ in range(120):
        recording.write(FRAME, FRAME)
    recording.close()
    whole = recording.path.read_bytes()
    recording.path.write_bytes(whole[:-9000])  # the last second is torn
    with wave.open(io.BytesIO(place.wav("call.wav"))) as file:
        assert file.getnframes() == 100 * 160


def test_plain_recordings_of_before_are_still_heard(tmp_path: Path) -> None:
    Recording(tmp_path / "old.wav").close()
    assert Recordings(tmp_path, None, RecordingSeal(OLD)).wav("old.wav").startswith(b"RIFF")


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(StoreError, match="decrypted"):
        RecordingSeal(KeyRing((bytes(32),))).open(sealed([b"x"]))


@pytest.mark.parametrize("key", ["", "../number.key", "/etc/passwd", "a/../../b", "a\0b", "."])
def test_no_key_leads_out_of_the_folder(tmp_path: Path, key: str) -> None:
    (tmp_path / "number.key").write_text("secret")
    folder = tmp_path / "recordings"
    folder.mkdir()
    place = Recordings(folder, DirectoryBlobs(tmp_path / "shared"), RecordingSeal(OLD))
    with pytest.raises(StoreError):
        place.wav(key)
    with pytest.raises(StoreError):
        place.delete(key)
    assert (tmp_path / "number.key").exists()


def test_finished_recordings_move_to_the_shared_store_and_are_found_there(tmp_path: Path) -> None:
    shared = DirectoryBlobs(tmp_path / "shared")
    place = Recordings(tmp_path / "local", shared, RecordingSeal(OLD))
    recording = Recording(tmp_path / "local" / "2026" / "a.wav", place.sealer)
    recording.close()
    written_at = recording.path.stat().st_mtime
    assert list(place.ship(written_at + FINISHED_S / 2)) == [], "it may still be written"
    assert list(place.ship(written_at + FINISHED_S)) == ["2026/a.wav"]
    assert not recording.path.exists()
    assert list(shared.keys()) == [PREFIX + "2026/a.wav"]
    assert place.wav("2026/a.wav").startswith(b"RIFF")
    place.delete("2026/a.wav")
    place.delete("2026/a.wav")  # gone already: no error
    assert not place.has("2026/a.wav")


def test_rotating_the_key_rewraps_recordings_and_the_old_key_opens_them_no_more(tmp_path: Path) -> None:
    DirectoryBlobs(tmp_path).put("a.wav", sealed([b"RIFF" + bytes(60)]))
    DirectoryBlobs(tmp_path).put("plain.wav", b"RIFF")
    ring = OLD.with_new().promoted()
    place = Recordings(tmp_path, None, RecordingSeal(ring))
    assert dict(place.rewrap()) == {"a.wav": True, "plain.wav": False}
    assert dict(place.rewrap()) == {"a.wav": False, "plain.wav": False}
    newest = Recordings(tmp_path, None, RecordingSeal(ring.newest_only()))
    assert newest.wav("a.wav").startswith(b"RIFF")
    with pytest.raises(StoreError, match="decrypted"):
        Recordings(tmp_path, None, RecordingSeal(OLD)).wav("a.wav")


def test_a_ring_is_read_as_it_was_written_and_numbers_are_found_as_before(tmp_path: Path) -> None:
    before = NumberVault(OLD)
    ring = OLD.with_new().promoted()
    write_ring(tmp_path / "number.key", ring)
    read = parse_ring((tmp_path / "number.key").read_text())
    assert read == ring == parse_ring(ring.text(","))
    after = NumberVault(read.newest_only())
    assert after.lookup("+8613900000000") == before.lookup("+8613900000000")
    old = before.seal("+8613900000000")
    new = NumberVault(read).resealed(old)
    assert new is not None
    assert after.unseal(new) == "+8613900000000"
    assert after.resealed(new) is None
    with pytest.raises(StoreError):
        after.unseal(old)


def test_a_ring_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError):
        KeyRing(())
