"""Models of the shapes that sherpa-onnx loads, which know two sounds: a low tone 可, a high one 以.

No weights are needed: the engine's own features, decoding and time stamps run for real.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

BINS = 80  # of the features
STACKED = 7  # frames that SenseVoice and Paraformer read as one
FRAMES, CHUNK = 45, 32  # that the zipformer reads at once, and moves on by
CONTEXT = 2  # symbols that its decoder looks back
OFFLINE = ("<blank>", "<s>", "</s>", "可", "以")
TAGS = ("<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|woitn|>")  # that SenseVoice says before every text
ONLINE = ("<blk>", "<sos/eos>", "<unk>", "可", "以")
END, LOW, HIGH = 2, 3, 4  # their tokens


def sense_voice(directory: Path) -> Path:
    """Write a SenseVoice of two sounds."""
    symbols = (*OFFLINE, *TAGS)
    tags = np.zeros((1, len(TAGS), len(symbols)), np.float32)
    tags[0, range(len(TAGS)), range(len(OFFLINE), len(symbols))] = 1e3
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["spoken"]),
        helper.make_node("Concat", ["tags", "spoken"], ["logits"], axis=1),
    ]
    inputs = [
        _value("x", TensorProto.FLOAT, ["N", "T", BINS * STACKED]),
        *(_value(name, TensorProto.INT32, ["N"]) for name in ("x_length", "language", "text_norm")),
    ]
    told: dict[str, object] = {
        "lang_auto": 0,
        "lang_zh": 3,
        "lang_en": 4,
        "lang_ja": 11,
        "lang_ko": 12,
        "lang_yue": 7,
    }
    told |= {"with_itn": 14, "without_itn": 15, "normalize_samples": 0}
    output = [_value("logits", TensorProto.FLOAT, ["N", "T2", len(symbols)])]
    parts = [*_classifier(BINS * STACKED, len(symbols)), numpy_helper.from_array(tags, "tags")]
    told |= _offline("sense_voice_ctc", len(symbols))
    _save(directory / "model.int8.onnx", nodes, inputs, output, parts, told)
    return _tokens(directory, symbols)


def paraformer(directory: Path) -> Path:
    """Write a Paraformer of two sounds: it says 可 if the low tone was anywhere, then 以 likewise."""
    size = len(OFFLINE)
    only_low, only_high = np.zeros((2, 1, 1, size), np.float32)
    only_low[0, 0, [0, HIGH]] = only_high[0, 0, [0, LOW]] = -1e4
    nodes = [
        helper.make_node("MatMul", ["speech", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["heard"]),
        helper.make_node("ReduceMax", ["heard"], ["most"], axes=[1], keepdims=1),
        helper.make_node("Add", ["most", "only_low"], ["first"]),
        helper.make_node("Add", ["most", "only_high"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["logits"], axis=1),
        helper.make_node("Mul", ["speech_lengths", "none"], ["zero"]),
        helper.make_node("Add", ["zero", "two"], ["token_num"]),
    ]
    inputs = [
        _value("speech", TensorProto.FLOAT, ["N", "T", BINS * STACKED]),
        _value("speech_lengths", TensorProto.INT32, ["N"]),
    ]
    outputs = [
        _value("logits", TensorProto.FLOAT, ["N", 2, size]),
        _value("token_num", TensorProto.INT32, ["N"]),
    ]
    parts = [
        *_classifier(BINS * STACKED, size),
        numpy_helper.from_array(only_low, "only_low"),
        numpy_helper.from_array(only_high, "only_high"),
        numpy_helper.from_array(np.array([0], np.int32), "none"),
        numpy_helper.from_array(np.array([2], np.int32), "two"),
    ]
    _save(directory / "model.int8.onnx", nodes, inputs, outputs, parts, _offline("paraformer", size))
    return _tokens(directory, OFFLINE)


def zipformer(directory: Path) -> Path:
    """Write a streaming zipformer transducer of two sounds: one layer, whose states stay as they are."""
    dim, left, kernel = 8, 4, 31
    states: dict[str, list[str | int]] = {
        "cached_key_0": [left, "N", 4],
        "cached_nonlin_attn_0": [1, "N", left, 3 * dim // 4],
        "cached_val1_0": [left, "N", 4],
        "cached_val2_0": [left, "N", 4],
        "cached_conv1_0": ["N", dim, kernel // 2],
        "cached_conv2_0": ["N", dim, kernel // 2],
        "embed_states": ["N", 128, 3, 19],
    }
    nodes = [helper.make_node("Slice", ["x", "from", "to", "axis", "step"], ["encoder_out"])]
    nodes += [helper.make_node("Identity", [name], [f"new_{name}"]) for name in (*states, "processed_lens")]
    inputs = [
        _value("x", TensorProto.FLOAT, ["N", FRAMES, BINS]),
        *(_value(name, TensorProto.FLOAT, shape) for name, shape in states.items()),
        _value("processed_lens", TensorProto.INT64, ["N"]),
    ]
    outputs = [
        _value("encoder_out", TensorProto.FLOAT, ["N", CHUNK // 4, BINS]),
        *(_value(f"new_{name}", TensorProto.FLOAT, shape) for name, shape in states.items()),
        _value("new_processed_lens", TensorProto.INT64, ["N"]),
    ]
    cut = [
        numpy_helper.from_array(np.array([value], np.int64), name)
        for name, value in (("from", 0), ("to", CHUNK), ("axis", 1), ("step", 4))
    ]
    told = {
        "model_type": "zipformer2",
        "decode_chunk_len": CHUNK,
        "T": FRAMES,
        "num_encoder_layers": 1,
        "encoder_dims": dim,
        "cnn_module_kernels": kernel,
        "left_context_len": left,
        "query_head_dims": 4,
        "value_head_dims": 4,
        "num_heads": 1,
    }
    _save(directory / "encoder-tiny.int8.onnx", nodes, inputs, outputs, cut, told)
    _transducer(directory)
    return _tokens(directory, ONLINE)


def _transducer(directory: Path) -> None:
    """Write decoder and joiner: the decoder only forbids the last symbol to come again."""
    size = len(ONLINE)
    forbidden = np.zeros((size, size), np.float32)
    forbidden[[LOW, HIGH], [LOW, HIGH]] = -1e4
    nodes = [
        helper.make_node("Gather", ["y", "last"], ["symbol"], axis=1),
        helper.make_node("Gather", ["forbidden", "symbol"], ["decoder_out"]),
    ]
    _save(
        directory / "decoder-tiny.onnx",
        nodes,
        [_value("y", TensorProto.INT64, ["N", CONTEXT])],
        [_value("decoder_out", TensorProto.FLOAT, ["N", size])],
        [
            numpy_helper.from_array(np.array(CONTEXT - 1, np.int64), "last"),
            numpy_helper.from_array(forbidden, "forbidden"),
        ],
        {"context_size": CONTEXT, "vocab_size": size},
    )
    nodes = [
        helper.make_node("MatMul", ["encoder_out", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["heard"]),
        helper.make_node("Add", ["heard", "decoder_out"], ["logit"]),
    ]
    _save(
        directory / "joiner-tiny.int8.onnx",
        nodes,
        [
            _value("encoder_out", TensorProto.FLOAT, ["N", BINS]),
            _value("decoder_out", TensorProto.FLOAT, ["N", size]),
        ],
        [_value("logit", TensorProto.FLOAT, ["N", size])],
        _classifier(BINS, size),
        {"joiner_dim": BINS},
    )


def _classifier(width: int, size: int) -> list[TensorProto]:
    """Return weights that hear whether there is more sound about 400 Hz or about 3200 Hz."""
    frames = width // BINS
    half = np.zeros(BINS)
    half[7:17], half[48:58] = 0.1, -0.1
    lower: NDArray[np.float64] = np.tile(half, frames) / frames
    weights = np.zeros((width, size), np.float32)
    weights[:, LOW], weights[:, HIGH] = lower, -lower
    bias = np.full(size, -1e3, np.float32)
    bias[[0, END]], bias[[LOW, HIGH]] = 1.0, 0.0  # nothing is said until the two differ
    return [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")]


def _offline(kind: str, size: int) -> dict[str, object]:
    width = BINS * STACKED
    return {
        "model_type": kind,
        "vocab_size": size,
        "lfr_window_size": STACKED,
        "lfr_window_shift": STACKED - 1,
        "neg_mean": ",".join(["0"] * width),
        "inv_stddev": ",".join(["1"] * width),
    }


def _value(name: str, kind: int, shape: Sequence[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    parts: list[TensorProto],
    told: Mapping[str, object],
) -> None:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, parts)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {name: str(value) for name, value in told.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))


def _tokens(directory: Path, symbols: tuple[str, ...]) -> Path:
    lines = (f"{symbol} {number}\n" for number, symbol in enumerate(symbols))
    (directory / "tokens.txt").write_text("".join(lines), "utf-8")
    return directory
