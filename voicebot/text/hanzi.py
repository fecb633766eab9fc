"""Numbers, money, times and names as they are said in Mandarin: typed values in, hanzi out.

One function per type, because no guess from digits alone is right: 110 is a count, a year, a phone number
or a room. All raise DataError for a value that is not of their type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from voicebot.domain.errors import DataError

T = TypeVar("T")

_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿")
_TO = re.compile(r"\s*[-–—~～至到]\s*")
_HANZI = re.compile(r"[\u3400-\u9fff，、·]+")
_LIMIT = 10**12
_WEEKDAYS = "一二三四五六日"
# 两 instead of 二 before a measure word and before 百 千 万 亿, as spoken; ordinals and 二十 keep 二
_TWO = "两"


def number(value: int | str | Decimal) -> str:
    """Return a cardinal number: 10203.5 -> 一万零二百零三点五, -2 -> 负二."""
    exact = _decimal(value)
    if exact < 0:
        return "负" + number(-exact)
    whole, _, fraction = format(exact, "f").partition(".")
    fraction = fraction.rstrip("0")
    spoken = _whole(int(whole))
    return f"{spoken}点{digits(fraction)}" if fraction else spoken


def digits(value: str, *, yao: bool = False) -> str:
    """Return digits one by one: 2026 -> 二零二六; with `yao`, 1 is 幺 as in phone and card numbers."""
    plain = re.sub(r"[\s-]", "", value)
    if not plain.isascii() or not plain.isdigit():
        raise DataError(f"{value!r} is not made of digits")
    spoken = "".join(_DIGITS[int(digit)] for digit in plain)
    return spoken.replace("一", "幺") if yao else spoken


def count(value: int | str, measure: str) -> str:
    """Return a count with its measure word: 2, 笔 -> 两笔; 12, 期 -> 十二期."""
    amount = _decimal(value)
    if amount == 2:
        return _TWO + measure
    return number(amount) + measure


def money(value: int | str | Decimal) -> str:
    """Return an amount in yuan: ¥50,000.00 -> 五万元, 12.35 -> 十二元三角五分, 2 -> 两元."""
    text = str(value).strip().lstrip("¥￥").removesuffix("元").replace(",", "").strip()
    amount = _decimal(text)
    if amount < 0:
        return "负" + money(-amount)
    cents = amount * 100
    if cents != cents.to_integral_value():
        raise DataError(f"{value!r} has parts of a cent")
    yuan, rest = divmod(int(cents), 100)
    jiao, fen = divmod(rest, 10)
    spoken = count(yuan, "元") if yuan or not rest else ""
    if jiao:
        spoken += _DIGITS[jiao].replace("二", _TWO if not yuan else "二") + "角"
    if fen:
        spoken += (
            ("零" if yuan and not jiao else "")
            + _DIGITS[fen].replace("二", _TWO if not spoken else "二")
            + "分"
        )
    return spoken


def percent(value: str | Decimal) -> str:
    """Return a percentage: 7.2% -> 百分之七点二. `value` with or without the sign."""
    return "百分之" + number(str(value).strip().rstrip("%％"))


def percent_range(value: str) -> str:
    """Return a range of percentages: 3.2%-4.5% -> 百分之三点二到百分之四点五."""
    return _range(value, percent)


def money_range(value: str) -> str:
    """Return a range of amounts: 1000-5000元 -> 一千元到五千元."""
    return _range(value, money)


def day(value: date | str) -> str:
    """Return a date without its year: 2026-11-23 -> 十一月二十三号."""
    when = _parse(value, date.fromisoformat, "a date as 2026-11-23")
    return f"{_whole(when.month)}月{_whole(when.day)}号"


def full_date(value: date | str) -> str:
    """Return a date with its year: 2026-11-23 -> 二零二六年十一月二十三号."""
    when = _parse(value, date.fromisoformat, "a date as 2026-11-23")
    return f"{digits(str(when.year))}年{day(when)}"


def clock(value: time | str) -> str:
    """Return a time of day: 14:30 -> 下午两点半, 09:05 -> 上午九点零五分, 00:00 -> 零点."""
    when = _parse(value, time.fromisoformat, "a time as 14:30")
    hour, minute = when.hour, when.minute
    if hour == 0:
        part, shown = ("", "零") if not minute else ("凌晨", "零")
    else:
        part = _part_of_day(hour)
        shown = _hour(hour if hour <= 12 else hour - 12)
    if minute == 0:
        return f"{part}{shown}点"
    if minute == 30:
        return f"{part}{shown}点半"
    return f"{part}{shown}点{'零' if minute < 10 else ''}{_whole(minute)}分"


def moment(value: datetime | str, now: datetime | None = None) -> str:
    """Return date and time: 2026-11-23 14:30 -> 十一月二十三号下午两点半.

    With `now`, near days are said as 今天, 明天, 后天; other years are named.
    """
    when = _parse(value, datetime.fromisoformat, "a moment as 2026-11-23 14:30")
    spoken = day(when.date())
    if now is not None:
        near = {0: "今天", 1: "明天", 2: "后天"}.get((when.date() - now.date()).days)
        other_year = when.year != now.year
        spoken = near or (full_date(when.date()) if other_year else spoken)
    return spoken + clock(when.time())


def weekday(value: date | str) -> str:
    """Return the day of the week: 2026-11-23 -> 周一."""
    return "周" + _WEEKDAYS[_parse(value, date.fromisoformat, "a date as 2026-11-23").weekday()]


def duration(minutes: int) -> str:
    """Return a stretch of time: 90 -> 一个半小时, 125 -> 两个小时零五分钟, 20 -> 二十分钟."""
    if minutes < 1:
        raise DataError(f"a duration of {minutes} minutes")
    hours, rest = divmod(minutes, 60)
    if not hours:
        return "半个小时" if rest == 30 else count(rest, "分钟")
    if rest == 30:
        return count(hours, "个半小时")
    spoken = count(hours, "个小时")
    return spoken + ("零" if 0 < rest < 10 else "") + (number(rest) + "分钟" if rest else "")


def phone(value: str) -> str:
    """Return a phone number in breaths: 13812345678 -> 幺三八，幺二三四，五六七八."""
    plain = re.sub(r"[\s()-]", "", value)
    plain = plain.removeprefix("+86")
    if not re.fullmatch(r"\d{3,12}", plain):
        raise DataError(f"{value!r} is no phone number of mainland China")
    if len(plain) == 11 and plain.startswith("1"):
        groups = [plain[:3], plain[3:7], plain[7:]]
    elif len(plain) > 8:  # area code of three (010, 02x) or four digits
        area = 3 if plain[:2] in ("01", "02") else 4
        groups = [plain[:area], plain[area:-4], plain[-4:]]
    elif len(plain) > 5:
        groups = [plain[:-4], plain[-4:]]
    else:
        groups = [plain]
    return "，".join(digits(group, yao=True) for group in groups)


def card_tail(value: str) -> str:
    """Return the last four digits of a card: 6222 … 1234 -> 尾号幺二三四."""
    plain = re.sub(r"[\s*-]", "", value)
    if not re.fullmatch(r"\d{4,19}", plain):
        raise DataError("a card number has 4 to 19 digits")
    return "尾号" + digits(plain[-4:], yao=True)


def polite_name(name: str, gender: str = "") -> str:
    """Return how to address somebody: 王小明, m -> 王先生; 欧阳娜, f -> 欧阳女士.

    Without a known gender it is the full name.
    """
    plain = name.strip()
    if not re.fullmatch(r"[\u3400-\u9fff·]{1,15}", plain):
        raise DataError("a name is not in hanzi", hint="Use the script's variant without a name.")
    form = {"m": "先生", "男": "先生", "f": "女士", "女": "女士"}.get(gender.strip().lower(), "")
    if not form or "·" in plain:
        return plain + form
    return plain[: 2 if plain[:2] in _DOUBLE else 1] + form


_DOUBLE = frozenset(
    ("欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "司徒", "令狐", "夏侯")
)

_FORMATTERS: dict[str, Callable[[str], str]] = {
    "number": number,
    "money": money,
    "money_range": money_range,
    "percent": percent,
    "percent_range": percent_range,
    "date": day,
    "time": clock,
    "moment": moment,
    "digits": digits,
    "phone": phone,
    "card_tail": card_tail,
    "name": polite_name,
}


def spoken(kind: str, value: str) -> str:
    """Return a slot's value in hanzi, by the slot's type; what is in hanzi already stays as it is.

    Raises:
        DataError: the type is unknown, or the value is not of it.
    """
    plain = value.strip()
    if _HANZI.fullmatch(plain):
        return plain
    if kind not in _FORMATTERS:
        raise DataError(f"a slot of type {kind!r}", hint=f"Known types: {', '.join(_FORMATTERS)}.")
    return _FORMATTERS[kind](plain)


def _decimal(value: int | str | Decimal) -> Decimal:
    try:
        exact = Decimal(str(value).strip())
    except InvalidOperation as error:
        raise DataError(f"{str(value)[:30]!r} is no number") from error
    if not exact.is_finite() or abs(exact) >= _LIMIT:
        raise DataError(f"{str(value)[:30]!r} is too large to be said")
    return exact


def _parse(value: T | str, read: Callable[[str], T], what: str) -> T:
    if not isinstance(value, str):
        return value
    try:
        return read(value.strip())
    except ValueError as error:
        raise DataError(f"{value[:30]!r} is not {what}") from error


def _whole(value: int) -> str:
    if value == 0:
        return _DIGITS[0]
    groups: list[int] = []
    while value:
        value, low = divmod(value, 10_000)
        groups.append(low)
    spoken = ""
    gap = False
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if not group:
            gap = True
            continue
        if spoken and (gap or group < 1000):
            spoken += _DIGITS[0]
        gap = False
        spoken += (_TWO if group == 2 and place else _group(group, first=not spoken)) + _GROUPS[place]
    return spoken


def _group(value: int, *, first: bool) -> str:
    """Say 1 to 9999. At the very beginning of a number, 10 to 19 go without 一."""
    spoken = ""
    gap = False
    for place in range(3, -1, -1):
        digit = value // 10**place % 10
        if not digit:
            gap = bool(spoken)
            continue
        if gap:
            spoken += _DIGITS[0]
            gap = False
        if digit == 1 and place == 1 and first and not spoken:
            spoken += "十"
            continue
        spoken += (_TWO if digit == 2 and place > 1 else _DIGITS[digit]) + _PLACES[place]
    return spoken


def _hour(value: int) -> str:
    return _TWO if value == 2 else _whole(value)


def _part_of_day(hour: int) -> str:
    for end, part in ((6, "凌晨"), (9, "早上"), (12, "上午"), (13, "中午"), (18, "下午")):
        if hour < end:
            return part
    return "晚上"


def _range(value: str, say: Callable[[str], str]) -> str:
    ends = [end.strip() for end in _TO.split(value.strip())]
    if len(ends) != 2 or not all(ends):
        raise DataError(f"{value[:30]!r} is not a range", hint="Write it as 3.2%-4.5%.")
    return f"{say(ends[0])}到{say(ends[1])}"
