"""What went wrong, in the page's language: sentences of errors.yaml for the errors that the product raises.

Errors are written in English where they are raised, their values apart. The English sentence is the key of
the Chinese one: so there is no list of codes between them.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from pathlib import Path

import yaml

from voicebot.console.words import known
from voicebot.domain.campaign import CampaignStatus
from voicebot.domain.errors import Lines, Told, VoicebotError
from voicebot.domain.users import Right

_SECTIONS: dict[type[Enum], str] = {CampaignStatus: "campaign_status", Right: "right"}  # of words.yaml


@cache
def sentences() -> dict[str, str]:
    """Return English sentence -> Chinese one, both with {names} of the same values."""
    text = Path(__file__).with_name("errors.yaml").read_text("utf-8")
    return {str(english): str(chinese) for english, chinese in yaml.safe_load(text).items()}


def worded(error: VoicebotError, language: str) -> tuple[str, str]:
    """Return what was wrong and where, and what to do about it ("" = nothing), in a language.

    What has no Chinese sentence is a matter of the machine: its kind is told in Chinese, the rest in English.
    """
    if language == "en":
        return str(error), error.hint
    what = _chinese(error.what)
    if not what:
        head = sentences()[error.head()]
        what = f"{head}（{error.detail}）" if error.detail else head
    return what, _chinese(error.mend) or error.hint


def in_words(told: Told, language: str) -> str:
    """Return a sentence in a language; in English where there is no other."""
    return str(told) if language == "en" else _chinese(told) or str(told)


def _chinese(told: Told) -> str:
    """Return the Chinese sentence, "" if there is none."""
    sentence = sentences().get(told.template, "")
    if not told.values:
        return sentence
    return sentence.format_map({name: _value(value) for name, value in told.values.items()})


def _value(value: object) -> object:
    match value:
        case Told():
            return in_words(value, "zh")
        case Lines():
            return "\n".join(str(_value(one)) for one in value)
        case tuple():
            return "、".join(str(_value(one)) for one in value)
        case Enum() if type(value) in _SECTIONS:
            return known(_SECTIONS[type(value)], str(value.value), "zh")
    return value
