"""The watch over rankers that became live: what is worse than before is taken back without a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from voicebot import bootstrap
from voicebot.domain.errors import ModelError
from voicebot.domain.learning import Guard, ModelState, ModelVersion
from voicebot.learning.watch import BASELINE, WATCHED, guards, why
from voicebot.ranker.versions import newest
from voicebot.service import model_registry
from voicebot.service.model_registry import RANKER
from voicebot.settings import Settings
from voicebot.store.guard import GuardRepository
from voicebot.store.model_versions import ModelVersionRepository
from voicebot.store.session import Database

ACTOR = "watch"  # who takes models back when nobody did
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Watched:
    """A live ranker and how it does."""

    version: ModelVersion
    playbook_id: str
    guards: tuple[Guard, ...]

    @property
    def worse(self) -> str:
        """What is worse than before, in words; "" if nothing is."""
        return why(self.guards)


def watched(settings: Settings, database: Database, now: datetime) -> list[Watched]:
    """Return the trained rankers that are in use and became live not long ago, with what guards them."""
    live = {path.name: playbook for playbook, path in newest(bootstrap.model_roots(settings)).items()}
    found = []
    with database.transaction() as session:
        for version in ModelVersionRepository(session).all(RANKER, [ModelState.LIVE]):
            playbook_id = live.get(version.version)
            if playbook_id is None or now - version.changed_at > WATCHED:
                continue
            since = version.changed_at - BASELINE
            label = f"{version.name}-{version.version}"
            standings = GuardRepository(session).standings(playbook_id, label, since)
            found.append(Watched(version, playbook_id, guards(*standings)))
    return found


def take_back_worse(settings: Settings, database: Database, now: datetime) -> list[str]:
    """Take back every watched ranker that does worse than before, beyond doubt; return their labels."""
    gone = []
    for one in watched(settings, database, now):
        if not one.worse:
            continue
        label = f"{one.version.name}-{one.version.version}"
        try:
            model_registry.roll_back(
                settings, database, RANKER, now, ACTOR, one.worse, version=one.version.version
            )
        except ModelError as absent:
            log.warning("model can not be taken back", model=label, why=str(absent))
            continue
        log.warning("model taken back", model=label, playbook=one.playbook_id, why=one.worse)
        gone.append(label)
    return gone
