"""Every error the product raises. The docstring of a class is the head of its message.

Messages are written in English where they are raised, their values apart: the console says them in Chinese.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field


class Lines(tuple[object, ...]):
    """Values that stand below each other; those of other tuples stand beside each other."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence with its values apart; str() fills them in."""

    template: str  # with {names} where values follow; without values it is taken as it stands
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the sentence in English."""
        if not self.values:
            return self.template
        return self.template.format_map({name: _joined(value) for name, value in self.values.items()})


def _joined(value: object) -> object:
    if isinstance(value, tuple):
        return ("\n" if isinstance(value, Lines) else ", ").join(map(str, value))
    return str(value) if isinstance(value, Told) else value


class VoicebotError(Exception):
    """Something went wrong."""

    def __init__(self, detail: str = "", *, hint: str = "", **values: object) -> None:
        """Make an error.

        Args:
            detail: what was wrong, and where; with {names} of values.
            hint: what to do about it, in words a user can follow; with {names} of values.
            values: what is filled in, if there is any; tuples are listed.
        """
        self.what = Told(detail, values)
        self.mend = Told(hint, values)
        self.detail = str(self.what)
        self.hint = str(self.mend)
        super().__init__(f"{self.head()}: {self.detail}" if detail else self.head())

    @classmethod
    def head(cls) -> str:
        """Return what all errors of this class have in common."""
        return inspect.cleandoc(cls.__doc__ or "").splitlines()[0].rstrip(".")


class SettingsError(VoicebotError):
    """The settings are not usable."""


class PlaybookError(VoicebotError):
    """The playbook is not usable."""


class ModelError(VoicebotError):
    """A model file is missing, corrupt or of another format."""


class RecognitionError(VoicebotError):
    """The speech could not be recognised."""


class WithdrawnError(RecognitionError):
    """A request for words was dropped before it was begun: nobody waits for them any more."""


class SynthesisError(VoicebotError):
    """The text could not be spoken."""


class TelephonyError(VoicebotError):
    """The SIP user agent reports a failure."""


class CapacityError(VoicebotError):
    """Every leg of this line worker is in use."""


class InferenceError(VoicebotError):
    """The inference server did not answer as it should."""


class StoreError(VoicebotError):
    """The database refuses or is away."""


class ComplianceError(VoicebotError):
    """This number must not be called."""


class CampaignError(VoicebotError):
    """The campaign is not usable."""


class DataError(VoicebotError):
    """The input data is not usable."""
