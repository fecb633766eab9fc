"""The index of the prompt cache, in Postgres."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import make_request, make_turn
from voicebot.call.journal import PostgresJournal
from voicebot.domain.audio import Audio
from voicebot.domain.call import PromptRef
from voicebot.domain.errors import StoreError
from voicebot.domain.script import Style
from voicebot.speech.synthesis.chain import to_pcm
from voicebot.speech.synthesis.prompt_files import PromptFiles
from voicebot.store.prompts import EngineTotal, PostgresPromptIndex, PromptRepository
from voicebot.store.session import Database

pytestmark = pytest.mark.integration


def sound() -> Audio:
    return to_pcm(0.1 * np.sin(np.arange(4000) / 5))


def totals(database: Database) -> tuple[EngineTotal, ...]:
    with database.transaction() as session:
        return PromptRepository(session).totals()


def test_the_index_says_who_spoke_what_lies_ready_and_how_often_it_is_used(
    database: Database, tmp_path: Path
) -> None:
    index = PostgresPromptIndex(database, flush_s=60)
    files = PromptFiles(tmp_path, index)
    for key, engine in (("aa1", "kokoro"), ("bb2", "kokoro"), ("cc3", "espeak")):
        files.write(PromptRef(key, "您好。", 0, engine), sound(), Style.NEUTRAL)
    for _ in range(3):
        files.read("bb2")
    index.flush()

    kokoro, espeak = totals(database)
    assert (kokoro.engine, kokoro.prompts, kokoro.uses, kokoro.duration_ms) == ("kokoro", 2, 3, 1000)
    assert (espeak.engine, espeak.prompts, espeak.uses) == ("espeak", 1, 0)

    files.drop(["aa1", "cc3"])
    files.write(PromptRef("bb2", "您好。", 0, "kokoro"), sound(), Style.NEUTRAL)
    index.close()

    (kokoro,) = totals(database)
    assert (kokoro.prompts, kokoro.uses) == (1, 3), "made again, and still as often used"


def test_notes_wait_while_the_database_is_away(database: Database) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none", connect_timeout_s=1)
    index = PostgresPromptIndex(away, flush_s=60)
    index.kept("aa1", "kokoro", "neutral", 500, 1000)
    index.used("aa1")
    with pytest.raises(StoreError):
        index.flush()

    index._database = database
    index.close()

    assert totals(database) == (EngineTotal("kokoro", 1, 1, 500, 1000),)


def test_misses_in_calls_are_counted_from_their_turns(database: Database, tmp_path: Path) -> None:
    journal = PostgresJournal(database, tmp_path, "line-0")
    request = make_request()
    journal.answered(request, "line-0")
    for seq, engine in enumerate(("clip:kokoro", "rendered:espeak-ng/cmn", "clip:kokoro", "")):
        turn = make_turn(request.call_id, seq)
        journal.turn(replace(turn, at=datetime.now(UTC), prompt_engine=engine))
    journal.close()

    with database.transaction() as session:
        spoken = PromptRepository(session).spoken(datetime.now(UTC) - timedelta(days=1))
        none = PromptRepository(session).spoken(datetime.now(UTC) + timedelta(days=1))

    assert spoken == {"clip:kokoro": 2, "rendered:espeak-ng/cmn": 1}
    assert none == {}
