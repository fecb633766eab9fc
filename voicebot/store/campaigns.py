"""Campaigns in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from voicebot.domain.campaign import AttemptStatus, Campaign, CampaignStatus, ContactStatus, Mode
from voicebot.domain.errors import CampaignError, DataError
from voicebot.domain.people import TakeoverKind
from voicebot.store.calls import row_id
from voicebot.store.contact_counts import ContactCount, contact_counts
from voicebot.store.tables import AttemptRow, CampaignRow
from voicebot.store.tallies import Tally, tallies

LIVE = (AttemptStatus.OPEN.value, AttemptStatus.UNKNOWN.value)


@dataclass(slots=True)
class Progress:
    """How far a campaign has come."""

    contacts: int = 0
    pending: int = 0
    calling: int = 0
    done: int = 0
    attempts: int = 0  # that are under way or have an outcome
    unknown: int = 0  # attempts whose worker died
    dispositions: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)  # code -> contacts that stand refused

    def add_contacts(self, count: ContactCount) -> None:
        """Add contacts that are alike."""
        self.contacts += count.contacts
        if count.status == ContactStatus.PENDING.value:
            self.pending += count.contacts
        elif count.status == ContactStatus.CALLING.value:
            self.calling += count.contacts
        else:
            self.done += count.contacts
        if count.refusal:
            self.refusals[count.refusal] = self.refusals.get(count.refusal, 0) + count.contacts

    def add_attempts(self, status: str, attempts: int) -> None:
        """Add attempts that have no outcome."""
        self.attempts += attempts
        if status == AttemptStatus.UNKNOWN.value:
            self.unknown += attempts

    def add_outcomes(self, tally: Tally) -> None:
        """Add calls that ended alike."""
        self.attempts += tally.calls
        self.dispositions[tally.disposition] = self.dispositions.get(tally.disposition, 0) + tally.calls


class CampaignRepository:
    """Campaigns (外呼任务)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, campaign: Campaign) -> None:
        """Add a campaign. Raises CampaignError if its name is taken."""
        if self._session.scalar(select(CampaignRow.id).where(CampaignRow.name == campaign.name)):
            raise CampaignError(
                "{campaign!r} exists already", hint="choose another name", campaign=campaign.name
            )
        values = _columns(campaign) | {"status": campaign.status.value}
        self._session.add(CampaignRow(id=row_id(campaign.id), **values))
        self._session.flush()

    def edit(self, campaign: Campaign) -> None:
        """Write a campaign's settings; its status stays. Raises DataError if the name is taken."""
        self._session.execute(
            update(CampaignRow).where(CampaignRow.id == row_id(campaign.id)).values(_columns(campaign))
        )

    def hold(self, campaign_id: str, why: str) -> bool:
        """Write why a started campaign does not call ("" = it does); return whether that is news."""
        changed = self._session.execute(
            update(CampaignRow)
            .where(CampaignRow.id == row_id(campaign_id), CampaignRow.held != why)
            .values(held=why)
            .returning(CampaignRow.id)
        )
        return changed.first() is not None

    def find(self, name_or_id: str) -> Campaign:
        """Return a campaign by its name or id. Raises CampaignError."""
        found = self._session.scalar(select(CampaignRow).where(_named(name_or_id)))
        if found is None:
            raise CampaignError(
                "there is no campaign {name_or_id!r}",
                hint="voicebot campaign status lists them all",
                name_or_id=name_or_id,
            )
        return _campaign(found)

    def all(self, *statuses: CampaignStatus, rehearsals: bool = True) -> tuple[Campaign, ...]:
        """Return the campaigns in these states (in any, if none is named), oldest first."""
        query = select(CampaignRow).order_by(CampaignRow.id)
        if statuses:
            query = query.where(CampaignRow.status.in_([status.value for status in statuses]))
        if not rehearsals:
            query = query.where(CampaignRow.rehearses == "")
        return tuple(_campaign(row) for row in self._session.scalars(query))

    def page(self, before: str = "", limit: int = 100) -> tuple[Campaign, ...]:
        """Return campaigns that call customers, the newest first, made before the one with this id."""
        query = select(CampaignRow).where(CampaignRow.rehearses == "").order_by(CampaignRow.id.desc())
        if before:
            query = query.where(CampaignRow.id < row_id(before))
        return tuple(_campaign(row) for row in self._session.scalars(query.limit(limit)))

    def rehearsals(self, of: str) -> tuple[Campaign, ...]:
        """Return what tries a campaign or a playbook, the newest first."""
        query = select(CampaignRow).where(CampaignRow.rehearses == of).order_by(CampaignRow.id.desc())
        return tuple(_campaign(row) for row in self._session.scalars(query))

    def change(
        self, campaign_id: str, expected: Sequence[CampaignStatus], status: CampaignStatus, now: datetime
    ) -> bool:
        """Change the status if it is one of those expected; return whether it was."""
        values: dict[str, Any] = {"status": status.value}
        if status is CampaignStatus.RUNNING:
            values |= {
                "started_at": func.coalesce(CampaignRow.started_at, now),
                "resumed_at": now,
                "finished_at": None,
                "held": "",
            }
        if status in (CampaignStatus.FINISHED, CampaignStatus.STOPPED):
            values["finished_at"] = now
        changed = self._session.execute(
            update(CampaignRow)
            .where(CampaignRow.id == row_id(campaign_id))
            .where(CampaignRow.status.in_([known.value for known in expected]))
            .values(values)
            .returning(CampaignRow.id)
        )
        return changed.first() is not None

    def resumed_at(self, campaign_id: str) -> datetime | None:
        """Return when a campaign was started the last time; None = never."""
        return self._session.scalar(
            select(CampaignRow.resumed_at).where(CampaignRow.id == row_id(campaign_id))
        )

    def progress(self, campaign_id: str) -> Progress:
        """Count a campaign's contacts, attempts and outcomes."""
        return self.progresses((campaign_id,))[campaign_id]

    def with_progress(self, campaigns: Sequence[Campaign]) -> list[tuple[Campaign, Progress]]:
        """Return campaigns and how far each has come."""
        found = self.progresses([campaign.id for campaign in campaigns])
        return [(campaign, found[campaign.id]) for campaign in campaigns]

    def progresses(self, campaign_ids: Sequence[str]) -> dict[str, Progress]:
        """Count many campaigns' contacts, attempts and outcomes at once; by id."""
        found = {campaign_id: Progress() for campaign_id in campaign_ids}
        for count in contact_counts(self._session, campaign_ids):
            found[str(count.campaign_id)].add_contacts(count)
        live = (
            select(AttemptRow.campaign_id, AttemptRow.status, func.count())
            .where(AttemptRow.campaign_id.in_([row_id(one) for one in campaign_ids]))
            .where(AttemptRow.status.in_(LIVE))
            .group_by(AttemptRow.campaign_id, AttemptRow.status)
        )
        for campaign_id, status, attempts in self._session.execute(live):
            found[str(campaign_id)].add_attempts(status, attempts)
        for tally in tallies(self._session, campaign_ids):
            found[tally.campaign_id].add_outcomes(tally)
        return found


def _named(name_or_id: str) -> ColumnElement[bool]:
    try:
        return (CampaignRow.id == row_id(name_or_id)) | (CampaignRow.name == name_or_id)
    except DataError:
        return CampaignRow.name == name_or_id


def _columns(campaign: Campaign) -> dict[str, Any]:
    return {
        "name": campaign.name,
        "playbook_id": campaign.playbook_id,
        "policy_pack": campaign.policy_pack,
        "scope": campaign.scope,
        "trunk": campaign.trunk,
        "caller_id": campaign.caller_id,
        "transfer_uri": campaign.transfer_uri,
        "takeover": campaign.takeover.value,
        "max_calls": campaign.max_calls,
        "max_attempts": campaign.max_attempts,
        "ring_timeout_s": campaign.ring_timeout_s,
        "mode": campaign.mode.value,
        "priority": campaign.priority,
        "calls_per_s": campaign.calls_per_s,
        "max_talks": campaign.max_talks,
        "hours": campaign.hours,
        "starts_at": campaign.starts_at,
        "ends_at": campaign.ends_at,
        "retry": dict(campaign.retry),
        "leave_message": campaign.leave_message,
        "held": campaign.held,
        "rehearses": campaign.rehearses,
    }


def _campaign(row: CampaignRow) -> Campaign:
    return Campaign(
        id=str(row.id),
        name=row.name,
        playbook_id=row.playbook_id,
        status=CampaignStatus(row.status),
        policy_pack=row.policy_pack,
        scope=row.scope,
        trunk=row.trunk,
        caller_id=row.caller_id,
        transfer_uri=row.transfer_uri,
        takeover=TakeoverKind(row.takeover),
        max_calls=row.max_calls,
        max_attempts=row.max_attempts,
        ring_timeout_s=row.ring_timeout_s,
        mode=Mode(row.mode),
        priority=row.priority,
        calls_per_s=row.calls_per_s,
        max_talks=row.max_talks,
        hours=row.hours,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        retry={name: int(minutes) for name, minutes in row.retry.items()},
        leave_message=row.leave_message,
        held=row.held,
        rehearses=row.rehearses,
    )
