"""What a call does about what answered it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from voicebot.call.prompts import PromptMemory
from voicebot.domain.answering import NUMBER_STATUS, AnsweredBy, Finding, words_of
from voicebot.domain.call import Outcome, PromptRef
from voicebot.domain.errors import VoicebotError
from voicebot.domain.ports import Conversation
from voicebot.telephony import Leg

log = structlog.get_logger()

MESSAGE_S = 60.0  # a mailbox is waited for; longer than any greeting
_TAIL_S = 0.5


def with_finding(outcome: Outcome, finding: Finding | None) -> Outcome:
    """Return an outcome that tells what the network, or a mailbox, said of the number."""
    if finding is None or finding.status is None or not finding.final:
        return outcome
    heard = {
        AnsweredBy.TONE: "听到信号音",
        AnsweredBy.ANNOUNCEMENT: "听到提示语",
        AnsweredBy.MAILBOX: "听到留言提示",
    }[finding.by]
    reason = f"{heard}：{words_of(finding.status)}"
    if finding.speak and finding.message is not None:
        reason += "，已留言"
    facts = {**outcome.facts, NUMBER_STATUS: finding.status.value}
    return replace(outcome, facts=facts, reasons=(*outcome.reasons, reason))


async def leave_message(leg: Leg, prompts: PromptMemory, talk: Conversation, message: PromptRef) -> None:
    """Speak a message to a mailbox and hang up; without its sound, only hang up."""
    try:
        audio = await prompts.get(talk, message)
    except VoicebotError as error:
        log.warning("no message is left for a mailbox", error=str(error))
    else:
        leg.playout.play(audio.pcm)
        await asyncio.sleep(audio.duration_s + _TAIL_S)
    leg.hang_up()
