"""Structured logging of every process. Speech, names and numbers never go into a log message.

No code of ours logs them. Errors of others may hold them (a database that refuses a row shows it), so what is
logged passes one more time through a mask: numbers long enough to be a person's, addresses that name one, and
what a database tells of a row.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from voicebot.text.redaction import redact

_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:\.\d+)?)?")
_HOST = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?")
_KEPT = re.compile("|".join(f"(?:{kept.pattern})" for kept in (_ID, _TIME, _HOST)), re.IGNORECASE)
_ROW = re.compile(r"^((?:DETAIL|CONTEXT|QUERY):).*$", re.MULTILINE)  # PostgreSQL shows the row there
_SIP_USER = re.compile(r"(sips?:)\+?\d[\d*#]{3,}(?=@)", re.IGNORECASE)
_FIELDS = {"timestamp", "level", "process", "pid"}  # ours, without a person in them


def masked(text: str) -> str:
    """Return a text without what names a person; ids, times and addresses of machines stay."""
    text = _SIP_USER.sub(r"\1***", _ROW.sub(r"\1 not shown", text))
    parts, at = [], 0
    for kept in _KEPT.finditer(text):
        parts += [redact(text[at : kept.start()]), kept.group()]
        at = kept.end()
    return "".join((*parts, redact(text[at:])))


def mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask every text of an event, a traceback among them; a structlog processor."""
    for name, value in event.items():
        if name not in _FIELDS:
            event[name] = _masked_value(value)
    return event


def _masked_value(value: Any) -> Any:
    match value:
        case str():
            return masked(value)
        case list() | tuple() | set():
            return [_masked_value(one) for one in value]
        case Mapping():
            return {key: _masked_value(one) for key, one in value.items()}
        case Exception():
            return masked(str(value))
    return value


def configure(
    process: str,
    level: str = "info",
    *,
    as_json: bool = False,
    count: structlog.types.Processor | None = None,
) -> None:
    """Log to standard error, with the process's name in every line; `count` sees every event before that."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *([count] if count else []),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            mask,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
