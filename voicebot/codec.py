"""JSON of the domain's dataclasses, for the wire and for JSONB columns."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


@cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(kind)


def encode(value: Any) -> bytes:
    """Return a dataclass as UTF-8 JSON."""
    return _adapter(type(value)).dump_json(value)


def decode(kind: type[T], data: bytes | str) -> T:
    """Return the dataclass that JSON describes. Raises pydantic.ValidationError."""
    return _adapter(kind).validate_json(data)


def plain(value: Any) -> Any:
    """Return a dataclass as dicts, lists and scalars that JSON can hold."""
    return _adapter(type(value)).dump_python(value, mode="json")
