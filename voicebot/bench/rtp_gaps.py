"""Times RTP packets on the wire, from outside of who sends them (needs the right to open a packet socket).

`python -m voicebot.bench.rtp_gaps FIRST LAST` prints a JSON line a second: packets from UDP source ports
FIRST..LAST on the loopback, and how many came more than 40 ms after the one before in their stream.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from dataclasses import dataclass, field

LATE_S = 0.040
_SO_TIMESTAMPNS = 35  # Linux: kernel's time of arrival as ancillary data
_ETH_P_IP = 0x0800
_PACKET_OUTGOING = 4  # seen a second time, on its way out
_RTP_AUDIO = {0, 8}  # PCMU, PCMA


@dataclass(slots=True)
class Gaps:
    """Arrival gaps of RTP streams. Pure: times come in."""

    packets: int = 0
    late: int = 0
    lost: int = 0
    longest_s: float = 0.0
    _last: dict[tuple[int, int], tuple[int, float]] = field(default_factory=dict)

    def take(self, source_port: int, rtp: bytes, at_s: float) -> None:
        """Take one packet (RTP header first) that came at a time."""
        if len(rtp) < 12 or rtp[0] >> 6 != 2 or rtp[1] & 0x7F not in _RTP_AUDIO:
            return
        sequence, ssrc = struct.unpack_from("!H4xI", rtp, 2)
        before = self._last.get((source_port, ssrc))
        self._last[source_port, ssrc] = (sequence, at_s)
        self.packets += 1
        if before is None:
            return
        step = (sequence - before[0]) & 0xFFFF
        if 1 < step < 1000:
            self.lost += step - 1
        gap_s = at_s - before[1]
        if step == 1 and gap_s < 1.0:  # longer: a hold or a new call, not a late frame
            self.longest_s = max(self.longest_s, gap_s)
            self.late += gap_s > LATE_S


def main() -> None:
    """Listen until killed."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    gaps = Gaps()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP)) as wire:
        wire.bind(("lo", _ETH_P_IP))
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        wire.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        wire.settimeout(1.0)
        due = time.monotonic() + 1
        while True:
            try:
                packet, ancillary, _, sender = wire.recvmsg(2048, 64)
            except TimeoutError:
                packet = b""
            if packet and sender[2] != _PACKET_OUTGOING and packet[9] == socket.IPPROTO_UDP:
                head = (packet[0] & 15) * 4
                source = int.from_bytes(packet[head : head + 2], "big")
                if first <= source <= last:
                    seconds, nanos = struct.unpack("qq", ancillary[0][2]) if ancillary else (time.time(), 0)
                    gaps.take(source, packet[head + 8 :], seconds + nanos / 1e9)
            if time.monotonic() >= due:
                due += 1
                told = {"packets": gaps.packets, "late": gaps.late, "lost": gaps.lost}
                sys.stdout.write(json.dumps({**told, "longest_ms": round(gaps.longest_s * 1000)}) + "\n")
                sys.stdout.flush()
                gaps.longest_s = 0.0


if __name__ == "__main__":
    main()
