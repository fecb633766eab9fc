"""Recognises by its words that a machine answered: a network announcement, a mailbox, an assistant."""

from __future__ import annotations

from voicebot.domain.call import Disposition
from voicebot.text.pinyin import heard_in

# By sound, so that homophone slips do not hide an announcement. First match wins.
_ANNOUNCEMENTS: tuple[tuple[Disposition, tuple[str, ...]], ...] = (
    (
        Disposition.VOICEMAIL,
        (
            *(
                "后留言",
                "请留言",
                "语音信箱",
                "语音留言",
                "提示音后",
                "嘀声后",
                "滴声后",
                "录制留言",
                "我是机主的",
            ),
            *("智能助理", "语音助理为您", "来电秘书", "电话秘书", "通信助理", "语音助手为您", "代接"),
        ),
    ),
    (Disposition.BUSY, ("正在通话中", "用户正忙", "您拨的电话正忙", "正在通话", "电话正忙", "线路正忙")),
    (Disposition.NO_ANSWER, ("暂时无人接听", "无人接听", "无人应答", "没有应答")),
    (
        Disposition.UNREACHABLE,
        (
            *("已关机", "已停机", "是空号", "号码不存在", "无法接通", "不在服务区", "暂停服务", "呼入限制"),
            *(
                "号码有误",
                "已启用短信",
                "暂时无法接听",
                "不方便接听您的来电",
                "已设置来电提醒",
                "请核对后再拨",
            ),
        ),
    ),
    (
        Disposition.UNREACHABLE,
        ("您拨打的用户", "您拨打的电话", "您拨打的号码", "您所拨打的", "您呼叫的用户", "请稍后再拨"),
    ),
)
_ENGLISH = (
    "number you dialed",
    "please redial",
    "can not be connected",
    "cannot be connected",
    "power off",
    "powered off",
)


def machine(text: str) -> Disposition | None:
    """Return what the announcement tells about the call; None if a person speaks.

    The wording follows what Chinese networks announce; English halves of announcements count too.
    """
    for disposition, phrases in _ANNOUNCEMENTS:
        if any(heard_in(phrase, text) for phrase in phrases):
            return disposition
    lowered = text.lower()
    return Disposition.UNREACHABLE if any(phrase in lowered for phrase in _ENGLISH) else None
