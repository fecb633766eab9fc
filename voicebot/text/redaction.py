"""Hides what must not be seen: phone numbers, on screen and in text."""

from __future__ import annotations

import re

_SPOKEN = "零〇一二三四五六七八九幺两"
_LONG_NUMBER = re.compile(rf"(?:[0-9{_SPOKEN}][\s,，、.\-]{{0,2}}){{7,}}")
MASK = "＊"


def mask_number(number: str) -> str:
    """Return a number with its middle hidden: +8613812345678 -> +86138****5678."""
    if len(number) <= 4:
        return "*" * len(number)
    kept_head = max(0, min(6, len(number) - 8))
    return number[:kept_head] + "****" + number[-4:]


def redact(text: str) -> str:
    """Return a text in which every run of seven or more digits, written or spoken, is masked.

    A phone number, card number or identity number is at least that long; an amount is spoken with
    units (三千五百) and stays.
    """
    return _LONG_NUMBER.sub(lambda match: _masked(match.group()), text)


def _masked(run: str) -> str:
    body = run.rstrip(" ,，、.-")
    return MASK * 4 + run[len(body) :]
