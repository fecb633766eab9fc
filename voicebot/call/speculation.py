"""Speculation: when is it worth to decide on speech that may go on? Pure.

A decision costs a third of a CPU second, and it is lost if the customer goes on. So it is taken at once only
where the end is likely, or where somebody waits for the words; else as late as it still hides inside the
endpoint's silence. Where every decoder is taken, nobody speculates: only real ends are decided on.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebot.domain.script import Expect


@dataclass(frozen=True, slots=True)
class SpeculationTuning:
    """How long a decision waits for speech to come back, milliseconds after it was asked for."""

    likely: float = 0.55  # endpoint score from which the line worker waits its short silence
    answer: float = 0.3  # the same where yes or no is expected: the words may add what the sound lacks
    unlikely_ms: int = 500  # an unlikely end: the long silence is 960 ms away, the words take 430 at most
    loaded_ms: int = 800  # no decoder is free: the plain silence, all of it
    full: float = 1.5  # requests for each decoder from which on nobody speculates


def wait_ms(
    tuning: SpeculationTuning, score: float | None, expect: Expect, load: float, *, barged_in: bool
) -> int:
    """Return how long to wait before decoding, 0 = not at all.

    Args:
        tuning: the waits.
        score: the chance that the customer has finished; None = unknown.
        expect: what the bot asked for.
        load: requests to the recogniser, for each decoder.
        barged_in: a prompt is held until the words are known.
    """
    if barged_in:
        return 0
    if load >= tuning.full:
        return tuning.loaded_ms
    likely = tuning.answer if expect is Expect.YES_NO else tuning.likely
    return 0 if score is None or score >= likely else tuning.unlikely_ms
