"""Chinese text in one form: simplified hanzi, numbers as they are said, comparable without punctuation."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

import opencc

from voicebot.text import hanzi

_PUNCTUATION = str.maketrans({",": "，", "?": "？", "!": "！", ";": "；", ":": "："})
_NUMBER = re.compile(r"\d+(?:[,，]\d{3})+(?:\.\d+)?%?|\d+(?:\.\d+)?%?")
_SPACE_IN_HANZI = re.compile(r"(?<=[㐀-鿿，。？！、；：])\s+|\s+(?=[㐀-鿿，。？！、；：])")
_LONGEST_QUANTITY = 6  # digits; a longer run is a phone, card or order number and is read one by one
_LONGEST_NUMBER = 12
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
    grouped = "," in number or "，" in number  # 1,000,000: a quantity
    number = number.replace(",", "").replace("，", "")
    percent = number.endswith("%")
    whole, _, part = number.rstrip("%").partition(".")
    if len(whole) > _LONGEST_NUMBER:  # an engine's invention: nobody says it as one number
        return hanzi.digits(number.replace(".", "").rstrip("%"))
    one_by_one = not grouped and (
        len(whole) > _LONGEST_QUANTITY
        or (len(whole) > 1 and whole[0] == "0")
        or (len(whole) == 4 and after == "年")
    )
    said = hanzi.digits(whole) if one_by_one and not percent else hanzi.number(whole)
    if part:
        said += "点" + hanzi.digits(part)
    return ("百分之" if percent else "") + said
