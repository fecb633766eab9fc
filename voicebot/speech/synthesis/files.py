"""Files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from voicebot.domain.errors import SynthesisError


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that no reader ever sees half of it. Raises SynthesisError if the disk refuses.

    A pipe or a device (/dev/stdout) is written into: putting a file in its place would destroy it.
    """
    scratch = ""
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except OSError as error:
        if scratch:
            Path(scratch).unlink(missing_ok=True)
        raise SynthesisError(
            f"{path} cannot be written: {error.strerror}", hint="Look at the disk's space and rights."
        ) from error
