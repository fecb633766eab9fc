"""The tokens that a talk in Mandarin needs of a Whisper model.

Whisper knows 51 865 tokens of a hundred languages and weighs all of them at every step of its search: nearly
half of a step. Those of other scripts, and the rarer ones of Latin script, are left out when a model is
loaded. What remains spells every Mandarin text, common English words (mailboxes speak English), and any other
word from smaller pieces.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from voicebot.domain.errors import ModelError
from voicebot.speech.recognition import model_file

MULTILINGUAL = 51_865  # tokens at least; OpenAI's English models have fewer
_COMMON = 12_000  # tokens of Latin script that were merged first, so the most frequent
_ANNOUNCED = (  # rarer words of networks and mailboxes (text/announcements.py): kept, with their parts
    "voicemail mailbox message beep busy engaged available unavailable answering powered switched "
    "suspended disconnected service invalid vacant unallocated circuits network congested connected "
    "reached reachable coverage temporarily barring restricted accepting incoming subscriber customer "
    "dialed dialled dialing redial forwarded"
)
_PART = 3  # letters of a part at least
_MARKS = "“”‘’…—·×％￥"
_FILES = ("model.bin", "config.json", "vocabulary.json", "tokenizer.json")
_NEEDED = ("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>")


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Which of a model's tokens are kept: `kept[i]` is the model's own number of token i."""

    kept: tuple[int, ...]
    size: int  # tokens of the whole model

    @property
    def multilingual(self) -> bool:
        """Whether the model knows languages by name."""
        return self.size >= MULTILINGUAL

    def own(self, tokens: Iterable[int]) -> list[int]:
        """Return the model's own numbers of kept tokens."""
        return [self.kept[token] for token in tokens]

    def numbers(self, own: Iterable[int]) -> list[int] | None:
        """Return the numbers of the model's own tokens among the kept; None if one of them is not kept."""
        numbers = [self._place.get(token, -1) for token in own]
        return None if -1 in numbers else numbers

    @cached_property
    def _place(self) -> dict[int, int]:
        return {own: number for number, own in enumerate(self.kept)}


def read(directory: Path) -> Vocabulary:
    """Return what is kept of a model's vocabulary.json; all of it, if it is not one of OpenAI's multilingual.

    Raises:
        ModelError: the file is missing or broken.
    """
    path = directory / "vocabulary.json"
    try:
        tokens = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as broken:
        raise ModelError(f"{path} can not be read ({broken})", hint="run: voicebot doctor") from broken
    if len(tokens) < MULTILINGUAL or any(token not in tokens for token in _NEEDED):
        return Vocabulary(tuple(range(len(tokens))), len(tokens))
    specials = tokens.index("<|endoftext|>")
    last = tokens.index("<|notimestamps|>")  # times follow it: words are placed by the sound
    words = (number for number, token in enumerate(tokens[:specials]) if _is_kept(number, token))
    return Vocabulary((*words, *range(specials, last + 1)), len(tokens))


@contextmanager
def pruned(directory: Path) -> Iterator[Path]:
    """Yield a folder that holds the model with the kept tokens only, for as long as it takes to load it.

    CTranslate2 takes files from memory too, but then it keeps them: 105 MB for each decoder of whisper-base.

    Raises:
        ModelError: the model can not be read, or there is no room for it.
    """
    for name in _FILES:
        if not (directory / name).is_file():
            raise ModelError(f"{directory / name} is missing", hint="run: voicebot doctor")
    contents = _files(directory, read(directory))
    with ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="voicebot-whisper-")))
            for name in list(contents):
                (folder / name).write_bytes(contents.pop(name))
        except OSError as full:
            raise ModelError(
                f"no room for the recogniser's model in {gettempdir()} ({full.strerror})",
                hint="make room for 150 MB there, or name another folder by TMPDIR",
            ) from full
        yield folder


def _files(directory: Path, vocabulary: Vocabulary) -> dict[str, bytes]:
    """Return the files of a model with the kept tokens only. Raises ModelError."""
    path = directory / "model.bin"
    try:
        weights = path.read_bytes()
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        tokens = json.loads((directory / "vocabulary.json").read_text(encoding="utf-8"))
        tokenizer = (directory / "tokenizer.json").read_bytes()
    except (OSError, ValueError) as broken:
        raise ModelError(f"{directory} can not be read ({broken})", hint="run: voicebot doctor") from broken
    for name in ("lang_ids", "suppress_ids", "suppress_ids_begin"):
        config[name] = _kept(vocabulary, config.get(name, []))
    return {
        "model.bin": model_file.with_rows(weights, str(path), vocabulary.kept, vocabulary.size),
        "config.json": json.dumps(config).encode(),
        "vocabulary.json": json.dumps([tokens[own] for own in vocabulary.kept]).encode(),
        "tokenizer.json": tokenizer,
    }


def _kept(vocabulary: Vocabulary, own: Sequence[int]) -> list[int]:
    return [number for token in own for number in vocabulary.numbers([token]) or ()]


def _is_kept(number: int, token: str) -> bool:
    try:
        text = bytes(_BYTES[character] for character in token).decode().strip()
    except UnicodeDecodeError:
        return True  # a part of a character: rare hanzi are spelt with them
    if text.isascii():
        return number < _COMMON or (len(text) >= _PART and text.lower() in _ANNOUNCED)
    return all(
        "\u4e00" <= character <= "\u9fff"
        or "\u3000" <= character <= "\u303f"
        or "\uff00" <= character <= "\uffef"
        or character in _MARKS
        for character in text
    )


def _byte_letters() -> dict[str, int]:
    """Return the byte that each letter of a byte-level vocabulary stands for (as GPT-2 began it)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in set(printable))
    return letters | {chr(256 + index): byte for index, byte in enumerate(others)}


_BYTES = _byte_letters()
