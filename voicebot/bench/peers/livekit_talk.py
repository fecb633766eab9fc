"""LiveKit Agents as its users get it, without a room: an oracle recogniser, a canned model, a cached voice.

Modes: `vad` (silence alone) and `mini` (its bundled turn model, which may run only inside LiveKit: it is
compared here, and nothing of ours is tuned on it). Run by `bench turns`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, inference, llm, stt, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice import io

from voicebot.bench.peers.talk import RATE_HZ, Speaker, main

_TEXT = "我想了解一下利率"


class _Oracle(stt.STT):
    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))

    async def _recognize_impl(self, buffer: Any, *, language: Any = None, conn_options: Any = None) -> Any:
        heard = stt.SpeechData(language="zh", text=_TEXT)
        return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[heard])


class _Words(llm.LLMStream):
    async def _run(self) -> None:
        delta = llm.ChoiceDelta(role="assistant", content="好的。")
        self._event_ch.send_nowait(llm.ChatChunk(id="canned", delta=delta))


class _Canned(llm.LLM):
    def chat(
        self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> Any:
        return _Words(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _Sound(tts.ChunkedStream):
    async def _run(self, output_emitter: Any) -> None:
        output_emitter.initialize(
            request_id="cached", sample_rate=RATE_HZ, num_channels=1, mime_type="audio/pcm"
        )
        output_emitter.push(self._tts.reply)
        output_emitter.flush()


class _Cached(tts.TTS):
    def __init__(self) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE_HZ, num_channels=1
        )
        self.reply = b""

    def synthesize(self, text: str, *, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> Any:
        return _Sound(tts=self, input_text=text, conn_options=conn_options)


class _In(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="bench")
        self.frames = utils.aio.Chan()

    async def __anext__(self) -> Any:
        return await self.frames.__anext__()


class _Out(io.AudioOutput):
    def __init__(self, speaker: Speaker) -> None:
        super().__init__(
            label="bench",
            sample_rate=RATE_HZ,
            capabilities=io.AudioOutputCapabilities(pause=True),
        )
        self._speaker = speaker
        self._begun = self._whole = False
        speaker.on_empty = self._empty

    async def capture_frame(self, frame: Any) -> None:
        await super().capture_frame(frame)
        if not self._begun:
            self._begun, self._whole = True, False
            self.on_playback_started(created_at=time.time())
        self._speaker.put(bytes(frame.data))

    def flush(self) -> None:
        super().flush()
        self._whole = True
        if self._begun and not self._speaker.busy:
            self._finished(interrupted=False)

    def clear_buffer(self) -> None:
        self._speaker.clear()
        self._speaker.held = False
        if self._begun:
            self._finished(interrupted=True)

    def pause(self) -> None:
        super().pause()
        self._speaker.held = True

    def resume(self) -> None:
        super().resume()
        self._speaker.held = False

    def _empty(self) -> None:
        if self._begun and self._whole:
            self._finished(interrupted=False)

    def _finished(self, *, interrupted: bool) -> None:
        self._begun = False
        self.on_playback_finished(playback_position=self._speaker.played_ms / 1000, interrupted=interrupted)


class LiveKitPeer:
    """One session."""

    def __init__(self, mode: str) -> None:
        """Choose how the end of a turn is told."""
        self._mode = mode
        self._voice = _Cached()

    @property
    def reply(self) -> bytes:
        """What it says next."""
        return self._voice.reply

    @reply.setter
    def reply(self, pcm: bytes) -> None:
        self._voice.reply = pcm

    async def start(self, speaker: Speaker) -> None:
        """Begin the session."""
        detection: Any = "vad" if self._mode == "vad" else inference.TurnDetector(version="v1-mini")
        self._session = AgentSession(
            stt=_Oracle(),
            llm=_Canned(),
            tts=self._voice,
            vad=inference.VAD(),
            turn_handling={"turn_detection": detection},
        )
        self._in = _In()
        self._session.input.audio = self._in
        self._session.output.audio = _Out(speaker)
        await self._session.start(Agent(instructions="bench"))
        await asyncio.sleep(1.5)

    async def hear(self, frame: bytes) -> None:
        """Take 20 ms."""
        self._in.frames.send_nowait(
            rtc.AudioFrame(
                data=frame, sample_rate=RATE_HZ, num_channels=1, samples_per_channel=len(frame) // 2
            )
        )

    async def stop(self) -> None:
        """Leave at once: closing a session without a room waits for one."""
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main(LiveKitPeer, sys.argv[1:])
