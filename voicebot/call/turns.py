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

from dataclasses import dataclass, field

from voicebot.call.rewind import resume_ms
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, SILENT_FRAME
from voicebot.domain.call import Progress
from voicebot.domain.script import Action
from voicebot.domain.speech import Utterance, UtteranceKind
from voicebot.speech.segmentation.echo import EchoGuard
from voicebot.speech.segmentation.segmenter import Segmenter, SegmentTuning


@dataclass(frozen=True, slots=True)
class TurnTuning:
    """When turns change hands."""

    pause_ms: int = 200  # of silence: ask for a decision
    # The next four: chosen by `voicebot bench turns` for one cut-off in twenty inner pauses.
    endpoint_ms: int = 1000  # of silence: the utterance is over, as long as inference says nothing
    threshold: float = 0.55  # endpoint score from which `short_ms` of silence are enough, else `long_ms`
    short_ms: int = 600
    long_ms: int = 1160
    words_ms: int = 900  # of silence: then a held prompt goes on, even if the words are not known
    hold_ms: int = 160  # voiced speech over a prompt that holds it
    hold_again_ms: int = 480  # that holds it once more, after a false stop
    barge_in_ms: int = 800  # that interrupts it for good; 嗯 and 对 are shorter
    max_utterance_ms: int = 30_000  # then it is over in any case: noise never pauses
    opening_ms: int = 300  # after the answer: the phone is on its way to the ear
    tail_ms: int = 240  # after the last prompt, before hanging up: the far end's jitter buffer
    chunk_ms: int = 100  # of speech, sent at a time
    segments: SegmentTuning = field(default_factory=SegmentTuning)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of what the bot says."""

    pcm: bytes  # 16-bit 8 kHz mono
    protected: bool = False  # legal announcement: never interrupted


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision, ready to be spoken."""

    generation: int
    stretches: tuple[Stretch, ...]
    action: Action = Action.SAY
    patience_ms: int = 6000


# What is to be done. Play and Flush concern the line at once; the rest concerns inference.


@dataclass(frozen=True, slots=True)
class Play:
    """Start speaking on the next frame."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Flush:
    """Fall silent now."""


@dataclass(frozen=True, slots=True)
class Send:
    """Pass speech on."""

    generation: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Decide:
    """Ask for a decision; an older one that is still under way is not needed any more."""

    generation: int
    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Commit:
    """This generation's answer has become real: its first frame is the next one."""

    generation: int
    endpoint_ms: int  # last speech frame to the end of the utterance
    wait_ms: int  # from there to the answer's first frame
    score: float | None = None  # the endpoint score that decided; None = plain silence did


@dataclass(frozen=True, slots=True)
class Finish:
    """The last prompt was heard: hang up, or transfer."""

    action: Action


Output = Play | Flush | Send | Decide | Commit | Finish


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


@dataclass(slots=True)
class _Prompt:
    """What the bot is saying."""

    answer: Answer
    pcm: bytes
    at_ms: int = 0  # already sent
    held: bool = False  # silent, until it is known whether the customer interrupts
    false_stops: int = 0

    @property
    def length_ms(self) -> int:
        return -(-len(self.pcm) // FRAME_BYTES) * FRAME_MS

    def frame(self) -> bytes:
        """What the line says while this prompt plays."""
        if self.held:
            return SILENT_FRAME
        at = self.at_ms // FRAME_MS * FRAME_BYTES
        return self.pcm[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")

    @property
    def final(self) -> bool:
        return self.answer.action is not Action.SAY

    @property
    def protected(self) -> bool:
        """True while a protected stretch is being said."""
        end = 0
        for stretch in self.answer.stretches:
            end += len(stretch.pcm)
            if self.at_ms * FRAME_BYTES < end * FRAME_MS:
                return stretch.protected
        return False


class TurnMachine:
    """The turns of one call. Not thread-safe: whoever shares it holds a lock."""

    def __init__(self, tuning: TurnTuning | None = None) -> None:
        """Begin before the answer: `begin`, then a `frame` every 20 ms from the answer on."""
        self.tuning = tuning or TurnTuning()
        self.generation = 0
        self.patience_ms = 6000
        self.false_stops = 0  # prompts that were held for a mere 嗯 or a noise
        self._segments = Segmenter(self.tuning.segments)
        self._echo = EchoGuard()
        self._asked: _Asked | None = None
        self._prompt: _Prompt | None = None
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
        if progress.words_known and self._prompt is not None and not self._open:
            if progress.partial_text and not progress.backchannel:
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

    def _prompt_ended(self, prompt: _Prompt) -> None:
        self._prompt = None
        self._quiet_since_ms = self.now_ms
        if prompt.final:
            self._finish = (self.now_ms + self.tuning.tail_ms, prompt.answer.action)

    def _follow_speech(self) -> None:
        segments = self._segments
        if not segments.active:
            return
        if not self._open and not self._qualifies():
            self._follow_short_speech()
            return
        self._open = True
        self._interrupt()
        asked = self._asked
        if segments.speaking and asked is not None and not asked.sealed:
            asked = self._asked = None  # the customer goes on: that decision is dead
        too_long = segments.now_ms - segments.start_ms >= self.tuning.max_utterance_ms
        if asked is None and (too_long or segments.silence_ms >= self.tuning.pause_ms):
            asked = self._ask(UtteranceKind.SPEECH)
            asked.sealed = too_long
        if asked is None:
            if segments.speaking and segments.untaken_ms() >= self.tuning.chunk_ms:
                self._out.append(Send(self.generation + 1, segments.take()))
        elif asked.due_ms is None and (asked.sealed or segments.silence_ms >= self._wait_ms(asked)):
            asked.due_ms = self.now_ms

    def _wait_ms(self, asked: _Asked) -> int:
        """How much silence ends the utterance."""
        if asked.score is None:
            return self.tuning.endpoint_ms
        return self.tuning.short_ms if asked.score >= self.tuning.threshold else self.tuning.long_ms

    def _follow_short_speech(self) -> None:
        """Hold the prompt while the customer may be interrupting, and ask what a short sound over it was."""
        segments, prompt, asked = self._segments, self._prompt, self._asked
        if prompt is None or prompt.final or prompt.protected or self._finish is not None:
            if segments.silence_ms >= self.tuning.endpoint_ms:
                segments.close()  # a 嗯 while the bot spoke
            return
        if segments.speaking:
            if asked is not None:
                self._asked = None  # the customer goes on: that decision is dead
            hold_ms = self.tuning.hold_again_ms if prompt.false_stops else self.tuning.hold_ms
            if segments.speech_ms >= hold_ms and not prompt.held:
                prompt.held = True
                self._out.append(Flush())
        elif asked is None and segments.silence_ms >= self.tuning.pause_ms:
            if segments.speech_ms >= self.tuning.hold_ms:
                self._barged_in, self._heard_ms = True, prompt.at_ms
                self._ask(UtteranceKind.SPEECH)
            else:
                self._go_on()  # too short for a word
        elif asked is not None and segments.silence_ms >= self.tuning.words_ms:
            self._go_on()  # nobody says what it was

    def _go_on(self) -> None:
        """It was no interruption: say the cut phrase again and go on from there."""
        prompt = self._prompt
        self._segments.close()
        self._asked = None
        self._barged_in, self._heard_ms = False, None
        if prompt is None or not prompt.held:
            return
        prompt.held = False
        prompt.false_stops += 1
        self.false_stops += 1
        prompt.at_ms = resume_ms(prompt.pcm, prompt.at_ms)
        self._out.append(Play(prompt.pcm[prompt.at_ms // FRAME_MS * FRAME_BYTES :]))

    def _qualifies(self) -> bool:
        """Whether the open stretch is an utterance: not the first 喂, not a 嗯 over a prompt."""
        if self._finish is not None or (self._asked and self._asked.kind is UtteranceKind.ANSWERED):
            return False
        if self._prompt is None:
            return True
        return not self._prompt.final and self._segments.speech_ms >= self.tuning.barge_in_ms

    def _interrupt(self) -> None:
        """Stop the prompt, if it may be stopped; remember how much of it was heard."""
        prompt = self._prompt
        if prompt is None or prompt.final:
            return
        self._barged_in = True
        if not prompt.protected:
            self._heard_ms = prompt.at_ms
            self._prompt = None
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
        )
        self._out.append(Decide(self.generation, utterance))
        return self._asked

    def _commit(self) -> None:
        """Make the newest decision real, once it is due, it is there, and nothing protected is being said."""
        asked = self._asked
        if asked is None or asked.answer is None or asked.due_ms is None or asked.due_ms > self.now_ms:
            return
        if self._prompt is not None:
            self._interrupt()
            if self._prompt is not None:
                return
        answer = asked.answer
        silence = asked.due_ms - self._segments.end_ms if asked.kind is UtteranceKind.SPEECH else 0
        wait_ms = self.now_ms - asked.due_ms + FRAME_MS
        self._out.append(Commit(asked.generation, silence, wait_ms, asked.score))
        self._asked = None
        self._open = False
        self._segments.close()
        self._barged_in, self._heard_ms = False, None
        self.patience_ms = answer.patience_ms
        self._say(answer)

    def _say(self, answer: Answer) -> None:
        pcm = b"".join(stretch.pcm for stretch in answer.stretches)
        prompt = _Prompt(answer, pcm)
        if pcm:
            self._prompt = prompt
            self._out.append(Play(pcm))
        else:
            self._prompt_ended(prompt)

    def _done_so_far(self) -> list[Output]:
        out, self._out = self._out, []
        return out
