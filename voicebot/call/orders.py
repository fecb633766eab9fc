"""What the turn machine is told, how it is tuned, and what it wants done."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, Audio
from voicebot.domain.call import PromptRef
from voicebot.domain.script import Action
from voicebot.domain.speech import Utterance
from voicebot.speech.segmentation.segmenter import SegmentTuning


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


def stretches_of(ref: PromptRef, audio: Audio) -> tuple[Stretch, ...]:
    """Return a prompt's protected beginning and what may be interrupted after it."""
    cut = ref.protected_ms // FRAME_MS * FRAME_BYTES
    if not ref.protected or not cut or cut >= len(audio.pcm):
        return (Stretch(audio.pcm, ref.protected),)
    return Stretch(audio.pcm[:cut], protected=True), Stretch(audio.pcm[cut:])


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision, ready to be spoken."""

    generation: int
    stretches: tuple[Stretch, ...]
    action: Action = Action.SAY
    patience_ms: int = 6000
    pause_factor: float = 1.0  # silence that ends the customer's next utterance, against the tuned one

    @property
    def ends_unheard(self) -> bool:
        """True if it hangs up without a word: nobody is there who could be interrupted."""
        return self.action is Action.HANG_UP and not any(stretch.pcm for stretch in self.stretches)


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
class Drop:
    """The customer goes on: the decision on this generation is not needed any more."""

    generation: int


@dataclass(frozen=True, slots=True)
class Commit:
    """This generation's answer has become real: its first frame is the next one."""

    generation: int
    endpoint_ms: int  # last speech frame to the end of the utterance
    wait_ms: int  # from there to the answer's first frame
    score: float | None = None  # the endpoint score that decided; None = plain silence did
    heard_ms: int | None = None  # of the script before, which this answer cuts; None = all, or known already


@dataclass(frozen=True, slots=True)
class Finish:
    """The last prompt was heard: hang up, or transfer."""

    action: Action


Output = Play | Flush | Send | Decide | Drop | Commit | Finish
