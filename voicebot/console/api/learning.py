"""Learning: retrainings, versions of models, what is promoted and taken back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from voicebot.console.api.caller import Caller, needs
from voicebot.console.api.schemas import Given, Line
from voicebot.domain.learning import ModelVersion, Training
from voicebot.domain.users import Right
from voicebot.service import model_registry
from voicebot.store.model_versions import ModelVersionRepository
from voicebot.store.session import Transaction
from voicebot.store.trainings import TrainingRepository

router = APIRouter(tags=["learning"])
Trains = Annotated[Caller, Depends(needs(Right.TRAIN))]
PlaybookId = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
Name = Annotated[str, Path(max_length=50, pattern=r"^[a-z]+$")]
Version = Annotated[str, Path(max_length=20, pattern=r"^\d+(\.\d+)*$")]


class NewTraining(Given):
    """A wish for a retraining."""

    playbook: PlaybookId
    promote: bool = Field(False, description="make it live if it is better by the rule")


class TrainingOut(BaseModel):
    """A retraining, and how far it is."""

    id: str
    playbook: str
    asked_at: datetime
    asked_by: str
    state: str = Field(description="waiting, running, nothing (no gain), candidate, promoted, failed")
    step: str
    samples: int | None
    model: str
    comparison: dict[str, Any]
    error: str


class TrainingsOut(BaseModel):
    """Retrainings, newest first, and what is new since."""

    items: list[TrainingOut]
    new_samples: dict[str, int]


class Why(Given):
    """Why somebody does it, for the audit log."""

    why: Line = Field("", max_length=300)


class ModelOut(BaseModel):
    """A version of a model."""

    name: str
    version: str
    state: str = Field(description="shipped, candidate, live, retired, gone")
    changed_at: datetime
    actor: str
    why: str
    data: dict[str, str]
    metrics: dict[str, float]


class ModelsOut(BaseModel):
    """Versions of models, those that changed last first."""

    items: list[ModelOut]


@router.get("/trainings")
async def list_trainings(caller: Trains, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> TrainingsOut:
    """List retrainings, the newest first."""

    def work(session: Transaction) -> tuple[list[Training], dict[str, int]]:
        trainings = TrainingRepository(session)
        return trainings.latest(limit=limit), trainings.new_samples()

    found, new = await caller.query(work)
    return TrainingsOut(items=[_training(one) for one in found], new_samples=new)


@router.post("/trainings", status_code=202)
async def ask_for_training(caller: Trains, new: NewTraining) -> TrainingOut:
    """Ask for a retraining; the jobs process does it."""
    now = datetime.now(UTC)
    caller.house.playbooks.get(new.playbook)

    def work(session: Transaction) -> Training:
        trainings = TrainingRepository(session)
        return trainings.get(trainings.ask(new.playbook, caller.name, now, promote=new.promote))

    return _training(await caller.act("train", f"playbook:{new.playbook}", work))


@router.get("/models")
async def list_models(caller: Trains) -> ModelsOut:
    """List the versions of all models, those that changed last first."""
    found = await caller.query(lambda session: ModelVersionRepository(session).all())
    return ModelsOut(items=[_model(one) for one in found])


@router.post("/models/{name}/{version}/promote")
async def promote_model(caller: Trains, name: Name, version: Version, given: Why) -> ModelOut:
    """Make a candidate, or a version that was taken back, live."""
    house, now = caller.house, datetime.now(UTC)
    await asyncio.to_thread(
        model_registry.promote, house.settings, house.database, name, version, now, caller.name, given.why
    )
    return await _found(caller, name, version)


@router.post("/models/{name}/{version}/rollback")
async def take_model_back(caller: Trains, name: Name, version: Version, given: Why) -> ModelOut:
    """Take a live version out of use; the one before it is live again."""
    house, now = caller.house, datetime.now(UTC)
    await asyncio.to_thread(
        model_registry.roll_back,
        house.settings, house.database, name, now, caller.name, given.why, version=version,
    )  # fmt: skip
    return await _found(caller, name, version)


async def _found(caller: Caller, name: str, version: str) -> ModelOut:
    found = await caller.query(lambda session: ModelVersionRepository(session).find(name, version))
    assert found is not None  # it was written just now
    return _model(found)


def _training(one: Training) -> TrainingOut:
    return TrainingOut(
        id=one.id,
        playbook=one.playbook_id,
        asked_at=one.asked_at,
        asked_by=one.asked_by,
        state=one.state.value,
        step=one.step,
        samples=one.samples,
        model=one.model,
        comparison=dict(one.comparison),
        error=one.error,
    )


def _model(one: ModelVersion) -> ModelOut:
    return ModelOut(
        name=one.name,
        version=one.version,
        state=one.state.value,
        changed_at=one.changed_at,
        actor=one.actor,
        why=one.why,
        data=dict(one.manifest.get("data") or {}),
        metrics=dict(one.manifest.get("metrics") or {}),
    )
