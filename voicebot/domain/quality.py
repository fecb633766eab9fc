"""How well a call sounded, estimated from what RTP and RTCP tell (ITU-T G.107, the E-model)."""

from __future__ import annotations

from dataclasses import dataclass

_BEST_R = 93.2  # narrow band, all defaults
_LOSS_ROBUSTNESS = 25.1  # Bpl of G.711 with concealment (G.113, appendix I)
_LATE_MS = 177.3  # beyond it people begin to talk over each other
_FIXED_DELAY_MS = 40.0  # a frame and its queueing at either end


@dataclass(frozen=True, slots=True)
class MediaQuality:
    """Both directions of one leg's media."""

    heard_packets: int
    heard_loss: float  # 0-1, of what the far end sent
    heard_jitter_ms: float  # mean of RFC 3550's estimate
    said_loss: float  # 0-1, of what we sent, as the far end reports; 0 until it reports
    said_jitter_ms: float
    round_trip_ms: float  # 0 = not known
    mos: float  # 1-4.4: of the worse direction


def quality(
    heard_packets: int,
    heard_lost: int,
    heard_jitter_ms: float,
    said_packets: int,
    said_lost: int,
    said_jitter_ms: float,
    round_trip_ms: float,
) -> MediaQuality:
    """Return the estimate for one leg from its counters."""
    heard_loss = _share(heard_lost, heard_packets + heard_lost)
    said_loss = _share(said_lost, said_packets)
    worse = max((heard_loss, heard_jitter_ms), (said_loss, said_jitter_ms))
    return MediaQuality(
        heard_packets,
        heard_loss,
        heard_jitter_ms,
        said_loss,
        said_jitter_ms,
        round_trip_ms,
        mos(worse[0], worse[1], round_trip_ms),
    )


def mos(loss: float, jitter_ms: float, round_trip_ms: float) -> float:
    """Return the mean opinion score that listeners would give: 1 (bad) to 4.4 (as good as G.711 gets).

    Args:
        loss: 0-1, taken as random.
        jitter_ms: a jitter buffer of twice so much is assumed.
        round_trip_ms: of the network.
    """
    delay_ms = round_trip_ms / 2 + 2 * jitter_ms + _FIXED_DELAY_MS
    by_delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - _LATE_MS)
    percent = 100 * loss
    by_loss = 95 * percent / (percent + _LOSS_ROBUSTNESS)
    r = min(max(_BEST_R - by_delay - by_loss, 0.0), 100.0)
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def _share(part: int, whole: int) -> float:
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0
