"""Computes an ONNX graph by ONNX Runtime, or the evaluator of onnx, to verify what was read."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, TensorProto, ValueInfoProto, helper

Array = NDArray[Any]

_FLOATS: Final = (TensorProto.FLOAT, TensorProto.DOUBLE)
_INTEGERS: Final = (
    *(TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64),
    *(TensorProto.INT16, TensorProto.INT32, TensorProto.INT64),
)

_MOST_ELEMENTS: Final = 10**7
"""Features of a batch up to which a graph is computed: its size is only what a file says."""

_RIGHT_NORMALIZATION: Final = 14
"""The evaluator of onnx computes older batch normalizations with statistics of the batch."""


class Evaluation:
    """What a graph that was understood, and is harmless, computes up to some tensors.

    Parameters
    ----------
    model : ModelProto
        The graph.
    tensors : list of str
        Their names; several are put next to each other.
    """

    def __init__(self, model: ModelProto, tensors: list[str]) -> None:
        self._model = _up_to(model, tensors)
        constants = {each.name for each in model.graph.initializer}
        given = next(each for each in model.graph.input if each.name not in constants)
        kind = given.type.tensor_type
        self._name = given.name
        self._kind = kind.elem_type
        batch, *sizes = [size.dim_value for size in kind.shape.dim] or [0]
        self._batch = batch
        self._shape = sizes if all(sizes) else []

    @property
    def takes_integers(self) -> bool:
        """Whether the features are integers."""
        return self._kind in _INTEGERS

    @property
    def precision(self) -> float:
        """The eps of the attributes of nodes, such as epsilons, which are float32."""
        kinds = {each.type for node in self._model.graph.node for each in node.attribute}
        return 2.0**-24 if AttributeProto.FLOAT in kinds else 0.0

    def outputs(self, X: Array) -> Array | None:
        """Return the tensors for rows X (B, K), or None if nothing here computes them."""
        if self._kind not in (*_INTEGERS, *_FLOATS):
            return None
        rows = X.astype(helper.tensor_dtype_to_np_dtype(self._kind))
        rows = rows.reshape(len(X), *(self._shape or X.shape[1:]))
        if self._batch and self._batch * X.shape[1] > _MOST_ELEMENTS:
            return None
        for run in (self._by_runtime, self._by_evaluator):
            try:
                return self._in_batches(run, rows)
            except Exception:  # noqa: BLE001  (whatever it does not support)
                continue
        return None

    def _in_batches(self, run: Any, rows: Array) -> Array:
        """Compute rows in batches of the size that the graph has, if it has one."""
        size = self._batch or len(rows)
        padded = np.resize(rows, (-(-len(rows) // size) * size, *rows.shape[1:]))
        batches = [run(padded[start : start + size]) for start in range(0, len(padded), size)]
        parts = [[np.asarray(part).reshape(size, -1) for part in batch] for batch in batches]
        joined: Array = np.block(parts)
        return joined[: len(rows)]

    def _by_runtime(self, rows: Array) -> Any:
        import onnxruntime  # noqa: PLC0415  (optional)

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(self._model.SerializeToString(), options)
        return session.run(None, {self._name: rows})

    def _by_evaluator(self, rows: Array) -> Any:
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415  (takes long to import)

        opset = max(each.version for each in self._model.opset_import if not each.domain)
        if opset < _RIGHT_NORMALIZATION:
            _refuse_normalization(self._model)
        return ReferenceEvaluator(self._model).run(None, {self._name: rows})


def _refuse_normalization(model: ModelProto) -> None:
    if any(node.op_type == "BatchNormalization" for node in model.graph.node):
        raise NotImplementedError


def _up_to(model: ModelProto, tensors: list[str]) -> ModelProto:
    """Return a copy whose outputs are some tensors, with the nodes that they depend on."""
    needed, nodes = set(tensors), []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:], copy.graph.output[:]
    copy.graph.node.extend(reversed(nodes))
    copy.graph.output.extend(ValueInfoProto(name=tensor) for tensor in tensors)
    return copy
