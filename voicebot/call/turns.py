"""The turn machine: whose turn it is. Pure: frames, decisions and keys go in, things to do come out.

It joins segmentation, speculation and playout on frame time, 20 ms a frame. At the first short pause
it asks for a decision on the speech so far, under a new generation. If the customer goes on, that
generation is dead: its answer is neither spoken nor committed. If the silence lasts, it is committed
as soon as its answer is there, and the answer starts on the next frame. How long that silence must be depends
on what inference thinks of the speech's end; without its word, plain silence decides.

Speech over a prompt holds the prompt at once. If it goes on, it is an interruption; if it was short, its
words decide: after a mere 嗯, or no words, the prompt goes on at the beginning of the phrase that was cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebot.call.bargein import BargeIn, Move
from voicebot.call.orders import (
    Answer,
    Commit,
    Decide,
    Drop,
    Finish,
    Flush,
    Output,
    Play,
    Send,
    Stretch,
    TurnTuning,
    stretches_of,
)
from voicebot.call.saying import Saying
from voicebot.domain.audio import FRAME_MS, SILENT_FRAME
from voicebot.domain.call import Progress
from voicebot.domain.script import Action
from voicebot.domain.speech import Utterance, UtteranceKind
from voicebot.speech.segmentation.echo import EchoGuard
from voicebot.speech.segmentation.segmenter import Segmenter

__all__ = [
    "Answer",
    "Commit",
    "Decide",
    "Drop",
    "Finish",
    "Flush",
    "Output",
    "Play",
    "Send",
    "Stretch",
    "TurnMachine",
    "TurnTuning",
    "stretches_of",
]


@dataclass(slots=True)
class _Asked:
    """A decision that was asked for."""

    generation: int
    kind: UtteranceKind
    due_ms: int | None = None  # since when it is the customer's last word; None: it may still go on
    answer: Answer | None = None
    score: float | None = None  # the chance that the customer has finished, as far as inference has told
    digits: str = ""
    sealed: bool = False  # more speech does not change it
    heard_ms: int | None = None  # of the script before, as the decision was told


class TurnMachine:
    """The turns of one call. Not thread-safe: whoever shares it holds a lock."""

    def __init__(self, tuning: TurnTuning | None = None) -> None:
        """Begin before the answer: `begin`, then a `frame` every 20 ms from the answer on."""
        self.tuning = tuning or TurnTuning()
        self.generation = 0
        self.patience_ms = 6000
        self.pause_factor = 1.0  # how much longer than tuned the customer may pause in this scene
        self.false_stops = 0  # prompts that were held for a mere 嗯 or a noise
        self._segments = Segmenter(self.tuning.segments)
        self._echo = EchoGuard()
        self._barge_in = BargeIn(self.tuning)
        self._asked: _Asked | None = None
        self._prompt: Saying | None = None
        self._open = False  # the stretch of speech is a real utterance, not a 嗯 over a prompt
        self._barged_in = False
        self._heard_ms: int | None = None
        self._quiet_since_ms = 0  # nobody speaks since then
        self._finish: tuple[int, Action] | None = None
        self._done = False
        self._out: list[Output] = []

    @property
    def now_ms(self) -> int:
        """Milliseconds since the answer."""
        return self._segments.now_ms

    @property
    def speaking(self) -> bool:
        """True while a prompt plays."""
        return self._prompt is not None

    # -- what happens --

    def begin(self) -> list[Output]:
        """The call is being set up: ask for the opening, so that it is ready at the answer."""
        self._ask(UtteranceKind.ANSWERED)
        return self._done_so_far()

    def frame(self, pcm: bytes, voiced: bool) -> list[Output]:
        """Take a frame of the customer's, with the voice detector's verdict."""
        self._echo.push(self._prompt.frame() if self._prompt else SILENT_FRAME, pcm)
        if voiced and self._prompt is not None and self._echo.is_echo():
            voiced = False
        self._segments.push(pcm, voiced)
        if not self._done:
            self._follow_prompt()
            self._follow_speech()
            self._follow_clock()
            self._commit()
        else:
            self._segments.close()  # it only keeps time
        return self._done_so_far()

    def ready(self, answer: Answer) -> list[Output]:
        """Take a decision, with its audio. One that is no longer asked for is forgotten."""
        if self._asked is not None and self._asked.generation == answer.generation and not self._done:
            self._asked.answer = answer
            if self.now_ms > 0:
                self._commit()
        return self._done_so_far()

    def progress(self, progress: Progress) -> list[Output]:
        """Take what inference thinks of the speech so far, while it still computes."""
        asked = self._asked
        if asked is None or asked.generation != progress.generation or self._done:
            return self._done_so_far()
        asked.score = progress.endpoint_score
        prompt = self._prompt
        if progress.words_known and prompt is not None and (not self._open or prompt.protected):
            if self._barge_in.words(progress) is Move.INTERRUPT:
                self._open = True
                self._interrupt()
            else:
                self._go_on()
        return self._done_so_far()

    def dtmf(self, digit: str) -> list[Output]:
        """Take a key. Keys that follow before the bot answers are read as one number."""
        if self._done or (self._prompt is not None and self._prompt.final):
            return self._done_so_far()
        digits = self._asked.digits if self._asked is not None else ""
        if self._asked is not None and self._asked.kind is UtteranceKind.ANSWERED:
            return self._done_so_far()
        self._interrupt()
        self._segments.close()
        self._open = False
        self._ask(UtteranceKind.DTMF, digits + digit)
        return self._done_so_far()

    def resume(self) -> list[Output]:
        """The transfer failed: the customer is ours again, and is spoken to at once."""
        self._done = False
        self._finish = None
        self._quiet_since_ms = self.now_ms
        self._segments.close()
        self._ask(UtteranceKind.SILENCE)
        return self._done_so_far()

    def stop(self) -> list[Output]:
        """End the conversation: fall silent and decide nothing any more."""
        self._done = True
        self._asked = None
        if self._prompt is not None:
            self._prompt = None
            self._out.append(Flush())
        return self._done_so_far()

    # -- what follows from it --

    def _follow_prompt(self) -> None:
        """Count what was sent of the prompt, and see its end."""
        prompt = self._prompt
        if prompt is not None and not prompt.held:
            prompt.at_ms += FRAME_MS
            if prompt.at_ms >= prompt.length_ms:
                self._prompt_ended(prompt)
        if self._finish is not None and self.now_ms >= self._finish[0]:
            self._done = True
            self._out.append(Finish(self._finish[1]))

    def _prompt_ended(self, prompt: Saying) -> None:
        self._prompt = None
        self._barge_in.clear()
        self._quiet_since_ms = self.now_ms
        if prompt.final:
            self._finish = (self.now_ms + self.tuning.tail_ms, prompt.answer.action)

    def _follow_speech(self) -> None:
        segments = self._segments
        if not segments.active:
            return
        if not self._open and not self._is_utterance():
            return
        self._open = True
        self._interrupt()
        if segments.speaking:
            self._drop()  # the customer goes on: that decision is dead
        asked = self._asked
        too_long = segments.now_ms - segments.start_ms >= self.tuning.max_utterance_ms
        if asked is None and (too_long or segments.silence_ms >= self.tuning.pause_ms):
            asked = self._ask(UtteranceKind.SPEECH)
            asked.sealed = too_long
        if asked is None:
            if segments.speaking and segments.untaken_ms() >= self.tuning.chunk_ms:
                self._out.append(Send(self.generation + 1, segments.take()))
        elif asked.due_ms is None and (asked.sealed or segments.silence_ms >= self._wait_ms(asked)):
            asked.due_ms = self.now_ms

    def _wait_ms(self, asked: _Asked) -> float:
        """How much silence ends the utterance."""
        if asked.score is None:
            silence_ms = self.tuning.endpoint_ms
        else:
            silence_ms = self.tuning.short_ms if asked.score >= self.tuning.threshold else self.tuning.long_ms
        return silence_ms * self.pause_factor

    def _is_utterance(self) -> bool:
        """Whether the open stretch asks for the turn: not the first 喂, not a 嗯 over a prompt."""
        segments, prompt = self._segments, self._prompt
        opening = self._asked is not None and self._asked.kind is UtteranceKind.ANSWERED
        if prompt is None and not opening and self._finish is None:
            return True
        if prompt is None or opening or self._finish is not None:
            if segments.silence_ms >= self.tuning.endpoint_ms:
                segments.close()
            return False
        move = self._barge_in.frame(prompt, segments)
        self._make(move, prompt)
        return move is Move.INTERRUPT

    def _make(self, move: Move, prompt: Saying) -> None:
        """Do what a sound over a prompt calls for."""
        match move:
            case Move.HOLD:
                if prompt.hold():
                    self._out.append(Flush())
            case Move.ASK if self._asked is not None:
                self._segments.close()  # a key was pressed: that is the answer
                self._barge_in.clear()
            case Move.ASK:
                self._barged_in, self._heard_ms = True, None if prompt.protected else prompt.at_ms
                self._ask(UtteranceKind.SPEECH)
            case Move.REVIVE:
                self._drop()
            case Move.GO_ON:
                self._go_on()
            case Move.IGNORE:
                self._segments.close()
            case Move.INTERRUPT | Move.WAIT:
                pass

    def _go_on(self) -> None:
        """It was no interruption: say the cut phrase again and go on from there."""
        prompt = self._prompt
        self._segments.close()
        self._barge_in.clear()
        self._drop()
        self._open = False
        self._barged_in, self._heard_ms = False, None
        if prompt is not None and prompt.held:
            self.false_stops += 1
            self._out.append(Play(prompt.go_on()))

    def _drop(self) -> None:
        """Forget what was asked, unless more speech does not change it."""
        if self._asked is not None and not self._asked.sealed:
            self._out.append(Drop(self._asked.generation))
            self._asked = None

    def _interrupt(self, *, even_protected: bool = False) -> None:
        """Stop the prompt, if it may be stopped; remember how much of it was heard."""
        prompt = self._prompt
        if prompt is None or prompt.final:
            return
        self._barged_in = True
        if even_protected or not prompt.protected:
            self._heard_ms = prompt.at_ms
            self._prompt = None
            self._barge_in.clear()
            if not prompt.held:
                self._out.append(Flush())

    def _follow_clock(self) -> None:
        """Ask what to say to a customer who says nothing."""
        idle = self._prompt is None and self._asked is None and self._finish is None
        if idle and not self._segments.active and self.now_ms - self._quiet_since_ms >= self.patience_ms:
            self._ask(UtteranceKind.SILENCE)

    def _ask(self, kind: UtteranceKind, digits: str = "") -> _Asked:
        self.generation += 1
        start_ms, end_ms, due_ms = self.now_ms, self.now_ms, self.now_ms
        if kind is UtteranceKind.SPEECH:
            start_ms, end_ms = self._segments.start_ms, self._segments.end_ms
            self._out.append(Send(self.generation, self._segments.take()))
        elif kind is UtteranceKind.SILENCE:
            start_ms = min(self._quiet_since_ms, self.now_ms)
        elif kind is UtteranceKind.ANSWERED:
            due_ms = self.tuning.opening_ms
        utterance = Utterance(
            kind,
            start_ms / 1000,
            end_ms / 1000,
            dtmf=digits,
            barged_in=self._barged_in,
            heard_ms=self._heard_ms,
        )
        self._asked = _Asked(
            self.generation,
            kind,
            None if kind is UtteranceKind.SPEECH else due_ms,
            digits=digits,
            sealed=kind is UtteranceKind.DTMF,  # a key counts, whatever is said after it
            heard_ms=self._heard_ms,
        )
        self._out.append(Decide(self.generation, utterance))
        return self._asked

    def _commit(self) -> None:
        """Make the newest decision real, once it is due, it is there, and nothing protected is being said."""
        asked = self._asked
        if asked is None or asked.answer is None or asked.due_ms is None or asked.due_ms > self.now_ms:
            return
        answer = asked.answer
        if self._prompt is not None:
            self._interrupt(even_protected=answer.ends_unheard)
            if self._prompt is not None:
                return
        heard_ms = self._heard_ms if self._heard_ms != asked.heard_ms else None
        silence = asked.due_ms - self._segments.end_ms if asked.kind is UtteranceKind.SPEECH else 0
        wait_ms = self.now_ms - asked.due_ms + FRAME_MS
        self._out.append(Commit(asked.generation, silence, wait_ms, asked.score, heard_ms))
        self._asked = None
        self._open = False
        self._segments.close()
        self._barged_in, self._heard_ms = False, None
        self.patience_ms, self.pause_factor = answer.patience_ms, answer.pause_factor
        self._say(answer)

    def _say(self, answer: Answer) -> None:
        pcm = b"".join(stretch.pcm for stretch in answer.stretches)
        prompt = Saying(answer, pcm)
        if pcm:
            self._prompt = prompt
            self._out.append(Play(pcm))
        else:
            self._prompt_ended(prompt)

    def _done_so_far(self) -> list[Output]:
        out, self._out = self._out, []
        return out
