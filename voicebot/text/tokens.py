"""Cuts Chinese text into words, with the domain's own words loaded."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable
from threading import Lock

_CONTENT = frozenset("nvaizltd")  # first letters of jieba's tags for words that carry content
_EMPTY = frozenset(
    (
        *"是有要会能说去来做就也都还很太再又那这",
        *("这个", "那个", "什么", "怎么", "一下", "一个", "可以", "没有", "知道", "现在", "时候", "觉得"),
    )
)


class Tokeniser:
    """jieba with added words. Thread-safe: words are added before the first cut only."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        """Build the dictionary once (about a second of CPU).

        Args:
            words: phrases that must never be split, such as those of the lexicon and the playbook.
        """
        with warnings.catch_warnings():
            # jieba 0.42 asks for pkg_resources, which is deprecated; it goes on without
            warnings.simplefilter("ignore")
            import jieba  # a second of import: only where text is cut
            import jieba.posseg
        jieba.setLogLevel(logging.WARNING)
        self._lock = Lock()
        self._jieba = jieba.Tokenizer()
        # jieba trusts its cache file: never one that lies where every user of the machine can write
        with tempfile.TemporaryDirectory(prefix="voicebot-jieba-") as folder:
            self._jieba.tmp_dir = folder
            self._jieba.initialize()
        self._known = frozenset(word for word in words if word)
        for word in self._known:
            self._jieba.add_word(word)
        self._tagger = jieba.posseg.POSTokenizer(self._jieba)

    def cut(self, text: str) -> tuple[str, ...]:
        """Return the words of a text, in order, without spaces and punctuation."""
        return tuple(word for word in self._jieba.cut(text) if any(char.isalnum() for char in word))

    def keywords(self, text: str) -> tuple[str, ...]:
        """Return the words that carry content, in order of appearance, each once."""
        with self._lock:
            pairs = [(pair.word, pair.flag) for pair in self._tagger.cut(text)]
        kept = (
            word
            for word, tag in pairs
            if word in self._known or (tag[:1] in _CONTENT and word not in _EMPTY and len(word) > 1)
        )
        return tuple(dict.fromkeys(kept))
