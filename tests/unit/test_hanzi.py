"""Numbers, money, times and names are said as people say them."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.domain.errors import DataError
from voicebot.text import hanzi

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "零"),
        (2, "二"),
        (10, "十"),
        (15, "十五"),
        (20, "二十"),
        (101, "一百零一"),
        (110, "一百一十"),
        (200, "两百"),
        (1002, "一千零二"),
        (2222, "两千两百二十二"),
        (10010, "一万零一十"),
        (20000, "两万"),
        (100000, "十万"),
        (120500, "十二万零五百"),
        (200000, "二十万"),
        (1000010, "一百万零一十"),
        (100000000, "一亿"),
        (1000010000, "十亿零一万"),
        (3.14, "三点一四"),
        ("7.20", "七点二"),
        (-5, "负五"),
    ],
)
def test_cardinal_numbers(value: int | float | str, said: str) -> None:
    assert hanzi.number(str(value)) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("¥50,000.00", "五万元"),
        ("2", "两元"),
        ("200元", "两百元"),
        ("12.35", "十二元三角五分"),
        ("12.05", "十二元零五分"),
        ("0.20", "两角"),
        ("0.02", "两分"),
        ("2.20", "两元二角"),
        ("0", "零元"),
        ("-30", "负三十元"),
        (Decimal("866.60"), "八百六十六元六角"),
    ],
)
def test_money(value: str | Decimal, said: str) -> None:
    assert hanzi.money(value) == said


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (hanzi.percent("7.2%"), "百分之七点二"),
        (hanzi.percent_range("3.2%-4.5%"), "百分之三点二到百分之四点五"),
        (hanzi.percent_range("3.2% ～ 4.5%"), "百分之三点二到百分之四点五"),
        (hanzi.money_range("1,000-5,000元"), "一千元到五千元"),
        (hanzi.count(2, "笔"), "两笔"),
        (hanzi.count(12, "期"), "十二期"),
        (hanzi.count("102", "个"), "一百零二个"),
        (hanzi.digits("2026"), "二零二六"),
        (hanzi.phone("13812345678"), "幺三八，幺二三四，五六七八"),
        (hanzi.phone("+86 138-1234-5678"), "幺三八，幺二三四，五六七八"),
        (hanzi.phone("021-61234567"), "零二幺，六幺二三，四五六七"),
        (hanzi.phone("95588"), "九五五八八"),
        (hanzi.card_tail("6222 **** 1234"), "尾号幺二三四"),
        (hanzi.day("2026-11-23"), "十一月二十三号"),
        (hanzi.full_date("2026-10-02"), "二零二六年十月二号"),
        (hanzi.moment("2026-11-23 14:30"), "十一月二十三号下午两点半"),
        (hanzi.moment("2026-11-24 09:05", datetime(2026, 11, 23, 8)), "明天上午九点零五分"),  # noqa: DTZ001
        (hanzi.moment("2027-01-02 12:00", datetime(2026, 11, 23, 8)), "二零二七年一月二号中午十二点"),  # noqa: DTZ001
        (hanzi.clock("00:00"), "零点"),
        (hanzi.clock("02:10"), "凌晨两点十分"),
        (hanzi.clock("20:00"), "晚上八点"),
        (hanzi.weekday("2026-11-23"), "周一"),
        (hanzi.duration(30), "半个小时"),
        (hanzi.duration(2), "两分钟"),
        (hanzi.duration(90), "一个半小时"),
        (hanzi.duration(125), "两个小时零五分钟"),
        (hanzi.polite_name("王小明", "m"), "王先生"),
        (hanzi.polite_name("欧阳娜", "女"), "欧阳女士"),
        (hanzi.polite_name("欧阳", "男"), "欧阳先生"),
        (hanzi.polite_name("李雷"), "李雷"),
        (hanzi.spoken("money", "200"), "两百元"),
        (hanzi.spoken("time", "明天下午三点"), "明天下午三点"),
    ],
)
def test_typed_slots(said: str, expected: str) -> None:
    assert said == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("money", "很多 money"),
        ("money", "1.234"),
        ("money", "9999999999999"),
        ("percent", "七%x"),
        ("percent_range", "3.2%"),
        ("date", "2026-02-30"),
        ("time", "25:00"),
        ("phone", "12"),
        ("card_tail", "12"),
        ("name", "John"),
        ("digits", "²"),
        ("colour", "1"),
    ],
)
def test_a_value_of_another_type_is_an_error_not_a_wrong_prompt(kind: str, value: str) -> None:
    with pytest.raises(DataError):
        hanzi.spoken(kind, value)


def _value(said: str) -> int:
    """Read a cardinal number back: the inverse, written independently."""
    total = 0
    for unit, size in (("亿", 10**8), ("万", 10**4)):
        if unit in said:
            head, said = said.split(unit, 1)
            total += _value(head) * size
    current = 0
    for char in said:
        if char in "零一二三四五六七八九":
            current = "零一二三四五六七八九".index(char)
        elif char == "两":
            current = 2
        else:
            total += (current or 1) * {"十": 10, "百": 100, "千": 1000}[char]
            current = 0
    return total + current


@given(st.integers(0, 10**12 - 1))
def test_a_number_said_can_be_understood_again(value: int) -> None:
    said = hanzi.number(value)
    assert _value(said) == value
    assert re.fullmatch(r"[零一二两三四五六七八九十百千万亿]+", said)
    assert "零零" not in said
