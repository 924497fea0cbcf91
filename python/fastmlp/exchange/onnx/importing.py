"""Import of ONNX graphs of dense layers. Files are not trusted, and nothing is executed."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, ValueInfoProto, checker, external_data_helper

from fastmlp import files
from fastmlp._validation import brief
from fastmlp.exchange.assembly import assemble
from fastmlp.exchange.onnx.constants import Constants, attribute
from fastmlp.exchange.onnx.ensemble import refuse_mean
from fastmlp.exchange.onnx.evaluation import Evaluation
from fastmlp.exchange.onnx.gelu import DOMAIN, with_gelu
from fastmlp.exchange.onnx.heads import columns, joined
from fastmlp.exchange.onnx.names import (
    CLASS_NAMES,
    FEATURE_NAMES,
    HEAD_NAMES,
    names_in,
    names_of_labels,
)
from fastmlp.exchange.onnx.operators import (
    OPERATORS,
    casts_to_float,
    combined,
    unsupported,
    where,
)
from fastmlp.exchange.steps import Step, Width
from fastmlp.exchange.values import Value
from fastmlp.exchange.verification import verify as verify_steps
from fastmlp.losses import LossLike
from fastmlp.model.feature_names import usable_names
from fastmlp.model.model import Model

_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", DOMAIN)
_DECIDING = ("ArgMax", "Binarizer", "ZipMap")
_AFTER_DECIDING = ("ArrayFeatureExtractor", "Cast", "Gather", "Identity", "Reshape", "Squeeze")


@dataclass(frozen=True, slots=True)
class _Decision:
    """Labels or names computed from a value, which are not part of a network."""

    of: Value


def from_onnx(
    model: object, output: str | None, loss: LossLike | None, seed: int | None, verify: bool
) -> Model:
    """Return a network with the weights of `model`; see `fastmlp.from_onnx`."""
    proto = _loaded(model)
    refuse_mean(proto.graph)
    reader = _Reader(proto)
    tensors, value = reader.result()
    steps = value.steps("the graph's output")
    if verify:
        evaluation = Evaluation(proto, tensors)
        whole = evaluation.takes_integers
        verify_steps(
            steps, evaluation.outputs, evaluation.precision, whole=whole, parts=reader.parts
        )
    net = assemble(steps, output=output, loss=loss, seed=seed)
    net.feature_names = usable_names(names_in(proto, FEATURE_NAMES), net.features)
    classes = names_in(proto, CLASS_NAMES) or reader.class_names
    net.core.class_names = usable_names(classes, net.n_classes)
    return net


def _loaded(model: object) -> ModelProto:
    if isinstance(model, ModelProto):
        return model
    if not isinstance(model, str | Path | bytes):
        raise TypeError(
            f"model must be a path, bytes or an onnx.ModelProto, got {type(model).__name__}"
        )
    if not isinstance(model, bytes):
        files.refuse_devices(model)
    content = model if isinstance(model, bytes) else Path(model).read_bytes()
    proto = ModelProto()
    name = "the model" if isinstance(model, bytes) else files.shown(str(model))
    if not content:  # which protobuf accepts as an empty message
        raise ValueError(f"{name} is empty: not an ONNX file")
    try:
        proto.ParseFromString(content)
    except DecodeError:
        raise ValueError(f"{name} is not an ONNX file") from None
    if not isinstance(model, bytes):
        try:  # large models have external weights; onnx only reads files in the same folder
            external_data_helper.load_external_data_for_model(proto, str(Path(model).parent))
        except (checker.ValidationError, OSError, ValueError, TypeError) as error:
            raise ValueError(f"{name}: its external data cannot be read: {error}") from None
    return proto


class _Reader:
    """Reads the nodes once, following the sample from the input to the outputs."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self._graph = model.graph
        self.class_names: list[str] | None = None
        """Of a classifier that returns them, after `result`."""
        self._head_names = names_in(model, HEAD_NAMES)
        self._constants = Constants(model.graph.initializer)
        self._values: dict[str, Value | _Decision] = {}
        self._compared: dict[str, Value] = {}
        """By the result of Greater: what was compared with a number."""
        inputs = [info for info in model.graph.input if info.name not in self._constants]
        if len(inputs) != 1:
            names = [info.name for info in inputs[:10]]
            raise ValueError(f"the graph must have one input, it has {len(inputs)}: {names}")
        self._values[inputs[0].name] = _input(inputs[0])

    def result(self) -> tuple[list[str], Value]:
        """Return the output, or the value that decisions are computed from, and its tensors.

        Several outputs are those of heads, by their names.
        """
        for node in with_gelu(self._graph.node, self._constants):
            self._read(node)
        outputs = [self._values.get(output.name) for output in self._graph.output]
        values = [value for value in outputs if isinstance(value, Value)]
        if not values:
            values = [decision.of for decision in outputs if isinstance(decision, _Decision)]
        if len({id(value) for value in values}) == 1:
            tensors = [name for name, value in self._values.items() if value is values[0]]
            return tensors[:1], values[0]
        names = [output.name for output in self._graph.output]
        if len(values) < max(2, len(names)):
            raise ValueError(
                f"the graph must have one output computed from its input, of {names[:10]} "
                f"{len(values)} are"
            )
        return names, joined(dict(zip(names, values, strict=True)))

    def parts(self, X: NDArray[Any]) -> Iterator[tuple[list[Step], str, NDArray[Any]]]:
        """Yield the steps up to each node, its name, and what it computes for rows."""
        for node in self._graph.node:
            value = self._values.get(node.output[0]) if node.output else None
            if isinstance(value, Value):
                with suppress(ValueError):  # of a node that is a part of an activation
                    steps = value.steps(where(node))
                    outputs = Evaluation(self._model, [node.output[0]]).outputs(X)
                    if outputs is not None:
                        yield steps, where(node), outputs

    def _read(self, node: NodeProto) -> None:
        if node.domain not in _DOMAINS:
            raise unsupported(node, f"of the unknown operators {brief(node.domain)}")
        if not node.output:
            raise ValueError(f"{where(node)}: has no output")
        inputs = [self._values[name] for name in node.input if name in self._values]
        if not inputs:
            self._constants.fold(node)
        elif node.op_type == "Shape":
            self._constants.set(node.output[0], np.array([0, -1]))  # as in Reshape
        else:
            self._values.update(self._results(node, inputs))

    def _results(
        self, node: NodeProto, inputs: list[Value | _Decision]
    ) -> Mapping[str, Value | _Decision]:
        if node.op_type == "Split":
            return self._split(node, inputs)
        return {node.output[0]: self._computed(node, inputs)}

    def _computed(self, node: NodeProto, inputs: list[Value | _Decision]) -> Value | _Decision:
        values = [value for value in inputs if isinstance(value, Value)]
        if len(values) < len(inputs):
            if node.op_type not in _DECIDING + _AFTER_DECIDING:
                raise unsupported(node, "computes with labels")
            self.class_names = names_of_labels(node, self._constants) or self.class_names
            return next(value for value in inputs if isinstance(value, _Decision))
        if (decision := self._decision(node, values[0])) is not None:
            return decision
        if node.op_type == "Concat":
            return self._concatenated(node, values)
        if len(values) > 1:
            return combined(node, *values)
        if node.op_type == "Slice":
            return self._slice(node, values[0])
        if node.op_type not in OPERATORS:
            raise unsupported(node, "not supported")
        first = node.input[0] in self._values
        others = [name for name in node.input if name and name not in self._values]
        constants = [self._constants.get(name, where(node)) for name in others]
        return OPERATORS[node.op_type](node, values[0], constants, first)

    def _decision(self, node: NodeProto, value: Value) -> _Decision | None:
        """Return the labels that a node computes from a value; None if it computes none."""
        if node.op_type in _DECIDING:
            if node.op_type == "ArgMax" and attribute(node, "axis", 0) not in (1, -1):
                raise unsupported(node, "only of the outputs of each row, with axis 1")
            self.class_names = names_of_labels(node, self._constants) or self.class_names
            return _Decision(value)
        if node.op_type == "Greater":
            self._compared[node.output[0]] = value
        if node.op_type == "Cast" and node.input[0] in self._compared and not casts_to_float(node):
            return _Decision(self._compared[node.input[0]])
        return None

    def _concatenated(self, node: NodeProto, values: list[Value]) -> Value | _Decision:
        """Return the outputs of heads next to each other, or a decision from 1 - p and p."""
        probability = _probability(values)
        if probability is not None:
            return _Decision(probability)
        if attribute(node, "axis", 0) not in (1, -1) or len(values) != len(node.input):
            raise unsupported(node, "only of heads, next to each other")
        names = [str(name) for name in self._head_names or ()]
        if len(set(names)) != len(values):
            names = [f"head_{i}" for i in range(len(values))]
        return joined(dict(zip(names, values, strict=True)))

    def _slice(self, node: NodeProto, value: Value) -> Value:
        """Return the columns of a head."""
        bounds = [self._numbers(node, i, key) for i, key in enumerate(("starts", "ends"), start=1)]
        axes, steps = self._numbers(node, 3, "axes"), self._numbers(node, 4, "steps")
        if axes not in ([1], [-1]) or steps not in ([], [1]) or any(len(b) != 1 for b in bounds):
            raise unsupported(node, "only of columns next to each other")
        return columns(value, bounds[0][0], bounds[1][0], where(node))

    def _split(self, node: NodeProto, values: list[Value | _Decision]) -> dict[str, Value]:
        """Return the columns of each head by the names of the outputs."""
        sizes, value = self._numbers(node, 1, "split"), values[0]
        fits = attribute(node, "axis", 0) in (1, -1) and len(sizes) == len(node.output)
        if not fits or not isinstance(value, Value) or min(sizes) < 1:
            raise unsupported(node, "only of columns, with the number of each part")
        parts, first = {}, 0
        for name, size in zip(node.output, sizes, strict=True):
            parts[name] = columns(value, first, first + size, where(node))
            first += size
        return parts

    def _numbers(self, node: NodeProto, i: int, key: str) -> list[int]:
        """Return the integers of input i, or of an attribute before opset 10."""
        if len(node.input) <= i or not node.input[i]:
            return [int(number) for number in attribute(node, key, [])]
        return [int(number) for number in self._constants.get(node.input[i], where(node)).ravel()]


def _input(info: ValueInfoProto) -> Value:
    dimensions = [dimension.dim_value for dimension in info.type.tensor_type.shape.dim[1:]]
    if not dimensions or min(dimensions) <= 0:
        return Value()  # with free dimensions: the first layer determines the width
    size = 1
    for dimension in dimensions:
        size *= dimension
    return Value().then(Width(size, f"input {brief(info.name)}"))


def _probability(values: list[Value]) -> Value | None:
    """Return p from the two columns 1 - p and p of binary classifiers; None for others."""
    if len(values) == 2 and values[0].chain is values[1].chain:
        complement, value = values
        if complement.text() == value.times(-1.0).plus(1.0).text():
            return value
    return None
