"""Wakes the SIP thread, which sleeps in pjsua2 until a packet comes."""

from __future__ import annotations

import contextlib
import socket

PING = b"\r\n\r\n"  # a keep-alive: every SIP stack takes it without a word (RFC 5626, 3.5.1)


class Knocker:
    """Sends a keep-alive to our own SIP port. Thread-safe.

    pjsua2 has no call that wakes its event loop, and to look a hundred times a second costs a fiftieth
    of a core.
    """

    def __init__(self) -> None:
        """Make one that knocks nowhere yet."""
        self.address: tuple[str, int] | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def knock(self) -> None:
        """Wake the thread. One that is lost does no harm: the thread looks by itself soon after."""
        if self.address is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(PING, self.address)

    def close(self) -> None:
        """Knock no more."""
        self.address = None
        self._socket.close()
