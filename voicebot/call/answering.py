"""What an outcome tells of what answered the call."""

from __future__ import annotations

from dataclasses import replace

from voicebot.domain.answering import NUMBER_STATUS, AnsweredBy, Finding, words_of
from voicebot.domain.call import Outcome


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
