"""A bad network between two SIP user agents: a UDP relay that loses, delays, doubles and reorders, by a seed.

The caller calls the relay's address instead of the callee's. Signalling is passed on as it is but for the
addresses of media in the bodies, which become the relay's, so that RTP and RTCP of both directions pass here
too.
"""

from __future__ import annotations

import heapq
import random
import re
import selectors
import socket
import threading
import time
from dataclasses import dataclass

Address = tuple[str, int]
_MEDIA = re.compile(rb"(m=audio )(\d+)")
_RTCP = re.compile(rb"(a=rtcp:)(\d+)( IN IP4 [\d.]+)?")
_LENGTH = re.compile(rb"(?im)^(Content-Length|l)( *: *)\d+")


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to packets."""

    loss: float = 0.0  # 0-1
    jitter_ms: float = 0.0  # each waits up to so long
    reorder: float = 0.0  # of these wait 60 ms more, so that others overtake them
    double: float = 0.0


FAIR = Weather()
REORDERED_MS = 60.0


class Relay:
    """Runs in a thread of its own until closed. One call at a time goes through it as told; more do too."""

    def __init__(self, callee: str, *, seed: int, media: Weather = FAIR, signalling: Weather = FAIR) -> None:
        """Stand before a callee, host:port."""
        host, _, port = callee.partition(":")
        self.media, self.signalling = media, signalling
        self.cut = False  # True: nothing passes any more, as when a cable is pulled
        self.passed = self.dropped = 0
        self._callee = (host, int(port))
        self._dice = random.Random(seed)
        self._front, self._back = _socket(), _socket()
        self._caller: Address | None = None
        self._ways: dict[
            socket.socket, tuple[socket.socket | None, Address]
        ] = {}  # where RTP goes, and from where
        self._known: dict[tuple[bool, Address], int] = {}  # announced by which side -> our port
        self._last: dict[bool, socket.socket] = {}
        self._waiting: list[tuple[float, int, socket.socket, bytes, Address]] = []
        self._number = 0
        self._selector = selectors.DefaultSelector()
        for sock in (self._front, self._back):
            self._selector.register(sock, selectors.EVENT_READ)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Whom to call instead, host:port."""
        return f"127.0.0.1:{self._front.getsockname()[1]}"

    def close(self) -> None:
        """End."""
        self._closing = True
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # sockets only
        self._selector.close()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the thread --

    def _run(self) -> None:
        while not self._closing:
            due = self._waiting[0][0] - time.monotonic() if self._waiting else 0.05
            for key, _ in self._selector.select(max(0.0, min(due, 0.05))):
                self._read(key.fileobj)  # type: ignore[arg-type]  # sockets only
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                _, _, sock, data, to = heapq.heappop(self._waiting)
                sock.sendto(data, to)

    def _read(self, sock: socket.socket) -> None:
        try:
            data, source = sock.recvfrom(65535)
        except OSError:
            return  # an ICMP error of a port that is gone
        if sock is self._front:
            self._caller = source
            self._send(self._back, self._rewritten(data, from_caller=True), self._callee, self.signalling)
        elif sock is self._back:
            if self._caller is not None:
                self._send(
                    self._front, self._rewritten(data, from_caller=False), self._caller, self.signalling
                )
        else:
            out, to = self._ways[sock]
            self._send(out or sock, data, to, self.media)

    def _send(self, sock: socket.socket, data: bytes, to: Address, weather: Weather) -> None:
        dice = self._dice
        if self.cut or dice.random() < weather.loss:
            self.dropped += 1
            return
        self.passed += 1
        for _ in range(2 if dice.random() < weather.double else 1):
            wait_ms = dice.random() * weather.jitter_ms
            if dice.random() < weather.reorder:
                wait_ms += REORDERED_MS
            self._number += 1
            heapq.heappush(self._waiting, (time.monotonic() + wait_ms / 1000, self._number, sock, data, to))

    def _rewritten(self, message: bytes, *, from_caller: bool) -> bytes:
        """Put our own ports into a session description (RFC 4566), and mend the length."""
        head, gap, body = message.partition(b"\r\n\r\n")
        media = _MEDIA.search(body)
        if not media or int(media[2]) == 0:
            return message
        port = self._port_for(int(media[2]), from_caller)
        body = _MEDIA.sub(rb"\g<1>%d" % port, body)
        body = _RTCP.sub(rb"\g<1>%d\g<3>" % (port + 1), body)
        head = _LENGTH.sub(rb"\g<1>\g<2>%d" % len(body), head)
        return head + gap + body

    def _port_for(self, announced: int, from_caller: bool) -> int:
        """Return our port that stands for an announced one: what comes there goes on to it."""
        key = (from_caller, ("127.0.0.1", announced))
        if key not in self._known:
            pair = _pair()
            for offset, sock in enumerate(pair):
                self._ways[sock] = (None, ("127.0.0.1", announced + offset))
                self._selector.register(sock, selectors.EVENT_READ)
            self._known[key] = pair[0].getsockname()[1]
            self._last[from_caller] = pair[0]
            self._join()
        return self._known[key]

    def _join(self) -> None:
        """Let each side see packets come from where it sends its own."""
        if len(self._last) == 2:
            one, two = self._last[True], self._last[False]
            self._ways[one] = (two, self._ways[one][1])
            self._ways[two] = (one, self._ways[two][1])


def _socket(port: int = 0) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    return sock


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return an even port and the next one: RTP and RTCP (RFC 3550, 11)."""
    while True:
        first = _socket()
        port = first.getsockname()[1]
        if port % 2 == 0 and port < 65535:
            try:
                return first, _socket(port + 1)
            except OSError:
                pass
        first.close()
