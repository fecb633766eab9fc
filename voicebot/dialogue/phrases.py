"""Explicit words that decide by themselves: a wish to be left alone, for a person, for another time.

Each reads the whole utterance, knows negation, and is a table of phrases to be read and mended.
The order in which they count stands in `policy`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from voicebot.dialogue.answers import clauses, core
from voicebot.text.pinyin import bare, heard_in, homophones, syllables

_STOP = r"(?:不要|不用|不必|别|甭|不许|不准|不能|禁止|停止|少)"
_AGAIN = r"(?:再|在|老|老是|总|总是|一直|天天|继续|随便|乱)?"
_ME = r"(?:给我|跟我|向我|往我这|来)?"
_KIN = r"(?!老婆|老公|家|爸|妈|媳妇|朋友|单位|公司|同事|儿子|女儿|孩子|亲戚)"
_CALL = (
    r"(?:打(?=电话|过来|来|扰我|给我" + _KIN + r"|我(?:电话|手机|号码|这)|这个|了|啦|吧|啊|行|好|$)"
    r"|骚扰|联系我" + _KIN + r"|联系了|找我" + _KIN + r"|来电话|来电|拨打|拨过来|烦我)"
)
_OPT_OUT = (
    re.compile(_STOP + _AGAIN + _ME + _AGAIN + _ME + _CALL),
    re.compile(
        r"我?(?:的|这个)?(?:号码|电话号码|手机号|电话|名字|信息)(?:都|也)?(?:给我|从.{1,8})?"
        r"(?:删|去掉|抹掉|抹了|移除|注销|划掉|清掉|拿掉)"
    ),
    re.compile(r"(?:删|去|移除|注销)(?:了|掉|除)?我的?(?:号码|电话|手机号|名字|信息)"),
    re.compile(
        r"(?:把我|给我|你们?|我)(?:们|都|已经|要|直接)?(?:给)?(?:你们?)?(?:加|拉|放)?(?:到|进|入)?(?:拉黑|黑名单)|我把你们?(?:加|拉|放)?(?:到|进|入)?黑"
    ),
    re.compile(r"从(?:你们)?(?:的)?(?:名单|系统|通讯录)(?:里|中|上)?(?:删|去|移|拿|划)"),
    re.compile(
        r"不(?:想|愿意?|希望)(?:再)?(?:接到|收到|听到|接)(?:你们?|这种|这样|这类|任何)?.{0,4}(?:电话|来电|推销)"
    ),
    re.compile(
        r"再(?:给我)?打(?:来|过来|电话|给我)?(?:我|的话)?(?:就|要|直接|马上)?(?:投诉|报警|举报|告你|告你们)"
    ),
    re.compile(
        r"(?:别|甭|不要|不许|不准)再(?:给我|跟我|向我)?推销|(?<!可以)(?:不|拒绝)(?:再)?接受.{0,4}(?:推销|营销)"
        r"|不同意你们?再打|取消(?:营销|推销)?(?:电话|来电)|^(?:给我)?拉黑(?:吧|了)?$"
    ),
    # whatever is heard for 删: what else is done to a number until it is gone
    re.compile(
        r"把我(?:的|这个)?(?:号码|电话号码|手机号|电话|名字|信息)(?:都|也|全|统统)?[^挂断给告卖漏记错]{1,2}(?:掉|干净|赶紧)"
    ),
    re.compile(r"退订|(?:撤回|撤销)(?:同意|授权|$|行|吧|了|掉)"),
)
_OPT_OUT_SOUNDS = (  # the same through homophone slips of the recogniser
    *("不要再打", "别再打了", "别再打来", "不要给我打电话", "别给我打电话", "不用再打", "不要再联系我"),
    *("别再联系我", "不要再骚扰", "别再骚扰", "把我号码删", "把我的号码删", "把我电话删", "以后不要打"),
    *("以后别打", "加黑名单", "拉进黑名单", "你拉黑了"),
)
# Hanzi of the wish that a recogniser takes for others of the same sound, and how many of them in one wish.
_WISH = "不别甭要用许准再老给跟我打过来电话骚扰联系拨烦号码删掉名字信息手机"
_MEANT = {sound: char for char, sound in zip(reversed(_WISH), reversed(syllables(_WISH)), strict=True)}
_SLIPS = 2
_BENG = re.compile(r"(?<![根基])[本笨奔](?=[再在给打找骚联老])")  # 甭 as it is heard, before what it forbids
_DENIED = re.compile(r"(?:没说|没有说|不是说|不是|没让你们?|没有让你们?|谁说|又没说|没叫你们?)$")
_IF = re.compile(r"(?:如果|要是|假如|万一).*(?:吗|呢|怎么办|会怎么样)$")
_ONLY_NOW = re.compile(
    r"(?:现在|这会儿|这时候|这个点|上班时间|上班的时候|上班|工作时间|白天|晚上|半夜|中午|午休|周末|休息的时候)"
    r"(?:就|都|你们?|先|请)?$"
)
_LATER_IS_FINE = re.compile(
    r"(?:明天|后天|改天|晚上|下午|上午|中午|早上|晚点|晚一点|回头|过(?:会儿|两天|几天|段时间)|下周|周[一二三四五六日天末]|点半?|以后有空)"
    r"(?:的时候)?(?:你)?(?:再|在)(?:给我)?(?:打|联系|来电)"
)

_HUMAN = re.compile(
    r"转(?:接)?(?:一下)?(?:到)?(?:你们)?人工|(?:要|找|叫|换|让|给我|接)(?:个|你们|一个|你们的)?(?:真人|人工|活人|客户经理|经理|客服|业务员|主管|领导|负责人)"
    r"|人工(?:客服|服务|接听|坐席)|(?:有没有|有)(?:真人|人工|活人)|(?:找|叫|换|让|派|接)(?:个|一个|你们的)(?:真|活)?人(?!情)|(?:经理|主管|领导|负责人)(?:在|呢)"
    r"|不(?:想)?(?:跟|和)(?:你|你个|你这个|这)?(?:机器|机器人)(?:说|聊|讲|谈)"
)
_HUMAN_SOUNDS = ("转人工", "换个人来", "找个真人", "叫个真人", "换个业务员", "人工客服")
_HUMAN_DENIED = re.compile(
    r"(?:不要|不用|别|不需要|先不|不想|不必)(?:给我|帮我)?(?:转|找|叫|接|让)|(?:你们?)?经理(?:是谁|叫什么|多大)"
    r"|不要人工|不用人工|(?:怎么|又|都|老|老是|每次|天天)(?:又|是)?换(?:了)?(?:个|一个)人"
    r"|(?:经理|人|客服|业务员|主管)(?:再|来|尽快|明天|晚点)?(?:联系|找|打给|打过来|打电话|给我(?:打|回)|跟我联系|回电)"
)
_ROBOT = re.compile(
    r"(?:是不是|是|不会是|该不会是|怎么像|好像|像)(?:个|一个|真的)?(?:在跟)?(?:个)?(?:语音)?(?:机器人|机器|人工智能|录音|电脑|假人|(?:语音|智能)(?:助手|助理|客服))"
    r"(?:吧|吗|啊|呀|在说|打的|放|播|么|$)|真人(?:吗|还是|吧|么)|是人(?:还是|吗)|不是(?:真人|人)吧|机器人(?:吧|吗|啊|么)$"
)
_COMPLAINT = re.compile(
    r"(?:我|要|去|就|会|打)(?:去|要|打)?(?:银保监|消协|工信部)?(?:投诉|举报|报警|告你)|投诉(?:电话|到底|你)"
)
_COMPLAINT_DENIED = re.compile(r"(?:不会|不想|没有|没|不是|不)(?:要|想|去|打算)?(?:投诉|举报)")
_AGAIN_PLEASE = re.compile(
    r"(?:再|重新|重复)(?:说|讲|来|给我说)(?:一)?(?:遍|次|下)|没(?:有)?听(?:清|见|到|明白|懂|清楚)|听不(?:清|见|到|清楚)"
    r"|(?:^|你|刚才|刚刚)说(?:的)?(?:是)?(?:什么|啥)(?:$|来着|呀$|啊$)|大(?:点|一点)声|声音(?:太)?小|信号不(?:太)?好"
)
# "Did you not hear me?" behind a refusal asks for nothing.
_REPROACH = re.compile(
    r"(?:你们?|您)?(?:是不是)?(?:没有?听(?:见|到|清楚?|懂|明白)|听不(?:见|到|懂|明白))(?:吗|么|嘛|是吧)$"
)
_AGAIN_WHOLE = frozenset(("啊", "什么", "啥", "你说什么", "什么什么", "啊什么", "嗯什么", "你说啥"))
_WRONG = re.compile(
    r"(?:打|找|拨)错(?:人|电话|号|了)|没有?(?:这个|这)(?:人|个人)|不是(?:他|她|机主|本人)(?:$|了|的)|(?:我)?不是你(?:要)?找的"
    r"|(?:这个)?(?:号|号码)(?:已经)?(?:换人|换了人|不是他的)|我(?:才|刚)(?:换|办)的(?:这个)?号"
)
_REFUSALS = (
    *(
        "不需要",
        "不用",
        "没兴趣",
        "没有兴趣",
        "不感兴趣",
        "不考虑",
        "不要",
        "不想办",
        "不办",
        "不想要",
        "用不着",
    ),
    *(
        "没需要",
        "没有需要",
        "没这个需要",
        "没有这个需求",
        "没这个需求",
        "没需求",
    ),
    *(
        "不想听",
        "不听",
        "算了",
        "不想了解",
        "不了",
        "不了解",
        "不必",
        "不弄",
        "免了",
        "拉倒吧",
        "别说了",
        "不要说了",
    ),
    *("不办理", "不做", "没必要", "没有必要", "别弄", "别办", "别搞", "不搞"),
    *("甭说了", "甭弄", "甭办", "甭搞", "甭介绍了", "别介绍了"),
)
_REASON = 5  # hanzi that a clause needs to tell anything
_STOP_TALKING = (
    "别说了",
    "甭说了",
    "不要说了",
    "不用说了",
    "不想听",
    "不听",
    "别讲了",
    "不用讲了",
    "先不说了",
)  # busy people say so too
_PADDING = (
    *(
        "我说了",
        "都说了",
        "我都说",
        "我说",
        "说了",
        "真的",
        "确实",
        "暂时",
        "目前",
        "现在",
        "最近",
        "这个",
        "那个",
        "你们的",
    ),
    *(
        "你们",
        "谢谢",
        "谢了",
        "不好意思",
        "抱歉",
        "对不起",
        "我",
        "你",
        "了",
        "啊",
        "的",
        "吧",
        "呢",
        "哦",
        "嗯",
        "呃",
    ),
    *(
        "那",
        "就",
        "都",
        "也",
        "哎",
        "唉",
        "诶",
        "呀",
        "哈",
        "好",
        "先",
        "也",
        "是",
        "再",
        "真",
        "一点",
        "什么",
        "根本",
        "肯定",
    ),
    *("直接", "这方面", "这种", "东西", "产品", "这些", "还是", "完全", "跟你"),
)
_CLOSES = re.compile(
    r"(?:再见|拜拜|挂了|我挂|先挂|先这样|就这样(?:吧|$)|就到这(?:儿|里)?|没别的(?:事|了)|没事了|不说了|不聊了)"
)
_GOODBYE = ("再见", "拜拜", "先挂了")  # as a clause of their own they are heard through homophones
_ABUSE = re.compile(
    r"傻[逼比叉]|你(?:他|她|它|tm|特)妈?(?:妈|么)(?!的?(?:手机|电话|号|在|不在))|煞笔|操你|草你|去死|他妈的(?!手机|电话|号)|(?<![我你他她咱您])妈的(?!手机|电话|号)|(?:^|给我|你|快)滚(?!动|存)|王八蛋|混蛋|狗东西|死骗子"
)
# Yes to being called by a person, in more words than the expected ones: "行，叫他下午打给我".
_CONSENTS = re.compile(
    r"同意|可以(?:联系|登记|打)|(?:让|叫|请|麻烦|安排)(?:他|她|你们|客户|经理|个人|人).{0,6}(?:打|联系|找我|来电)"
    r"|(?:打(?:电话)?给|联系|找)我" + _KIN + r"|(?:给我|帮我)?(?:登记|安排|预约)"
)
_NO_HARM = re.compile(r"没问题|没错|没关系|没意见|没事|不错|不客气|差不多")
_NOT_YET = re.compile(
    r"[不没别甭谁哪吗呢？?]|但|可是|先(?!帮我|给我)|考虑|想一?想|商量|再说|再看|看看|问|如果|要是|万一|什么|怎么"
    r"|多少|几|家|老婆|老公|单位|公司"
)
_RUDE = re.compile(r"神经病|有病(?:吧|啊)|脑子有(?:病|问题)|烦死|烦不烦|有完没完|没完没了|吃饱了撑")


def opts_out(text: str) -> bool:
    """Whether the customer wants no more calls, ever. "现在别打，晚上再打" is no such wish."""
    said = bare(text)
    if _IF.search(said) or _LATER_IS_FINE.search(said):
        return False
    for pattern in _OPT_OUT:
        for found in pattern.finditer(said):
            before = said[: found.start()]
            only_now = pattern is _OPT_OUT[0] and _ONLY_NOW.search(before)
            if not _DENIED.search(before) and not only_now:
                return True
    if any(pattern.search(said) for pattern in _OPT_OUT):
        return False  # said, but denied or only about now
    return any(heard_in(phrase, said) for phrase in _OPT_OUT_SOUNDS) or _sounds_like_opt_out(said)


def _sounds_like_opt_out(said: str) -> bool:
    """Whether the wish shows once hanzi that sound like its own stand for them: 憋再大给我 is one."""
    said = _BENG.sub("甭", said)
    meant = "".join(
        char if char in _WISH else _MEANT.get(sound, char)
        for char, sound in zip(said, syllables(said), strict=False)
    )
    for pattern in _OPT_OUT[:3]:
        for found in pattern.finditer(meant):
            before = meant[: found.start()]
            slips = sum(one != two for one, two in zip(said[found.start() :], found.group(), strict=False))
            if slips <= _SLIPS and not _DENIED.search(before) and not _ONLY_NOW.search(before):
                return True
    return False


def wants_human(text: str) -> bool:
    """Whether the customer asks for a person."""
    said = bare(text)
    asks = bool(_HUMAN.search(said)) or any(heard_in(phrase, said) for phrase in _HUMAN_SOUNDS)
    return asks and not _HUMAN_DENIED.search(said)


def asks_robot(text: str) -> bool:
    """Whether the customer asks if a machine is speaking."""
    return bool(_ROBOT.search(bare(text)))


def complains(text: str) -> bool:
    """Whether the customer announces a complaint."""
    said = bare(text)
    return bool(_COMPLAINT.search(said)) and not _COMPLAINT_DENIED.search(said)


def asks_again(text: str) -> bool:
    """Whether the customer did not catch what was said."""
    said = _REPROACH.sub("", bare(text))
    return said in _AGAIN_WHOLE or bool(_AGAIN_PLEASE.search(said))


def is_wrong_person(text: str) -> bool:
    """Whether the number is not the contact's."""
    return bool(_WRONG.search(bare(text))) and "是不是" not in text


def refuses(text: str, *, busy: bool = False, own: Sequence[str] = ()) -> bool:
    """Whether a clause of the utterance is nothing but a refusal; "不需要抵押吗" is a question.

    `busy`: the customer has no time, so "不要说了" is about now, not about the offer.
    `own`: the playbook's own ways to say no.
    """
    return any(_is_refusal(clause, (*_REFUSALS, *own), busy=busy) for clause in (*clauses(text), bare(text)))


def gives_reason(text: str, own: Sequence[str] = ()) -> bool:
    """Whether a refusal says in a clause of its own why: "算了吧，我征信有逾期"."""
    rest = [part for part in clauses(text) if not _is_refusal(part, (*_REFUSALS, *own), busy=False)]
    return any(len(part) >= _REASON for part in rest)


def _is_refusal(clause: str, phrases: Sequence[str], *, busy: bool) -> bool:
    clause = rest = _REPROACH.sub("", clause)
    for phrase in _STOP_TALKING:
        rest = rest.replace(phrase, "今" if busy else "\0")
    for phrase in sorted(phrases, key=len, reverse=True):
        rest = rest.replace(phrase, "\0")
    if "\0" not in rest or clause.endswith(("吗", "么")):
        return False
    for padding in sorted(_PADDING, key=len, reverse=True):
        rest = rest.replace(padding, "")
    return not rest.strip("\0")


def consents(text: str) -> bool:
    """Whether the words plainly agree that a person calls: nothing asked, denied, put off or left open."""
    said = _NO_HARM.sub("", text)
    return bool(_CONSENTS.search(bare(said))) and not _NOT_YET.search(said)


def closes(text: str) -> bool:
    """Whether the customer ends the conversation."""
    if any(homophones(core(part), word) for part in clauses(text) for word in _GOODBYE):
        return True
    said = core(text)
    return bool(_CLOSES.search(said)) and not re.search(r"别挂|不要挂|先别挂", said)


def asks(text: str) -> bool:
    """Whether the utterance ends as a question."""
    return text.strip().endswith(("吗", "呢", "么", "？", "?", "吗？"))


def is_noise(text: str) -> bool:
    """Whether a text is one syllable again and again, as a recogniser writes knocks and barks: 光光光."""
    sounds = syllables(text)
    return len(sounds) > 1 and len(set(sounds)) == 1


def abuses(text: str) -> bool:
    """Whether the customer swears at the bot."""
    return bool(_ABUSE.search(bare(text)))


def is_rude(text: str) -> bool:
    """Whether the customer's words are impatient to the point of rudeness."""
    return bool(_RUDE.search(bare(text)))
