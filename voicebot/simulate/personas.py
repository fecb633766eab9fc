"""Personas: who the simulated customers are and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from voicebot.domain.call import Disposition
from voicebot.domain.errors import DataError
from voicebot.simulate.signals import ToneName


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pickup(_Strict):
    """How a persona takes a call."""

    status: Literal[0, 200, 403, 404, 480, 486, 503, 603] = 200  # 0: rings for ever
    after_s: float = Field(default=1.0, ge=0, le=60)  # of ringing


class Early(_Strict):
    """What the network lets the caller hear before the answer (183), over and over."""

    say: str = ""
    tone: ToneName | None = None


class Line(_Strict):
    """One turn of a persona."""

    say: str = ""
    else_say: str = ""  # said instead if the other side spoke longer than longer_s
    longer_s: float = Field(default=0.0, ge=0)
    tone: ToneName | None = None  # one cycle of it follows what is said
    key: str = Field(default="", pattern=r"^[0-9*#]?$")  # pressed instead of saying anything
    now: bool = False  # does not wait for the other side
    hang_up_s: float | None = Field(default=None, ge=0)  # hangs up so long after it

    @model_validator(mode="after")
    def _either(self) -> Line:
        if self.key and (self.say or self.else_say or self.tone):
            raise ValueError("a turn says something or presses a key")
        return self


class Persona(_Strict):
    """A simulated customer."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    number: str = Field(pattern=r"^[0-9]{1,15}$")  # user part it answers to
    role: Literal["customer", "agent"] = "customer"
    voice: str = ""
    speed: float = Field(default=1.0, ge=0.5, le=2)
    manner: Literal["calm", "irritated"] = "calm"
    answer: Pickup = Pickup()
    early: Early | None = None  # instead of ringing
    turns: tuple[Line, ...] = ()
    expect: tuple[Disposition, ...] = ()  # how a call to it ends well; empty = it depends
    last: str = ""  # said at every turn after the last
    reply_after_s: float = Field(default=0.9, ge=0.1, le=10)  # silence that means: my turn
    patience_s: float = Field(default=20.0, gt=0)  # without a word from the other side: hangs up

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything this persona can say, each once."""
        said = [self.early.say] if self.early else []
        said += [text for turn in self.turns for text in (turn.say, turn.else_say)]
        return tuple(dict.fromkeys(text for text in (*said, self.last) if text))

    @model_validator(mode="after")
    def _has_voice(self) -> Persona:
        if self.lines and not self.voice:
            raise ValueError("a persona who speaks needs a voice")
        return self


def load(path: Path) -> tuple[Persona, ...]:
    """Read a file of personas. Raises DataError with every mistake."""
    try:
        people = TypeAdapter(tuple[Persona, ...]).validate_python(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise DataError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(step) for step in mistake['loc'])}: {mistake['msg']}"
            for mistake in error.errors()
        )
        raise DataError(f"{path}: {mistakes}", hint="See the head of the shipped personas.yaml.") from error
    for field in ("id", "number"):
        values = [getattr(person, field) for person in people]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise DataError(f"{path}: {field} {', '.join(twice)} is used twice")
    return people


def choose(people: tuple[Persona, ...], ids: Sequence[str]) -> tuple[Persona, ...]:
    """Return the personas with these ids, all if none is named. Raises DataError for an unknown id."""
    unknown = sorted(set(ids) - {person.id for person in people})
    if unknown:
        raise DataError(
            "no persona {names}",
            hint="there are: {known}",
            names=tuple(unknown),
            known=tuple(person.id for person in people),
        )
    return tuple(person for person in people if not ids or person.id in ids)
