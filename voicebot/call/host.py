"""The call, as its human side sees it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Protocol

from voicebot.call.account import Account
from voicebot.call.events import Event, SessionConfig
from voicebot.call.line import Line
from voicebot.domain.call import CallEvent, CallRequest
from voicebot.domain.ports import Conversation
from voicebot.telephony import Leg


class Host(Protocol):
    """What the human side sees of its call."""

    request: CallRequest
    account: Account

    @property
    def conversation(self) -> Conversation:
        """The stream that inference listens to now."""

    @property
    def config(self) -> SessionConfig:
        """What all calls of the worker share."""

    @property
    def leg(self) -> Leg:
        """The customer's leg."""

    @property
    def line(self) -> Line:
        """The customer's line."""

    def post(self, event: Event) -> None:
        """Put an event into the call's inbox; from any thread."""

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Run something until the call ends."""

    def tell(self, event: CallEvent) -> None:
        """Tell whoever watches the line."""
