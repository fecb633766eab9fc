"""Opening a sherpa-onnx model directory: what is in it decides how it is loaded.

The engine ends the whole process over a model it does not understand, so files and their metadata are
looked at before it sees them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicebot.domain.errors import ModelError

_HINT = "voicebot models pull sense-voice (or paraformer-zh, zipformer-zh), or unpack the model again"
_TRANSDUCERS = frozenset({"zipformer", "zipformer2", "conformer", "lstm"})


@dataclass(frozen=True, slots=True)
class Opened:
    """A loaded model."""

    engine: Any  # sherpa_onnx.OnlineRecognizer or OfflineRecognizer
    streams: bool  # decodes while speech comes
    kind: str  # SenseVoice, Paraformer, zipformer …


def open_model(directory: Path) -> Opened:
    """Load a model with one thread. Raises ModelError."""
    try:
        import sherpa_onnx
    except ImportError as absent:
        raise ModelError(
            "the package sherpa-onnx is not installed", hint="pip install 'voicebot[sherpa]'"
        ) from absent
    tokens = directory / "tokens.txt"
    if not tokens.is_file():
        raise ModelError(f"{tokens} is missing", hint=_HINT)
    encoder, decoder, joiner, single = (
        _file(directory, name) for name in ("encoder", "decoder", "joiner", "model")
    )
    try:
        if encoder and decoder and joiner:
            kind = _kind(encoder, needs=("decode_chunk_len",))
            if kind not in _TRANSDUCERS:
                raise ModelError(f"{encoder.name} is of type {kind!r}, which is not known here", hint=_HINT)
            transducer = sherpa_onnx.OnlineRecognizer.from_transducer(
                str(tokens), str(encoder), str(decoder), str(joiner), num_threads=1
            )
            return Opened(transducer, streams=True, kind=kind)
        if single:
            return _offline(sherpa_onnx, single, tokens)
    except RuntimeError as broken:
        raise ModelError(f"{directory} can not be loaded ({broken})", hint=_HINT) from broken
    raise ModelError(
        f"{directory} holds neither model*.onnx nor encoder*, decoder* and joiner*.onnx", hint=_HINT
    )


def _offline(sherpa_onnx: Any, model: Path, tokens: Path) -> Opened:
    kind = _kind(model, needs=("vocab_size", "lfr_window_size", "neg_mean", "inv_stddev"))
    recognizer = sherpa_onnx.OfflineRecognizer
    if "sense_voice" in kind:
        opened = recognizer.from_sense_voice(str(model), str(tokens), language="zh", use_itn=False)
        return Opened(opened, streams=False, kind="SenseVoice")
    if "paraformer" in kind:
        return Opened(recognizer.from_paraformer(str(model), str(tokens)), streams=False, kind="Paraformer")
    raise ModelError(f"{model.name} is of type {kind!r}, which is not known here", hint=_HINT)


def _file(directory: Path, name: str) -> Path | None:
    """Return the file of a part, the int8 one if there are two; None if there is none."""
    found = sorted(directory.glob(f"{name}*.onnx"), key=lambda path: (".int8." not in path.name, path.name))
    return found[0] if found else None


def _kind(path: Path, needs: tuple[str, ...]) -> str:
    """Return a model's type from its metadata. Raises ModelError."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as broken:  # onnxruntime's errors have no common class of their own
        raise ModelError(f"{path} is no usable ONNX model ({broken})", hint=_HINT) from broken
    told: dict[str, str] = session.get_modelmeta().custom_metadata_map
    missing = [name for name in needs if name not in told]
    if missing:
        raise ModelError(
            f"{path.name} does not say its {', '.join(missing)}: it was not exported for sherpa-onnx",
            hint=_HINT,
        )
    return str(told.get("model_type", "")).lower()
