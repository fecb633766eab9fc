"""Models as the house keeps them: directories that move, with the same in the database and the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from voicebot.domain.errors import ModelError
from voicebot.domain.learning import ModelState, ModelVersion
from voicebot.registry import models, promotion, resources
from voicebot.registry.models import Manifest
from voicebot.settings import Settings
from voicebot.store.audit import AuditRepository
from voicebot.store.model_versions import ModelVersionRepository
from voicebot.store.session import Database

RANKER = "ranker"


def sync(settings: Settings, database: Database, now: datetime) -> list[str]:
    """Bring the database to what lies in the directories; return what is new or moved there."""
    found = [_version(manifest, state, now) for manifest, state in _lying(settings)]
    with database.transaction() as session:
        return ModelVersionRepository(session).sync(found, now)


def register(
    settings: Settings, database: Database, manifest: Manifest, now: datetime, actor: str, why: str
) -> None:
    """Write a candidate into the database: from now on its files are the ones named there."""
    with database.transaction() as session:
        ModelVersionRepository(session).set(_version(manifest, ModelState.CANDIDATE, now, actor, why))
        AuditRepository(session).add(actor, "model_trained", f"model:{manifest.label}", why=why)


def promote(
    settings: Settings, database: Database, name: str, version: str, now: datetime, actor: str, why: str
) -> Path:
    """Make a candidate live. Raises ModelError if it is not the one that was trained, or is damaged.

    Args:
        settings: name the data home.
        database: holds the registry.
        name: of the model.
        version: of the candidate, or of a version that was taken back.
        now: UTC.
        actor: who wants it.
        why: in words.
    """
    manifest = models.peek(promotion.waiting(settings.home, name, version))
    with database.transaction() as session:
        versions = ModelVersionRepository(session)
        known = versions.find(name, version)
        if known is not None and known.manifest.get("files") != dict(manifest.files):
            raise ModelError(
                "{model} is not the one that was registered: its files have other hashes",
                hint="it was changed or came from elsewhere: train it again",
                model=manifest.label,
            )
        live = promotion.promote(settings.home, name, version)
        versions.set(_version(manifest, ModelState.LIVE, now, actor, why))
        AuditRepository(session).add(actor, "model_promoted", f"model:{manifest.label}", why=why)
    return live


def roll_back(
    settings: Settings, database: Database, name: str, now: datetime, actor: str, why: str, version: str = ""
) -> Path:
    """Take the newest trained version, or the named one, out of use; return where it lies now.

    Raises ModelError if none was trained here.
    """
    moved = promotion.roll_back(settings.home, name, version)
    manifest = models.peek(moved)
    with database.transaction() as session:
        ModelVersionRepository(session).set(_version(manifest, ModelState.RETIRED, now, actor, why))
        AuditRepository(session).add(actor, "model_rolled_back", f"model:{manifest.label}", why=why)
    return moved


def _lying(settings: Settings) -> Iterator[tuple[Manifest, ModelState]]:
    """Yield every readable version with its state; a data home's own version hides a shipped one."""
    home = settings.home
    places = (
        (home / promotion.LIVE, ModelState.LIVE),
        (home / promotion.CANDIDATES, ModelState.CANDIDATE),
        (home / promotion.RETIRED, ModelState.RETIRED),
        (resources.models_dir(), ModelState.SHIPPED),
    )
    seen: set[tuple[str, str]] = set()
    for root, state in places:
        for directory in models.installed((root,)):
            try:
                manifest = models.peek(directory)
            except ModelError:
                continue  # `voicebot models check` tells of it
            if (manifest.name, directory.name) not in seen:
                seen.add((manifest.name, directory.name))
                yield manifest, state


def _version(
    manifest: Manifest, state: ModelState, now: datetime, actor: str = "", why: str = ""
) -> ModelVersion:
    return ModelVersion(manifest.name, manifest.version, state, asdict(manifest), now, now, actor, why)
