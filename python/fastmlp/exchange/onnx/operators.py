"""The operators of an ONNX graph, applied to the sample and constants."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from fastmlp._validation import brief
from fastmlp.exchange.onnx.activations import SIGMOID_BOUND, TANH_BOUND
from fastmlp.exchange.onnx.constants import attribute
from fastmlp.exchange.steps import (
    BatchNormalization,
    LayerNormalization,
    Linear,
    LogSoftmax,
    Scale,
    Width,
    decimal,
)
from fastmlp.exchange.values import Value

Array = NDArray[Any]
# (node, sample, constants, whether the sample is the first input)
Operator = Callable[[NodeProto, Value, list[Array], bool], Value]


def combined(node: NodeProto, a: Value, b: Value, *others: Value) -> Value:
    """Return the result of a node with several tensors of the sample."""
    if others:
        if node.op_type != "Where" or len(others) > 1:
            raise unsupported(node, "of several tensors of the sample")
        return a.chosen(b, others[0], where(node))
    if node.op_type == "Mul":
        return a.product(b, where(node))
    if node.op_type == "Add":
        return a.sum(b, where(node))
    if node.op_type == "Max":
        return a.maximum(b, where(node))
    if node.op_type == "Min":
        return a.minimum(b, where(node))
    raise unsupported(node, "of two tensors of the sample")


def _function(name: str, **attributes: tuple[Any, ...]) -> Operator:
    """Return the operator of a function node by node.

    Each attribute must have one of some values, the first of which is its default.
    """

    def apply(node: NodeProto, value: Value, constants: list[Array], _: bool) -> Value:
        if constants:
            raise unsupported(node, "takes one tensor")
        for key, allowed in attributes.items():
            if (got := attribute(node, key, allowed[0])) not in allowed:
                raise unsupported(node, f"{key} is {got!r}, allowed: {allowed[-1]!r}")
        return value.apply(name, where(node))

    return apply


def _parametric(name: str, usual: float) -> Operator:
    """Return the operator of a function whose attribute alpha is its parameter."""

    def apply(node: NodeProto, value: Value, constants: list[Array], _: bool) -> Value:
        alpha = attribute(node, "alpha", usual)
        if constants or not 0.0 <= alpha < np.inf:
            raise unsupported(node, f"takes one tensor, and an alpha from 0 on, got {alpha!r}")
        return value.apply(name, where(node), alpha)

    return apply


def _prelu(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    """Return the leaky ReLU that PRelu is if all nodes have one slope."""
    slopes = np.unique(constants[0]) if first and len(constants) == 1 else np.zeros(0)
    if slopes.size != 1 or not 0.0 <= slopes[0] < np.inf:
        raise unsupported(node, "only with one constant slope from 0 on for all nodes")
    return value.apply("leaky_relu", where(node), float(slopes[0]))


def _celu(node: NodeProto, value: Value, constants: list[Array], _: bool) -> Value:
    if constants or attribute(node, "alpha", 1.0) != 1.0:
        raise unsupported(node, "only with alpha 1")
    return value.apply("elu", where(node), 1.0)


def _log_softmax(node: NodeProto, value: Value, constants: list[Array], _: bool) -> Value:
    if constants or attribute(node, "axis", -1) not in (-1, 1):
        raise unsupported(node, "only of all nodes, with axis -1")
    return value.then(LogSoftmax(where(node)))


def _pow(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    exponent = constants[0].item() if first and constants and constants[0].size == 1 else None
    if exponent not in (2.0, 3.0):
        raise unsupported(node, "only to the power of 2 or 3")
    square = value.product(value, where(node))
    return square if exponent == 2.0 else square.product(value, where(node))


def _gelu(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    form = attribute(node, "approximate", b"none")
    name = "gelu_tanh" if form == b"tanh" else "gelu"
    return _function(name, approximate=(b"none", b"tanh"))(node, value, constants, first)


def _hard_sigmoid(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    if attribute(node, "alpha", 0.2) != _single(1 / 6):
        raise unsupported(node, "only with alpha 1/6, as a part of hardswish")
    return _function("hardsigmoid", beta=(0.5,))(node, value, constants, first)


def _single(number: float) -> float:
    """Return the float32 that an attribute holds."""
    return float(np.float32(number))


def _bound(names: dict[float, str]) -> Operator:
    """Return the operator of a bound, a function for each number that it may be."""

    def apply(node: NodeProto, value: Value, constants: list[Array], _: bool) -> Value:
        number = constants[0].item() if len(constants) == 1 and constants[0].size == 1 else None
        if number not in names:
            raise unsupported(node, f"only with {' or '.join(f'{number:g}' for number in names)}")
        return value.apply(names[number], where(node))

    return apply


def _greater(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    if not first or len(constants) != 1 or constants[0].size != 1:
        raise unsupported(node, "only of the sample and a number, as a part of softplus")
    return value.apply("greater", where(node), constants[0].item())


_CLIPS: dict[tuple[float, float], str] = {(0.0, np.inf): "relu", (0.0, 6.0): "relu6"}


def _clip(node: NodeProto, value: Value, constants: list[Array], _: bool) -> Value:
    waiting = iter(constants)
    bounds = []
    for i, key, default in ((1, "min", -np.inf), (2, "max", np.inf)):  # attributes before opset 11
        bound = np.asarray(attribute(node, key, default))
        if len(node.input) > i and node.input[i]:
            bound = next(waiting)
        bounds.append(bound.item() if bound.size == 1 else np.nan)
    name = _CLIPS.get((bounds[0], bounds[1]))
    if name is None:
        raise unsupported(node, "only from 0, and to 6 or without an end")
    return value.apply(name, where(node))


def _linear(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    if not first or not constants or constants[0].ndim != 2:
        raise unsupported(node, "must multiply the sample by a constant matrix")
    weights = constants[0]
    alpha = beta = 1.0
    if node.op_type in ("Gemm", "FusedGemm", "FusedMatMul"):
        alpha, beta = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
        if attribute(node, "transBatchA", 0) or attribute(node, "transBatchB", 0):
            raise unsupported(node, "transBatchA and transBatchB must be 0")
        if attribute(node, "transA", 0):
            raise unsupported(node, "transA must be 0")
        if attribute(node, "transB", 0):
            weights = weights.T
    biases = None
    if len(constants) > 1:
        if constants[1].size not in (1, weights.shape[1]):
            raise unsupported(node, f"a bias of shape {constants[1].shape} is not a vector (N,)")
        biases = np.broadcast_to(constants[1].ravel() * beta, weights.shape[1])
    return value.then(Linear(weights * alpha, biases, where(node)))


def _fused_linear(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    """Return a dense layer with its activation, as ONNX Runtime fuses them."""
    value = _linear(node, value, constants, first)
    name = attribute(node, "activation", b"").decode(errors="replace")
    if not name:
        return value
    if name not in OPERATORS:
        raise unsupported(node, f"its activation is {brief(name)}")
    settings = {
        setting: attribute(node, f"activation_{setting}", 0.0)
        for setting in ("alpha", "beta", "gamma")
        if any(each.name == f"activation_{setting}" for each in node.attribute)
    }
    activation = helper.make_node(name, node.input[:1], node.output, node.name, **settings)
    return OPERATORS[name](activation, value, [], True)


def _quick_gelu(node: NodeProto, value: Value, constants: list[Array], _: bool) -> Value:
    """Return z sigmoid(alpha z), which is silu if alpha is 1."""
    if constants or attribute(node, "alpha", 1.702) != 1.0:
        raise unsupported(node, "only with alpha 1")
    return value.apply("silu", where(node))


def _biased(name: str) -> Operator:
    """Return the operator of a function of the nodes plus a vector."""

    def apply(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
        if len(constants) > 1 or not first:
            raise unsupported(node, "takes the sample, and a vector")
        if constants:
            value = value.then(Scale(np.array(1.0), _vector(node, constants), where(node)))
        return value.apply(name, where(node))

    return apply


def _normalization(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    if not first or not constants or any(a.shape != constants[0].shape for a in constants):
        raise unsupported(node, "its constants must be vectors of one size")
    epsilon = decimal(attribute(node, "epsilon", 1e-5))
    if node.op_type == "LayerNormalization":
        if attribute(node, "axis", -1) not in (-1, 1):
            raise unsupported(node, "axis must be -1")
        scale, *shifts = constants
        shift = shifts[0] if shifts else np.zeros_like(scale)
        return value.then(LayerNormalization(scale, shift, epsilon, where(node)))
    if len(constants) != 4 or attribute(node, "training_mode", 0):
        raise unsupported(node, "it must have its statistics, and be in prediction mode")
    scale, shift, mean, variance = constants
    momentum = round(1.0 - decimal(attribute(node, "momentum", 0.9)), 12)  # of the old average
    step = BatchNormalization(scale, shift, mean, variance, epsilon, where(node), momentum)
    return value.then(step)


def _same(_: NodeProto, value: Value, __: list[Array], ___: bool) -> Value:
    return value


def casts_to_float(node: NodeProto) -> bool:
    """Return whether a Cast is to float32 or float64."""
    return attribute(node, "to", 0) in (TensorProto.FLOAT, TensorProto.DOUBLE)


def _cast(node: NodeProto, value: Value, _: list[Array], __: bool) -> Value:
    if not casts_to_float(node):
        raise unsupported(node, "only to float32 and float64")
    return value


def _dropout(node: NodeProto, value: Value, constants: list[Array], _: bool) -> Value:
    if len(node.input) > 2 and node.input[2] and constants[-1].any():
        raise unsupported(node, "it must be in prediction mode")
    return value


def _flatten(node: NodeProto, value: Value, _: list[Array], __: bool) -> Value:
    if attribute(node, "axis", 1) != 1:
        raise unsupported(node, "axis must be 1")
    return value


def _squeeze(node: NodeProto, value: Value, _: list[Array], __: bool) -> Value:
    return value.then(Width(1, where(node)))


def _reshape(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    shape = constants[0].ravel()[:5].tolist() if first and constants else []
    place = f"{where(node)} to {shape}"
    if shape == [-1]:
        return value.then(Width(1, place))
    if len(shape) == 2 and shape[1] > 0:
        return value.then(Width(int(shape[1]), place))
    if len(shape) == 2 and shape[1] == -1 and shape[0] >= 0:
        return value
    raise unsupported(node, f"to {shape}; a sample must stay a vector, [-1, N]")


def _negative(_: NodeProto, value: Value, __: list[Array], ___: bool) -> Value:
    return value.times(-1.0)


def _sum(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    other = _vector(node, constants)
    if node.op_type == "Sub":
        value, other = (value, -other) if first else (value.times(-1.0), other)
    if other.ndim == 0:
        return value.plus(float(other))
    return value.then(Scale(np.array(1.0), other, where(node)))


def _product(node: NodeProto, value: Value, constants: list[Array], first: bool) -> Value:
    other = _vector(node, constants)
    if node.op_type == "Div":
        if not first or not other.all():
            raise unsupported(node, "only by a constant that is not 0")
        other = 1.0 / other
    if other.ndim == 0:
        return value.times(float(other))
    return value.then(Scale(other, np.array(0.0), where(node)))


def _scaler(node: NodeProto, value: Value, constants: list[Array], _: bool) -> Value:
    """Return (x - offset) * scale, each a number or one for each node."""
    offset = np.array(attribute(node, "offset", ()) or (0.0,))
    factor = np.array(attribute(node, "scale", ()) or (1.0,))
    if constants or (len(offset) != len(factor) and 1 not in (len(offset), len(factor))):
        raise unsupported(node, "takes one tensor, and as many offsets as scales")
    both = np.broadcast_arrays(factor, 0.0 - offset * factor)
    factor, shift = (part[0] if len(part) == 1 else part for part in both)
    return value.then(Scale(factor, shift, where(node)))


def _vector(node: NodeProto, constants: list[Array]) -> Array:
    """Return a number or a vector (N,) from constants of shape (), (N,) or (1, N)."""
    shape = constants[0].shape if constants else None
    if shape is None or len(shape) > 2 or (len(shape) == 2 and shape[0] != 1):
        raise unsupported(node, f"a constant of shape {shape}, allowed: (N,)")
    array = np.asarray(constants[0], np.float64)
    return array.reshape(()) if array.size == 1 else array.ravel()  # which is broadcast


_SELU_ALPHA, _SELU_GAMMA = (_single(1.6732632423543773),), (_single(1.0507009873554805),)

OPERATORS: dict[str, Operator] = {
    "Abs": _function("abs"),
    "Add": _sum,
    "BatchNormalization": _normalization,
    "BiasGelu": _biased("gelu"),
    "Cast": _cast,
    "Celu": _celu,
    "Clip": _clip,
    "Div": _product,
    "Dropout": _dropout,
    "Elu": _parametric("elu", 1.0),
    "Erf": _function("erf"),
    "Exp": _function("exp"),
    "FastGelu": _biased("gelu_tanh"),
    "Flatten": _flatten,
    "FusedGemm": _fused_linear,
    "FusedMatMul": _linear,
    "Gelu": _gelu,
    "Gemm": _linear,
    "Greater": _greater,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _function("hardswish"),
    "Identity": _same,
    "LayerNormalization": _normalization,
    "LeakyRelu": _parametric("leaky_relu", 0.01),
    "Log": _function("log"),
    "LogSoftmax": _log_softmax,
    "MatMul": _linear,
    "Max": _bound({0.0: "relu"}),
    "Min": _bound({0.0: "min", 6.0: "min6", TANH_BOUND: "min20", SIGMOID_BOUND: "min40"}),
    "Mish": _function("mish"),
    "Mul": _product,
    "Neg": _negative,
    "PRelu": _prelu,
    "Pow": _pow,
    "QuickGelu": _quick_gelu,
    "Relu": _function("relu"),
    "Reshape": _reshape,
    "Sigmoid": _function("sigmoid"),
    "Scaler": _scaler,
    "Selu": _function(
        "selu", alpha=(_single(1.6732632423543773),), gamma=(_single(1.0507009873554805),)
    ),
    "Softmax": _function("softmax", axis=(-1, 1)),
    "Softplus": _function("softplus"),
    "Squeeze": _squeeze,
    "Sub": _sum,
    "Swish": _function("silu", alpha=(1.0,)),
    "Tanh": _function("tanh"),
}
"""By the name in the operator sets of ONNX."""


def where(node: NodeProto) -> str:
    """Name a node for a message."""
    return f"node {node.name or ', '.join(map(str, node.output))!r} ({node.op_type})"


def unsupported(node: NodeProto, why: str) -> ValueError:
    """Return the error for a node that a network cannot represent."""
    return ValueError(
        f"{where(node)}: {why}; a graph must be dense layers one after the other, of the "
        f"operators {', '.join(OPERATORS)}, with ArgMax, Binarizer, ZipMap, Slice, Split or "
        "Concat at the end"
    )
