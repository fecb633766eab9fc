"""What the trained ranker learns from: what was said, and what a good agent then replied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Context:
    """The turns that decide what to say next; "" where the conversation is younger."""

    said: str  # the customer's utterance that wants a reply
    agent: str = ""  # what was said to the customer just before
    before: str = ""  # what the customer had said before that
    scene: str = ""
    keywords: tuple[str, ...] = ()
    emotion: Mapping[str, float] = field(default_factory=dict)  # label -> probability

    @property
    def turns(self) -> tuple[str, str, str]:
        """Return the turns, newest first."""
        return (self.said, self.agent, self.before)

    @property
    def signs(self) -> dict[str, float]:
        """Return what else is known of the moment, by name, each with a weight of 0-1."""
        found = {f"scene {self.scene}": 1.0} if self.scene else {}
        found |= {f"keyword {word}": 1.0 for word in self.keywords}
        return found | {f"emotion {label}": share for label, share in self.emotion.items() if share > 0}


@dataclass(frozen=True, slots=True)
class Pair:
    """One historical choice: a context and the script that followed."""

    context: Context
    reply: str  # text of the script; slots as {name} or [name]
    conversation: str = ""  # cross-validation never splits one
    weight: float = 1.0  # -1 to 1; below 0 the script was wrong there
