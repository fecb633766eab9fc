"""Tables as files: CSV, JSON, Parquet by the ending of the name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from voicebot.domain.errors import DataError

ENDINGS = (".csv", ".json", ".parquet")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write rows of equal keys; `columns` are these keys, for a table without rows. Raises DataError."""
    kind = path.suffix.lower()
    listed = [dict(row) for row in rows]
    if kind == ".csv":
        # the mark tells Excel that it is UTF-8
        save(path, ("\ufeff" + as_csv(listed, columns)).encode())
    elif kind == ".json":
        save(path, (as_json(listed) + "\n").encode())
    elif kind == ".parquet":
        save(path, _parquet(listed))
    else:
        raise DataError(f"{path.name} is no kind of table", hint=f"end the name in {', '.join(ENDINGS)}")


def as_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """Return rows as CSV with a header: the columns named, or the first row's."""
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    if columns or rows:
        writer.writerow(columns or rows[0])
    for row in rows:
        writer.writerow([cell(value) for value in row.values()])
    return sheet.getvalue()


def as_json(value: Any) -> str:
    """Return values as JSON; times in ISO format."""
    return json.dumps(value, ensure_ascii=False, indent=1, default=_plain)


def cell(value: object) -> str:
    """Return a value as a cell of a spreadsheet shows it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        value = "；".join(str(part) for part in value)
    elif isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    text = str(value)
    # A spreadsheet takes such a cell for a formula; what a customer says must not become one.
    return f"'{text}" if text.startswith(("=", "@", "\t", "\r")) else text


def save(path: Path, data: bytes) -> None:
    """Write a file. Raises DataError."""
    try:
        path.write_bytes(data)
    except OSError as refused:
        raise DataError(f"{path} can not be written ({refused.strerror})", hint="name another") from refused


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as absent:
        raise DataError(
            "Parquet needs a library", hint="pip install 'voicebot[parquet]', or .csv"
        ) from absent
    flat = [
        {key: cell(value) if isinstance(value, dict) else value for key, value in row.items()} for row in rows
    ]
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(flat), sink)
    return sink.getvalue()
