"""Activations as operators of ONNX.

ONNX Runtime has no Elu, Selu, Erf and Softplus of float64, so they are composed of others; so is
what is an operator only in later operator sets than `OPSET`. It fuses Relu, Sigmoid and Tanh of a
layer, and x sigmoid(x), to operators that have no float64 before 1.31: these have a bound between,
from which on the functions are 1.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from fastmlp.exchange.c_constants import CONSTANTS
from fastmlp.exchange.onnx.builder import Builder
from fastmlp.exchange.onnx.gelu import add_gelu
from fastmlp.layers import ActivationLike, parameter_of

_SELU_ABOVE, _SELU_BELOW = (float(CONSTANTS["float64"][f"selu_{at}"]) for at in ("above", "below"))

SIGMOID_BOUND: Final = 40.0
TANH_BOUND: Final = 20.0
"""The functions are 1 from there on."""

_GELU_LINEAR: Final = 2.0 * (2.0 / np.pi) ** 0.5
_GELU_CUBIC: Final = 0.044715 * _GELU_LINEAR

_OPERATORS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "relu": ("Relu", {}),
    "selu": ("Selu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
    "exp": ("Exp", {}),
    "softmax": ("Softmax", {"axis": -1}),
}
"""One operator that is the activation, with its attributes."""


def add_activation(builder: Builder, activation: ActivationLike) -> None:
    """Add h(z), z being where the graph is."""
    name = str(activation)
    double = builder.dtype == np.float64
    compose = _COMPOSED.get(name) or (_COMPOSED_FLOAT64.get(name) if double else None)
    if name == "identity":
        return
    if name == "leaky_relu":
        _leaky_relu(builder, builder.at, parameter_of(activation))
    elif name == "elu":
        _elu(builder, builder.at, parameter_of(activation))
    elif compose is not None:
        compose(builder, builder.at)
    else:
        operator, attributes = _OPERATORS[name]
        builder.add(operator, builder.at, name=name, **attributes)


def _gelu(graph: Builder, z: str) -> None:
    if graph.dtype == np.float64:
        add_gelu(graph, z)
        return
    erf = graph.add("Erf", graph.add("Mul", z, graph.number(0.5**0.5), name="scaled"), name="erf")
    sum_ = graph.add("Add", erf, graph.number(1.0), name="one_plus_erf")
    half = graph.add("Mul", z, graph.number(0.5), name="half")
    graph.add("Mul", half, sum_, name="gelu")


def _silu(graph: Builder, z: str) -> None:
    gate = _sigmoid if graph.dtype == np.float64 else _plain_sigmoid
    graph.add("Mul", z, gate(graph, z), name="silu")


def _plain_sigmoid(graph: Builder, z: str) -> str:
    return graph.add("Sigmoid", z, name="sigmoid")


def _sigmoid(graph: Builder, z: str) -> str:
    bounded = graph.add("Min", z, graph.number(SIGMOID_BOUND), name="bounded")
    return graph.add("Sigmoid", bounded, name="sigmoid")


def _tanh(graph: Builder, z: str) -> None:
    bounded = graph.add("Min", z, graph.number(TANH_BOUND), name="bounded")
    graph.add("Tanh", bounded, name="tanh")


def _relu(graph: Builder, z: str) -> None:
    graph.add("Max", z, graph.number(0.0), name="relu")


def _mish(graph: Builder, z: str) -> None:
    add_activation(graph, "softplus")
    graph.add("Mul", z, graph.add("Tanh", graph.at, name="tanh"), name="mish")


def _relu6(graph: Builder, z: str) -> None:
    graph.add("Clip", z, graph.number(0.0), graph.number(6.0), name="relu6")


def _hardswish(graph: Builder, z: str) -> None:
    shifted = graph.add("Add", z, graph.number(3.0), name="shifted")
    gate = graph.add("Clip", shifted, graph.number(0.0), graph.number(6.0), name="gate")
    product = graph.add("Mul", z, gate, name="product")
    graph.add("Div", product, graph.number(6.0), name="hardswish")


def _power_below_0(graph: Builder, z: str) -> str:
    return graph.add("Exp", graph.add("Min", z, graph.number(0.0), name="negative"), name="exp")


def _leaky_relu(graph: Builder, z: str, slope: float) -> None:
    if graph.dtype == np.float32:
        graph.add("LeakyRelu", z, name="leaky_relu", alpha=slope)
        return
    if slope == 1.0:
        graph.add("Identity", z, name="leaky_relu")
        return
    # Composed, as the slope of the operator is a float32.
    other = graph.add("Mul", z, graph.number(slope), name="leak")
    graph.add("Max" if slope <= 1.0 else "Min", z, other, name="leaky_relu")


def _elu(graph: Builder, z: str, alpha: float) -> None:
    if graph.dtype == np.float32:
        graph.add("Elu", z, name="elu", alpha=alpha)
        return
    if alpha == 0.0:
        _relu(graph, z)
        return
    power, positive = _power_below_0(graph, z), graph.add("Relu", z, name="positive")
    if alpha != 1.0:
        power = graph.add("Mul", power, graph.number(alpha), name="below_0")
    both = graph.add("Add", power, positive, name="sum")
    graph.add("Add", both, graph.number(-alpha), name="elu")


def _gelu_tanh(graph: Builder, z: str) -> None:
    square = graph.add("Mul", z, z, name="square")
    cubic = graph.add("Mul", square, graph.number(_GELU_CUBIC), name="cubic")
    rate = graph.add("Add", cubic, graph.number(_GELU_LINEAR), name="rate")
    gate = graph.add("Sigmoid", graph.add("Mul", z, rate, name="scaled"), name="gate")
    graph.add("Mul", z, gate, name="gelu_tanh")


def _selu(graph: Builder, z: str) -> None:
    power, positive = _power_below_0(graph, z), graph.add("Relu", z, name="positive")
    below = graph.add("Mul", power, graph.number(_SELU_BELOW), name="below_0")
    above = graph.add("Mul", positive, graph.number(_SELU_ABOVE), name="above_0")
    both = graph.add("Add", below, above, name="sum")
    graph.add("Add", both, graph.number(-_SELU_BELOW), name="selu")


def _softplus(graph: Builder, z: str) -> None:
    minus_size = graph.add("Neg", graph.add("Abs", z, name="abs"), name="minus_abs")
    power = graph.add("Exp", minus_size, name="exp")
    log = graph.add("Log", graph.add("Add", power, graph.number(1.0), name="sum"), name="log")
    graph.add("Add", log, graph.add("Relu", z, name="positive"), name="softplus")


_Compose = Callable[[Builder, str], object]

_COMPOSED: Final[dict[str, _Compose]] = {
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": _silu,
    "mish": _mish,
    "relu6": _relu6,
    "hardswish": _hardswish,
}

_COMPOSED_FLOAT64: Final[dict[str, _Compose]] = {
    "relu": _relu,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "selu": _selu,
    "softplus": _softplus,
}
