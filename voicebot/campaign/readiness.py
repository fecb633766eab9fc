"""Whether a campaign can be heard: no call begins before its prompts have a sound."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from voicebot.domain.errors import CampaignError, VoicebotError
from voicebot.domain.ports import PlaybookSource
from voicebot.domain.script import Playbook, Style
from voicebot.speech.synthesis.rendering import playbook_orders

log = structlog.get_logger()

WAIT_S = 5.0  # for the prompts of one contact; his turn comes later than the next one's otherwise


class Voice(Protocol):
    """What can be said at once, and what can be made ready."""

    def ready(self, text: str, style: Style = Style.NEUTRAL) -> str:
        """Return what would speak a text without rendering anything; "" if something had to render."""

    def robotic(self, source: str) -> bool:
        """Whether what `ready` returned is a robotic voice."""

    def ahead(self, text: str, style: Style = Style.NEUTRAL) -> None:
        """Make a text ready with a voice fit for customers. Raises SynthesisError."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Who would say the static texts of a playbook."""

    sources: Mapping[str, int]  # what speaks -> texts
    missing: tuple[str, ...]  # texts that would have to be rendered in the call
    robotic: int  # texts with a robotic voice

    @property
    def texts(self) -> int:
        """How many there are."""
        return sum(self.sources.values()) + len(self.missing)


def robotic_warning(found: Coverage) -> tuple[str, str]:
    """Return what to tell people, in Chinese and English, if customers would hear a robot; else ""."""
    if not found.robotic:
        return "", ""
    chinese = f"{found.robotic} 句话术只有机械合成音，不适合给客户听：请导入真人录音，或先用 Kokoro 渲染"
    english = (
        f"{found.robotic} texts have a robotic voice, not fit for customers: import recordings, or render "
        "them with Kokoro"
    )
    return chinese, english


def coverage(playbook: Playbook, voice: Voice) -> Coverage:
    """Look at every slot-free text of a playbook."""
    found = [(order.text, voice.ready(order.text, order.style)) for order in playbook_orders(playbook)]
    return Coverage(
        Counter(source for _, source in found if source),
        tuple(text for text, source in found if not source),
        sum(voice.robotic(source) for _, source in found if source),
    )


def require(playbook: Playbook, voice: Voice) -> Coverage:
    """Return the coverage of a playbook. Raises CampaignError if a static prompt has no sound yet."""
    found = coverage(playbook, voice)
    if found.missing:
        raise CampaignError(
            "{missing} of {texts} prompts of {playbook} have no sound yet",
            hint="voicebot prompts render --playbook {playbook}",
            missing=len(found.missing),
            texts=found.texts,
            playbook=playbook.id,
        )
    return found


class ContactVoice:
    """Sees to it that a contact's own words, such as his name, lie ready before he is dialled."""

    def __init__(self, playbooks: PlaybookSource, voice: Voice, wait_s: float = WAIT_S) -> None:
        """Take playbooks and a voice; no contact is waited for longer than `wait_s`."""
        self._playbooks = playbooks
        self._voice = voice
        self._wait_s = wait_s
        self._rendering: dict[str, asyncio.Task[None]] = {}

    async def speakable(self, playbook_id: str, slots: Mapping[str, str]) -> dict[str, str]:
        """Return the slots that can be spoken well in time.

        Those left out have no place in the call: the wording without the slot is said instead. What took
        too long goes on being rendered, for the next attempt.
        """
        playbook = self._playbooks.get(playbook_id)
        kept = dict(slots)
        deadline = asyncio.get_running_loop().time() + self._wait_s
        for text, used in _texts(playbook, slots):
            if used <= kept.keys() and not await self._in_time(text, deadline):
                log.info("a contact's slot is left out: its prompt is not ready", slots=sorted(used))
                kept = {name: value for name, value in kept.items() if name not in used}
        return kept

    async def _in_time(self, text: str, deadline: float) -> bool:
        task = self._rendering.get(text)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(self._voice.ahead, text))
            self._rendering[text] = task
            task.add_done_callback(lambda _: self._rendering.pop(text, None))
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.shield(task)
        except (TimeoutError, VoicebotError):
            return False
        return True


def _texts(playbook: Playbook, slots: Mapping[str, str]) -> list[tuple[str, set[str]]]:
    """Return the texts into which a contact's slots go, filled, each with those slots."""
    found: dict[str, set[str]] = {}
    for script in playbook.scripts.values():
        for text in (script.text, *script.variants, *script.styles.values(), *script.reprompt):
            used = {name for name in slots if f"{{{name}}}" in text}
            filled = text
            for name, value in {**playbook.defaults, **slots}.items():
                filled = filled.replace(f"{{{name}}}", value)
            if used and "{" not in filled:
                found[filled] = used
    return list(found.items())
