"""How probable given texts are for a stretch of speech, by Whisper's own decoder.

CTranslate2 finds texts but scores none that it did not find, and aligning each one pays for the whole memory
again. Here the memory is projected once, the texts share their beginnings in a prefix trie, and one pass
over its nodes gives the probability of every text. Checked against CTranslate2 in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf
from threadpoolctl import ThreadpoolController

from voicebot.domain.errors import ModelError
from voicebot.speech.recognition import model_file

F32 = NDArray[np.float32]
Memory = tuple[list[F32], ...]  # keys and values of each layer

_HEAD = 64  # width of an attention head in every Whisper
_EMBEDDINGS = "embeddings/weight"
_LONGEST = 60  # tokens of a text


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer."""

    self_norm: tuple[F32, F32]
    qkv: tuple[F32, F32]
    self_out: tuple[F32, F32]
    cross_norm: tuple[F32, F32]
    query: tuple[F32, F32]
    key_value: tuple[F32, F32]
    cross_out: tuple[F32, F32]
    ffn_norm: tuple[F32, F32]
    ffn_in: tuple[F32, F32]
    ffn_out: tuple[F32, F32]


class TextScorer:
    """The decoder half of a Whisper model in CTranslate2 form. Immutable; any thread may use it."""

    def __init__(self, path: Path, kept: Sequence[int] | None = None) -> None:
        """Read model.bin (about 120 MB of memory for whisper-base in Mandarin).

        Args:
            path: of the file.
            kept: the tokens to know (see `vocabulary.Vocabulary`), numbered in this order; None = all.

        Raises:
            ModelError: it is no Whisper model, or packed in another way.
        """
        weights = _read(path, kept)
        count = sum(name.endswith("/ffn/linear_0/weight") for name in weights)
        self._embeddings = weights[_EMBEDDINGS]
        self._positions = weights["position_encodings/encodings"]
        self._norm = (weights["layer_norm/gamma"], weights["layer_norm/beta"])
        self._threads = ThreadpoolController()
        self._layers = [_layer(weights, f"layer_{index}/") for index in range(count)]

    def listen(self, memory: F32) -> Memory:
        """Return the encoder's output, (frames, width), as the layers look at it: half of the cost."""
        with self._threads.limit(limits=1, user_api="blas"):
            return tuple(np.split(_linear(memory, layer.key_value), 2, axis=1) for layer in self._layers)

    def follow(self, memory: Memory, start: Sequence[int]) -> F32:
        """Return the natural logarithm of each token's probability after the tokens of `start`."""
        with self._threads.limit(limits=1, user_api="blas"):
            last = self._decode(memory, _Trie(start, [()]))[-1:]
            return np.asarray(self._logprobs(last)[0], np.float32)

    def glance(self, memory: F32, token: int) -> F32:
        """Return the natural logarithm of each token's probability after one token.

        The same as following it, at less than half of the cost: only one place looks at the sound, so its
        question is brought to the sound, (frames, width), and not every frame to the question.
        """
        with self._threads.limit(limits=1, user_api="blas"):
            x = (self._embeddings[token] + self._positions[0])[None]
            for layer in self._layers:
                value = np.split(_linear(_normal(x, layer.self_norm), layer.qkv), 3, axis=1)[2]
                x = x + _linear(value, layer.self_out)
                query = _linear(_normal(x, layer.cross_norm), layer.query)
                x = x + _linear(_look(query, memory, layer.key_value), layer.cross_out)
                x = x + _forward(x, layer)
            return np.asarray(self._logprobs(_normal(x, self._norm))[0], np.float32)

    def score(
        self,
        memory: Memory,
        start: Sequence[int],
        texts: Sequence[Sequence[int]],
        ends: Sequence[int],
        floor: float = -np.inf,
    ) -> list[float]:
        """Return the natural logarithm of each text's probability, that it ends there included.

        Args:
            memory: of the speech, by `listen`.
            start: tokens before every text.
            texts: tokens of each text.
            ends: tokens that end a text: the end itself, or a mark before it.
            floor: a text that its first token puts below it is not followed any further: -inf.
        """
        with self._threads.limit(limits=1, user_api="blas"):
            kept = list(range(len(texts)))
            if floor > -np.inf:
                first = self.follow(memory, start)
                kept = [index for index, text in enumerate(texts) if text and first[text[0]] >= floor]
            scores = [-np.inf] * len(texts)
            if kept:
                for index, score in zip(
                    kept, self._score(memory, start, [texts[i] for i in kept], ends), strict=True
                ):
                    scores[index] = score
            return scores

    def _score(
        self, memory: Memory, start: Sequence[int], texts: Sequence[Sequence[int]], ends: Sequence[int]
    ) -> list[float]:
        trie = _Trie(start, [tuple(text[:_LONGEST]) for text in texts])
        logprobs = self._logprobs(self._decode(memory, trie))
        steps = logprobs[trie.parents, trie.tokens]
        ending = _logsumexp(logprobs[:, list(ends)])
        return [float(steps[list(path[len(start) :])].sum() + ending[path[-1]]) for path in trie.paths]

    def _logprobs(self, hidden: F32) -> F32:
        logits = hidden @ self._embeddings.T
        return np.asarray(logits - _logsumexp(logits)[:, None], np.float32)

    def _decode(self, memory: Memory, trie: _Trie) -> F32:
        """Return the decoder's output at every node of the trie: each sees only its own beginnings."""
        x = self._embeddings[trie.tokens] + self._positions[trie.depths]
        for layer, (seen_key, seen_value) in zip(self._layers, memory, strict=True):
            query, key, value = np.split(_linear(_normal(x, layer.self_norm), layer.qkv), 3, axis=1)
            x = x + _linear(_attend(query, key, value, trie.mask), layer.self_out)
            query = _linear(_normal(x, layer.cross_norm), layer.query)
            x = x + _linear(_attend(query, seen_key, seen_value), layer.cross_out)
            x = x + _forward(x, layer)
        return _normal(x, self._norm)


class _Trie:
    """The texts, sharing their beginnings: one node a token."""

    def __init__(self, start: Sequence[int], texts: Sequence[tuple[int, ...]]) -> None:
        tokens, parents, depths, lineages = list[int](), list[int](), list[int](), list[tuple[int, ...]]()
        known: dict[tuple[int, int], int] = {}
        self.paths: list[tuple[int, ...]] = []
        for text in texts:
            node = -1
            for token in (*start, *text):
                child = known.get((node, token))
                if child is None:
                    child = known[node, token] = len(tokens)
                    lineages.append((*(lineages[node] if node >= 0 else ()), child))
                    tokens.append(token)
                    parents.append(max(node, 0))
                    depths.append(len(lineages[-1]) - 1)
                node = child
            self.paths.append(lineages[node])
        self.tokens, self.parents, self.depths = np.array(tokens), np.array(parents), np.array(depths)
        self.mask = np.full((len(tokens), len(tokens)), -np.inf, np.float32)
        for node, lineage in enumerate(lineages):
            self.mask[node, list(lineage)] = 0


def _attend(query: F32, key: F32, value: F32, mask: F32 | None = None) -> F32:
    heads = query.shape[1] // _HEAD
    q, k, v = (part.reshape(len(part), heads, _HEAD).transpose(1, 0, 2) for part in (query, key, value))
    scores = q @ k.transpose(0, 2, 1) / np.float32(_HEAD**0.5)
    if mask is not None:
        scores = scores + mask
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = scores / scores.sum(axis=-1, keepdims=True)
    return np.asarray((shares @ v).transpose(1, 0, 2).reshape(len(query), -1), np.float32)


def _look(query: F32, memory: F32, key_value: tuple[F32, F32]) -> F32:
    """Attend to the sound from one place; keys' biases move all frames alike, and so nothing."""
    heads, width = query.shape[1] // _HEAD, memory.shape[1]
    keys, values = (half.reshape(heads, _HEAD, width) for half in np.split(key_value[0], 2))
    scores = np.einsum("hd,hdw->hw", query.reshape(heads, _HEAD), keys) @ memory.T / np.float32(_HEAD**0.5)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    seen = np.einsum("hw,hdw->hd", shares @ memory, values).reshape(1, -1)
    return np.asarray(seen + np.split(key_value[1], 2)[1], np.float32)


def _forward(x: F32, layer: Layer) -> F32:
    inner = _linear(_normal(x, layer.ffn_norm), layer.ffn_in)
    bent = inner * (0.5 * (1 + erf(inner / np.sqrt(np.float32(2)))))  # GELU
    return _linear(np.asarray(bent, np.float32), layer.ffn_out)


def _linear(x: F32, weights: tuple[F32, F32]) -> F32:
    return np.asarray(x @ weights[0].T + weights[1], np.float32)


def _normal(x: F32, weights: tuple[F32, F32]) -> F32:
    centred = x - x.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return np.asarray(centred / spread * weights[0] + weights[1], np.float32)


def _logsumexp(values: F32) -> F32:
    top = values.max(axis=-1)
    return np.asarray(top + np.log(np.exp(values - top[..., None]).sum(axis=-1)), np.float32)


def _layer(weights: dict[str, F32], place: str) -> Layer:
    def linear(name: str) -> tuple[F32, F32]:
        return weights[f"{place}{name}/weight"], weights[f"{place}{name}/bias"]

    def norm(name: str) -> tuple[F32, F32]:
        return weights[f"{place}{name}/layer_norm/gamma"], weights[f"{place}{name}/layer_norm/beta"]

    return Layer(
        norm("self_attention"),
        linear("self_attention/linear_0"),
        linear("self_attention/linear_1"),
        norm("attention"),
        linear("attention/linear_0"),
        linear("attention/linear_1"),
        linear("attention/linear_2"),
        norm("ffn"),
        linear("ffn/linear_0"),
        linear("ffn/linear_1"),
    )


def _read(path: Path, kept: Sequence[int] | None) -> dict[str, F32]:
    """Return the decoder's arrays of a CTranslate2 model file, of the tokens only the kept ones."""
    try:
        data = path.read_bytes()
    except OSError as broken:
        raise ModelError(f"{path} is no Whisper model that can be read ({broken!r})") from broken
    found = dict[str, F32]()
    for stored in model_file.arrays(data, str(path))[0]:
        if stored.name.startswith("decoder/") and stored.shape:
            name = stored.name.removeprefix("decoder/")
            rows = stored.array[list(kept)] if name == _EMBEDDINGS and kept is not None else stored.array
            found[name] = rows.astype(np.float32)
    if _EMBEDDINGS not in found:
        raise ModelError(f"{path} holds no decoder")
    return found
