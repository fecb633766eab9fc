"""The pages, one file each. The order here is the order of the navigation."""

from __future__ import annotations

from voicebot.console.frame import Pages
from voicebot.console.pages import (
    account,
    agent,
    audit,
    call,
    campaign,
    campaigns,
    consent,
    grading,
    home,
    learning,
    outcomes,
    people,
    playbooks,
    reports,
    trial,
    wall,
    webhooks,
)

PAGES = (
    home, wall, agent, grading, campaigns, campaign, outcomes, call,
    reports, learning, playbooks, trial, consent, people, webhooks, audit, account,
)  # fmt: skip


def register(pages: Pages) -> None:
    """Register every page. A path with a parameter comes after those it would swallow."""
    for page in PAGES:
        page.register(pages)
