"""Ours over real SIP and RTP: a phone plays ends and pauses to a line worker and records. For `bench turns`.

Three processes, as in production: inference server, line worker, and the phone, which is this one. The answer
is heard where the customer hears it, jitter buffers of both sides included.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.bench import turn_sample
from voicebot.bench.sip_line import PLAYBOOK_ID
from voicebot.bench.turn_sample import Played
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS
from voicebot.domain.errors import DataError
from voicebot.service.child import Child
from voicebot.simulate.hearing import SPEECH_DBOV, level_dbov
from voicebot.speech.endpointing.cases import AFTER_MS, Case
from voicebot.telephony import Answered, Ended, Leg, LegEvent, UserAgent, UserAgentConfig

FLOOR_MS = AFTER_MS + 2000.0
_OPENED_MS = 700  # of quiet after the opening
_LONGEST_S = 60.0
_SETTLE_S = 0.3
_PLAYBOOK = """\
id: turns
title: 测量
company: 示例公司
product: 测量
roles: {opening: hello, announcement: hello, unclear: [pardon], silence: [there], give_up: bye,
  apology: sorry, do_not_call: never, handover: person, farewell: bye}
scenes:
  talk:
    title: 通话
    default: more
    scripts:
      hello:
        act: announce
        text: 示例公司机器人，通话录音。
        protected: true
        answers: {any: {then: more}}
      more: {act: inform, text: 好的。, repeatable: true, answers: {any: {then: again}}}
      again: {act: inform, text: 好的。, repeatable: true, answers: {any: {then: more}}}
anywhere:
  pardon: {act: ask_back, text: 请再说一遍。}
  there: {act: reprompt, text: 您在吗？}
  sorry: {act: apologise, text: 不好意思。}
  never: {act: do_not_call, text: 以后不再打了。, do_not_call: true, action: hang_up}
  person: {act: handover, text: 请稍等。, action: transfer}
  bye: {act: close, text: 再见。, action: hang_up}
"""


def judge(cases: Sequence[Case], whisper: Path) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Call the bot once for each case; return a row and figures. Raises VoicebotError."""
    with tempfile.TemporaryDirectory(prefix="voicebot-") as name:
        home = Path(name)
        (home / "playbooks").mkdir()
        (home / "playbooks" / f"{PLAYBOOK_ID}.yaml").write_text(_PLAYBOOK, "utf-8")
        (home / "models").mkdir()
        (home / "models" / "whisper-base").symlink_to(whisper.resolve(), target_is_directory=True)
        played = asyncio.run(_calls(cases, home))
        timings = [json.loads(line) for line in (home / "turns.jsonl").read_text("utf-8").splitlines()]
    decoding = sum(told.get("decoding_cpu_ms", 0.0) for told in timings)
    wasted = sum(told.get("wasted_cpu_ms", 0.0) for told in timings)
    waits = [told["wait_ms"] - FRAME_MS for told in timings]
    figures = {
        "sip_compute_after_endpoint_ms_median": float(np.median(waits)) if waits else 0.0,
        "sip_speculation_waste": wasted / (decoding + wasted) if decoding else 0.0,
    }
    row = {"system": "real time: ours, over SIP", **turn_sample.judge(played, FLOOR_MS)}
    return [row], figures


async def _calls(cases: Sequence[Case], home: Path) -> list[Played]:
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
    line = Child(
        "line",
        "voicebot.bench.sip_line",
        (str(home / "turns.jsonl"),),
        env={**env, "VOICEBOT_INFERENCE_PORT": str(inference.facts["port"])},
        log_file=logs / "line.log",
    )
    phone = UserAgent(UserAgentConfig(sip_port=0, rtp_port=0))
    try:
        await line.start()
        phone.start()
        uri = line.facts["sip_uri"]
        await asyncio.to_thread(_Call(cases[0]).conduct, phone, uri)  # renders the prompts; not judged
        (home / "turns.jsonl").write_text("", "utf-8")
        return [await asyncio.to_thread(_Call(case).conduct, phone, uri) for case in cases]
    finally:
        phone.stop()
        await line.stop()
        await inference.stop()


class _Call:
    """One call of the phone's: hear the opening, say the case, hear the answer."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._pcm = np.clip(np.round(case.samples * 32768), -32768, 32767).astype("<i2").tobytes()
        self._heard: list[bool] = []  # since the case began
        self._quiet_ms: int | None = None  # since the opening; None: it did not begin yet
        self._done = threading.Event()
        self._leg: Leg | None = None

    def conduct(self, phone: UserAgent, uri: str) -> Played:
        """Call, and return what was heard."""
        leg = self._leg = phone.call(uri)
        leg.listen(self._on_event)
        if not self._done.wait(_LONGEST_S):
            raise DataError(
                "the bot did not open the call within a minute", hint="see that SIP works: doctor"
            )
        leg.hang_up()
        threading.Event().wait(_SETTLE_S)
        end = self._case.end_ms // FRAME_MS
        after = np.flatnonzero(self._heard[end:])
        answer = float(after[0]) * FRAME_MS - self._case.end_ms % FRAME_MS if after.size else np.inf
        return Played(self._case, answer, any(self._heard[:end]))

    def _on_event(self, event: LegEvent) -> None:
        if isinstance(event, Answered) and self._leg is not None:
            self._leg.on_frame = self._on_frame
        elif isinstance(event, Ended):
            self._done.set()

    def _on_frame(self, pcm: bytes) -> None:
        """Media thread: frames go both ways at the same beat, so counting them is the clock."""
        loud = level_dbov(pcm) > SPEECH_DBOV
        if self._heard:
            self._heard.append(loud)
            late = len(self._heard) * FRAME_MS - self._case.end_ms
            if late >= FLOOR_MS or (late > 0 and any(self._heard[self._case.end_ms // FRAME_MS :])):
                self._done.set()
            return
        if loud:
            self._quiet_ms = 0
        elif self._quiet_ms is not None:
            self._quiet_ms += FRAME_MS
            if self._quiet_ms >= _OPENED_MS and self._leg is not None:
                self._leg.playout.play(self._pcm[: len(self._pcm) // FRAME_BYTES * FRAME_BYTES])
                self._heard.append(False)
