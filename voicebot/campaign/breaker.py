"""When a campaign stops by itself: a trunk that fails, customers whom no agent takes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from voicebot.campaign.policy_pack import PolicyPack
from voicebot.campaign.trunk import NETWORK
from voicebot.domain.call import EndCause

RECENT = timedelta(minutes=10)  # how far back a trunk's attempts are looked at
LOOK = 20  # its latest attempts
FEWEST = 6  # attempts before anything is concluded
SHARE = 0.5  # of them failing
FEWEST_ANSWERED = 30  # calls before the abandoned share means something


@dataclass(frozen=True, slots=True)
class Tried:
    """How an attempt through a trunk ended."""

    cause: str  # domain.call.EndCause
    sip_status: int  # 0 = none came


def failing(latest: Sequence[Tried]) -> str:
    """Return why a trunk's latest attempts mean that it is broken, in words; "" if they do not."""
    failed = [tried for tried in latest if _by_trunk(tried)]
    if len(latest) < FEWEST or len(failed) < SHARE * len(latest):
        return ""
    statuses = sorted({tried.sip_status for tried in failed})
    words = ", ".join(str(status) if status else "没有应答" for status in statuses)
    return f"线路故障：最近 {len(latest)} 次呼叫有 {len(failed)} 次失败（{words}），任务已自动暂停"


def abandoned(policy: PolicyPack, answered: int, without_agent: int) -> str:
    """Return why a campaign must not call now because transfers find nobody, in words; "" if it may."""
    if policy.abandoned_share >= 1 or answered < FEWEST_ANSWERED:
        return ""
    share = without_agent / answered
    if share <= policy.abandoned_share:
        return ""
    return (
        f"{policy.abandoned_days} 天内 {answered} 通接听中有 {without_agent} 通转人工无人接听"
        f"（{share:.1%} > {policy.abandoned_share:.1%}），暂停呼叫"
    )


def _by_trunk(tried: Tried) -> bool:
    if tried.cause == EndCause.FAILURE:
        return False  # our own fault: a trunk is not to blame for it
    unheard = tried.sip_status in (0, 408) and tried.cause == EndCause.UNREACHABLE
    return unheard or (tried.sip_status in NETWORK - {0} and tried.cause != EndCause.NO_ANSWER)
