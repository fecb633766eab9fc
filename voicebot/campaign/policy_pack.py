"""Policy packs: the rules of one jurisdiction, as data in policies/*.yaml."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from voicebot.domain.errors import CampaignError

_DIRECTORY = Path(__file__).parent / "policies"
_WINDOW = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
Window = tuple[int, int]  # minutes since local midnight: from, before


class PolicyPack(BaseModel):
    """When and how often a person may be called. Every field is required: nothing defaults to "yes"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    consent_required: bool
    loopback_only: bool  # calls may not leave this machine
    calls_per_day: int = Field(gt=0)  # to one number by all campaigns, in the contact's day
    unanswered_per_day: int = Field(gt=0)
    calls_per_week: int = Field(gt=0)  # in any seven days
    min_gap_minutes: int = Field(ge=0)  # between two calls to one number
    windows: dict[Weekday, tuple[Window, ...]]

    @field_validator("windows", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        if not isinstance(value, dict) or set(value) != set(WEEKDAYS):
            raise ValueError(f"windows must name exactly {', '.join(WEEKDAYS)}")
        return {day: tuple(_window(text) for text in texts) for day, texts in value.items()}


@cache
def policy_pack(name: str) -> PolicyPack:
    """Return a policy pack by name. Raises CampaignError if there is none, or it is damaged."""
    known = {path.stem: path for path in _DIRECTORY.glob("*.yaml")}
    if name not in known:
        raise CampaignError(
            f"there is no policy pack {name!r}", hint=f"choose one of {', '.join(sorted(known))}"
        )
    try:
        return PolicyPack.model_validate(yaml.safe_load(known[name].read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise CampaignError(f"the policy pack {known[name]} is damaged: {error}") from error


def _window(text: object) -> Window:
    match = _WINDOW.fullmatch(str(text))
    if not match:
        raise ValueError(f"{text!r} is no window; write 09:00-12:00")
    from_h, from_m, to_h, to_m = (int(part) for part in match.groups())
    start, end = from_h * 60 + from_m, to_h * 60 + to_m
    if not (from_m < 60 and to_m < 60 and 0 <= start < end <= 24 * 60):
        raise ValueError(f"{text!r} is no window inside one day")
    return start, end
