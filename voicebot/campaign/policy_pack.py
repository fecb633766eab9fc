"""Policy packs: the rules of one jurisdiction, as data in policies/*.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from voicebot.campaign.holiday_calendar import is_holiday, known
from voicebot.campaign.windows import WEEKDAYS, Weekday, Window, of_day, parse_window
from voicebot.domain.errors import CampaignError

_DIRECTORY = Path(__file__).parent / "policies"


class PolicyPack(BaseModel):
    """When and how often a person may be called. Every field is required: nothing defaults to "yes"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    consent_required: bool
    loopback_only: bool  # calls may not leave this machine
    announcement_required: bool  # the opening can not be interrupted: who calls, a robot, recorded
    regions: tuple[str, ...]  # countries whose numbers may be called, ISO 3166; "*" = any
    registries: tuple[str, ...]  # do-not-call lists that must be loaded
    registry_max_age_days: int = Field(ge=0)  # of them; older: no call
    abandoned_share: float = Field(gt=0, le=1)  # of answered calls whose transfer found nobody
    abandoned_days: int = Field(gt=0)  # over which it is counted
    calls_per_day: int = Field(gt=0)  # to one number by all campaigns, in the contact's day
    unanswered_per_day: int = Field(gt=0)
    calls_per_week: int = Field(gt=0)  # in any seven days
    min_gap_minutes: int = Field(ge=0)  # between two calls to one number
    windows: dict[Weekday, tuple[Window, ...]]
    holidays: str  # country whose public holidays count; "" = none do
    holiday_windows: tuple[Window, ...]  # on public holidays, in place of the weekday's

    @field_validator("windows", mode="before")
    @classmethod
    def _parse_week(cls, value: object) -> object:
        if not isinstance(value, dict) or set(value) != set(WEEKDAYS):
            raise ValueError(f"windows must name exactly {', '.join(WEEKDAYS)}")
        return {day: _windows(texts) for day, texts in value.items()}

    @field_validator("holiday_windows", mode="before")
    @classmethod
    def _parse_holiday(cls, value: object) -> object:
        return _windows(value)

    @field_validator("holidays")
    @classmethod
    def _known(cls, value: str) -> str:
        if value and not known(value):
            raise ValueError(f"holidays of {value!r} are not known")
        return value

    def open_on(self, day: date) -> tuple[Window, ...]:
        """Return the windows of a local day."""
        return self.holiday_windows if is_holiday(self.holidays, day) else of_day(self.windows, day)


def policy_names() -> tuple[str, ...]:
    """Return the names of all policy packs."""
    return tuple(sorted(path.stem for path in _DIRECTORY.glob("*.yaml")))


@cache
def policy_pack(name: str) -> PolicyPack:
    """Return a policy pack by name. Raises CampaignError if there is none, or it is damaged."""
    if name not in policy_names():
        raise CampaignError(
            "there is no policy pack {name!r}", hint="choose one of {names}", name=name, names=policy_names()
        )
    path = _DIRECTORY / f"{name}.yaml"
    try:
        return PolicyPack.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise CampaignError("the policy pack {path} is damaged: {error}", path=path, error=error) from error


def _windows(texts: object) -> tuple[Window, ...]:
    if not isinstance(texts, Sequence) or isinstance(texts, str):
        raise ValueError(f"{texts!r} is no list of windows")  # noqa: TRY004  # pydantic wants it
    return tuple(parse_window(str(text)) for text in texts)
