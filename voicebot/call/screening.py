"""What answers a call that we dialled: listened for beside the dialogue; a machine ends the call."""

from __future__ import annotations

import asyncio

import structlog

from voicebot.call.host import Host
from voicebot.call.turns import TurnMachine
from voicebot.domain.answering import Finding, cause_of
from voicebot.domain.call import Direction, PromptRef
from voicebot.domain.errors import VoicebotError
from voicebot.telephony import Leg

log = structlog.get_logger()

MESSAGE_S = 60.0  # a mailbox is waited for; longer than any greeting
_TAIL_S = 0.5


class Screening:
    """Belongs to one call and its event loop."""

    def __init__(self, host: Host) -> None:
        """Begin with nothing heard."""
        self._host = host

    def listen(self, seconds: float) -> None:
        """Find out for so long what answers, beside the dialogue; 0 = no more. Who calls us is a person."""
        if self._host.request.direction is Direction.OUTBOUND:
            self._host.line.overhear(seconds)

    def hear(self, pcm: bytes) -> None:
        """Pass on what the line heard."""
        self._host.conversation.overhear(pcm, answered=self._host.account.answered_at is not None)

    def take(self, finding: Finding) -> None:
        """A machine ends the call at once, with its cause; nobody is bothered."""
        host, account = self._host, self._host.account
        log.info(
            "what answers",
            call_id=host.request.call_id,
            by=finding.by.value,
            status=finding.status,
            at_ms=finding.at_ms,
            early=account.answered_at is None,
        )
        account.found = finding
        if finding.status is None or not finding.final:
            return
        account.known_cause = cause_of(finding.status)
        host.line.act(TurnMachine.stop)
        if finding.message is None or account.answered_at is None:
            host.leg.hang_up()
        elif finding.speak:
            host.later(self._leave(finding.message))
        else:
            self.listen(MESSAGE_S)
            host.later(hang_up_after(host.leg, MESSAGE_S + 60))

    async def _leave(self, message: PromptRef) -> None:
        """Speak a message to a mailbox and hang up; without its sound, only hang up."""
        host, leg = self._host, self._host.leg
        try:
            audio = await host.config.prompts.get(host.conversation, message)
        except VoicebotError as error:
            log.warning("no message is left for a mailbox", error=str(error))
        else:
            leg.playout.play(audio.pcm)
            await asyncio.sleep(audio.duration_s + _TAIL_S)
        leg.hang_up()


async def hang_up_after(leg: Leg, seconds: float) -> None:
    """End a call in a while."""
    await asyncio.sleep(seconds)
    leg.hang_up()
