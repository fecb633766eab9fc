"""Conversations in YAML on virtual time: the turn machine with the shipped playbook's own decisions."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.conversation import Conversation
from voicebot.call.turns import (
    Answer,
    Commit,
    Decide,
    Finish,
    Flush,
    Output,
    Play,
    Stretch,
    TurnMachine,
    stretches_of,
)
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, Audio
from voicebot.domain.call import Progress, PromptRef
from voicebot.domain.dialogue import Decision, DialogueState
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.script import Playbook
from voicebot.domain.speech import Transcript, UtteranceKind
from voicebot.speech.endpointing.scorer import BACKCHANNELS

pytestmark = pytest.mark.acceptance

FILES = sorted((Path(__file__).parent / "turns").glob("*.yaml"))
MS_PER_HANZI = 180
WORDS_AFTER_MS, DECIDED_AFTER_MS = 250, 280  # a decision was asked for


class Scene:
    """One call: the customer's steps on one side, playbook and policy on the other."""

    def __init__(self) -> None:
        self.machine = TurnMachine()
        self.dialogue = Conversation()
        self.opening = self.dialogue.decisions[0]
        self.log: list[tuple[int, Output]] = []
        self.said: list[str] = []
        self.texts: list[str] = []
        self.heard: list[str] = []
        self.heard_ms: list[int] = []
        self.spoke_ms: tuple[int, int] = (0, 0)
        self._customer: dict[str, Any] = {}
        self._due: list[tuple[int, Progress | Answer]] = []
        self._pending: dict[int, tuple[Decision, DialogueState, Decide, str]] = {}
        self.sent: list[bytes] = []  # what the line said, 20 ms each
        self._queue = b""
        self._take(self.machine.begin())

    def run(self, ms: int, *, voice: bool = False) -> None:
        for _ in range(ms // FRAME_MS):
            self._frame(bytes(FRAME_BYTES), voice=voice)

    def echo(self, ms: int) -> None:
        """Let the far end send back what was said 160 ms ago, 12 dB quieter."""
        for _ in range(ms // FRAME_MS):
            late = struct.unpack(f"<{FRAME_BYTES // 2}h", self.sent[-8])
            self._frame(
                struct.pack(f"<{FRAME_BYTES // 2}h", *(level // 4 for level in late)), voice=any(late)
            )

    def _frame(self, pcm: bytes, *, voice: bool) -> None:
        self._deliver()
        self._take(self.machine.frame(pcm, voice))
        self.sent.append(self._queue[:FRAME_BYTES].ljust(FRAME_BYTES, b"\0"))
        self._queue = self._queue[FRAME_BYTES:]

    def step(self, step: Any) -> None:
        match step:
            case "bot_finishes":
                self._until(speaking=True)
                self._until(speaking=False)
            case {"bot_speaks": ms}:
                self._until(speaking=True)
                self.run(ms)
            case {"quiet": ms}:
                self.run(ms)
            case {"echo": ms}:
                self.echo(ms)
            case {"key": digit}:
                self._take(self.machine.dtmf(digit))
            case {"customer": customer}:
                self._customer = customer
                start = self.machine.now_ms
                self.run(customer["say"], voice=True)
                self.spoke_ms = (start, self.machine.now_ms)
            case _:
                raise AssertionError(f"no such step: {step}")

    def _until(self, *, speaking: bool) -> None:
        for _ in range(3000):
            if self.machine.speaking is speaking:
                return
            self.run(FRAME_MS)
        raise AssertionError("the bot never " + ("spoke" if speaking else "finished"))

    def of(self, kind: type[Output], since_ms: int = 0) -> list[tuple[int, Output]]:
        return [(at, output) for at, output in self.log if isinstance(output, kind) and at >= since_ms]

    def _deliver(self) -> None:
        ready = [one for one in self._due if one[0] <= self.machine.now_ms]
        self._due = [one for one in self._due if one not in ready]
        for _, told in ready:
            if isinstance(told, Progress):
                self._take(self.machine.progress(told))
            else:
                self._take(self.machine.ready(told))

    def _take(self, outputs: list[Output]) -> None:
        for output in outputs:
            self.log.append((self.machine.now_ms, output))
            if isinstance(output, Play):
                self._queue += output.pcm
            elif isinstance(output, Flush):
                self._queue = b""
            elif isinstance(output, Decide):
                self._decide(output)
            elif isinstance(output, Commit):
                decision, after, asked, words = self._pending[output.generation]
                self.dialogue.state = after
                self.said.append(decision.script_id)
                self.texts.append(decision.script_text)
                if asked.utterance.kind is UtteranceKind.SPEECH:
                    self.heard.append(words)
                heard_ms = output.heard_ms or asked.utterance.heard_ms
                self.heard_ms += [heard_ms] if heard_ms else []

    def _decide(self, asked: Decide) -> None:
        """Decide as inference does: on the committed state, and as late."""
        now, kind, before = self.machine.now_ms, asked.utterance.kind, self.dialogue.state
        words = str(self._customer.get("words", "")) if kind is UtteranceKind.SPEECH else ""
        if kind is UtteranceKind.ANSWERED:
            decision = self.opening
        else:
            heard = Transcript(words, confidence=0.9)
            decision = self.dialogue._turn(asked.utterance, heard, EmotionLabel.CALM, None)
        self._pending[asked.generation] = (decision, self.dialogue.state, asked, words)
        if kind is not UtteranceKind.ANSWERED:
            self.dialogue.state = before
        if kind is UtteranceKind.SPEECH and "score" in self._customer:
            told = Progress(
                asked.generation,
                self._customer["score"],
                words,
                words in BACKCHANNELS,
                words_known=True,
            )
            self._due.append((now + WORDS_AFTER_MS, told))
        answer = Answer(
            asked.generation,
            stretches(decision, self.dialogue.playbook),
            decision.action,
            decision.patience_ms,
            decision.pause_factor,
        )
        late = self._customer.get("decided_after", DECIDED_AFTER_MS) if kind is UtteranceKind.SPEECH else 40
        self._due.append((now + late, answer))


def stretches(decision: Decision, playbook: Playbook) -> tuple[Stretch, ...]:
    """Say a script as noise whose loudness changes from frame to frame, 180 ms a hanzi."""
    dice = random.Random(decision.script_text)
    frames = len(decision.script_text) * MS_PER_HANZI // FRAME_MS
    pcm = b"".join(struct.pack("<h", dice.choice((200, 1000, 4000, 9000))) * 160 for _ in range(frames))
    script = playbook.scripts.get(decision.script_id)
    ref = PromptRef(
        "",
        decision.script_text,
        len(pcm) // 16,
        "",
        decision.protected,
        len(script.protected_text) * MS_PER_HANZI if script else 0,
    )
    return stretches_of(ref, Audio(pcm))


def titles() -> list[str]:
    return [path.stem for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=titles())
def test_a_conversation(path: Path) -> None:
    told = yaml.safe_load(path.read_text("utf-8"))
    scene = Scene()
    for step in told["steps"]:
        scene.step(step)
    found = {
        "turns": len(scene.said),
        "scripts": scene.said,
        "last_script": scene.said[-1],
        "different_words": len(set(scene.texts)),
        "heard": scene.heard,
        "resumed": scene.machine.false_stops,
        "flushed": len(scene.of(Flush)),
        "discarded": len([o for _, o in scene.of(Decide)]) - len(scene.said),
        "finished": not scene.machine.speaking,
        "ends": next((o.action.value for _, o in scene.log if isinstance(o, Finish)), None),
    }
    start, end = scene.spoke_ms
    for key, wanted in told["expect"].items():
        if key == "answered_after_ms":
            low, high = wanted
            assert low <= scene.of(Play, end)[0][0] - end <= high, told["title"]
        elif key == "silent_within_ms":
            assert scene.of(Flush, start)[0][0] - start <= wanted, told["title"]
        elif key == "heard_ms":
            low, high = wanted
            assert low <= scene.heard_ms[-1] <= high, told["title"]
        else:
            assert found[key] == wanted, f"{told['title']}: {key}"
