"""Tables from files: CSV and XLSX, read as a stream. What could harm or is damaged is refused."""

from __future__ import annotations

import codecs
import csv
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from xml.etree.ElementTree import ParseError

import openpyxl

from voicebot.domain.errors import DataError

SEPARATORS = ",;\t|"
SAMPLE_BYTES = 1 << 20  # the encoding is judged by the beginning of the file
MAX_FIELD = 4000  # characters
MAX_ROWS = 5_000_000
MAX_COLUMNS = 500
MAX_UNPACKED = 2 << 30  # bytes of an XLSX
MAX_SHARED = 256 << 20  # of its table of texts, which openpyxl keeps in memory
MAX_RATIO = 200  # unpacked to packed; spreadsheets reach 20
_RATIO_FROM = 64 << 20  # bytes below which the ratio says nothing
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_STREAMED = "xl/worksheets/"  # the parts that are read row by row
_OLE = b"\xd0\xcf\x11\xe0"  # old or encrypted Office files
_SAVE = "save it as CSV (UTF-8) or XLSX"
NUMBER_NAMES = (
    "number",
    "phone",
    "mobile",
    "号码",
    "电话",
    "手机",
    "手机号",
    "电话号码",
    "手机号码",
    "联系电话",
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table that is being read."""

    header: list[str]
    rows: Iterator[list[str]]  # without empty ones


@contextmanager
def open_sheet(path: Path) -> Iterator[Sheet]:
    """Open a table by what it is, not by its name. Raises DataError, also while rows are read."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if start.startswith(b"PK\x03\x04"):
            with _xlsx(path) as rows:
                yield _sheet(path, rows)
            return
        if start.startswith(_OLE):
            raise DataError("{file} is an old or encrypted Office file", hint=_SAVE, file=path.name)
        with path.open(encoding=_encoding(path), newline="", errors="replace") as text:
            first = text.readline(SAMPLE_BYTES)
            text.seek(0)
            csv.field_size_limit(MAX_FIELD * 16)
            separator = max(SEPARATORS, key=first.count)
            yield _sheet(path, _csv(path, text, separator))
    except OSError as error:
        raise DataError("{path} can not be read: {why}", path=path, why=error.strerror) from error


def number_column(header: list[str]) -> int | None:
    """Return which column holds phone numbers; None if none is named so."""
    lowered = [name.strip().lower() for name in header]
    return next((lowered.index(name) for name in NUMBER_NAMES if name in lowered), None)


def find_columns(header: list[str], names: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return column -> index for those of `names` that the header holds."""
    lowered = [name.lower() for name in header]
    found = {
        column: next((lowered.index(name) for name in known if name in lowered), -1)
        for column, known in names.items()
    }
    return {column: index for column, index in found.items() if index >= 0}


def _sheet(path: Path, rows: Iterator[list[str]]) -> Sheet:
    header = [name.strip() for name in next(rows, [])]
    while header and not header[-1]:
        header.pop()
    if not header:
        raise DataError(
            "{file} is empty", hint="the first row names the columns: number, zone, …", file=path.name
        )
    if len(header) > MAX_COLUMNS:
        raise DataError(
            "{file} has {count} columns; at most {most} are read",
            file=path.name,
            count=len(header),
            most=MAX_COLUMNS,
        )
    return Sheet(header, _counted(path, rows))


def _counted(path: Path, rows: Iterator[list[str]]) -> Iterator[list[str]]:
    for number, row in enumerate(rows, 2):
        if number > MAX_ROWS:
            raise DataError(
                "{file} has more than {most} rows", hint="split it", file=path.name, most=MAX_ROWS
            )
        if any(cell.strip() for cell in row):
            yield row


def _csv(path: Path, text: Iterable[str], separator: str) -> Iterator[list[str]]:
    reader = csv.reader(text, delimiter=separator)
    try:
        yield from reader
    except csv.Error as error:
        raise DataError(
            "{file} is no CSV file from line {line} on: {error}",
            hint=_SAVE,
            file=path.name,
            line=max(1, reader.line_num),
            error=error,
        ) from error


@contextmanager
def _xlsx(path: Path) -> Iterator[Iterator[list[str]]]:
    _refuse_bombs(path)
    file = path.open("rb")
    try:
        # With defusedxml installed, openpyxl refuses entities (a ValueError). The name does not count.
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except (KeyError, ValueError, ParseError, zipfile.BadZipFile) as error:
        file.close()
        raise DataError("{file} is no readable XLSX file", hint=_SAVE, file=path.name) from error
    try:
        yield _cells(path, book.worksheets[0].iter_rows(values_only=True, max_col=MAX_COLUMNS + 1))
    except IndexError as error:
        raise DataError("{file} has no sheet", hint=_SAVE, file=path.name) from error
    finally:
        book.close()
        file.close()


def _cells(path: Path, rows: Iterator[tuple[object, ...]]) -> Iterator[list[str]]:
    number = 1
    try:
        for number, row in enumerate(rows, 2):  # noqa: B007  # which row is read next
            cells = [_text(cell) for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            yield cells
    except (KeyError, ValueError, ParseError, zipfile.BadZipFile) as error:
        raise DataError(
            "{file} is damaged from row {row} on", hint=_SAVE, file=path.name, row=number
        ) from error


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # spreadsheets keep phone numbers as floats
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return str(cell)


def _refuse_bombs(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        raise DataError("{file} is damaged", hint=_SAVE, file=path.name) from error
    names = {part.filename for part in parts}
    if "xl/workbook.xml" not in names:
        raise DataError("{file} is an archive, but no XLSX file", hint=_SAVE, file=path.name)
    if any(part.flag_bits & 1 for part in parts):
        raise DataError("{file} is encrypted", hint=_SAVE, file=path.name)
    unpacked = sum(part.file_size for part in parts)
    kept = max((part.file_size for part in parts if not part.filename.startswith(_STREAMED)), default=0)
    if kept > MAX_SHARED:
        raise DataError(
            "{file} holds {megabytes} MB of texts: refused",
            hint="split it, or use CSV",
            file=path.name,
            megabytes=kept >> 20,
        )
    packed = max(1, path.stat().st_size)
    if unpacked > MAX_UNPACKED or (unpacked > _RATIO_FROM and unpacked > packed * MAX_RATIO):
        raise DataError(
            "{file} unpacks to {megabytes} MB: refused",
            hint="split it, or use CSV",
            file=path.name,
            megabytes=unpacked >> 20,
        )


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    if guess := _wide(sample):
        return guess
    if b"\0" in sample:
        raise DataError("{file} is no text file", hint=_SAVE, file=path.name)
    for encoding in ("utf-8", "gb18030"):
        try:
            # The last character may be cut by the end of the sample.
            codecs.getincrementaldecoder(encoding)().decode(sample, final=len(sample) < SAMPLE_BYTES)
        except UnicodeDecodeError:
            continue
        return encoding
    raise DataError("{file} is neither UTF-8, UTF-16 nor GB18030", hint=_SAVE, file=path.name)


def _wide(sample: bytes) -> str:
    """Return UTF-16 without a mark: a header's Latin letters leave zeros at every second place."""
    head = sample[:400]
    if len(head) < 8 or len(head) % 2:
        head = head[: len(head) // 2 * 2]
    even, odd = head[::2], head[1::2]
    if not head or b"\0\0" in head.replace(b"\r\0\n\0", b""):
        return ""
    if odd.count(0) > len(odd) * 0.3 and not even.count(0):
        return "utf-16-le"
    if even.count(0) > len(even) * 0.3 and not odd.count(0):
        return "utf-16-be"
    return ""
