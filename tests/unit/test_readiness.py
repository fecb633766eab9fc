"""No call begins before its prompts have a sound."""

from __future__ import annotations

import threading

import pytest

from voicebot.campaign.readiness import ContactVoice, coverage, require, robotic_warning
from voicebot.dialogue import playbook as playbooks
from voicebot.domain.errors import CampaignError, SynthesisError
from voicebot.domain.script import Playbook, Style
from voicebot.registry import resources

pytestmark = pytest.mark.unit
LOAN = playbooks.load(resources.playbooks_dir() / "consumer_loan.yaml")


class OneBook:
    def get(self, playbook_id: str, version: str = "") -> Playbook:
        return LOAN


class Voice:
    """A voice that knows every text but some."""

    def __init__(self, unknown: str = "", source: str = "clip:kokoro") -> None:
        self.unknown = unknown
        self.source = source
        self.asked: list[str] = []
        self.slow = threading.Event()
        self.slow.set()

    def ready(self, text: str, style: Style = Style.NEUTRAL) -> str:
        return "" if self.unknown and self.unknown in text else self.source

    def robotic(self, source: str) -> bool:
        return "espeak" in source

    def ahead(self, text: str, style: Style = Style.NEUTRAL) -> None:
        self.asked.append(text)
        self.slow.wait(5)
        if not self.ready(text, style):
            raise SynthesisError("only a robotic voice")


def test_a_playbook_whose_texts_all_have_a_sound_may_be_called_with() -> None:
    found = require(LOAN, Voice())
    assert found.missing == ()
    assert found.robotic == 0
    assert found.sources == {"clip:kokoro": found.texts}
    assert require(LOAN, Voice(source="clip:espeak-ng/cmn")).robotic == found.texts


def test_people_are_told_in_two_languages_when_customers_would_hear_a_robot() -> None:
    chinese, english = robotic_warning(coverage(LOAN, Voice(source="clip:espeak-ng/cmn")))
    assert "机械合成音" in chinese
    assert "robotic" in english
    assert robotic_warning(coverage(LOAN, Voice())) == ("", "")


def test_a_missing_prompt_stops_the_start_and_names_the_command() -> None:
    text = LOAN.scripts[LOAN.farewell].text
    with pytest.raises(CampaignError, match="no sound yet") as error:
        require(LOAN, Voice(unknown=text))
    assert error.value.hint == "voicebot prompts render --playbook consumer_loan"


async def test_a_name_that_can_be_spoken_is_spoken() -> None:
    voice = Voice()
    slots = await ContactVoice(OneBook(), voice).speakable("consumer_loan", {"customer": "王先生"})
    assert slots == {"customer": "王先生"}
    assert voice.asked
    assert all("王先生" in text for text in voice.asked)


async def test_a_name_that_no_good_voice_can_say_is_left_out() -> None:
    voice = Voice(unknown="纳兰先生")
    slots = {"customer": "纳兰先生", "city": "上海"}
    assert await ContactVoice(OneBook(), voice).speakable("consumer_loan", slots) == {"city": "上海"}


async def test_a_contact_is_not_waited_for_too_long() -> None:
    voice = Voice()
    voice.slow.clear()
    contacts = ContactVoice(OneBook(), voice, wait_s=0.05)

    assert await contacts.speakable("consumer_loan", {"customer": "王先生"}) == {}
    voice.slow.set()
    asked = len(voice.asked)
    again = ContactVoice(OneBook(), voice, wait_s=5)
    assert await again.speakable("consumer_loan", {"customer": "王先生"}) == {"customer": "王先生"}
    assert len(voice.asked) >= asked


async def test_without_slots_nothing_is_waited_for() -> None:
    voice = Voice()
    assert await ContactVoice(OneBook(), voice).speakable("consumer_loan", {}) == {}
    assert voice.asked == []
