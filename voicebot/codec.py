"""JSON of the domain's dataclasses, for the wire and for JSONB columns."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    # Building an adapter costs milliseconds: one a type and process.
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def encode(value: Any) -> bytes:
    """Return a dataclass as UTF-8 JSON."""
    return _adapter(type(value)).dump_json(value)


def encode_all(values: tuple[Any, ...]) -> bytes:
    """Return dataclasses as one JSON list."""
    return _adapter(tuple[Any, ...]).dump_json(values)


def decode(kind: type[T], data: bytes | str) -> T:
    """Return the dataclass that JSON describes. Raises pydantic.ValidationError."""
    value: T = _adapter(kind).validate_json(data)
    return value


def plain(value: Any) -> Any:
    """Return a dataclass as dicts, lists and scalars that JSON can hold."""
    return _adapter(type(value)).dump_python(value, mode="json")
