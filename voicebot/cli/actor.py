"""Who runs a command, for the audit log."""

from __future__ import annotations

import os
import pwd


def actor() -> str:
    """Return the account that runs this process, as the audit log names it."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"cli:{os.getuid()}"
