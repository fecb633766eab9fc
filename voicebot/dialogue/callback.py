"""Times that customers name for a callback: heard in words, kept relative, said back in hanzi."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from voicebot.text.pinyin import heard_in

_DIGITS = dict(zip("零一二三四五六七八九", range(10), strict=True)) | {"两": 2}
_NUMBER = r"(?:二十[一二三四]?|十[一二三四五六七八九]?|[一二两三四五六七八九]|\d{1,2})"
_DAYS = {"今天": 0, "今晚": 0, "今日": 0, "明天": 1, "明早": 1, "明晚": 1, "明日": 1, "后天": 2, "大后天": 3}
_DAY_WORDS = {0: "今天", 1: "明天", 2: "后天", 3: "大后天"}
_WEEKDAYS = dict(zip("一二三四五六日", range(7), strict=True)) | {"天": 6}
_PARTS = {  # word -> (spoken, hour if none is named, whether hours below 12 mean the afternoon)
    "早上": ("早上", 9, False),
    "清早": ("早上", 9, False),
    "明早": ("早上", 9, False),
    "上午": ("上午", 10, False),
    "中午": ("中午", 12, True),
    "下午": ("下午", 15, True),
    "傍晚": ("傍晚", 18, True),
    "晚上": ("晚上", 19, True),
    "今晚": ("晚上", 19, True),
    "明晚": ("晚上", 19, True),
    "下班": ("晚上", 19, True),
}
_DAY = re.compile(r"大后天|今天|今晚|今日|明天|明早|明晚|明日|后天")
_WEEKDAY = re.compile(r"(下个?)?(?:周|星期|礼拜)([一二三四五六日天])")
_WEEKEND = re.compile(r"周末")
_PART = re.compile("|".join(_PARTS))
_CLOCK = re.compile(rf"({_NUMBER})(?:点钟?|时|:|：)(半|一刻|三刻|[一二三四五]?十[五]?分?|\d{{2}})?")
_AFTER = re.compile(rf"(?:过)?(半|{_NUMBER})个?半?(小时|钟头|分钟|天)(?:以后|之后|后)?")
_HINT = re.compile(r"过|以后|之后|后|再打|再说|再联系")
# Through homophone slips of the recogniser; of four syllables, for fewer sound like too much else.
_SOUNDS = tuple(
    day + part for day in ("明天", "后天", "今天") for part in ("早上", "上午", "中午", "下午", "晚上")
)
_MINUTES = {"半": 30, "一刻": 15, "三刻": 45}


@dataclass(frozen=True, slots=True)
class CallbackTime:
    """A time as the customer named it.

    `relative` is one of "+<minutes>m", "+<days>d HH:MM" or "w<weekday 0-6> HH:MM"; a leading "w+"
    means next week. Relative, because the words say nothing about today's date: `resolve` does.
    """

    relative: str
    spoken: str  # in hanzi, as the bot says it back


def hear(text: str) -> CallbackTime | None:
    """Return the first time named in a text, None if there is none.

    >>> hear("那就明天下午三点吧")
    CallbackTime(relative='+1d 15:00', spoken='明天下午三点')
    """
    after = _AFTER.search(text)
    if after and _HINT.search(text):
        return _after(after.group(1), after.group(2), half="个半" in after.group(0))
    day, weekday, weekend = _DAY.search(text), _WEEKDAY.search(text), _WEEKEND.search(text)
    part, clock = _PART.search(text), _CLOCK.search(text)
    if clock and clock.group() == "一点" and not (day or weekday or weekend or part):
        clock = None  # "有一点贵": a little, not one o'clock
    if not (day or weekday or weekend or part or clock):
        misheard = next((phrase for phrase in _SOUNDS if heard_in(phrase, text)), None)
        return hear(misheard) if misheard else None
    spoken_part, hour, afternoon = _PARTS[part.group()] if part else ("", 10, False)
    minute, spoken_clock = 0, ""
    if clock:
        hour, minute = _number(clock.group(1)), _minute(clock.group(2))
        if not part and 1 <= hour <= 7:
            spoken_part, afternoon = "下午", True  # nobody asks to be called at three in the night
        if afternoon and hour < 11:
            hour += 12
        spoken_clock = _say_clock(hour, minute, spoken_part)
    if hour > 23 or minute > 59:
        return None
    if weekday or weekend:
        index = _WEEKDAYS[weekday.group(2)] if weekday else 5
        next_week = bool(weekday and weekday.group(1))
        prefix, spoken_day = (
            ("w+" if next_week else "w"),
            ("下" if next_week else "") + "周" + "一二三四五六日"[index],
        )
        return CallbackTime(f"{prefix}{index} {hour:02}:{minute:02}", spoken_day + spoken_part + spoken_clock)
    days = _DAYS[day.group()] if day else 0
    return CallbackTime(
        f"+{days}d {hour:02}:{minute:02}",
        (_DAY_WORDS[days] if day or part or clock else "") + spoken_part + spoken_clock,
    )


def resolve(relative: str, now: datetime) -> datetime:
    """Return the moment that a relative time means, never before `now` (local, timezone-aware)."""
    if relative.endswith("m"):
        return now + timedelta(minutes=int(relative[1:-1]))
    head, _, clock = relative.partition(" ")
    hour, minute = (int(part) for part in clock.split(":"))
    at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if head.startswith("w"):
        weekday = int(head.lstrip("w+"))
        ahead = (weekday - now.weekday()) % 7
        if head.startswith("w+"):
            ahead = weekday - now.weekday() + 7
        at += timedelta(days=ahead)
        return at if at >= now else at + timedelta(days=7)
    at += timedelta(days=int(head[1:-1]))
    return at if at >= now else at + timedelta(days=1)


def _after(amount: str, unit: str, *, half: bool) -> CallbackTime:
    if unit == "天":
        days = 1 if amount == "半" else _number(amount)
        return CallbackTime(f"+{days}d 10:00", f"{_hanzi(days)}天以后" if days > 1 else "明天")
    if amount == "半":
        return CallbackTime("+30m", "半小时以后")
    count = _number(amount)
    minutes = count if unit == "分钟" else count * 60 + (30 if half else 0)
    if unit == "分钟":
        return CallbackTime(f"+{minutes}m", f"{_hanzi(count)}分钟以后")
    return CallbackTime(f"+{minutes}m", f"{_hanzi(count)}个{'半' if half else ''}小时以后")


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    if "十" in text:
        tens, _, ones = text.partition("十")
        return (_DIGITS[tens] if tens else 1) * 10 + (_DIGITS[ones] if ones else 0)
    return _DIGITS[text]


def _minute(text: str | None) -> int:
    if not text:
        return 0
    if text in _MINUTES:
        return _MINUTES[text]
    return _number(text.removesuffix("分"))


def _hanzi(number: int) -> str:
    digits = "零一二三四五六七八九"
    if number == 2:
        return "两"
    if number < 10:
        return digits[number]
    tens, ones = divmod(number, 10)
    return (digits[tens] if tens > 1 else "") + "十" + (digits[ones] if ones else "")


def _say_clock(hour: int, minute: int, part: str) -> str:
    shown = hour - 12 if hour > 12 and part else hour
    clock = _hanzi(shown) + "点"
    if minute == 30:
        return clock + "半"
    return clock + (_hanzi(minute).replace("两", "二") + "分" if minute else "")
