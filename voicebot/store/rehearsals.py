"""Calls that were no rehearsal: the others are left out where campaigns are counted together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select

from voicebot.store.tables import CampaignRow


def of_customers(campaign_id: Any) -> ColumnElement[bool]:
    """Return the condition that a call was no rehearsal, for a column that may be NULL."""
    rehearsals = select(CampaignRow.id).where(CampaignRow.rehearses != "")
    found: ColumnElement[bool] = campaign_id.is_(None) | campaign_id.not_in(rehearsals)
    return found
