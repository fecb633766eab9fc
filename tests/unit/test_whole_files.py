"""Files that are whole or not there, and things that are no files."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from voicebot.domain.errors import SynthesisError
from voicebot.speech.synthesis.files import write_atomically

pytestmark = pytest.mark.unit


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.wav"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [one.name for one in path.parent.iterdir()] == ["a.wav"]


def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_atomically(pipe, b"sound")
    reader.join(5)
    assert heard == [b"sound"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
def test_a_full_device_is_an_error_and_is_still_there(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(SynthesisError, match="cannot be written: No space left"):
        write_atomically(full, b"sound")
    assert full.is_symlink()
