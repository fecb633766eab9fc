"""Prompts in memory: shared by the calls of one line worker, so that a known one starts at once."""

from __future__ import annotations

from collections import OrderedDict

from voicebot.domain.audio import Audio
from voicebot.domain.call import PromptRef
from voicebot.domain.ports import Conversation


class PromptMemory:
    """The most recently used prompts, up to a size. Belongs to one event loop."""

    def __init__(self, max_bytes: int = 64_000_000) -> None:
        """Make it empty; the default holds over an hour of speech."""
        self._max_bytes = max_bytes
        self._size = 0
        self._prompts: OrderedDict[str, Audio] = OrderedDict()

    async def get(self, conversation: Conversation, ref: PromptRef) -> Audio:
        """Return a prompt's audio, fetched once."""
        audio = self._prompts.get(ref.key)
        if audio is None:
            audio = await conversation.prompt(ref)
            self._keep(ref.key, audio)
        self._prompts.move_to_end(ref.key)
        return audio

    def _keep(self, key: str, audio: Audio) -> None:
        if key not in self._prompts:
            self._prompts[key] = audio
            self._size += len(audio.pcm)
        while self._size > self._max_bytes and len(self._prompts) > 1:
            _, oldest = self._prompts.popitem(last=False)
            self._size -= len(oldest.pcm)
