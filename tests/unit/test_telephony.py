"""The parts of telephony that need no telephone."""

from __future__ import annotations

import struct
import time
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.call.fallback import outcome_without_inference
from voicebot.call.prompts import PromptMemory
from voicebot.domain.audio import FRAME_BYTES, SILENT_FRAME, Audio
from voicebot.domain.call import Disposition, EndCause, PromptRef
from voicebot.domain.errors import TelephonyError
from voicebot.telephony import Playout, Recording
from voicebot.telephony.headers import (
    CAMPAIGN,
    MAX_REFER_TO,
    check_header,
    check_uri,
    parse_message,
    reason,
    refer_to,
    user_of,
)
from voicebot.telephony.playout import comfort_noise
from voicebot.telephony.recording import interleave

pytestmark = pytest.mark.unit

INVITE = (
    "INVITE sip:consumer-loan@10.0.0.1:5060 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\n"
    "x-campaign-id: c-1\r\n"
    "X-Contact-Id: k\r\n  folded\r\n"
    "X-Campaign-Id: second\r\n"
    "no header at all\r\n"
    f"X-Long: {'x' * 600}\r\n"
    "\r\n"
    "X-Attempt-Id: in the body\r\n"
)


def test_an_invite_is_read_with_headers_in_any_case() -> None:
    uri, headers = parse_message(INVITE)
    assert user_of(uri) == "consumer-loan"
    assert headers[CAMPAIGN] == "c-1", "of two, the first counts"
    assert headers["X-Contact-Id"] == "k folded"


def test_what_is_no_header_is_left_out() -> None:
    _, headers = parse_message(INVITE)
    assert {name.lower() for name in headers} == {"via", "x-campaign-id", "x-contact-id"}


@given(st.text())
def test_no_message_breaks_the_reader(message: str) -> None:
    uri, headers = parse_message(message)
    assert all("\n" not in name + value for name, value in headers.items())
    assert isinstance(user_of(uri), str)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\0", "x" * 513])
def test_a_value_that_would_break_out_of_its_line_is_refused(value: str) -> None:
    with pytest.raises(TelephonyError):
        check_header("X-Caller", value)


@pytest.mark.parametrize("value", ["c-1\x00", "c-1\x1b[2J", "c\x7f", "c-1\rX-Contact-Id: k-2"])
def test_a_value_with_control_characters_is_as_if_it_were_missing(value: str) -> None:
    _, headers = parse_message(f"INVITE sip:bot@h SIP/2.0\r\nX-Campaign-Id: {value}\r\nX-Caller: 1\r\n\r\n")
    assert "X-Campaign-Id" not in headers
    assert "X-Contact-Id" not in headers
    assert headers["X-Caller"] == "1"


def test_a_name_in_another_encoding_leaves_the_number_readable() -> None:
    sent = b'INVITE sip:bot@h SIP/2.0\r\nFrom: "' + "王".encode("gbk") + b'" <sip:+86139@h>\r\n\r\n'
    _, headers = parse_message(sent.decode("utf-8", "surrogateescape"))
    assert "<sip:+86139@h>" in headers["From"]
    headers["From"].encode()  # it can be stored


def test_a_chinese_or_quoted_reason_stays_a_valid_header() -> None:
    assert reason(404, 'no "such" 任务\r\n') == ("Reason", 'SIP;cause=404;text="no such "')


def test_an_address_without_scheme_says_how_to_write_it() -> None:
    with pytest.raises(TelephonyError) as caught:
        check_uri("13800000000@10.0.0.1")
    assert "sip:user@host" in caught.value.hint


def test_the_address_of_a_transfer_carries_headers_as_far_as_they_fit() -> None:
    assert refer_to("sip:a@b", {"X-Call-Id": "1", "X-Why": "a%b&c"}) == "sip:a@b?X-Call-Id=1&X-Why=a%25b%26c"
    assert refer_to("sip:a@b?X-Q=1", {"X-Call-Id": "2"}) == "sip:a@b?X-Q=1&X-Call-Id=2"
    long = refer_to("sip:a@b", {"X-Call-Id": "1", "X-Summary": "x" * MAX_REFER_TO, "X-Why": "y"})
    assert long == "sip:a@b?X-Call-Id=1"


def test_between_prompts_the_line_sounds_open_not_dead() -> None:
    playout = Playout()
    playout.noise = comfort_noise()
    idle = b"".join(playout.next_frame() for _ in range(150))
    samples = [abs(value) for (value,) in struct.iter_unpack("<h", idle)]
    assert len(idle) == 150 * FRAME_BYTES
    assert 5 < sum(samples) / len(samples) < 30, "near -66 dBov: far below speech"
    assert not playout.playing
    playout.play(b"\1" * FRAME_BYTES)
    assert playout.next_frame() == b"\1" * FRAME_BYTES


def test_playout_pads_its_last_frame_and_is_silent_after_it() -> None:
    playout = Playout()
    playout.play(b"\1" * (FRAME_BYTES + 2))
    assert playout.playing
    assert [playout.next_frame() for _ in range(3)] == [
        b"\1" * FRAME_BYTES,
        b"\1\1" + bytes(FRAME_BYTES - 2),
        SILENT_FRAME,
    ]
    assert not playout.playing


@given(st.lists(st.one_of(st.binary(max_size=2000), st.integers(0, 12)), max_size=30))
def test_playout_gives_everything_once_and_in_order(steps: list[bytes | int]) -> None:
    playout, put, got = Playout(), b"", b""
    for step in steps:
        if isinstance(step, bytes):
            # Whole frames: padding happens only where nothing followed in time.
            whole = step[: len(step) // FRAME_BYTES * FRAME_BYTES]
            playout.play(whole)
            put += whole
        else:
            for _ in range(step):
                frame = playout.next_frame()
                assert len(frame) == FRAME_BYTES
                got += frame if len(got) < len(put) else b""
    while playout.playing:
        got += playout.next_frame()
    assert got == put


def test_playing_nothing_is_not_playing() -> None:
    playout = Playout()
    playout.play(b"")
    assert not playout.playing


def test_a_flush_tells_how_much_was_dropped() -> None:
    playout = Playout()
    playout.play(bytes(FRAME_BYTES * 10))
    playout.next_frame()
    assert playout.flush() == 9 * 20
    assert playout.next_frame() == SILENT_FRAME
    assert playout.flush() == 0


def test_left_and_right_are_the_customer_and_the_bot(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "deep" / "call.wav")
    for _ in range(3):
        recording.write(b"\1\2" * 160, b"\3\4" * 160)
    recording.close()
    with wave.open(str(recording.path)) as file:
        assert file.getnframes() == 480
        assert file.readframes(1) == b"\1\2\3\4"


def test_a_recording_is_valid_while_it_is_written(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "call.wav")
    for _ in range(120):
        recording.write(SILENT_FRAME, SILENT_FRAME)
    deadline = time.monotonic() + 5
    while recording.path.stat().st_size < 44 + 100 * 2 * FRAME_BYTES and time.monotonic() < deadline:
        time.sleep(0.01)
    with wave.open(str(recording.path)) as file:  # as after a crash: never closed
        assert file.getnframes() >= 50 * 160
    recording.close()


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_interleaving_keeps_every_sample(left: bytes, right: bytes) -> None:
    size = min(len(left), len(right)) // 2 * 2
    stereo = interleave(left[:size], right[:size])
    assert b"".join(stereo[at : at + 2] for at in range(0, len(stereo), 4)) == left[:size]
    assert b"".join(stereo[at : at + 2] for at in range(2, len(stereo), 4)) == right[:size]


class Prompts:
    """The part of a conversation that prompts come from."""

    def __init__(self) -> None:
        self.fetched: list[str] = []

    async def prompt(self, ref: PromptRef) -> Audio:
        self.fetched.append(ref.key)
        return Audio(bytes(1000))


async def test_a_known_prompt_is_not_fetched_again_and_the_oldest_makes_room() -> None:
    source, memory = Prompts(), PromptMemory(max_bytes=2500)
    for key in ("a", "b", "a", "c", "a", "b"):
        await memory.get(source, PromptRef(key, "", 0, ""))  # type: ignore[arg-type]  # only prompt() is used
    assert source.fetched == ["a", "b", "c", "b"]


def test_without_inference_a_spoken_no_still_counts() -> None:
    outcome = outcome_without_inference(EndCause.FAILURE, opted_out=True)
    assert (outcome.disposition, outcome.opted_out) == (Disposition.DO_NOT_CALL, True)


@pytest.mark.parametrize("cause", list(EndCause))
def test_without_inference_every_end_has_an_outcome(cause: EndCause) -> None:
    assert outcome_without_inference(cause, opted_out=False).reasons
