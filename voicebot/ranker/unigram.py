"""Text to pieces by their probabilities: the unigram model of SentencePiece (Kudo 2018, arXiv:1804.10959)."""

from __future__ import annotations

import re

from voicebot.ranker.e5_file import Vocabulary

_SPACE = "▁"  # how SentencePiece writes a space
_UNKNOWN_COSTS = 10.0  # below the least probable piece


class Tokenizer:
    """Finds the most probable way to cut a text into known pieces."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Take the pieces; they are looked up by their text from here on."""
        self._ids = {piece: number for number, piece in enumerate(vocabulary.pieces)}
        self._ids.pop(vocabulary.pieces[vocabulary.unknown], None)
        self._longest = max(map(len, vocabulary.pieces))
        self._scores = vocabulary.scores
        self._unknown_score = float(vocabulary.scores.min()) - _UNKNOWN_COSTS
        self._vocabulary = vocabulary

    def ids(self, text: str) -> list[int]:
        """Return the ids of the text's pieces, between those of beginning and end."""
        told = re.sub(" {2,}", " ", text.translate(self._vocabulary.replaced))
        told = (told if told.startswith(" ") else " " + told).replace(" ", _SPACE)
        return [self._vocabulary.begin, *self._cut(told), self._vocabulary.end]

    def _cut(self, text: str) -> list[int]:
        """Viterbi over the places between characters."""
        size = len(text)
        best = [0.0] + [float("-inf")] * size
        before: list[tuple[int, int]] = [(0, 0)] * (size + 1)  # from where, by which piece
        for start in range(size):
            so_far = best[start]
            for stop in range(start + 1, min(size, start + self._longest) + 1):
                piece = self._ids.get(text[start:stop])
                if piece is not None and so_far + self._scores[piece] > best[stop]:
                    best[stop] = so_far + self._scores[piece]
                    before[stop] = (start, piece)
            if so_far + self._unknown_score > best[start + 1]:
                best[start + 1] = so_far + self._unknown_score
                before[start + 1] = (start, self._vocabulary.unknown)
        pieces = []
        while size:
            size, piece = before[size]
            pieces.append(piece)
        return pieces[::-1]
