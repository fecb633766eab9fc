"""The watch over a model that has just become live: is anything worse than before, beyond doubt? Pure.

Three shares are guarded: calls that did not end with the customer hanging up on us or wanting no more
calls, utterances that something fitted, and decisions that were liked. Each is judged by a sequential test
that may be looked at after every call; the chance of ever taking back a model that is as good as the one
before is at most DOUBT in all.
"""

from __future__ import annotations

from datetime import timedelta

from voicebot.domain.intervals import settled
from voicebot.domain.learning import Guard, Standing

DOUBT = 0.05
WATCHED = timedelta(days=14)  # after a promotion
BASELINE = timedelta(days=28)  # before it


def guards(now: Standing, before: Standing) -> tuple[Guard, ...]:
    """Return each guarded share, and whether it is worse than before beyond doubt."""
    pairs = {
        "ended_well": ((now.ended_well, now.calls), (before.ended_well, before.calls)),
        "understood": ((now.understood, now.utterances), (before.understood, before.utterances)),
        "liked": ((now.liked, now.judged), (before.liked, before.judged)),
    }
    return tuple(
        Guard(name, new, old, worse=_worse(new, old, DOUBT / len(pairs)))
        for name, (new, old) in pairs.items()
    )


def _worse(new: tuple[int, int], old: tuple[int, int], doubt: float) -> bool:
    return settled((new[0], old[0]), (new[1], old[1]), doubt=doubt) == 1


def why(found: tuple[Guard, ...]) -> str:
    """Return in words what is worse; "" if nothing is."""
    return ", ".join(
        f"{one.name} {_share(one.now)} of {one.now[1]}, before {_share(one.before)}"
        for one in found
        if one.worse
    )


def _share(counts: tuple[int, int]) -> str:
    return f"{counts[0] / counts[1]:.0%}"
