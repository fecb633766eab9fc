"""The pages, one file each. The order here is the order of the navigation."""

from __future__ import annotations

from voicebot.console.frame import Pages
from voicebot.console.pages import account, call, campaign, campaigns, home, outcomes


def register(pages: Pages) -> None:
    """Register every page. A path with a parameter comes after those it would swallow."""
    for page in (home, campaigns, campaign, outcomes, call, account):
        page.register(pages)
