"""What a person is told of a call: said in a few seconds, shown in full, and in headers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from voicebot.domain.call import CallRequest, Turn
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.people import Briefing, TakeoverReason
from voicebot.telephony.headers import ATTEMPT, CAMPAIGN, CONTACT, MAX_VALUE

CALL, REASON, EMOTION, SUMMARY = "X-Call-Id", "X-Reason", "X-Emotion", "X-Summary"
LINES = 40  # of the transcript on the screen
SAID_HANZI = 24  # of the customer's last words that are read to the agent

_WHY: Mapping[TakeoverReason, str] = {
    TakeoverReason.ASKED: "客户要求人工",
    TakeoverReason.INTENT: "客户意向高",
    TakeoverReason.ANGER: "客户情绪激动",
    TakeoverReason.UNCLEAR: "机器人没有听懂",
    TakeoverReason.KEY: "客户按键转人工",
    TakeoverReason.SUPERVISOR: "班长转接",
    TakeoverReason.CAMPAIGN: "人工外呼",
    TakeoverReason.SCRIPT: "按话术转人工",
}


def brief(request: CallRequest, turns: Sequence[Turn], reason: TakeoverReason) -> Briefing:
    """Return what is known of a call."""
    lines: list[tuple[str, str]] = []
    emotion = EmotionLabel.CALM
    for turn in turns:
        if turn.understanding.transcript.text:
            lines.append(("customer", turn.understanding.transcript.text))
            emotion = turn.understanding.emotion.label
        if turn.delivered is not None:
            if turn.delivered.text:
                lines.append(("agent", turn.delivered.text))
        elif turn.decision.script_text:
            lines.append(("bot", turn.decision.script_text))
    last = next((text for who, text in reversed(lines) if who == "customer"), "")
    summary = f"{_WHY[reason]}。客户情绪{emotion.chinese}。"
    if last:
        summary += f"客户说：{last[:SAID_HANZI].rstrip('。，,.')}。"
    return Briefing(
        request.call_id,
        request.campaign_id,
        reason,
        summary,
        tuple(lines[-LINES:]),
        emotion,
        dict(request.slots),
    )


def headers(request: CallRequest, briefing: Briefing) -> dict[str, str]:
    """Return the context as SIP headers, for an agent's phone or a PBX. Hanzi are percent-encoded UTF-8."""
    summary = quote(briefing.summary[: MAX_VALUE // 9])  # a hanzi takes nine characters
    pairs = {  # the most needed first: the address in a REFER has no room for all
        CALL: request.call_id,
        REASON: briefing.reason.value,
        EMOTION: briefing.emotion.value,
        CONTACT: request.contact_id,
        CAMPAIGN: request.campaign_id,
        ATTEMPT: request.attempt_id,
        SUMMARY: summary,
    }
    return {name: value for name, value in pairs.items() if value}
