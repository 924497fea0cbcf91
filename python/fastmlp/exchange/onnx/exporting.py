"""A network as an ONNX graph, with operators that every runtime has."""

from typing import Any

from onnx import ModelProto, checker, helper

import fastmlp
from fastmlp import files
from fastmlp.data._conversion import Scaling
from fastmlp.exchange.normalizations import Learned, of_inputs, of_layer
from fastmlp.exchange.onnx.activations import add_activation
from fastmlp.exchange.onnx.builder import Builder
from fastmlp.exchange.onnx.gelu import DOMAIN, gelu_function
from fastmlp.exchange.onnx.names import add_names
from fastmlp.heads import Heads
from fastmlp.model.model import Model, refuse_not_finite

IR_VERSION = 8
_MOST_BYTES = 2**31 - 2**20  # a protobuf has at most 2 GiB


def to_onnx(net: Model, path: files.Path) -> None:
    """Write the network; see `Network.to_onnx`."""
    model = onnx_model(net)
    files.write_file(path, model.SerializeToString(deterministic=True))


def onnx_model(net: Model) -> ModelProto:
    """Return the network as a checked ONNX model."""
    if net.core.parameters.nbytes > _MOST_BYTES:
        raise ValueError(
            f"the network has {net.core.parameters.nbytes:,} bytes of parameters, "
            f"an ONNX file can have at most {_MOST_BYTES:,}"
        )
    refuse_not_finite(net)
    builder = Builder(net.dtype)
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
    builder.nodes[-1].output[0] = "Y"
    opsets, functions = [helper.make_opsetid("", builder.opset)], []
    if builder.defines_gelu:
        opsets.append(helper.make_opsetid(DOMAIN, 1))
        functions.append(gelu_function(builder.opset))
    return checked_model(net, builder.nodes, builder.constants, opsets, functions)


def checked_model(
    net: Model, nodes: list[Any], constants: list[Any], opsets: list[Any], functions: list[Any]
) -> ModelProto:
    """Return a model of nodes that compute Y (batch, N) from X (batch, K), with the names of `net`.

    Features, outputs and their type are those of `net`, too.
    """
    kind = helper.np_dtype_to_tensor_dtype(net.dtype)
    graph = helper.make_graph(
        nodes,
        "fastmlp",
        [helper.make_tensor_value_info("X", kind, ["batch", net.features])],
        [helper.make_tensor_value_info("Y", kind, ["batch", net.outputs])],
        constants,
    )
    model = helper.make_model(
        graph,
        producer_name="fastmlp",
        producer_version=fastmlp.__version__,
        ir_version=IR_VERSION,
        opset_imports=opsets,
        functions=functions,
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
