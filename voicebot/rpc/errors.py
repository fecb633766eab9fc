"""How an error of ours crosses gRPC: its text as the status's details, its parts as trailing metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import cast

import grpc

from voicebot.domain.errors import VoicebotError

_KEY = "voicebot-error-bin"  # "-bin": gRPC takes any bytes


def error_metadata(error: VoicebotError) -> tuple[tuple[str, bytes], ...]:
    """Return the trailing metadata that tells what was wrong, what to do, and the values of both."""
    parts = [error.what.template, error.mend.template, dict(error.what.values)]
    return ((_KEY, json.dumps(parts, ensure_ascii=False, default=str).encode()),)


def remote_error(kind: type[VoicebotError], error: grpc.aio.AioRpcError) -> VoicebotError:
    """Return the error that the other side raised, as an error of this kind."""
    trailing = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())  # the stubs differ
    sent = next((value for key, value in trailing if key == _KEY), None)
    if sent is None:
        return kind(error.details() or error.code().name)
    what, mend, values = json.loads(sent)
    listed = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return kind(what, hint=mend, **listed)
