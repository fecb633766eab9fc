"""What an operator does with trunks."""

from __future__ import annotations

from dataclasses import replace

from voicebot.campaign.trunk import check
from voicebot.domain.campaign import CampaignStatus
from voicebot.domain.errors import CampaignError
from voicebot.domain.trunk import Registered, Trunk
from voicebot.store.audit import AuditRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.session import Database
from voicebot.store.trunks import RegistrationRepository, TrunkRepository

_ACTIVE = (CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.DRAINING, CampaignStatus.STOPPING)


def save(database: Database, vault: NumberVault, trunk: Trunk, actor: str) -> Trunk:
    """Add a trunk, or change the one of its name. Raises CampaignError for what can not work."""
    check(trunk)
    with database.transaction() as session:
        TrunkRepository(session, vault).save(trunk)
        AuditRepository(session).add(
            actor, "trunk_save", f"trunk:{trunk.name}", host=trunk.host, prefixes=list(trunk.prefixes)
        )
    return trunk


def listed(database: Database, vault: NumberVault) -> tuple[Trunk, ...]:
    """Return every trunk, by name."""
    with database.transaction() as session:
        return TrunkRepository(session, vault).all()


def registered(database: Database) -> tuple[Registered, ...]:
    """Return how the registrations of the line workers that run ended, by trunk."""
    with database.transaction() as session:
        return RegistrationRepository(session).latest()


def switch(database: Database, vault: NumberVault, name: str, actor: str, *, on: bool) -> Trunk:
    """Switch a trunk on or off. Raises CampaignError."""
    with database.transaction() as session:
        repository = TrunkRepository(session, vault)
        switched = replace(repository.find(name), enabled=on)
        repository.save(switched)
        AuditRepository(session).add(actor, "trunk_enable" if on else "trunk_disable", f"trunk:{name}")
    return switched


def remove(database: Database, vault: NumberVault, name: str, actor: str) -> None:
    """Remove a trunk. Raises CampaignError if there is none, or a campaign that goes on needs it."""
    with database.transaction() as session:
        needed = [one.name for one in CampaignRepository(session).all(*_ACTIVE) if one.trunk == name]
        if needed:
            raise CampaignError(
                f"trunk {name} is used by {', '.join(needed)}", hint="give them another trunk, or disable it"
            )
        repository = TrunkRepository(session, vault)
        repository.find(name)
        repository.remove(name)
        AuditRepository(session).add(actor, "trunk_remove", f"trunk:{name}")
