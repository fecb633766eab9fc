"""Structured logging of every process. Speech, names and numbers never go into a log message."""

from __future__ import annotations

import logging
import sys

import structlog


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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
