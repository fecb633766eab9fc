"""What a campaign manager does with campaigns: one function a wish, for the command line and the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from voicebot.campaign.compliance import open_hours
from voicebot.campaign.policy_pack import policy_pack
from voicebot.campaign.readiness import Coverage, Voice, require
from voicebot.campaign.retry import NEVER, PAUSES
from voicebot.campaign.trunk import check_trunk, is_template, shown_number, stays_here
from voicebot.domain.campaign import Campaign, CampaignStatus
from voicebot.domain.errors import CampaignError, ComplianceError
from voicebot.domain.script import Playbook
from voicebot.store.audit import AuditRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.store.orphans import OrphanRepository
from voicebot.store.session import Database, Session
from voicebot.store.trunks import TrunkRepository

STARTABLE = (CampaignStatus.DRAFT, CampaignStatus.PAUSED, CampaignStatus.FINISHED)


def create(database: Database, vault: NumberVault, campaign: Campaign, actor: str) -> Campaign:
    """Make a campaign, as a draft. Raises CampaignError for whatever in it can not work."""
    made = replace(campaign, status=CampaignStatus.DRAFT, held="")
    with database.transaction() as session:
        _check(session, vault, made)
        CampaignRepository(session).add(made)
        AuditRepository(session).add(actor, "campaign_create", _subject(made), **_told(made))
    return made


def edit(
    database: Database, vault: NumberVault, name: str, changes: Mapping[str, Any], actor: str
) -> Campaign:
    """Change settings of a campaign, at any time; running calls keep what they began with.

    Args:
        database: migrated.
        vault: opens the trunks.
        name: or id.
        changes: fields of Campaign; not its id and status.
        actor: who.

    Raises CampaignError.
    """
    with database.transaction() as session:
        campaigns = CampaignRepository(session)
        before = campaigns.find(name)
        if unknown := sorted(set(changes) - _EDITABLE):
            raise CampaignError(
                "{names} can not be changed",
                hint="{known}",
                names=tuple(unknown),
                known=tuple(sorted(_EDITABLE)),
            )
        after = replace(before, **changes)
        _check(session, vault, after)
        campaigns.edit(after)
        told = {key: value for key, value in _told(after).items() if value != _told(before)[key]}
        AuditRepository(session).add(actor, "campaign_edit", _subject(after), **told)
    return after


def start(
    database: Database,
    vault: NumberVault,
    name: str,
    playbook: Playbook,
    voice: Voice,
    actor: str,
    now: datetime,
) -> tuple[Campaign, Coverage]:
    """Let a campaign call, or go on calling.

    Raises:
        CampaignError: it has no contacts, a prompt has no sound, its trunk is missing or switched off.
        ComplianceError: the law's announcement can be interrupted, or a do-not-call registry is missing.
    """
    with database.transaction() as session:
        campaigns = CampaignRepository(session)
        campaign = campaigns.find(name)
        _check(session, vault, campaign)
        _check_line(session, vault, campaign)
        _check_law(session, vault, campaign, playbook, now)
        if not campaigns.progress(campaign.id).contacts:
            raise CampaignError(
                "{campaign!r} has no contacts",
                hint="voicebot campaign import {campaign} FILE",
                campaign=campaign.name,
            )
        covered = require(playbook, voice)
        _change(session, campaign, STARTABLE, CampaignStatus.RUNNING, actor, now)
    return replace(campaign, status=CampaignStatus.RUNNING, held=""), covered


def pause(database: Database, name: str, actor: str, now: datetime) -> Campaign:
    """Call nobody more until it is started again; running calls go on. Raises CampaignError."""
    return _move(database, name, (CampaignStatus.RUNNING,), CampaignStatus.PAUSED, actor, now)


def drain(database: Database, name: str, actor: str, now: datetime) -> Campaign:
    """Call nobody more; it is stopped when its running calls have ended. Raises CampaignError."""
    running = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)
    return _move(database, name, running, CampaignStatus.DRAINING, actor, now)


def stop(database: Database, name: str, actor: str, now: datetime) -> Campaign:
    """Call nobody more and hang up what runs. Raises CampaignError."""
    running = (CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.DRAINING)
    return _move(database, name, running, CampaignStatus.STOPPING, actor, now)


def settle_unknown(database: Database, name: str, actor: str, now: datetime, gap: timedelta) -> int:
    """Close unknown attempts older than `gap` whose line workers never come back; return how many.

    The rule closes the others by itself. Each is audited. Raises CampaignError.
    """
    with database.transaction() as session:
        campaign = CampaignRepository(session).find(name)
        return OrphanRepository(session).settle_by_hand(campaign.id, actor, now, gap)


def schedule_call(database: Database, vault: NumberVault, contact_id: str, at: datetime, actor: str) -> None:
    """Have a contact called at a time, also one who was done. Compliance has the last word at that time.

    Raises CampaignError if there is no such contact or a call to it is under way.
    """
    with database.transaction() as session:
        contacts = ContactRepository(session, vault)
        contacts.state(contact_id)
        if not contacts.schedule(contact_id, at):
            raise CampaignError("the contact is being called", hint="wait until the call has ended")
        AuditRepository(session).add(actor, "callback", f"contact:{contact_id}", at=at.isoformat())


_EDITABLE = frozenset(
    {
        "name", "playbook_id", "policy_pack", "scope", "trunk", "caller_id", "transfer_uri", "takeover",
        "max_calls", "max_attempts", "ring_timeout_s", "mode", "priority", "calls_per_s", "max_talks",
        "hours", "starts_at", "ends_at", "retry", "leave_message",
    }
)  # fmt: skip


def _check(session: Session, vault: NumberVault, campaign: Campaign) -> None:
    """Raise CampaignError for settings that can not work."""
    policy = policy_pack(campaign.policy_pack)
    trunk = None
    if is_template(campaign.trunk):
        check_trunk(campaign.trunk)
    else:
        trunk = TrunkRepository(session, vault).find(campaign.trunk)
        shown_number(trunk, campaign.caller_id)
    if policy.loopback_only and not stays_here(campaign.trunk, trunk):
        raise CampaignError(
            "{policy} calls stay on this machine, but {trunk} does not",
            hint="use a trunk at 127.0.0.1, or the policy of the country you call",
            policy=campaign.policy_pack,
            trunk=campaign.trunk,
        )
    open_hours(campaign, policy)
    if campaign.max_calls < 1 or campaign.max_attempts < 1:
        raise CampaignError("at least one call at a time and one attempt are needed")
    if campaign.starts_at and campaign.ends_at and campaign.ends_at <= campaign.starts_at:
        raise CampaignError("the campaign would end before it begins")
    for disposition, minutes in campaign.retry.items():
        if disposition not in PAUSES or minutes < NEVER:
            raise CampaignError(
                "{disposition}={minutes} is no pause before another attempt",
                hint="minutes, or -1 = never, for one of {kinds}",
                disposition=disposition,
                minutes=minutes,
                kinds=tuple(PAUSES),
            )


def _check_line(session: Session, vault: NumberVault, campaign: Campaign) -> None:
    """Raise CampaignError if the trunk is switched off."""
    if not is_template(campaign.trunk) and not TrunkRepository(session, vault).find(campaign.trunk).enabled:
        raise CampaignError(
            "trunk {trunk} is switched off", hint="voicebot trunk enable {trunk}", trunk=campaign.trunk
        )


def _check_law(
    session: Session, vault: NumberVault, campaign: Campaign, playbook: Playbook, now: datetime
) -> None:
    policy = policy_pack(campaign.policy_pack)
    if policy.announcement_required:
        announcement = playbook.scripts.get(playbook.announcement)
        if announcement is None or not announcement.protected:
            raise ComplianceError(
                "the announcement of {playbook} is missing or can be interrupted",
                hint="voicebot playbook check {playbook}",
                playbook=playbook.id,
            )
    loaded = {found.name: found for found in DoNotCallRepository(session, vault).lists()}
    for name in policy.registries:
        found = loaded.get(name)
        age = timedelta(days=policy.registry_max_age_days)
        if found is None or found.as_of + age < now:
            raise ComplianceError(
                "the do-not-call registry {name} is missing"
                if found is None
                else "the do-not-call registry {name} is too old",
                hint="voicebot dnc load {name} FILE --as-of DATE",
                name=name,
            )


def _move(
    database: Database,
    name: str,
    expected: Sequence[CampaignStatus],
    wanted: CampaignStatus,
    actor: str,
    now: datetime,
) -> Campaign:
    with database.transaction() as session:
        campaign = CampaignRepository(session).find(name)
        _change(session, campaign, expected, wanted, actor, now)
    return replace(campaign, status=wanted)


def _change(
    session: Session,
    campaign: Campaign,
    expected: Sequence[CampaignStatus],
    wanted: CampaignStatus,
    actor: str,
    now: datetime,
) -> None:
    if not CampaignRepository(session).change(campaign.id, expected, wanted, now):
        raise CampaignError(
            "{campaign!r} is {status}",
            hint="this works on campaigns that are {expected}",
            campaign=campaign.name,
            status=campaign.status,
            expected=expected,
        )
    AuditRepository(session).add(actor, f"campaign_{wanted.value}", _subject(campaign))


def _subject(campaign: Campaign) -> str:
    return f"campaign:{campaign.id}"


def _told(campaign: Campaign) -> dict[str, Any]:
    """Return the settings as the audit log keeps them."""
    plain: dict[str, Any] = {}
    for name in sorted(_EDITABLE):
        value = getattr(campaign, name)
        plain[name] = value.isoformat() if isinstance(value, datetime) else value
    return plain | {"retry": dict(campaign.retry)}
