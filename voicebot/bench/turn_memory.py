"""Ours in memory, on virtual time: real turn machine, detector, recogniser, playout. For `bench turns`.

The recogniser runs on what the machine sends, and its words come as late as they cost CPU time. What the line
says is recorded; the answer is heard in that recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.bench import turn_sample
from voicebot.bench.endpoint_curve import DECIDE_MS
from voicebot.bench.turn_sample import Played
from voicebot.call.speculation import Pace, SpeculationTuning, wait_ms
from voicebot.call.turns import (
    Answer,
    Commit,
    Decide,
    Drop,
    Flush,
    Output,
    Play,
    Send,
    Stretch,
    TurnMachine,
)
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, LINE_RATE_HZ, SILENT_FRAME, Audio
from voicebot.domain.call import Progress
from voicebot.domain.script import Expect
from voicebot.domain.speech import UtteranceKind
from voicebot.registry import resources
from voicebot.speech.endpointing import head, hearing
from voicebot.speech.endpointing.cases import AFTER_MS, Case
from voicebot.speech.endpointing.scorer import HeadScorer
from voicebot.speech.recognition import sound
from voicebot.speech.recognition.decoder import Decoder
from voicebot.speech.recognition.whisper import CLEAR, WINDOW_S
from voicebot.speech.segmentation.vad import VoiceDetector
from voicebot.telephony.playout import Playout

_CALIBRATING = 8  # cases
_REPLY = b"\x00\x10" * (LINE_RATE_HZ // 2)


def judge(
    cases: Sequence[Case], whisper: Path, decode_s: float | None = None
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Play every case; return a row and figures.

    `decode_s`: CPU seconds of a decision on quiet cores, if these are not; the first tell the ratio.
    """
    decoder, scorer = Decoder(whisper, WINDOW_S), HeadScorer(head.load((resources.models_dir(),)))
    played, waits = [], list[float]()
    spent = wasted = 0.0
    factor = 1.0
    if decode_s is not None:
        heard = hearing.hear(cases[:_CALIBRATING], decoder)
        factor = decode_s / float(np.median([one.cpu_s for one in heard]))
    pace = Pace()  # of the process, over all its calls
    for case in cases:
        call = _Call(decoder, scorer, factor, pace)
        played.append(call.play(case))
        waits += call.waits_ms
        spent, wasted = spent + call.spent_s, wasted + call.wasted_s
    figures = {
        "memory_compute_after_endpoint_ms_median": float(np.median(waits)) if waits else 0.0,
        "memory_speculation_waste": wasted / spent if spent else 0.0,
    }
    row = {"system": "real time: ours, in memory", **turn_sample.judge(played, float(AFTER_MS))}
    return [row], figures


@dataclass(slots=True)
class _Work:
    """A decision that inference has begun, or will."""

    generation: int
    at_ms: float  # when it goes on
    pcm: bytes
    ending: Any = None
    encoded_s: float = 0.0


@dataclass(slots=True)
class _Call:
    """One call in memory."""

    decoder: Decoder
    scorer: HeadScorer
    factor: float = 1.0  # of CPU time
    pace: Pace = field(default_factory=Pace)
    machine: TurnMachine = field(default_factory=TurnMachine)
    waits_ms: list[float] = field(default_factory=list)
    spent_s: float = 0.0
    wasted_s: float = 0.0
    _playout: Playout = field(default_factory=Playout)
    _speech: bytearray = field(default_factory=bytearray)
    _work: _Work | None = None
    _told: list[tuple[float, Progress | Answer]] = field(default_factory=list)
    _cost_s: dict[int, float] = field(default_factory=dict)

    def play(self, case: Case) -> Played:
        """Say a case, and hear when the answer comes."""
        self._act(self.machine.begin())
        self._act(self.machine.ready(Answer(1, ())))
        detector = VoiceDetector()
        lead = SILENT_FRAME * (self.machine.tuning.opening_ms // FRAME_MS + 1)
        pcm = lead + np.clip(np.round(case.samples * 32768), -32768, 32767).astype("<i2").tobytes()
        said = []
        for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
            self._compute()
            frame = pcm[at : at + FRAME_BYTES]
            self._act(self.machine.frame(frame, detector.is_speech(frame)))
            said.append(self._playout.next_frame() != SILENT_FRAME)
        end_ms = case.end_ms + len(lead) // FRAME_BYTES * FRAME_MS
        after = np.flatnonzero(said[end_ms // FRAME_MS :])
        answer = float(after[0]) * FRAME_MS - end_ms % FRAME_MS if after.size else np.inf
        return Played(case, answer, any(said[: end_ms // FRAME_MS]))

    def _act(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Play(pcm):
                    self._playout.play(pcm)
                case Flush():
                    self._playout.flush()
                case Send(_, pcm):
                    self._speech += pcm
                case Decide(generation, utterance) if utterance.kind is UtteranceKind.SPEECH:
                    self._encode(generation)
                case Drop(generation):
                    self._forget(generation)
                case Commit(generation=generation) if generation > 1:  # the first is the opening
                    self.waits_ms.append(output.wait_ms - FRAME_MS)
                    self._speech.clear()
                case _:
                    pass

    def _encode(self, generation: int) -> None:
        """Do the first half of the work: how does it end?"""
        pcm, now = bytes(self._speech), self.machine.now_ms
        encoded = self.decoder.encode(self._window(pcm))
        cost_s = encoded.compute_s * self.factor
        self._spend(generation, cost_s)
        score = self.scorer.score(encoded.ending.tolist(), Audio(pcm), None, Expect.OPEN)
        at = now + cost_s * 1000
        if score is not None:
            self._told.append((at, Progress(generation, score)))
        wait = wait_ms(
            SpeculationTuning(),
            score,
            Expect.OPEN,
            0.0,
            barged_in=False,
            asked_ms=cost_s * 1000,
            pace_ms=self.pace.ms,
        )
        self._work = _Work(generation, at + wait, pcm, encoded, encoded.compute_s)

    def _compute(self) -> None:
        """Do what is due by now, and tell the machine."""
        now = self.machine.now_ms
        work = self._work
        if work is not None and work.at_ms <= now:
            self._work = None
            decoded = self.decoder.decode(
                self._window(work.pcm), work.ending, lambda texts, mean_logprob: mean_logprob > CLEAR
            )
            more = (decoded.compute_s - work.encoded_s) * self.factor
            self._spend(work.generation, more)
            self.pace.note(more * 1000 + DECIDE_MS)
            text = decoded.hypotheses[0][0] if decoded.hypotheses else ""
            score = self.scorer.score(work.ending.ending.tolist(), Audio(work.pcm), text, Expect.OPEN)
            done = now + more * 1000
            if score is not None:
                self._told.append((done, Progress(work.generation, score, text, words_known=True)))
            self._told.append((done + DECIDE_MS, Answer(work.generation, (Stretch(_REPLY),))))
        for due in [due for due in self._told if due[0] <= now]:
            self._told.remove(due)
            told = due[1]
            self._act(self.machine.progress(told) if isinstance(told, Progress) else self.machine.ready(told))

    def _forget(self, generation: int) -> None:
        self.wasted_s += self._cost_s.pop(generation, 0.0)
        if self._work is not None and self._work.generation == generation:
            self._work = None

    def _spend(self, generation: int, seconds: float) -> None:
        self.spent_s += seconds
        self._cost_s[generation] = self._cost_s.get(generation, 0.0) + seconds

    def _window(self, pcm: bytes) -> sound.F32:
        return sound.at_engine_rate(pcm, LINE_RATE_HZ)[-int(WINDOW_S * sound.ENGINE_RATE_HZ) :]
