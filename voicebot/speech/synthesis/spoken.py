"""Slot values that can be spoken from clips: the finite ones, and the clauses around them."""

from __future__ import annotations

from itertools import product

from voicebot.domain.script import Playbook
from voicebot.speech.synthesis.joins import clauses

DAYS = ("今天", "明天", "后天")
WEEKDAYS = tuple(f"{week}{day}" for week in ("周", "下周") for day in "一二三四五六日")
HOURS = {
    "上午": ("八点", "九点", "十点", "十一点"),
    "中午": ("十二点",),
    "下午": ("一点", "两点", "三点", "四点", "五点", "六点"),
    "晚上": ("七点", "八点", "九点"),
}
SOON = ("十分钟以后", "二十分钟以后", "半小时以后", "一个小时以后", "两个小时以后")
SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡林郭何高罗"


def callback_times() -> tuple[str, ...]:
    """Return the times a callback is agreed on most: day, part of the day, and hour or half hour."""
    parts = [f"{day}{part}" for day, part in product((*DAYS, *WEEKDAYS), ("上午", "下午", "晚上"))]
    mornings = [f"{day}早上{hour}" for day in DAYS for hour in ("八点", "九点")]
    hours = [
        f"{day}{part}{hour}{half}"
        for day in DAYS
        for part, all_hours in HOURS.items()
        for hour in all_hours
        for half in ("", "半")
    ]
    return (*DAYS, *WEEKDAYS, *parts, *mornings, *hours, *SOON)


def names() -> tuple[str, ...]:
    """Return the polite forms of the most common surnames."""
    return tuple(f"{surname}{form}" for surname, form in product(SURNAMES, ("先生", "女士")))


_VALUES = {"time": callback_times, "name": names}


def slot_parts(playbook: Playbook) -> tuple[str, ...]:
    """Return the clauses from which a playbook's scripts with slots can be joined.

    A clause with one slot of a finite type is returned once for every value; a clause without a slot, as
    it stands.
    """
    found: dict[str, None] = {}
    for script in playbook.scripts.values():
        for text in (script.text, *script.variants, *script.styles.values(), *script.reprompt):
            if "{" in text:
                found |= dict.fromkeys(_parts(text, playbook))
    return tuple(found)


def _parts(text: str, playbook: Playbook) -> list[str]:
    parts: list[str] = []
    plain = ""
    for clause in clauses(text):
        slots = [slot for slot in playbook.slots if f"{{{slot}}}" in clause]
        if not slots:
            plain += clause
            continue
        parts += [plain] if plain else []
        plain = ""
        values = _VALUES.get(playbook.slots[slots[0]])
        if len(slots) == 1 and values:
            parts += [clause.replace(f"{{{slots[0]}}}", value) for value in values()]
    return [*parts, plain] if plain else parts
