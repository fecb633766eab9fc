"""Who speaks while a person talks through us. Pure, on frame time: frames go in, things to do come out.

The bot says nothing here. At a customer's first short pause a decision is asked for, as in the turn machine,
so that suggestions are on the agent's screen before the agent would answer; what the agent says is cut into
stretches of its own. An utterance to which the agent is silent is over when the customer says something new.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebot.call.turns import Decide, Send, TurnTuning
from voicebot.domain.speech import Utterance, UtteranceKind
from voicebot.speech.segmentation.segmenter import Segmenter

AGENT_PAUSE_MS = 700  # of silence: the agent's stretch is over
SHORTEST_MS = 300  # voiced, of either: less is a 嗯, and changes nothing


@dataclass(frozen=True, slots=True)
class Settled:
    """The customer has finished: the suggestions for this generation are final."""

    generation: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The customer says something new, and nobody has answered what was said under this generation."""

    generation: int
    at_s: float


@dataclass(frozen=True, slots=True)
class AgentSpeech:
    """Pass on what the agent says."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class AgentPaused:
    """The agent's stretch is over."""

    start_s: float
    end_s: float


Noticed = Send | Decide | Settled | Unanswered | AgentSpeech | AgentPaused


class Listening:
    """Both directions of a call that a person conducts. Not thread-safe: whoever shares it holds a lock."""

    def __init__(self, tuning: TurnTuning, now_ms: int, generation: int) -> None:
        """Begin at a moment of the call, with the newest generation that was asked for."""
        self.generation = generation
        self._tuning = tuning
        self._began_ms = now_ms
        self._customer = Segmenter(tuning.segments)
        self._agent = Segmenter(tuning.segments)
        self._asked = False
        self._agent_long = False
        self._open = 0  # generation that is settled and waits for the agent's answer; 0 = none

    def customer(self, pcm: bytes, voiced: bool) -> list[Noticed]:
        """Take a frame of the customer's."""
        segments, out = self._customer, list[Noticed]()
        segments.push(pcm, voiced)
        if not segments.active:
            return out
        if segments.speaking:
            self._asked = False  # goes on: that decision is dead
            if segments.untaken_ms() >= self._tuning.chunk_ms:
                out += self._leave()
                out.append(Send(self.generation + 1, segments.take()))
        elif not self._asked and segments.silence_ms >= self._tuning.pause_ms:
            out += self._leave()
            self._asked = True
            self.generation += 1
            start_s, end_s = (self._began_ms + segments.start_ms) / 1000, self._at_s(segments.end_ms)
            out.append(Send(self.generation, segments.take()))
            out.append(Decide(self.generation, Utterance(UtteranceKind.SPEECH, start_s, end_s)))
        elif self._asked and segments.silence_ms >= self._tuning.endpoint_ms:
            self._asked = False
            segments.close()
            self._open = self.generation
            out.append(Settled(self.generation))
        return out

    def _leave(self) -> list[Noticed]:
        """Wait for no answer any more: the agent is silent, and the customer says more than a 嗯."""
        if not self._open or self._agent.active or self._customer.speech_ms < SHORTEST_MS:
            return []
        generation, self._open = self._open, 0
        return [Unanswered(generation, self._at_s(self._customer.start_ms))]

    def agent(self, pcm: bytes, voiced: bool) -> list[Noticed]:
        """Take a frame of the agent's."""
        segments, out = self._agent, list[Noticed]()
        segments.push(pcm, voiced)
        if not segments.active:
            return out
        if segments.speaking and segments.untaken_ms() >= self._tuning.chunk_ms:
            if segments.speech_ms >= SHORTEST_MS:
                self._agent_long = True
            if self._agent_long:
                out.append(AgentSpeech(segments.take()))
        elif segments.silence_ms >= AGENT_PAUSE_MS:
            if self._agent_long:
                out.append(AgentSpeech(segments.take()))
                out.append(AgentPaused(self._at_s(segments.start_ms), self._at_s(segments.end_ms)))
                self._open = 0
            self._agent_long = False
            segments.close()
        return out

    def _at_s(self, ms: int) -> float:
        return (self._began_ms + ms) / 1000
