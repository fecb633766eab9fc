"""Chinese text in one form: simplified hanzi, numbers as they are said, comparable without punctuation."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

import opencc

_DIGITS = "零一二三四五六七八九"
_UNITS = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
_PUNCTUATION = str.maketrans({",": "，", "?": "？", "!": "！", ";": "；", ":": "："})
_NUMBER = re.compile(r"\d+(?:[,，]\d{3})+(?:\.\d+)?%?|\d+(?:\.\d+)?%?")
_SPACE_IN_HANZI = re.compile(r"(?<=[㐀-鿿，。？！、；：])\s+|\s+(?=[㐀-鿿，。？！、；：])")
_LONGEST_QUANTITY = 6  # digits; a longer run is a phone, card or order number and is read one by one
_NOT_SPEECH = re.compile(r"[\W_]+")


@lru_cache(maxsize=1)
def _converter() -> Any:
    return opencc.OpenCC("t2s")


def simplify(text: str) -> str:
    """Return traditional hanzi as simplified ones."""
    return str(_converter().convert(text))


def normalise(text: str) -> str:
    """Return text as the product stores it: NFKC, simplified, numbers in hanzi, Chinese punctuation.

    >>> normalise('設定29度, 好嗎?')
    '设定二十九度，好吗？'
    """
    plain = simplify(unicodedata.normalize("NFKC", text))
    said = spoken_numbers(plain)
    return _SPACE_IN_HANZI.sub("", said).translate(_PUNCTUATION).strip()


def comparable(text: str) -> str:
    """Return what two texts are compared by: normalised, lower case, without punctuation and spaces."""
    return _NOT_SPEECH.sub("", normalise(text)).lower()


def spoken_numbers(text: str) -> str:
    """Return text with numbers in Arabic digits replaced by how they are said.

    Quantities are read by place, long runs, runs with a leading zero and years digit by digit.

    >>> spoken_numbers('2015年涨了3.5%，电话13800000000')
    '二零一五年涨了百分之三点五，电话一三八零零零零零零零零'
    """
    return _NUMBER.sub(lambda found: _say(found.group(), text[found.end() : found.end() + 1]), text)


def _say(number: str, after: str) -> str:
    number = number.replace(",", "").replace("，", "")
    percent = number.endswith("%")
    whole, _, part = number.rstrip("%").partition(".")
    one_by_one = (
        len(whole) > _LONGEST_QUANTITY
        or (len(whole) > 1 and whole[0] == "0")
        or (len(whole) == 4 and after == "年")
    )
    said = _each(whole) if one_by_one and not percent else hanzi_number(int(whole))
    if part:
        said += "点" + _each(part)
    return ("百分之" if percent else "") + said


def _each(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def hanzi_number(value: int) -> str:
    """Return a whole number as it is said, from 0 below 10**16.

    >>> hanzi_number(10203)
    '一万零二百零三'
    """
    if value == 0:
        return _DIGITS[0]
    said, gap = "", False
    for index in range(len(_GROUPS) - 1, -1, -1):
        group = value // 10 ** (4 * index) % 10_000
        if group == 0:
            gap = gap or bool(said)
            continue
        if said and (gap or group < 1000):
            said += _DIGITS[0]
        said += _group(group) + _GROUPS[index]
        gap = False
    return said[1:] if said.startswith("一十") else said


def _group(value: int) -> str:
    said, gap = "", False
    for place in range(3, -1, -1):
        digit = value // 10**place % 10
        if digit == 0:
            gap = bool(said)
            continue
        said += (_DIGITS[0] if gap else "") + _DIGITS[digit] + _UNITS[place]
        gap = False
    return said
