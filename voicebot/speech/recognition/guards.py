"""Guards against what Whisper invents over silence and noise. They never touch 是, 好, 不用."""

from __future__ import annotations

import re

from voicebot.text.normalise import comparable

_FASTEST_PER_S = 9.0  # hanzi per second of voice; nobody speaks faster over a phone
_GRACE = 3  # hanzi: voice is measured by level and may miss soft beginnings
_LOOP = re.compile(r"(.{1,6}?)\1{4,}")

# The subtitles of its training data: credits and calls to subscribe, never said on a telephone.
_SUBTITLES = re.compile(
    r"点赞|订阅|打赏|点点栏目|字幕(?:由|组|志愿|制作|提供)|字幕$|amara|谢谢(?:大家)?(?:的)?(?:观看|收看|收听)|"
    r"感谢(?:大家)?(?:的)?(?:观看|收看|收听)|请不吝|词曲|作词|作曲|编曲|下期再见|thanksforwatching|subtitles"
)


def invented(text: str, voiced_s: float, mean_logprob: float) -> bool:
    """Whether a text can not have been said in that much voice.

    `mean_logprob` is of the best hypothesis, per token; by itself it separates nothing (real 是 and 好 score
    low), so it only judges texts that are too fast for their voice.
    """
    plain = comparable(text)
    if _SUBTITLES.search(plain) or _LOOP.search(plain):
        return True
    too_fast = len(plain) > voiced_s * _FASTEST_PER_S + _GRACE
    return too_fast and (mean_logprob < -0.5 or len(plain) > 2 * (voiced_s * _FASTEST_PER_S + _GRACE))
