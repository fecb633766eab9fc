"""The customer rates a call by a key, over real SIP, and every script that answered is judged by it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import voicebot
from voicebot.registry import resources

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(420)]

PLAYBOOK = "consumer_loan"
RATES = "hesitant"


@dataclass(frozen=True, slots=True)
class Installation:
    """A home whose loan playbook asks for a rating, and what its demo reported."""

    environment: dict[str, str]
    report: dict[str, Any]

    def call(self, persona: str) -> dict[str, Any]:
        (found,) = [call for call in self.report["calls"] if call["persona"] == persona]
        return dict(found)


def with_rating() -> str:
    """Return the shipped playbook after what its comment says: its rating lines are comments no more."""
    shipped = (resources.playbooks_dir() / f"{PLAYBOOK}.yaml").read_text("utf-8")
    asking, count = re.subn(
        r"^# (rating:\n)#(   script: .*\n)#(   scores: .*\n)", r"\1\2\3", shipped, flags=re.M
    )
    assert count == 1
    return asking


@pytest.fixture
def installation(postgres_directory: Path, database_url: str) -> Installation:
    home = postgres_directory / "rating"
    (home / "playbooks").mkdir(parents=True)
    (home / "playbooks" / f"{PLAYBOOK}.yaml").write_text(with_rating(), "utf-8")
    environment = {
        "VOICEBOT_HOME": str(home), "VOICEBOT_DATABASE_URL": database_url, "COLUMNS": "200",
    }  # fmt: skip
    voicebot(environment, "demo", "--only", RATES, "--json", str(home / "demo.json"))
    return Installation(environment, json.loads((home / "demo.json").read_text("utf-8")))


def test_a_call_that_was_rated_by_a_key_teaches(installation: Installation) -> None:
    call = installation.call(RATES)
    assert call["facts"] == {"rating": "优", "rating_score": "80", "product": "浪花贷"}
    assert [turn["script_id"] for turn in call["turns"]][-2:] == ["ask_rating", "closing_info"]
    assert call["turns"][-1]["kind"] == "dtmf"
    assert call["disposition"] == "interested"

    voicebot(installation.environment, "feedback", "gather")
    said = voicebot(installation.environment, "feedback", "list", call["id"])
    rated = [turn["script_id"] for turn in call["turns"][:-2] if turn["kind"] == "speech"]
    assert len(rated) >= 2
    assert all(re.search(rf"{script}\b.*customer.*优.*80", said) for script in rated), said

    # One call is too thin for conclusions, and both say so.
    assert "no judged decision" in voicebot(installation.environment, "learn", "estimate", PLAYBOOK)
    drift = voicebot(installation.environment, "learn", "drift", PLAYBOOK)
    assert re.search(rf"{PLAYBOOK}: \d+ utterances; \d+ are needed", drift), drift
