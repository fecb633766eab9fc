"""Pipecat as its users get it: Silero, its turn strategies; oracle recogniser, canned model, cached voice.

Modes: `default` (Smart Turn at its own threshold) and `timeout` (its silence timer). Run by `bench turns`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from voicebot.bench.peers.talk import RATE_HZ, Speaker, main

_TEXT = "我想了解一下利率"
Recogniser = Callable[[bytes], AsyncGenerator[Any, None]]  # a WAV file of 16 kHz -> transcription frames


class _In(BaseInputTransport):
    async def start(self, frame: Any) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)


class _Out(BaseOutputTransport):
    speaker: Speaker

    async def start(self, frame: Any) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Any, direction: Any) -> None:
        if isinstance(frame, InterruptionFrame):
            self.speaker.clear()
        await super().process_frame(frame, direction)

    async def write_audio_frame(self, frame: Any) -> bool:
        if any(frame.audio):
            self.speaker.put(frame.audio)
        await asyncio.sleep(len(frame.audio) / 2 / frame.sample_rate)  # as a sound card would
        return True


class Oracle:
    """Always understands, at once."""

    async def __call__(self, audio: bytes) -> AsyncGenerator[Any, None]:
        """Yield the words of an utterance."""
        yield TranscriptionFrame(_TEXT, "customer", str(time.time()), finalized=True)


class _Recogniser(SegmentedSTTService):
    asked: Recogniser

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Any, None]:
        async for frame in self.asked(audio):
            yield frame


class _Canned(FrameProcessor):
    async def process_frame(self, frame: Any, direction: Any) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        for part in (LLMFullResponseStartFrame(), LLMTextFrame("好的。"), LLMFullResponseEndFrame()):
            await self.push_frame(part)


class _Cached(TTSService):
    reply = b""

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Any, None]:
        yield TTSAudioRawFrame(self.reply, RATE_HZ, 1, context_id=context_id)


class PipecatPeer:
    """One pipeline."""

    def __init__(self, mode: str, recogniser: Callable[[], Recogniser] = Oracle) -> None:
        """Choose how the end of a turn is told, and what understands."""
        self._mode = mode
        self._recogniser = recogniser
        self._voice = _Cached(
            push_start_frame=True,
            push_stop_frames=True,
            settings=TTSSettings(model=None, voice="cached", language=None),
            sample_rate=RATE_HZ,
        )

    @property
    def reply(self) -> bytes:
        """What it says next."""
        return self._voice.reply

    @reply.setter
    def reply(self, pcm: bytes) -> None:
        self._voice.reply = pcm

    async def start(self, speaker: Speaker) -> None:
        """Build the pipeline and run it."""
        transport = TransportParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_in_sample_rate=RATE_HZ,
            audio_out_sample_rate=RATE_HZ,
        )
        self._in, out = _In(transport), _Out(transport)
        out.speaker = speaker
        recogniser = _Recogniser(settings=STTSettings(model=None, language=None), ttfs_p99_latency=0.0)
        recogniser.asked = self._recogniser()
        turns: dict[str, Any] = {"vad_analyzer": SileroVADAnalyzer()}
        if self._mode == "timeout":
            turns["user_turn_strategies"] = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy()])
        user, assistant = LLMContextAggregatorPair(LLMContext(), user_params=LLMUserAggregatorParams(**turns))
        steps = [self._in, recogniser, user, _Canned(), self._voice, out, assistant]
        self._worker = PipelineWorker(
            Pipeline(steps),
            params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ),
            idle_timeout_secs=None,
        )
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self._worker)
        self._running = asyncio.create_task(runner.run())
        await asyncio.sleep(2)

    async def hear(self, frame: bytes) -> None:
        """Take 20 ms."""
        await self._in.push_audio_frame(InputAudioRawFrame(frame, RATE_HZ, 1))

    async def stop(self) -> None:
        """Cancel the pipeline."""
        await self._worker.cancel()
        await asyncio.wait([self._running], timeout=5)


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    main(PipecatPeer, sys.argv[1:])
