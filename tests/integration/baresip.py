"""Drives baresip, a telephone that nobody here wrote, from a test."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import soundfile

from tests.integration.phone import tone

MODULES = Path("/usr/lib/baresip/modules")  # of Debian's package baresip-core
_CONFIG = """poll_method epoll
sip_listen 127.0.0.1:{sip}
module_path {modules}
audio_source aufile,{folder}/says.wav
audio_player aubridge,nobody
audio_alert aubridge,nobody
snd_path {folder}
rtp_ports {rtp}-{rtp_end}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
"""


class Baresip:
    """A telephone in a process of its own: it answers at once, plays a tone and keeps what it hears."""

    def __init__(self, folder: Path, *, user: str, hz: int) -> None:
        """Start it.

        Args:
            folder: for its settings and what it hears; made here.
            user: of its address.
            hz: of the tone that it plays.
        """
        folder.mkdir(parents=True)
        sip, control = _free_ports()
        self.uri = f"sip:{user}@127.0.0.1:{sip}"
        self._folder = folder
        soundfile.write(folder / "says.wav", np.frombuffer(tone(hz, 60_000), "<i2"), 8000, "PCM_16")
        rtp = 23500 + sip % 400  # beside the other one's
        (folder / "config").write_text(
            _CONFIG.format(
                sip=sip, control=control, modules=MODULES, folder=folder, rtp=rtp, rtp_end=rtp + 20
            )
        )
        account = f"<{self.uri}>;regint=0;answermode=auto;audio_codecs=PCMA/8000/1\n"
        (folder / "accounts").write_text(account)
        (folder / "contacts").write_text("")
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            ["baresip", "-4", "-f", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._control = _connect(control)

    def do(self, command: str, parameters: str = "") -> None:
        """Give a command of baresip's menu."""
        line = json.dumps({"command": command, "params": parameters, "token": "test"}).encode()
        self._control.sendall(str(len(line)).encode() + b":" + line + b",")

    def heard(self) -> bytes:
        """Return what it has heard in its latest call; nothing if there was none."""
        calls = list(self._folder.glob("dump-*-dec.wav"))
        if not calls:
            return b""
        newest = max(calls, key=lambda file: file.stat().st_mtime)
        pcm, rate = soundfile.read(newest, dtype="int16", always_2d=True)
        assert rate == 8000
        return bytes(pcm[:, 0].tobytes())

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)
        self._control.close()
        self._log.close()


def _free_ports() -> tuple[int, int]:
    """Return a SIP port whose neighbour is free too (for TLS), and another."""
    while True:
        with socket.socket() as first, socket.socket() as neighbour, socket.socket() as control:
            first.bind(("127.0.0.1", 0))
            sip = int(first.getsockname()[1])
            try:
                neighbour.bind(("127.0.0.1", sip + 1))
            except OSError:
                continue
            control.bind(("127.0.0.1", 0))
            return sip, int(control.getsockname()[1])


def _connect(port: int) -> socket.socket:
    deadline = time.monotonic() + 15
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=None)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
