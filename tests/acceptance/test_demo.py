"""The demo as a user runs it: real processes, real SIP and RTP, real engines, real Postgres."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import voicebot

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(420)]

PEOPLE = ("busy_calm", "annoyed", "wants_human", "silent", "announcement", "polite_no", "busy", "no_answer")


@pytest.fixture(scope="module")
def demo(postgres_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of one demo, as `--json` writes it."""
    report = tmp_path_factory.mktemp("demo") / "demo.json"
    only = [word for person in PEOPLE for word in ("--only", person)]
    home = {"VOICEBOT_HOME": str(postgres_directory / "demo")}
    screen = voicebot(home, "demo", "--json", str(report), *only)
    document: dict[str, Any] = json.loads(report.read_text("utf-8"))
    document["screen"] = screen
    return document


def call_to(demo: dict[str, Any], person: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [call for call in demo["calls"] if call["persona"] == person]
    assert len(found) == 1
    return found[0]


def scripts(call: dict[str, Any]) -> list[str]:
    return [turn["script_id"] for turn in call["turns"]]


def test_everybody_is_called_once(demo: dict[str, Any]) -> None:
    assert sorted(call["persona"] for call in demo["calls"]) == sorted(PEOPLE)


def test_who_wants_no_more_calls_is_never_called_again(demo: dict[str, Any]) -> None:
    call = call_to(demo, "annoyed")
    assert call["disposition"] == "do_not_call"
    assert call["intent_level"] == "F"
    assert call["turns"][-1]["action"] == "hang_up"


def test_who_is_busy_but_calm_is_offered_a_callback_and_no_apology(demo: dict[str, Any]) -> None:
    call = call_to(demo, "busy_calm")
    assert call["turns"][1]["emotion"]["label"] == "calm"
    assert call["turns"][1]["situation"] == "busy"
    assert scripts(call)[1] == "busy_offer"
    assert "apology" not in scripts(call)
    assert call["disposition"] == "callback"
    assert call["facts"]["callback_spoken"] == "明天下午三点"


def test_who_says_nothing_is_asked_again_and_then_released(demo: dict[str, Any]) -> None:
    call = call_to(demo, "silent")
    assert [turn["kind"] for turn in call["turns"]] == ["answered", "silence", "silence", "silence"]
    assert len({turn["script_text"] for turn in call["turns"]}) == 4  # in other words each time
    assert call["disposition"] == "silent"


def test_who_asks_for_a_person_gets_one(demo: dict[str, Any]) -> None:
    call = call_to(demo, "wants_human")
    assert call["disposition"] == "transferred"
    assert "robot" in scripts(call)  # and was told the truth before


def test_an_operators_announcement_is_not_sold_anything(demo: dict[str, Any]) -> None:
    call = call_to(demo, "announcement")
    assert call["disposition"] == "unreachable"
    assert len(call["turns"]) <= 2, "the greeting, and at most the words that ended the call"
    assert all((turn["action"], turn["script_text"]) == ("hang_up", "") for turn in call["turns"][1:])


def test_a_refusal_a_busy_line_and_nobody_at_home_are_told_apart(demo: dict[str, Any]) -> None:
    found = {person: call_to(demo, person)["disposition"] for person in ("polite_no", "busy", "no_answer")}
    assert found == {"polite_no": "refused", "busy": "busy", "no_answer": "no_answer"}


def test_every_answer_to_speech_can_be_explained(demo: dict[str, Any]) -> None:
    spoken = [turn for call in demo["calls"] for turn in call["turns"] if turn["kind"] == "speech"]
    assert len(spoken) >= 8
    for turn in spoken:
        assert turn["customer_text"]
        assert sum(turn["emotion"]["fused"].values()) == pytest.approx(1)
        assert len(turn["candidates"]) >= 2
        assert turn["reasons"]
        assert turn["timings_ms"]["recognise_ms"] > 0


def test_every_prompt_was_rendered_ahead(demo: dict[str, Any]) -> None:
    turns = [turn for call in demo["calls"] for turn in call["turns"] if turn["script_text"]]
    engines = {turn["prompt_engine"] for turn in turns}
    assert {engine.partition(":")[0] for engine in engines} <= {"clip", "joined"}


def test_what_is_understood_resembles_what_was_said(demo: dict[str, Any]) -> None:
    assert demo["cer"] <= 0.15


def test_the_screen_tells_the_story(demo: dict[str, Any]) -> None:
    assert "外呼结果" in demo["screen"]
    assert "do_not_call" in demo["screen"]
