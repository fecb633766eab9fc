"""What answered a call: a person, a mailbox, the network's announcement or its tones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from voicebot.domain.call import Disposition, EndCause, PromptRef

NUMBER_STATUS = "number_status"  # fact of an outcome: a NumberStatus


class AnsweredBy(StrEnum):
    """Who or what is on the line."""

    PERSON = "person"
    MAILBOX = "mailbox"  # a mailbox, or an assistant that takes calls
    ANNOUNCEMENT = "announcement"  # the network's, in words
    TONE = "tone"  # the network's, as a tone


class NumberStatus(StrEnum):
    """What the network says of a number (号码状态)."""

    BUSY = "busy"  # 正在通话中
    NO_ANSWER = "no_answer"  # 无人接听
    SWITCHED_OFF = "switched_off"  # 已关机
    OUT_OF_REACH = "out_of_reach"  # 不在服务区, 暂时无法接通
    SUSPENDED = "suspended"  # 已停机
    VACANT = "vacant"  # 是空号: calling again is of no use
    BARRED = "barred"  # 呼入限制, 暂停服务
    CONGESTED = "congested"  # 线路忙
    FAX = "fax"
    MAILBOX = "mailbox"
    UNKNOWN = "unknown"  # an announcement whose kind is not known


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a status means to a call."""

    cause: EndCause
    disposition: Disposition
    words: str  # for people, in Chinese


_MEANINGS: Mapping[NumberStatus, _Meaning] = {
    NumberStatus.BUSY: _Meaning(EndCause.BUSY, Disposition.BUSY, "正在通话中"),
    NumberStatus.NO_ANSWER: _Meaning(EndCause.NO_ANSWER, Disposition.NO_ANSWER, "无人接听"),
    NumberStatus.SWITCHED_OFF: _Meaning(EndCause.UNREACHABLE, Disposition.UNREACHABLE, "已关机"),
    NumberStatus.OUT_OF_REACH: _Meaning(EndCause.UNREACHABLE, Disposition.UNREACHABLE, "暂时无法接通"),
    NumberStatus.SUSPENDED: _Meaning(EndCause.UNREACHABLE, Disposition.UNREACHABLE, "已停机"),
    NumberStatus.VACANT: _Meaning(EndCause.UNREACHABLE, Disposition.UNREACHABLE, "空号"),
    NumberStatus.BARRED: _Meaning(EndCause.UNREACHABLE, Disposition.UNREACHABLE, "呼入受限"),
    NumberStatus.CONGESTED: _Meaning(EndCause.BUSY, Disposition.BUSY, "线路忙"),
    NumberStatus.FAX: _Meaning(EndCause.UNREACHABLE, Disposition.UNREACHABLE, "传真机"),
    NumberStatus.MAILBOX: _Meaning(EndCause.VOICEMAIL, Disposition.VOICEMAIL, "语音信箱或来电助理"),
    NumberStatus.UNKNOWN: _Meaning(EndCause.UNREACHABLE, Disposition.UNREACHABLE, "运营商提示音"),
}


def cause_of(status: NumberStatus) -> EndCause:
    """Return why a call ends that met this status."""
    return _MEANINGS[status].cause


def disposition_of(status: NumberStatus) -> Disposition:
    """Return what a call came to that met this status."""
    return _MEANINGS[status].disposition


def words_of(status: NumberStatus) -> str:
    """Return a status in Chinese, for people."""
    return _MEANINGS[status].words


@dataclass(frozen=True, slots=True)
class Told:
    """What words tell of the number, where no person says them."""

    status: NumberStatus  # UNKNOWN: the kind was not said yet
    likeliest: NumberStatus  # of the kinds, if no more is said


Teller = Callable[[str], Told | None]  # None: a person may be speaking


@dataclass(frozen=True, slots=True)
class Finding:
    """What answered, as far as it is known."""

    by: AnsweredBy
    status: NumberStatus | None  # None: a person
    at_ms: int  # of audio heard, since it began
    final: bool = True  # False: no person, but the kind is not known yet
    speak: bool = False  # a mailbox has beeped, or fallen silent: a message may be left now
    message: PromptRef | None = None  # a mailbox: the message that the playbook leaves
