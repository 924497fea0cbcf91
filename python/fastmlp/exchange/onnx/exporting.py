"""A network as an ONNX graph, with operators that every runtime has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onnx import ModelProto, TensorProto, checker, defs, helper

import fastmlp
from fastmlp import files
from fastmlp._validation import brief
from fastmlp.data._conversion import Scaling
from fastmlp.exchange.normalizations import Learned, of_inputs, of_layer
from fastmlp.exchange.onnx.activations import add_activation
from fastmlp.exchange.onnx.builder import Builder
from fastmlp.exchange.onnx.names import add_names
from fastmlp.heads import Heads
from fastmlp.model.model import Model, refuse_not_finite

IR_VERSION = 8
_MOST_BYTES = 2**31 - 2**20  # a protobuf has at most 2 GiB


@dataclass(frozen=True, slots=True)
class Settings:
    """What the caller of `Network.to_onnx` may choose."""

    opset: int | None = None
    input_name: str = "X"
    output_name: str = "Y"
    labels: bool = False


def to_onnx(net: Model, path: files.Path, settings: Settings) -> None:
    """Write the network; see `Network.to_onnx`."""
    model = onnx_model(net, settings)
    files.write_file(path, model.SerializeToString(deterministic=True))


def onnx_model(net: Model, settings: Settings | None = None) -> ModelProto:
    """Return the network as a checked ONNX model."""
    settings = settings or Settings()
    if net.core.parameters.nbytes > _MOST_BYTES:
        raise ValueError(
            f"the network has {net.core.parameters.nbytes:,} bytes of parameters, "
            f"an ONNX file can have at most {_MOST_BYTES:,}"
        )
    refuse_not_finite(net)
    builder = Builder(net.dtype, settings.input_name)
    _scaling(builder, "input", net.input_scaling)
    builder.prefix = "input"
    _normalization(builder, of_inputs(net))
    for i, layer in enumerate(net.layers):
        builder.prefix = f"layer_{i}"
        weights = builder.constant("weights", net.core.weights(i))
        biases = builder.constant("biases", net.core.biases(i))
        builder.add("Gemm", builder.at, weights, biases, name="z")
        learned = of_layer(net, i)
        after = learned is not None and learned.kind.after_activation
        if not after:
            _normalization(builder, learned)
        if isinstance(layer, Heads):
            _heads(builder, layer)
        else:
            add_activation(builder, layer.activation)
        if after:
            _normalization(builder, learned)
    _scaling(builder, "output", net.output_scaling)
    builder.nodes[-1].output[0] = builder.at = settings.output_name
    outputs = [_label(net, builder, settings.output_name)] if settings.labels else []
    _check_names(builder, settings)
    return checked_model(
        net, builder.nodes, builder.constants, _opset(builder, settings.opset), settings, outputs
    )


def _check_names(builder: Builder, settings: Settings) -> None:
    """Refuse names of the input and the output that other tensors have."""
    names = [settings.input_name, *(node.output[0] for node in builder.nodes)]
    names += [constant.name for constant in builder.constants]
    for argument in ("input_name", "output_name"):
        name = getattr(settings, argument)
        if names.count(name) > 1 or not name:
            raise ValueError(f"{argument}={brief(name)} must not be empty or the name of another")


def _opset(builder: Builder, wanted: int | None) -> int:
    """Return the operator set: the first with all operators, or a later one."""
    highest = defs.onnx_opset_version()
    if wanted is not None and not builder.opset <= wanted <= highest:
        raise ValueError(
            f"opset must be in {builder.opset}..{highest}, whose operators this network needs and "
            f"onnx has, got {wanted}"
        )
    return wanted or builder.opset


def _label(net: Model, builder: Builder, outputs: str) -> Any:
    """Add the class of each row: its name, or its number if it has none."""
    activation = net.layers[-1].activation
    if isinstance(net.layers[-1], Heads) or not (
        activation == "softmax" or (activation == "sigmoid" and net.outputs == 1)
    ):
        raise ValueError(
            "labels=True is for networks with softmax, or one output with sigmoid, at the end"
        )
    builder.prefix = "label"
    if net.outputs == 1:
        rest = builder.add("Sub", builder.number(1.0), outputs, name="rest")
        outputs = builder.add("Concat", rest, outputs, name="both", axis=1)
    builder.add("ArgMax", outputs, name="number", axis=1, keepdims=0)
    kind, names = TensorProto.INT64, net.core.class_names
    if names is not None:
        kind = TensorProto.STRING
        texts = [str(name).encode() for name in names]
        builder.constants.append(helper.make_tensor("label.names", kind, [len(texts)], texts))
        builder.add("Gather", "label.names", builder.at, name="name", axis=0)
    builder.nodes[-1].output[0] = "label"
    return helper.make_tensor_value_info("label", kind, ["batch"])


def checked_model(
    net: Model,
    nodes: list[Any],
    constants: list[Any],
    opset: int,
    settings: Settings | None = None,
    outputs: Sequence[Any] = (),
) -> ModelProto:
    """Return a model of nodes that compute the outputs of `net`, with its names.

    Features, outputs and their type are those of `net`, too; `outputs` are more of them.
    """
    settings = settings or Settings()
    kind = helper.np_dtype_to_tensor_dtype(net.dtype)
    graph = helper.make_graph(
        nodes,
        "fastmlp",
        [helper.make_tensor_value_info(settings.input_name, kind, ["batch", net.features])],
        [
            helper.make_tensor_value_info(settings.output_name, kind, ["batch", net.outputs]),
            *outputs,
        ],
        constants,
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        graph,
        producer_name="fastmlp",
        producer_version=fastmlp.__version__,
        ir_version=max(IR_VERSION, helper.find_min_ir_version_for(opsets)),
        opset_imports=opsets,
    )
    heads = [name for name, _ in net.loss.heads] or None
    add_names(model, net.feature_names, net.core.class_names, heads)
    checker.check_model(model, full_check=True)
    return model


def _heads(builder: Builder, layer: Heads) -> None:
    """Add the activation of each head, of its columns, and join them."""
    z, parts, first = builder.at, [], 0
    for i, (_, head) in enumerate(layer.named):
        builder.prefix = f"head_{i}"
        columns = builder.integer("first", first), builder.integer("end", first + head.nodes)
        builder.add("Slice", z, *columns, builder.integer("axis", 1), name="z")
        add_activation(builder, head.activation)
        parts.append(builder.at)
        first += head.nodes
    builder.prefix = "heads"
    builder.add("Concat", *parts, name="joined", axis=1)


def _scaling(builder: Builder, prefix: str, scaling: Scaling | None) -> None:
    """Add the scale and offset of features or outputs, if the network has them."""
    if scaling is None:
        return
    builder.prefix = prefix
    builder.add("Mul", builder.at, builder.constant("scale", scaling[0]), name="scaled")
    builder.add("Add", builder.at, builder.constant("offset", scaling[1]), name="shifted")


def _normalization(builder: Builder, learned: Learned | None) -> None:
    """Add a normalization, if there is one, in prediction mode."""
    if learned is None:
        return
    parts = {"scales": learned.scales, "shifts": learned.shifts}
    if learned.kind == "batch":
        parts["means"], parts["variances"] = learned.averages
        operator, attributes = "BatchNormalization", {}
        builder.opset = max(builder.opset, 14)  # which onnx' own evaluator computes right
    else:
        operator, attributes = "LayerNormalization", {"axis": -1}
        builder.opset = max(builder.opset, 17)
    constants = [builder.constant(name, array) for name, array in parts.items()]
    builder.add(
        operator,
        builder.at,
        *constants,
        name="normalized",
        epsilon=learned.kind.epsilon,
        **attributes,
    )
