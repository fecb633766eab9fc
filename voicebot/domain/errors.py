"""Every error the product raises. The docstring of a class is the head of its message."""

from __future__ import annotations

import inspect


class VoicebotError(Exception):
    """Something went wrong."""

    def __init__(self, detail: str = "", *, hint: str = "") -> None:
        """Make an error.

        Args:
            detail: what was wrong, and where.
            hint: what to do about it, in words a user can follow.
        """
        head = inspect.cleandoc(type(self).__doc__ or "").splitlines()[0].rstrip(".")
        super().__init__(f"{head}: {detail}" if detail else head)
        self.detail = detail
        self.hint = hint


class SettingsError(VoicebotError):
    """The settings are not usable."""


class PlaybookError(VoicebotError):
    """The playbook is not usable."""


class ModelError(VoicebotError):
    """A model file is missing, corrupt or of another format."""


class RecognitionError(VoicebotError):
    """The speech could not be recognised."""


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
