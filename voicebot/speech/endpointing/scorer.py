"""Joins what was fitted on real pauses with what only the dialogue knows: which answer the bot waits for."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import numpy as np

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.script import Expect
from voicebot.speech.endpointing import cues
from voicebot.speech.endpointing.head import EndpointHead
from voicebot.text.normalise import comparable

# Log odds added for what read speech can not teach. They are set by hand, not fitted: the card says so.
HANGING = -2.0  # 然后, 就是, 因为: more must come
NUMBER_OPEN = -1.5  # a number is asked for and being said
ANSWERED = 1.0  # 可以, 不用, 好的 to a question of yes or no
_MERE = "嗯|嗯嗯|啊|哦|噢|喔|呃|唉|哎|诶|恩|恩恩|哦哦|嗯好|嗯对|哦好"
_YES = "对|对对|对对对|对的|好|好好|好的|好吧|是|是是|是的|行|喂|喂喂"
_GREETING = "你好|您好|喂你好|喂您好|哎你好|你好你好"  # said into a prompt, it is no answer to it
BACKCHANNELS = frozenset(f"{_MERE}|{_YES}|{_GREETING}".split("|"))
_TELLING = frozenset("不别停没谁滚贵走懂忙")
_PLAIN = "可以|不可以|不用|不用了|不要|不需要|需要|要|行|不行|好|好的|是|是的|不是|对|没有|有|方便|不方便"
_YES_NO = frozenset(_PLAIN.split("|"))


class HeadScorer:
    """The shipped endpoint head, with the dialogue's expectation."""

    def __init__(self, head: EndpointHead) -> None:
        """Take a head."""
        self._head = head
        self.version = head.version

    def score(
        self, ending: Sequence[float] | None, audio: Audio, text: str | None, expect: Expect
    ) -> float | None:
        """Return the chance (0-1) that the customer has finished; None if nothing is known yet."""
        if audio.rate_hz != LINE_RATE_HZ:
            return None
        # recognised words add nothing on real pauses; the sound counts where there is no vector
        if ending is not None:
            chance = self._head.score(embedding=ending)
        else:
            chance = self._head.score(sound=cues.sound(_samples(audio)))
        if chance is None or text is None:
            return chance
        odds = log(max(chance, 1e-6) / max(1 - chance, 1e-6)) + known(text, expect)
        return 1 / (1 + exp(-odds))

    def backchannel(self, text: str, audio: Audio) -> bool:
        """Return whether words are a mere 嗯 or 对, or were heard in a sound without a voice.

        One syllable is easily misheard (行 as 四), and only few of them mean anything over a prompt.
        """
        plain = comparable(text)
        mere = plain in BACKCHANNELS or (len(plain) == 1 and plain not in _TELLING)
        return mere or not cues.has_voice(_samples(audio))


def _samples(audio: Audio) -> cues.F32:
    pcm = np.frombuffer(audio.pcm[: len(audio.pcm) // 2 * 2], "<i2")
    return pcm.astype(np.float32) / np.float32(32768)


def known(text: str, expect: Expect) -> float:
    """Return the log odds that words and expectation add."""
    plain = comparable(text)
    hanging, _, number_open, asks_leave, *_ = cues.words(plain, {})
    if expect is Expect.YES_NO and plain in _YES_NO:
        return ANSWERED
    if expect in (Expect.NUMBER, Expect.TIME) and number_open:
        return NUMBER_OPEN
    return HANGING if hanging or asks_leave else 0.0
