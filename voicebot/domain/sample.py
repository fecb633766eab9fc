"""Samples (样本): what was said in calls and which script was chosen, judged. The ranker learns from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sample:
    """One choice of the past."""

    said: str  # the customer's utterance, in clear hanzi or redacted
    script_id: str  # that was said then
    agent: str = ""  # what the customer had heard just before
    before: str = ""  # what the customer had said before that
    scene: str = ""  # in which the utterance was heard
    keywords: tuple[str, ...] = ()
    emotion: Mapping[str, float] = field(default_factory=dict)  # label -> probability
    conversation: str = ""  # call id; cross-validation never splits one
    weight: float = 1.0  # -1 to 1: how good the choice was; below 0 the script was wrong there
