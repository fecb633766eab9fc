"""Recognises by its words that a machine answered: a network announcement, a mailbox, an assistant."""

from __future__ import annotations

from voicebot.domain.answering import disposition_of
from voicebot.domain.call import Disposition
from voicebot.text.announcements import announced


def machine(text: str) -> Disposition | None:
    """Return what the announcement tells about the call; None if a person speaks."""
    status = announced(text)
    return None if status is None else disposition_of(status)
