"""The answers that the bench of recognition expects, by meaning. Many sound alike across meanings."""

from __future__ import annotations

from voicebot.dialogue.answers import LATER, NO, YES
from voicebot.text.normalise import comparable

MEANINGS: dict[str, tuple[str, ...]] = {
    "yes": (*YES, "需要", "明白", "知道", "知道了"),
    "no": (*NO, "拒绝", "不方便", "没必要"),
    "later": (*LATER, "考虑", "考虑考虑", "我再想想"),
    "greeting": ("喂", "喂喂", "你好", "哪位"),
    "thanks": ("谢谢", "谢谢你", "多谢", "没关系"),
    "farewell": ("再见", "拜拜", "挂了"),
    "question": ("什么", "为什么", "怎么", "多少", "多少钱", "怎么办", "什么意思"),
    "time": ("现在", "明天", "下午", "晚上", "上午", "后天", "中午"),
    "busy": ("开会", "上班", "在忙", "开车", "在开会"),
    "price": ("贵", "太贵了", "便宜", "便宜点"),
    "fraud": ("骗", "骗子", "骗人的"),
    "annoyed": ("讨厌", "麻烦", "打扰", "生气", "烦死了"),
}
_MEANING = {comparable(phrase): name for name, phrases in MEANINGS.items() for phrase in phrases}


def meaning(text: str) -> str | None:
    """Return what a whole utterance means, None if it is not on the list."""
    return _MEANING.get(comparable(text))
