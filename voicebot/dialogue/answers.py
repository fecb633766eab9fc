"""Expected answers: the usual ways to say yes, no and later, matched as a whole, never inside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from voicebot.domain.script import Answer
from voicebot.text.pinyin import bare, sounds_at


def _words(table: str) -> tuple[str, ...]:
    return tuple(table.split())


YES = _words(
    """
    可以 好 好的 好啊 行 行啊 可以啊 可以的 嗯 嗯嗯 对 是 是的 对的 没问题 方便 有 要 愿意 想 听听 想听
    说吧 好吧 行吧 那好吧 可以吧 成 好的可以 嗯可以 嗯好 嗯行 行可以 对对 对对对 是是是 好好好 没错 当然可以
    好的好的 可以可以 那行 那可以 也行 也可以 没有问题 你说 你讲 嗯哼 听着呢 同意 我同意
    好嘞 好咧 行嘞 得嘞 好呀 行呀 可以呀 中 嗯呐 必须的 当然 那肯定 成啊 那成 是呀 对呀 好的呀 也成 好说
    """
)
NO = _words(
    """
    不 不行 不可以 不好 不用 不用了 不要 不要了 不需要 不是 没有 不想 不愿意 不必 不必了 算了 算了吧 没兴趣
    不感兴趣 不了 不考虑 不用不用 不需要了 没 不想听 不听 不了谢谢 不用了谢谢 不需要谢谢 不对 没有兴趣 先不用
    不同意 我不同意
    """
)
LATER = _words(
    """
    等会儿 等一会儿 待会儿 晚点 晚一点 过会儿 过一会儿 改天 改天吧 下次 下次吧 以后再说 回头再说 再说吧 等等
    等下 等会儿再说 晚点再说 一会儿再说 现在不方便
    """
)
_BRIEF_YES = re.compile("[好行成嗯对](?:的|啊|呀|吧|嘞|那)")  # with which more words begin: "好那你登记上"
_SHORTEST_YES = "好行对成"
ANY = "any"  # answer class: whatever is said, if nothing else fits it
_STANDARD = {"yes": YES, "no": NO, "later": LATER}
# "请讲", "那你接着说吧": whoever was asked for a moment says yes so.
_GO_ON = re.compile(
    r"(?:嗯|好的?|行|可以|那|有空|方便|吧|，)*(?:你|您)?(?:请|就|先|快|直接|继续|接着|往下)*(?:给我)?(?:说|讲|介绍)"
    r"(?:说|讲|一?下|来|听听?|一?听|看|两句|几句|吧|呗|嘛|啊|呀|你的)*"
)
# Behind a yes, these are politeness: "嗯，发吧，谢谢".
_THANKS = ("谢谢你", "谢谢您", "谢谢", "谢了", "多谢", "麻烦你了", "麻烦您了", "麻烦了", "辛苦了")
_PUNCTUATION = re.compile(r"[，。？！、：；,.?!;:\s]+")
_LEAST_BY_SOUND = 3  # syllables
_SOFTENERS = "嗯啊哦呃哎诶唉那就呀呢吧嘛哈了的呗噢"


def phrases_of(name: str, extra: Iterable[str]) -> tuple[str, ...]:
    """Return an answer's phrases: its own, then the usual ones of its class."""
    return tuple(dict.fromkeys((*extra, *_STANDARD.get(name, ()))))


def core(text: str) -> str:
    """Return a short answer without punctuation, fillers in front and particles behind."""
    plain = bare(text)
    return plain.lstrip(_SOFTENERS).rstrip(_SOFTENERS) or plain


def match(text: str, answers: Sequence[Answer]) -> Answer | None:
    """Return the answer class that the whole utterance is, else None.

    Whole utterances only: a keyword inside reads "不同意" as yes. An utterance made of phrases of one class
    only counts too ("可以，你说吧"); then the same by sound, toneless, with every 不/没 in place.
    """
    said = bare(text)
    if not said:
        return None
    for form in (said, core(said)):
        for answer in answers:
            if any(form in (phrase, core(phrase)) for phrase in answer.phrases):
                return answer
    if _GO_ON.fullmatch(said):
        return _yes(answers)
    for fits in (str.startswith, _sounds):
        covering = [answer for answer in answers if _covers(said, answer.phrases, fits)]
        if len(covering) == 1:
            return covering[0]
    return None


def _sounds(said: str, phrase: str, start: int) -> bool:
    # One or two syllables sound like too many other words to be taken by sound.
    by_sound = len(phrase) >= _LEAST_BY_SOUND and sounds_at(said, start, phrase)
    return said.startswith(phrase, start) or by_sound


def clauses(text: str) -> tuple[str, ...]:
    """Return the clauses of an utterance, without punctuation."""
    return tuple(part for part in _PUNCTUATION.split(text) if part)


def lets_speak(text: str) -> bool:
    """Whether the customer tells the bot to go on: "行吧，那你说"."""
    return any(_GO_ON.fullmatch(bare(words)) for words in (text, *clauses(text)[-1:]))


def led_on(text: str, answers: Sequence[Answer]) -> Answer | None:
    """Return the yes of an utterance that begins with one and ends with leave to speak.

    "行吧，反正也没事，你讲讲看" is one. Not for binding questions: what stands between may be a condition.
    """
    parts = clauses(text)
    yes = _yes(answers)
    if yes is None or len(parts) < 2 or not _GO_ON.fullmatch(bare(parts[-1])):
        return None
    return yes if match(parts[0], answers) is yes else None


def begins_with_yes(text: str, answers: Sequence[Answer]) -> Answer | None:
    """Return the yes of an utterance whose first words are one ("好的，我想办一个"), if it denies nothing.

    Of two hanzi at least, or set off from the rest: 好 and 有 begin too many other words. One that is set off
    is known by its sound as well: "号，那你登记上".
    """
    yes, said = _yes(answers), bare(text)
    if yes is None or not said or "不" in said or "没" in said or "别" in said:
        return None
    begins = any(len(phrase) > 1 and said.startswith(phrase) for phrase in yes.phrases)
    first, *more = clauses(text)
    set_off = bool(more) and len(first) == 1 and any(sounds_at(first, 0, word) for word in _SHORTEST_YES)
    whole = set_off or match(first, answers) is yes
    return yes if begins or whole or _BRIEF_YES.match(said) else None


def _yes(answers: Sequence[Answer]) -> Answer | None:
    return next((answer for answer in answers if answer.name == "yes"), None)


def _covers(said: str, phrases: Iterable[str], fits: Callable[[str, str, int], bool]) -> bool:
    """Whether phrases of one class and softeners make up the whole utterance, at least one phrase."""
    reachable = {0: False}  # position -> whether a phrase was used on the way
    for start in range(len(said)):
        if start not in reachable:
            continue
        if said[start] in _SOFTENERS + "我":
            reachable[start + 1] = reachable.get(start + 1, False) or reachable[start]
        for thanks in _THANKS:
            if reachable[start] and said.startswith(thanks, start):
                reachable[start + len(thanks)] = True
        for phrase in phrases:
            if phrase and fits(said, phrase, start):
                reachable[start + len(phrase)] = True
    return reachable.get(len(said), False)
