"""Retraining as it runs: asked for, done, registered, promoted by the rule, watched, taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.conftest import Make
from voicebot.console.api.app import api
from voicebot.console.house import House
from voicebot.domain.call import Disposition, EndCause, IntentLevel
from voicebot.domain.dialogue import Shown
from voicebot.domain.errors import DataError, ModelError
from voicebot.domain.learning import ModelState, TrainingState
from voicebot.domain.people import Grade
from voicebot.domain.users import Right
from voicebot.learning.gather import gather
from voicebot.learning.promote import Comparison
from voicebot.learning.retrain import Retrained
from voicebot.ranker.trained import Blend
from voicebot.ranker.versions import BLEND
from voicebot.registry import models
from voicebot.registry.models import Manifest
from voicebot.registry.resources import models_dir
from voicebot.service import model_registry, training, watching
from voicebot.service.jobs.catalogue import TASKS
from voicebot.settings import Settings
from voicebot.store.api_tokens import ApiTokenRepository
from voicebot.store.audit import AuditRepository
from voicebot.store.calls import CallRepository
from voicebot.store.decisions import DecisionRepository
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.jobs import JobRepository
from voicebot.store.model_versions import ModelVersionRepository
from voicebot.store.session import Database
from voicebot.store.trainings import LOST, TASK, TrainingRepository

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, retrain_after=2)


def written(place: Path, playbook: str = "loan") -> Manifest:
    """A version of the ranker, as far as the registry looks at it."""
    place.mkdir(parents=True)
    Blend(playbook, 1.0, 1.0, 1.0).save(place)
    return models.save(place, Manifest("ranker", place.name, {BLEND: ""}))


def judged_call(
    database: Database,
    make: Make,
    *,
    version: str = "ranker-2+examples-1",
    hung_up: bool = False,
    grade: Grade | None = None,
    shown: tuple[Shown, ...] = (),
) -> str:
    request = make.request()
    turn = make.turn(request.call_id, 1)
    decision = replace(turn.decision, model_version=version, shown=shown, propensity=0.9)
    with database.transaction() as session:
        CallRepository(session).turn(replace(turn, decision=decision))
        record = make.record(request, Disposition.REFUSED if hung_up else Disposition.CALLBACK, IntentLevel.C)
        cause = EndCause.CUSTOMER_HUNG_UP if hung_up else EndCause.BOT_HUNG_UP
        CallRepository(session).ended(replace(record, cause=cause))
        if grade:
            feedback = FeedbackRepository(session)
            feedback.graded(request.call_id, 1, "callback_offer", grade, "li", datetime.now(UTC))
    return request.call_id


def trained(better: bool) -> Callable[..., Retrained]:
    """What training came to, without its minutes: a candidate that is better by the rule, or is not."""

    def retrain(
        database: Database,
        playbook: Any,
        live: Any,
        encoder: Any,
        out: Path,
        recipe: Any,
        progress: Any,
        frozen: Any,
    ) -> Retrained:
        assert [one.said for one in frozen] == ["利息多少"]
        progress("fold 1 of 3")
        found = Comparison(60, 0.2, 0.1, 0.3, {"scene pitch": 0.2}, better, "better beyond doubt")
        return Retrained(40, 0, written(out, playbook.id), found)

    return retrain


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the loading of models that the shortened training does not look at."""
    monkeypatch.setattr("voicebot.bootstrap.ranker", lambda settings: None)
    monkeypatch.setattr("voicebot.ranker.encoder.open_encoder", lambda kept=None: None)


def test_a_training_is_asked_for_once_and_queued(database: Database) -> None:
    asked = training.ask(database, "consumer_loan", "li", NOW, promote=True)
    with pytest.raises(DataError, match="trained already"):
        training.ask(database, "consumer_loan", "wang", NOW, promote=False)
    training.ask(database, "consumer_loan", "wang", NOW + LOST, promote=False)  # the first one is lost
    with database.transaction() as session:
        assert JobRepository(session).latest(TASK)[-1].args == {"training_id": asked}
        found = TrainingRepository(session).get(asked)
    assert (found.state, found.asked_by, found.promote) == (TrainingState.WAITING, "li", True)
    assert TASK in {task.name for task in TASKS}


@pytest.mark.parametrize(("better", "state"), [(True, ModelState.LIVE), (False, ModelState.CANDIDATE)])
def test_a_better_candidate_becomes_live_and_another_waits(
    database: Database,
    settings: Settings,
    quick: None,
    monkeypatch: pytest.MonkeyPatch,
    better: bool,
    state: ModelState,
) -> None:
    monkeypatch.setattr("voicebot.learning.retrain.retrain", trained(better))
    held_out = settings.home / "held_out" / "consumer_loan.jsonl"
    held_out.parent.mkdir()
    held_out.write_text('{"said": "利息多少", "script": "q_rate", "score": 80}\n', "utf-8")
    asked = training.ask(database, "consumer_loan", "li", NOW, promote=True)
    steps: list[str] = []
    done = training.train(settings, database, asked, steps.append)
    assert done.state is (TrainingState.PROMOTED if better else TrainingState.CANDIDATE)
    assert (done.samples, done.comparison["groups"]) == (40, {"scene pitch": 0.2})
    assert steps == ["loading the live model", "fold 1 of 3"]
    name, _, version = done.model.partition("-")
    with database.transaction() as session:
        known = ModelVersionRepository(session).find(name, version)
    assert known is not None
    assert (known.state, known.manifest["files"].keys()) == (state, {BLEND})
    folder = "models" if better else "candidates"
    assert (settings.home / folder / name / version / BLEND).is_file()
    assert done.model not in model_registry.sync(settings, database, NOW)


def test_a_training_that_fails_says_so(
    database: Database, settings: Settings, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object) -> Retrained:
        raise DataError("too few examples")

    monkeypatch.setattr("voicebot.learning.retrain.retrain", fails)
    asked = training.ask(database, "consumer_loan", "li", NOW, promote=True)
    with pytest.raises(DataError):
        training.train(settings, database, asked)
    with database.transaction() as session:
        found = TrainingRepository(session).get(asked)
    assert (found.state, found.error) == (TrainingState.FAILED, "too few examples")


def test_new_samples_ask_for_a_training_and_old_ones_do_not(
    database: Database, make: Make, settings: Settings
) -> None:
    calls = [judged_call(database, make, grade=Grade.GOOD) for _ in range(2)]
    gather(database, NOW - timedelta(hours=1), datetime.now(UTC))
    with database.transaction() as session:
        assert TrainingRepository(session).new_samples() == {"loan": 2}
    # the playbook is not installed here
    assert training.ask_where_due(settings, database, NOW, nightly=False) == []
    now = datetime.now(UTC)
    with database.transaction() as session:
        TrainingRepository(session).ask("loan", "li", now, promote=False, queue=False)
    with database.transaction() as session:
        assert TrainingRepository(session).new_samples() == {}
        feedback = FeedbackRepository(session)
        feedback.graded(calls[0], 1, "callback_offer", Grade.POOR, "wang", now + timedelta(seconds=1))
    with database.transaction() as session:
        assert TrainingRepository(session).new_samples() == {"loan": 1}


def test_the_schedule_asks_where_enough_is_new(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = {"consumer_loan": 2, "after_sales": 1, "gone": 9}
    monkeypatch.setattr(TrainingRepository, "new_samples", lambda self: new)
    assert training.ask_where_due(settings, database, NOW, nightly=False) == ["consumer_loan"]
    assert training.ask_where_due(settings, database, NOW, nightly=False) == []  # it waits already
    assert training.ask_where_due(settings, database, NOW, nightly=True) == []
    new["after_sales"] = training.FEWEST_NEW
    assert training.ask_where_due(settings, database, NOW, nightly=True) == ["after_sales"]
    never = settings.model_copy(update={"retrain_after": 0, "retrain_nightly": False})
    assert training.ask_where_due(never, database, NOW, nightly=False) == []
    assert training.ask_where_due(never, database, NOW, nightly=True) == []


def test_a_live_model_that_does_worse_is_taken_back_and_one_that_does_as_well_stays(
    database: Database, make: Make, settings: Settings
) -> None:
    for version in ("7", "8"):
        written(settings.home / "candidates" / "ranker" / version)
        model_registry.promote(settings, database, "ranker", version, NOW, "li", "tried it")
    for number in range(120):
        judged_call(database, make, version="ranker-7+examples-1", hung_up=number % 10 == 0)
    for number in range(60):
        judged_call(database, make, version="ranker-8+examples-1", hung_up=number % 10 == 0)
    (watched,) = watching.watched(settings, database, NOW)
    assert (watched.version.version, watched.playbook_id, watched.worse) == ("8", "loan", "")
    assert watched.guards[0].now == (54, 60)
    assert watched.guards[0].before == (108, 120)
    assert watching.take_back_worse(settings, database, NOW) == []
    for _ in range(60):
        judged_call(database, make, version="ranker-8+examples-1", hung_up=True)
    assert watching.take_back_worse(settings, database, NOW) == ["ranker-8"]
    assert (settings.home / "retired" / "ranker" / "8").is_dir()
    with database.transaction() as session:
        found = ModelVersionRepository(session).find("ranker", "8")
        audit = [entry.action for entry in AuditRepository(session).find(actor=watching.ACTOR)]
    assert found is not None
    assert (found.state, found.actor) == (ModelState.RETIRED, watching.ACTOR)
    assert found.why == "ended_well 45% of 120, before 90%"
    assert audit == ["model_rolled_back"]
    assert watching.take_back_worse(settings, database, NOW) == []


def test_the_registry_knows_what_lies_where_and_refuses_another_model_of_the_same_name(
    database: Database, settings: Settings
) -> None:
    home = settings.home
    manifest = written(home / "candidates" / "ranker" / "9")
    assert "ranker-9" in model_registry.sync(settings, database, NOW)
    assert model_registry.sync(settings, database, NOW) == []
    foreign = json.loads((home / "candidates/ranker/9/manifest.json").read_text("utf-8"))
    (home / "candidates/ranker/9" / BLEND).write_text("{}", "utf-8")
    models.save(home / "candidates" / "ranker" / "9", Manifest(**foreign))
    with pytest.raises(ModelError, match="not the one that was registered"):
        model_registry.promote(settings, database, "ranker", "9", NOW, "li", "")
    with database.transaction() as session:
        known = ModelVersionRepository(session).find("ranker", "9")
        shipped = ModelVersionRepository(session).all("ranker", [ModelState.SHIPPED])
    assert known is not None
    assert (known.state, known.manifest["files"]) == (ModelState.CANDIDATE, dict(manifest.files))
    on_disk = {path.name for path in (models_dir() / "ranker").iterdir()}
    assert {one.version for one in shipped} == on_disk


def test_a_model_that_was_taken_back_may_become_live_again(database: Database, settings: Settings) -> None:
    written(settings.home / "models" / "ranker" / "7")
    model_registry.roll_back(settings, database, "ranker", NOW, "li", "a doubt")
    live = model_registry.promote(settings, database, "ranker", "7", NOW, "li", "no doubt any more")
    assert live == settings.home / "models" / "ranker" / "7"
    with pytest.raises(ModelError, match="no candidate"):
        model_registry.promote(settings, database, "ranker", "7", NOW, "li", "")


def test_judged_decisions_with_a_choice_are_told_with_their_chances(database: Database, make: Make) -> None:
    shown = (Shown("callback_offer", 0.7, 0.93), Shown("apology", 0.3, 0.07))
    call_id = judged_call(database, make, grade=Grade.POOR, shown=shown)
    judged_call(database, make, grade=Grade.POOR)
    gather(database, NOW - timedelta(hours=1), datetime.now(UTC))
    with database.transaction() as session:
        (one,) = DecisionRepository(session).logged("loan")
    assert (one.call_id, one.shown, one.score, one.belief, one.propensity) == (call_id, shown, 20, 1.0, 0.9)


def test_a_program_asks_for_a_training_and_moves_a_candidate(database: Database, settings: Settings) -> None:
    written(settings.home / "candidates" / "ranker" / "9")
    model_registry.sync(settings, database, NOW)
    with database.transaction() as session:
        token = ApiTokenRepository(session).make("crm", [Right.TRAIN], "admin", None)
    with TestClient(api(House(settings, database)), headers={"Authorization": f"Bearer {token}"}) as client:
        asked = client.post("/trainings", json={"playbook": "consumer_loan"})
        assert (asked.status_code, asked.json()["state"], asked.json()["asked_by"]) == (
            202,
            "waiting",
            "token:crm",
        )
        assert client.post("/trainings", json={"playbook": "consumer_loan"}).status_code == 422
        assert client.post("/trainings", json={"playbook": "unknown"}).status_code == 404
        (listed,) = client.get("/trainings").json()["items"]
        assert listed == asked.json()
        live = client.post("/models/ranker/9/promote", json={"why": "tried it"}).json()
        assert (live["state"], live["actor"], live["why"]) == ("live", "token:crm", "tried it")
        gone = client.post("/models/ranker/9/rollback", json={}).json()
        assert gone["state"] == "retired"
        assert client.get("/models").json()["items"][0] == gone
