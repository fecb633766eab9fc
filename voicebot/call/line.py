"""The line of one call: its leg, its turn machine and its recording, joined in the media thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from voicebot.call.listening import Listening, Noticed
from voicebot.call.turns import Flush, Output, Play, TurnMachine
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, SILENT_FRAME
from voicebot.speech.segmentation.vad import VoiceDetector
from voicebot.telephony import Leg, Recording
from voicebot.telephony.playout import comfort_noise

Tap = Callable[[bytes, bytes], None]  # one frame of the customer, one of ours
OVERHEARD_BYTES = 10 * FRAME_BYTES  # passed on at a time


class Line:
    """Runs the turn machine on every frame and acts on its Play and Flush at once.

    Everything else the machine wants is rare; it goes to `on_output`, which is called from the
    media thread and from whoever calls the methods here, under the machine's lock, so in order.
    """

    def __init__(
        self,
        leg: Leg,
        machine: TurnMachine,
        on_output: Callable[[Output | Noticed], None],
        on_overheard: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        """Join them; nothing flows before `overhear` or `start`."""
        self._leg = leg
        self._machine = machine
        self._on_output = on_output
        self._on_overheard = on_overheard
        self._detector = VoiceDetector()
        self._lock = threading.Lock()
        self._recording: Recording | None = None
        self._said = SILENT_FRAME
        self._listening: Listening | None = None  # while a person talks through us
        self._agent: Leg | None = None
        self._agent_detector = VoiceDetector()
        self._agent_said = SILENT_FRAME
        self._taps: tuple[Tap, ...] = ()
        self._overheard = bytearray()
        self._overhear_frames = 0  # still to be passed on
        leg.playout.noise = comfort_noise()

    def overhear(self, seconds: float) -> None:
        """Pass on what the far end says for so long, in chunks; 0 = no more. Begins with early media."""
        self._overhear_frames = int(seconds * 1000) // FRAME_MS
        if self._leg.on_frame is None and self._overhear_frames:
            self._leg.on_frame = self._pass_on

    def start(self, recording: Recording | None) -> None:
        """The call was answered: frames count from now on."""
        self._recording = recording
        self._leg.next_frame = self._next_frame
        self._leg.on_frame = self._hear

    def stop(self) -> None:
        """The call is over: finish the recording. Blocks while it is written out."""
        self._leg.on_frame = None
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()

    def act(self, step: Callable[[TurnMachine], list[Output]]) -> None:
        """Tell the machine something, and do what it wants."""
        with self._lock:
            self._do(step(self._machine))

    @property
    def now_ms(self) -> int:
        """Milliseconds since the answer."""
        return self._machine.now_ms

    def tap(self, take: Tap) -> None:
        """Have every frame of both directions passed on, from the media thread."""
        self._taps = (*self._taps, take)

    def untap(self, take: Tap) -> None:
        """End that. Harmless if it is not there."""
        self._taps = tuple(one for one in self._taps if one is not take)

    def follow(self, agent: Leg) -> None:
        """A person talks with the customer from now on: listen to both, and record the person as ours."""
        with self._lock:
            self._listening = Listening(self._machine.tuning, self._machine.now_ms, self._machine.generation)
        self._agent = agent
        agent.on_frame = self._hear_agent

    def unfollow(self) -> None:
        """The person does not talk any more. Decisions that come now are newer than all before."""
        agent, self._agent = self._agent, None
        self._agent_said = SILENT_FRAME
        if agent is not None:
            agent.on_frame = None
        with self._lock:
            listening, self._listening = self._listening, None
            if listening is not None:
                self._machine.generation = max(self._machine.generation, listening.generation)

    def _hear_agent(self, pcm: bytes) -> None:
        self._agent_said = pcm
        voiced = self._agent_detector.is_speech(pcm)
        with self._lock:
            if self._listening is not None:
                self._notice(self._listening.agent(pcm, voiced))

    def _notice(self, noticed: list[Noticed]) -> None:
        for one in noticed:
            self._on_output(one)

    def _pass_on(self, pcm: bytes) -> None:
        if self._overhear_frames <= 0:
            return
        self._overhear_frames -= 1
        self._overheard += pcm
        if len(self._overheard) >= OVERHEARD_BYTES or not self._overhear_frames:
            chunk = bytes(self._overheard)
            self._overheard.clear()
            self._on_overheard(chunk)

    def _hear(self, pcm: bytes) -> None:
        self._pass_on(pcm)
        voiced = self._detector.is_speech(pcm)
        with self._lock:
            self._do(self._machine.frame(pcm, voiced))
            if self._listening is not None:
                self._notice(self._listening.customer(pcm, voiced))
        ours = self._agent_said if self._agent is not None else self._said
        recording = self._recording
        if recording is not None:
            recording.write(pcm, ours)
        for take in self._taps:
            take(pcm, ours)

    def _next_frame(self) -> bytes:
        self._said = self._leg.playout.next_frame()
        return self._said

    def _do(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Play(pcm):
                    self._leg.playout.play(pcm)
                case Flush():
                    self._leg.playout.flush()
                case _:
                    self._on_output(output)
