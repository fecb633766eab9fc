"""Pacing with the database: tells the pacer what is under way, writes down what stops a campaign."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from voicebot.campaign import breaker
from voicebot.campaign.pacer import Limits, Load, Want, rate_window_s, share
from voicebot.campaign.policy_pack import policy_pack
from voicebot.campaign.trunk import is_template
from voicebot.domain.campaign import Campaign, CampaignStatus, Mode
from voicebot.domain.trunk import Trunk
from voicebot.store.agents import AgentRepository
from voicebot.store.audit import AuditRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.pacing import PacingRepository
from voicebot.store.session import Database, Session
from voicebot.store.trunks import TrunkRepository
from voicebot.store.workers import LINE, WorkerRepository

log = structlog.get_logger()


class Pacing:
    """Says whether a campaign may call now, and how often. Blocking."""

    def __init__(self, database: Database, vault: NumberVault) -> None:
        self._database = database
        self._vault = vault

    def may_call(self, campaign: Campaign, now: datetime) -> bool:
        """Return whether a running campaign may call: schedule, trunk, agents. Writes down why not."""
        with self._database.transaction() as session:
            campaigns = CampaignRepository(session)
            if campaign.ends_at is not None and now >= campaign.ends_at:
                campaigns.change(campaign.id, [CampaignStatus.RUNNING], CampaignStatus.DRAINING, now)
                AuditRepository(session).add("rule", "campaign_ended", f"campaign:{campaign.id}")
                return False
            if broken := self._broken(session, campaign, now):
                self._trip(session, campaign, broken, now)
                return False
            why = self._waiting(session, campaign, now)
            if campaigns.hold(campaign.id, why) and why:
                log.info("campaign waits", campaign=campaign.id, why=why)
            return not why

    def shares(self, campaigns: Sequence[Campaign], free_lines: int, now: datetime) -> dict[str, int]:
        """Return how many calls each campaign may begin now."""
        with self._database.transaction() as session:
            pacing = PacingRepository(session)
            wants = [_want(session, pacing, campaign, now) for campaign in campaigns]
            trunks = {
                trunk.name: _limits(pacing, trunk, now)
                for trunk in TrunkRepository(session, self._vault).all()
            }
            return share(wants, trunks, free_lines)

    def calls(self, campaign: Campaign, now: datetime) -> list[tuple[str, str]]:
        """Return (address of the line worker, call id) of a campaign's calls."""
        with self._database.transaction() as session:
            at = {worker.id: worker.address for worker in WorkerRepository(session).alive(LINE, now)}
            calls = PacingRepository(session).open_calls(campaign.id)
            return [(at[worker], call_id) for call_id, worker in calls if worker in at]

    def _broken(self, session: Session, campaign: Campaign, now: datetime) -> str:
        pacing = PacingRepository(session)
        since = max(now - breaker.RECENT, CampaignRepository(session).resumed_at(campaign.id) or now)
        tried = pacing.latest(_line_of(campaign), since, breaker.LOOK)
        return breaker.failing([breaker.Tried(cause, status) for cause, status in tried])

    def _trip(self, session: Session, campaign: Campaign, why: str, now: datetime) -> None:
        campaigns = CampaignRepository(session)
        if campaigns.change(campaign.id, [CampaignStatus.RUNNING], CampaignStatus.PAUSED, now):
            campaigns.hold(campaign.id, why)
            AuditRepository(session).add(
                "rule", "circuit_breaker", f"campaign:{campaign.id}", trunk=_line_of(campaign), why=why
            )
            log.error("campaign paused: its trunk fails", campaign=campaign.id, why=why)

    def _waiting(self, session: Session, campaign: Campaign, now: datetime) -> str:
        if campaign.starts_at is not None and now < campaign.starts_at:
            return f"计划 {campaign.starts_at:%Y-%m-%d %H:%M} UTC 开始"
        if not is_template(campaign.trunk):
            trunk = TrunkRepository(session, self._vault).find(campaign.trunk)
            if not trunk.enabled:
                return f"线路 {trunk.name} 已停用"
        policy = policy_pack(campaign.policy_pack)
        since = now - timedelta(days=policy.abandoned_days)
        answered, missed = PacingRepository(session).abandoned(campaign.id, since)
        if why := breaker.abandoned(policy, answered, missed):
            return why
        if campaign.mode is not Mode.BOT and AgentRepository(session).ready(now, campaign.id) == 0:
            return "没有就绪的坐席"
        return ""


def _want(session: Session, pacing: PacingRepository, campaign: Campaign, now: datetime) -> Want:
    is_open, talking, begun = pacing.campaign(campaign.id, now, rate_window_s(campaign.calls_per_s))
    answered, ended = pacing.answered(campaign.id) if campaign.max_talks else (0, 0)
    people = None
    if campaign.mode is not Mode.BOT:
        people = AgentRepository(session).ready(now, campaign.id)
    return Want(
        campaign.id,
        campaign.trunk,
        campaign.priority,
        campaign.max_calls,
        campaign.max_talks,
        campaign.calls_per_s,
        Load(is_open, talking, begun, answered, ended),
        people,
    )


def _limits(pacing: PacingRepository, trunk: Trunk, now: datetime) -> Limits:
    is_open, talking, begun = pacing.trunk(trunk.name, now, rate_window_s(trunk.calls_per_s))
    return Limits(trunk.max_calls, trunk.calls_per_s, Load(is_open, talking, begun))


def _line_of(campaign: Campaign) -> str:
    """Return under what name a campaign's attempts keep their trunk."""
    return campaign.trunk.partition("@")[2] if is_template(campaign.trunk) else campaign.trunk
