"""Rows of a file that are not usable: kept as they were in a file of their own, each with its reason."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from voicebot.domain.errors import DataError

ERROR_COLUMN = "error"


class Aside:
    """The rows that are not usable. The file is made with the first of them."""

    def __init__(self, stack: ExitStack, path: Path | None, header: list[str]) -> None:
        """Take where they go; None = nowhere. What is opened is closed with the stack."""
        self._stack = stack
        self._path = path
        self._header = header
        self._file: IO[str] | None = None

    def write(self, row: list[str], reason: str) -> None:
        """Keep a row. Raises DataError if the file can not be written."""
        if self._path is None:
            return
        try:
            self._write(self._path, row, reason)
        except OSError as error:
            raise DataError(
                "{path} can not be written: {why}", path=self._path, why=error.strerror
            ) from error

    def _write(self, path: Path, row: list[str], reason: str) -> None:
        first = self._file is None
        if self._file is None:
            self._file = self._stack.enter_context(path.open("w", encoding="utf-8-sig", newline=""))
        writer = csv.writer(self._file)
        if first:
            writer.writerow([*self._header, ERROR_COLUMN])
        padded = row[: len(self._header)] + [""] * (len(self._header) - len(row))
        writer.writerow([*padded, reason])
