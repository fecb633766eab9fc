"""What somebody who begins to watch in the middle of a call must be told. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from voicebot.domain.call import CallEvent
from voicebot.domain.people import TakeoverStage

TURNS = 40  # the latest so many; older ones stand in the database


class Recap:
    """Keeps the latest event of every kind, and the latest turns, of one call."""

    def __init__(self) -> None:
        """Begin with nothing to tell."""
        self._turns: deque[CallEvent] = deque(maxlen=TURNS)
        self._latest: dict[str, CallEvent] = {}

    def take(self, event: CallEvent) -> None:
        """Take an event of the call."""
        if event.kind == "turn":
            self._turns.append(event)
        elif event.kind == "ended":
            self._turns.clear()
            self._latest.clear()
        elif event.takeover is not None:
            self._take_over(event)
        else:
            states = event.kind in ("dialling", "ringing", "answered")
            self._latest["state" if states else event.kind] = event

    def _take_over(self, event: CallEvent) -> None:
        """The briefing was told once; it holds until the takeover is over."""
        update, before = event.takeover, self._latest.get("takeover")
        assert update is not None
        if update.stage is TakeoverStage.ENDED:
            self._latest.pop("suggestion", None)
        elif update.briefing is None and before is not None and before.takeover is not None:
            event = replace(event, takeover=replace(update, briefing=before.takeover.briefing))
        self._latest["takeover"] = event

    def events(self) -> list[CallEvent]:
        """Return what happened, as far as it still matters, in its order."""
        return sorted((*self._turns, *self._latest.values()), key=lambda event: event.at)
