"""An inference server that understands nothing: what the lines alone can carry. For `bench load`.

`python -m voicebot.bench.load_media`: every decision is the same prompt, at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from voicebot import bootstrap
from voicebot.domain.answering import Finding
from voicebot.domain.audio import Audio
from voicebot.domain.call import (
    CallRequest,
    Delivery,
    Disposition,
    EndCause,
    IntentLevel,
    Outcome,
    Progress,
    PromptRef,
    Turn,
    TurnResult,
)
from voicebot.domain.dialogue import Decision, Relation
from voicebot.domain.emotion import CALM, Emotion, EmotionLabel
from voicebot.domain.script import Action, Style
from voicebot.domain.speech import Transcript, Utterance, UtteranceKind
from voicebot.domain.understanding import Understanding
from voicebot.rpc.inference_server import InferenceServer
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.settings import Settings

_SCRIPT = "load"
PROMPT_MS = 4000  # about what the shipped scripts last


class CannedConversation:
    """Answers everything with one prompt."""

    def __init__(self, audio: Audio) -> None:
        """Take what it says."""
        self._audio = audio
        self._call_id = ""
        self._seq = 0

    async def open(self, request: CallRequest, snapshot: bytes = b"") -> bytes:
        """Begin; there is no state."""
        self._call_id = request.call_id
        return snapshot or b"canned"

    def listen(self, on_progress: Callable[[Progress], None]) -> None:
        """Tell nothing while nothing is computed."""

    def notice(self, on_finding: Callable[[Finding], None]) -> None:
        """Find nothing."""

    def overhear(self, pcm: bytes, *, answered: bool) -> None:
        """Hear nothing."""

    def speech(self, generation: int, pcm: bytes) -> None:
        """Hear nothing."""

    async def decide(self, generation: int, utterance: Utterance) -> TurnResult:
        """Say the prompt."""
        duration_ms = round(self._audio.duration_s * 1000)
        return TurnResult(
            generation,
            Action.SAY,
            (PromptRef(_SCRIPT, "", duration_ms, "clips"),),
            self._turn(utterance),
            b"canned",
        )

    async def commit(self, generation: int) -> None:
        """Count."""
        self._seq += 1

    def deliver(self, delivery: Delivery) -> None:
        """Nothing to switch."""

    def agent_speech(self, pcm: bytes) -> None:
        """Throw the sound away."""

    async def agent_said(self, generation: int, start_s: float, end_s: float) -> TurnResult:
        """Nobody of ours talks here."""
        return await self.decide(generation, Utterance(UtteranceKind.SILENCE, start_s, end_s))

    async def speak(self, text: str) -> Audio:
        """Return the one answer."""
        return self._audio

    async def prompt(self, ref: PromptRef) -> Audio:
        """Return the prompt."""
        return self._audio

    async def close(self, cause: EndCause) -> Outcome:
        """End."""
        return Outcome(Disposition.UNDECIDED, IntentLevel.D, ("media only",))

    def _turn(self, utterance: Utterance) -> Turn:
        nothing = Understanding(Transcript(""), (), None, Emotion(EmotionLabel.CALM, CALM))
        said = Decision(
            Action.SAY, _SCRIPT, "", Style.NEUTRAL, (), ("media only",), Relation.ANSWERS, "load", "load"
        )
        times = (utterance.start_s, utterance.end_s)
        return Turn(
            self._call_id, self._seq, datetime.now(UTC), utterance.kind, *times, nothing, said, timings_ms={}
        )


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    library = bootstrap.clip_libraries(settings)[0]
    audio = library.audio(min(library.clips, key=lambda clip: abs(clip.duration_ms - PROMPT_MS)))
    server = InferenceServer(lambda: CannedConversation(audio), f"{settings.bind}:{settings.inference_port}")
    announce(port=await server.start())
    await stop.wait()
    await server.stop()


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("inference", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
