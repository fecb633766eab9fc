"""How an utterance relates to the ones before (语句关系): features, then ordered rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from voicebot.dialogue import phrases
from voicebot.dialogue import state as st
from voicebot.dialogue.answers import match
from voicebot.dialogue.callback import hear
from voicebot.domain.dialogue import DialogueState, Relation
from voicebot.domain.script import Expect, Playbook, Script
from voicebot.text.pinyin import bare, distance

_SAME = 0.34  # by sound: below this an utterance repeats an earlier one
_QUESTION = re.compile(
    r"吗|么$|呢$|多少|怎么|什么|啥|哪|几(?:个|天|期|号|点|年|分|厘|万|千)|谁|为什么|为啥|凭什么|多久|多长|多高|多大"
    r"|(?P<aba>.)不(?P=aba)|有没有|是否|能不能|可不可以|可以.{1,8}(?:吗|不)$|行不行|会不会|要不要|需不需要|？|\?"
)
_OBJECTION = re.compile(
    r"太(?:高|贵|低|少|麻烦|复杂|长|短|慢|多|累)|不(?:需要|用|要|考虑|感兴趣|想|信|相信|放心|划算|办|喜欢|靠谱|敢|值)"
    r"|没(?:钱|兴趣|必要|需要|需求|那么多|用)|骗|套路|坑|便宜|烦|骚扰|怕|担心|麻烦|吃亏|算了|懒得|有点(?:高|贵|低)"
)
_NEW_TOPIC = re.compile(
    r"^(?:对了|话说|那个|另外|还有(?:个|一个)|顺便|问你个|问一下别的|先不说这个|换个话题)"
)
_TURNS_ROUND = re.compile(
    r"^(?:其实|不对|不是|等等|算了|还是|我又|我改|刚才)|我(?:刚才|刚刚)?(?:说错|没说|可没说|什么时候说)|改(?:主意|变主意)|又不想|还是(?:算了|不|别)|反悔"
)
_MORE = re.compile(
    r"^(?:而且|还有|另外|因为|主要是|就是说|我是说|比如|也就是|所以|再说了|再加上|我的意思|然后)"
)


@dataclass(frozen=True, slots=True)
class Features:
    """What the relation is read from."""

    answered: str  # class of the expected answer that the utterance is; "" = none
    question: bool
    objection: bool
    closing: bool
    repeats: bool
    turns_round: bool
    more: bool
    new_topic: bool
    expects: Expect
    short: bool


def features(text: str, keywords: Sequence[str], state: DialogueState, playbook: Playbook) -> Features:
    """Return the features of an utterance in its dialogue."""
    said = bare(text)
    last = last_script(state, playbook)
    answer = match(text, last.answers) if last else None
    earlier = [exchange.customer_text for exchange in state.history if len(bare(exchange.customer_text)) >= 3]
    accepted = _last_answer(state, playbook)
    contradicts = bool(answer and accepted and {answer.name, accepted} == {"yes", "no"}) or (
        accepted == "yes" and phrases.refuses(text, own=playbook.refusals)
    )
    return Features(
        answered=answer.name if answer else "",
        question=bool(_QUESTION.search(text.strip())),
        objection=bool(_OBJECTION.search(said)) or phrases.refuses(text, own=playbook.refusals),
        closing=phrases.closes(text),
        repeats=len(said) >= 3 and any(distance(said, line) < _SAME for line in earlier),
        turns_round=bool(_TURNS_ROUND.search(said)) and contradicts,
        more=bool(_MORE.search(said)),
        new_topic=bool(_NEW_TOPIC.search(said)),
        expects=state.expect,
        short=len(said) <= 8,
    )


def relate(text: str, keywords: Sequence[str], state: DialogueState, playbook: Playbook) -> Relation:
    """Return the relation of an utterance by the rules alone."""
    return by_rules(text, features(text, keywords, state, playbook), state, playbook)


def by_rules(text: str, found: Features, state: DialogueState, playbook: Playbook) -> Relation:
    """Return the relation that the features tell; the first rule that holds, most explicit first."""
    waiting = found.expects not in (Expect.OPEN, Expect.NOTHING)
    rules: tuple[tuple[bool, Relation], ...] = (
        (found.closing and not found.question, Relation.CLOSES),
        (found.turns_round, Relation.CONTRADICTS),
        (bool(found.answered), Relation.ANSWERS),
        (found.expects == Expect.TIME and hear(text) is not None, Relation.ANSWERS),
        (found.repeats and not phrases.refuses(text, own=playbook.refusals), Relation.REPEATS),
        (found.new_topic, Relation.CHANGES_TOPIC),
        (found.question, Relation.ASKS),
        (found.objection, Relation.OBJECTS),
        (found.more, Relation.ELABORATES),
        (waiting or bool(state.history), Relation.ANSWERS if waiting or found.short else Relation.ELABORATES),
    )
    return next((relation for holds, relation in rules if holds), Relation.ANSWERS)


def last_script(state: DialogueState, playbook: Playbook) -> Script | None:
    """Return the script said last, looking through "pardon?" and "are you there?"."""
    for exchange in reversed(state.history):
        script = playbook.scripts.get(exchange.script_id)
        if script and script.act not in st.KEEPS_QUESTION:
            return script
    return None


def _last_answer(state: DialogueState, playbook: Playbook) -> str:
    """Return the class of the customer's latest yes or no."""
    for before, after in zip(reversed(state.history[:-1]), reversed(state.history[1:]), strict=True):
        script = playbook.scripts.get(before.script_id)
        answer = match(after.customer_text, script.answers) if script else None
        if answer and answer.name in ("yes", "no"):
            return answer.name
    return ""
