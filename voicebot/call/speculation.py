"""Speculation: when is it worth to decide on speech that may go on? Pure.

A decision costs a fifth of a CPU second, and it is lost if the customer goes on. So it is taken at once only
where the end is likely, or where somebody waits for the words; else as late as it still hides inside the
endpoint's silence, which depends on how fast this machine decides. Where decoders are in demand, the first
look at the sound, which tells likely ends, waits too. Where every one is taken, nobody speculates: only real
ends are decided on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from voicebot.domain.script import Expect


@dataclass(frozen=True, slots=True)
class SpeculationTuning:
    """How long a decision waits for speech to come back, milliseconds after it was asked for."""

    likely: float = 0.55  # endpoint score from which the line worker waits its short silence
    answer: float = 0.3  # the same where yes or no is expected: the words may add what the sound lacks
    due_ms: int = (
        960  # then an unlikely end is one: the line worker's long silence, less the first short pause
    )
    margin_ms: int = 60  # between the decision and that moment
    demand: float = 1.0  # requests for each decoder from which on first looks at the sound wait
    spare: float = 0.5  # … from which on what answers a call is read once less
    look_ms: int = 140  # so long: a pause that is over by then costs nothing
    loaded_ms: int = 800  # no decoder is free: the plain silence, all of it
    full: float = 3.0  # requests for each decoder from which on nobody speculates


class Pace:
    """How long decisions have taken lately in this process, from decoding to the script. Thread-safe."""

    def __init__(self, first_ms: float = 400.0, kept: int = 16) -> None:
        """Begin with a guess."""
        self._first_ms = first_ms
        self._latest: deque[float] = deque(maxlen=kept)

    def note(self, took_ms: float) -> None:
        """Take how long one has taken."""
        self._latest.append(took_ms)

    @property
    def ms(self) -> float:
        """What four of five stayed below."""
        seen = sorted(self._latest)
        return seen[len(seen) * 4 // 5] if seen else self._first_ms


def look_ms(tuning: SpeculationTuning, load: float, *, waited_for: bool) -> int:
    """Return how long to wait before the sound is looked at, 0 = not at all.

    Args:
        tuning: the waits.
        load: requests to the recogniser, for each decoder.
        waited_for: a held prompt, or a person of ours, waits for the words.
    """
    return tuning.look_ms if load >= tuning.demand and not waited_for else 0


def wait_ms(
    tuning: SpeculationTuning,
    score: float | None,
    expect: Expect,
    load: float,
    *,
    barged_in: bool,
    asked_ms: float,
    pace_ms: float,
) -> int:
    """Return how long to wait before decoding, 0 = not at all.

    Args:
        tuning: the waits.
        score: the chance that the customer has finished; None = unknown.
        expect: what the bot asked for.
        load: requests to the recogniser, for each decoder.
        barged_in: a prompt is held until the words are known.
        asked_ms: since the decision was asked for.
        pace_ms: what a decision takes from now.
    """
    if barged_in:
        return 0
    if load >= tuning.full:
        return max(0, round(tuning.loaded_ms - asked_ms))
    likely = tuning.answer if expect is Expect.YES_NO else tuning.likely
    if score is None or score >= likely:
        return 0
    return max(0, round(tuning.due_ms - asked_ms - pace_ms - tuning.margin_ms))
