"""The pages, one file each. The order here is the order of the navigation."""

from __future__ import annotations

from voicebot.console.frame import Pages
from voicebot.console.pages import account, home


def register(pages: Pages) -> None:
    """Register every page."""
    home.register(pages)
    account.register(pages)
