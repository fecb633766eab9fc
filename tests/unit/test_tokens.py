"""Words of a text, with the domain's own."""

from __future__ import annotations

import pytest

from voicebot.text.tokens import Tokeniser

pytestmark = pytest.mark.unit


def test_loaded_words_are_not_split() -> None:
    words = Tokeniser(["不要说了", "安心贷"])
    assert words.cut("我说，不要说了！安心贷。") == ("我", "说", "不要说了", "安心贷")


def test_keywords_carry_content_in_order_and_once() -> None:
    found = Tokeniser(["安心贷"]).keywords("安心贷的利息是多少，安心贷要抵押吗")
    assert found[0] == "安心贷"
    assert "利息" in found
    assert "抵押" in found
    assert found.count("安心贷") == 1
    assert "的" not in found
    assert Tokeniser().keywords("") == ()
