"""Shared fixtures: PostgreSQL, and the folder of evaluation data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from hypothesis import settings as hypothesis_settings
from sqlalchemy import create_engine, text

from voicebot.domain.call import (
    CallRecord,
    CallRequest,
    Direction,
    Disposition,
    EndCause,
    IntentLevel,
    Outcome,
    Turn,
)
from voicebot.domain.dialogue import Candidate, Decision, Relation
from voicebot.domain.emotion import CALM, Distribution, Emotion, EmotionLabel, KeywordEmotion
from voicebot.domain.ids import uuid7
from voicebot.domain.script import Action, Style
from voicebot.domain.speech import Prosody, Transcript, UtteranceKind, Word
from voicebot.domain.understanding import Understanding
from voicebot.store.embedded import EmbeddedPostgres
from voicebot.store.migrate import migrate
from voicebot.store.session import Database

# how long an example takes depends on what else the machine does
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")

TEMPLATE = "voicebot"  # the server's own database, migrated and never written to


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the browser come last: Playwright keeps an event loop running, beside which no other can begin."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let logging that a command configures end with its test, whose captured streams are closed then."""
    configure = structlog.configure
    monkeypatch.setattr(
        structlog, "configure", lambda **given: configure(**given | {"cache_logger_on_first_use": False})
    )
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session")
def postgres_directory() -> Iterator[Path]:
    """A directory with a short path, which an account other than root may pass: pytest's own may not."""
    directory = Path(tempfile.mkdtemp(prefix="voicebot-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(postgres_directory: Path) -> Iterator[str]:
    """One embedded server for the session; the URL of its migrated template database."""
    server = EmbeddedPostgres(postgres_directory / "shared", durable=False)
    with server as url:
        database = Database(url)
        migrate(database, datetime.now(UTC))
        database.dispose()
        yield url


@contextmanager
def fresh_database(postgres: str) -> Iterator[str]:
    """Make a migrated, empty database on the session's server; yield its URL and drop it afterwards."""
    name = f"test_{uuid4().hex}"
    admin = create_engine(postgres.replace(f"/{TEMPLATE}?", "/postgres?"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    yield postgres.replace(f"/{TEMPLATE}?", f"/{name}?")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """The URL of a fresh, migrated, empty database."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated, empty database, opened."""
    opened = Database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of evaluation data; skips where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("VOICEBOT_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no evaluation data in {folder}: set VOICEBOT_TEST_DATA")
    return folder


def make_request(attempt_id: str = "", campaign_id: str = "", contact_id: str = "") -> CallRequest:
    """A call of no campaign, unless ids are given."""
    return CallRequest(str(uuid7()), attempt_id, campaign_id, contact_id, "loan", Direction.OUTBOUND)


def make_turn(call_id: str, seq: int, *, do_not_call: bool = False) -> Turn:
    """A turn in which a busy customer is annoyed."""
    annoyed = Distribution(calm=0.4, annoyed=0.6)
    word = KeywordEmotion("不要说了", 0.9, 1.6, annoyed, CALM, Distribution(calm=0.76, annoyed=0.24), 1.0)
    emotion = Emotion(
        EmotionLabel.CALM, word.fused, annoyed, CALM, per_keyword=(word,), reasons=("below the threshold",)
    )
    text = "现在有事不要说了"
    understanding = Understanding(
        Transcript(text, (Word(text, 0.0, 1.6, 0.9),), confidence=0.9, engine="whisper"),
        ("有事", "不要说了"),
        Prosody(180.0, 6.0, -1.0, -26.0, 12.0, 0.7, 5.0, 1.6),
        emotion,
    )
    decision = Decision(
        Action.SAY,
        "callback_offer",
        "那您看什么时候方便，我再给您打过来？",
        Style.SOFT,
        (Candidate("callback_offer", 0.7, {"knn": 0.7}), Candidate("apology", 0.2)),
        ("busy and calm",),
        Relation.OBJECTS,
        "opening",
        "callback",
        do_not_call=do_not_call,
    )
    return Turn(
        call_id,
        seq,
        datetime.now(UTC),
        UtteranceKind.SPEECH,
        1.0,
        2.6,
        understanding,
        decision,
        timings_ms={"asr": 310.0, "rank": 4.0},
    )


def make_record(
    request: CallRequest,
    disposition: Disposition = Disposition.CALLBACK,
    level: IntentLevel = IntentLevel.C,
    *,
    opted_out: bool = False,
) -> CallRecord:
    """An answered call that ended as told."""
    now = datetime.now(UTC)
    outcome = Outcome(
        disposition, level, ("asked to be called back",), {"callback": "明天下午三点"}, opted_out
    )
    return CallRecord(request, EndCause.BOT_HUNG_UP, outcome, now, now, now, 200, worker="line-0", turns=1)


@dataclass(frozen=True, slots=True)
class Make:
    """Makers of valid call events, for tests that store them."""

    request: Callable[..., CallRequest] = make_request
    turn: Callable[..., Turn] = make_turn
    record: Callable[..., CallRecord] = make_record


@pytest.fixture(scope="session")
def make() -> Make:
    """Makers of valid call events."""
    return Make()
