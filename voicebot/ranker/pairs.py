"""What the trained ranker learns from: what was said, and what a good agent then replied."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """The turns that decide what to say next; "" where the conversation is younger."""

    said: str  # the customer's utterance that wants a reply
    agent: str = ""  # what was said to the customer just before
    before: str = ""  # what the customer had said before that

    @property
    def turns(self) -> tuple[str, str, str]:
        """Return the turns, newest first."""
        return (self.said, self.agent, self.before)


@dataclass(frozen=True, slots=True)
class Pair:
    """One historical choice: a context and the script that followed."""

    context: Context
    reply: str  # text of the script; slots as {name} or [name]
    conversation: str = ""  # cross-validation never splits one
