"""Everything the console says is there in both languages, and everything pages ask for is said."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import voicebot.console
from voicebot.campaign.report_page import STAGES
from voicebot.console.words import LANGUAGES, known, said, words
from voicebot.domain.call import Disposition, EndCause
from voicebot.domain.campaign import CampaignStatus
from voicebot.domain.dialogue import Relation
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.understanding import Situation
from voicebot.domain.users import Role

pytestmark = pytest.mark.unit
_ASKED = re.compile(r"""\bt\(\s*"([a-z_]+\.[a-zA-Z_]+)\"""")


def test_both_languages_fill_in_the_same_values() -> None:
    for key, (chinese, english) in words().items():
        assert chinese, key
        assert english, key
        fields = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (chinese, english)]
        assert fields[0] == fields[1], key


def test_every_key_that_pages_name_is_there() -> None:
    folder = Path(voicebot.console.__file__).parent
    asked = {key for file in folder.rglob("*.py") for key in _ASKED.findall(file.read_text("utf-8"))}
    assert len(asked) > 50
    assert asked <= set(words())


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("disposition", Disposition),
        ("emotion", EmotionLabel),
        ("relation", Relation),
        ("situation", Situation),
        ("role", Role),
        ("campaign_status", CampaignStatus),
        ("cause", EndCause),
        ("stage", list(STAGES)),
    ],
)
def test_every_value_of_the_domain_has_its_words(section: str, values: list[str]) -> None:
    for language in LANGUAGES:
        for value in values:
            assert known(section, str(value), language) == said(f"{section}.{value}", language)
