"""Suggestions: how long after the customer's last sound they stand on the agent's screen.

A customer and an agent, both telephones over real SIP and RTP, talk through a line worker; the customer says
lines of the demo, the agent answers with the first seconds of the script that was suggested first. Three
processes, as in production: inference server, line worker, and the telephones with the watcher that a console
is, which are this one.

--set whisper=DIR: whisper-base in CTranslate2 form [<home>/models/whisper-base].
--set playbook=consumer_loan: whose customers talk.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voicebot import bootstrap
from voicebot.bench import endpoint_clips
from voicebot.bench.frame import Options, Result
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, LINE_RATE_HZ
from voicebot.domain.call import CallRequest, Delivery, Direction
from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.people import Suggestion
from voicebot.domain.script import Style
from voicebot.rpc.line_client import LineClient
from voicebot.service.child import Child
from voicebot.settings import Settings
from voicebot.speech.endpointing.cases import Clip, speech
from voicebot.speech.synthesis.prompts import PromptCache
from voicebot.telephony import Leg, UserAgent, UserAgentConfig

WITHIN_MS = 600
_LINES = 40  # without --limit
_LONGEST_S = 12.0  # for a final suggestion, after the line
_ANSWER_S = 2.0  # of what the agent says
_BETWEEN_S = 1.5  # for the agent's pause, and for what was said to be understood
_NOTES = (
    "shown: from the customer's last voiced frame at the telephone to the suggestion at the console, "
    "jitter buffer, 200 ms of silence, recognition and decision included; the page looks every 100 ms",
    "line: the same by the line worker's clock, from the last voiced frame that it received",
    "the suggestion that counts is the first on the whole line; what came in a pause before it does not",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of one line."""

    shown_ms: float
    line_ms: float
    early: int  # suggestions in pauses before
    scripts: int
    heard: bool  # words were understood


def run(options: Options) -> Result:
    """Run the bench. See `voicebot bench suggestions --help`."""
    whisper = Path(options.extra.get("whisper", Settings().home / "models" / "whisper-base"))
    if not whisper.is_dir():
        raise DataError(f"{whisper} is no recogniser", hint="--set whisper=DIR, or: voicebot models pull")
    clips = endpoint_clips.demo_customers()
    random = np.random.default_rng(options.seed)
    drawn = [clips[index] for index in random.permutation(len(clips))[: options.limit or _LINES]]
    playbook = options.extra.get("playbook", "consumer_loan")
    with tempfile.TemporaryDirectory(prefix="voicebot-") as name:
        home = Path(name)
        (home / "models").mkdir()
        (home / "models" / "whisper-base").symlink_to(whisper.resolve(), target_is_directory=True)
        found = asyncio.run(_calls(drawn, home, playbook))
    if not found:
        raise DataError("nothing was suggested", hint="try: voicebot doctor")
    shown = np.array([one.shown_ms for one in found])
    line = np.array([one.line_ms for one in found])
    summary = {
        "shown_ms_median": float(np.median(shown)),
        "shown_ms_p95": float(np.percentile(shown, 95)),
        "line_ms_median": float(np.median(line)),
        "line_ms_p95": float(np.percentile(line, 95)),
        "within_600_ms": float(np.mean(shown <= WITHIN_MS)),
        "missing": float(len(drawn) - len(found)),
    }
    row: dict[str, Any] = {
        "system": "ours, over SIP",
        "lines": len(found),
        **summary,
        "scripts_mean": float(np.mean([one.scripts for one in found])),
        "understood": float(np.mean([one.heard for one in found])),
        "early_mean": float(np.mean([one.early for one in found])),
    }
    return Result(summary, [row], (options.seed,), _NOTES)


async def _calls(clips: Sequence[Clip], home: Path, playbook: str) -> list[Shown]:
    env = {
        "VOICEBOT_HOME": str(home),
        "VOICEBOT_INFERENCE_PORT": "0",
        "VOICEBOT_LOG_LEVEL": "warning",
        "VOICEBOT_DATABASE_URL": "",
    }
    logs = home / "log"
    inference = Child("inference", "voicebot.bench.sip_inference", env=env, log_file=logs / "inference.log")
    inference.ready_timeout_s = 120
    await inference.start()
    port = str(inference.facts["port"])
    line = Child(
        "line",
        "voicebot.bench.suggest_line",
        env={**env, "VOICEBOT_INFERENCE_PORT": port},
        log_file=logs / "line.log",
    )
    phones, prompts = _Phones(), bootstrap.prompts(Settings(), home / "prompts")
    try:
        await line.start()
        client = LineClient(f"127.0.0.1:{line.facts['port']}")
        try:
            return await _Talk(client, phones, playbook, prompts).conduct(clips)
        finally:
            await client.close()
    finally:
        await asyncio.to_thread(phones.close)
        await line.stop()
        await inference.stop()


class _Phones:
    """The customer's and the agent's telephone. Both answer at once."""

    def __init__(self) -> None:
        self.legs: dict[str, Leg] = {}
        self._agent = UserAgent(UserAgentConfig(sip_port=0, rtp_port=0), self._invited)
        self._agent.start()
        self.host = self._agent.sip_uri.partition("@")[2]

    def close(self) -> None:
        """End them."""
        self._agent.stop()

    def _invited(self, leg: Leg) -> None:
        self.legs[leg.to_user] = leg
        leg.answer()


class _Talk:
    """One call, in which the customer says line after line."""

    def __init__(self, client: LineClient, phones: _Phones, playbook: str, prompts: PromptCache) -> None:
        self._client = client
        self._phones = phones
        self._playbook = playbook
        self._prompts = prompts
        self._pushed: asyncio.Queue[tuple[float, Suggestion]] = asyncio.Queue()

    async def conduct(self, clips: Sequence[Clip]) -> list[Shown]:
        """Call, and return what was shown for each line that brought a suggestion."""
        watching = asyncio.create_task(self._watch())
        call_id, host = str(uuid7()), self._phones.host
        request = CallRequest(
            call_id,
            call_id,
            "",
            "",
            self._playbook,
            Direction.OUTBOUND,
            to_uri=f"sip:customer@{host}",
            delivery=Delivery.SUGGEST,
            agent_id="agent",
            agent_uri=f"sip:agent@{host}",
            record=False,
        )
        await self._client.originate(request)
        async with asyncio.timeout(30):
            while not {"agent", "customer"} <= set(self._phones.legs):  # noqa: ASYNC110  # SIP, elsewhere
                await asyncio.sleep(0.1)
        await asyncio.sleep(1.5)
        await self._say(clips[0])  # the first decision makes caches warm; not judged
        found = [await self._say(clip) for clip in clips]
        await self._client.hang_up(call_id)
        watching.cancel()
        return [one for one in found if one is not None]

    async def _watch(self) -> None:
        async for event in self._client.watch():
            if event.suggestion is not None:
                self._pushed.put_nowait((time.monotonic(), event.suggestion))

    async def _say(self, clip: Clip) -> Shown | None:
        """Play a line, and wait for the suggestion that is final."""
        while not self._pushed.empty():
            self._pushed.get_nowait()
        pcm = np.clip(np.round(clip.samples * 32768), -32768, 32767).astype("<i2").tobytes()
        pcm = pcm[: len(pcm) // FRAME_BYTES * FRAME_BYTES]
        last_ms = speech(clip.samples)[-1][1] * 10  # of the voiced part
        player = _Player(self._phones.legs["customer"], pcm, last_ms)
        pushed: list[tuple[float, Suggestion]] = []
        try:
            async with asyncio.timeout(len(pcm) / 2 / LINE_RATE_HZ + _LONGEST_S):
                while not pushed or not pushed[-1][1].final:
                    pushed.append(await self._pushed.get())
        except TimeoutError:
            return None
        final = pushed[-1][1]
        await self._answer(final)
        at, first = next(pair for pair in pushed if pair[1].generation == final.generation)
        early = len({one.generation for _, one in pushed}) - 1
        return Shown(
            (at - player.ended_at) * 1000,
            first.after_ms,
            early,
            len(first.scripts),
            bool(first.customer_text),
        )

    async def _answer(self, suggestion: Suggestion) -> None:
        """Have the agent say what was suggested first, and be understood."""
        if suggestion.scripts:
            sound = self._prompts.audio(self._prompts.prepare(suggestion.scripts[0].text, Style.NEUTRAL).key)
            pcm = sound.pcm[: int(_ANSWER_S * LINE_RATE_HZ) * 2]
            self._phones.legs["agent"].playout.play(pcm)
            await asyncio.sleep(len(pcm) / 2 / LINE_RATE_HZ)
        await asyncio.sleep(_BETWEEN_S)


class _Player:
    """Plays a line, and notes in the media thread when its last voiced frame went out."""

    def __init__(self, leg: Leg, pcm: bytes, last_ms: float) -> None:
        self.ended_at = float("inf")
        self._frames_left = round(last_ms / FRAME_MS)
        self._leg = leg
        leg.next_frame = self._next_frame
        leg.playout.play(pcm)

    def _next_frame(self) -> bytes:
        if self._frames_left == 0:
            self.ended_at = time.monotonic()
        self._frames_left -= 1
        return self._leg.playout.next_frame()
