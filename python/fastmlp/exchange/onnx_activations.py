"""Activations as operators of ONNX.

ONNX Runtime has no Elu, Selu, Erf and Softplus of float64, so they are composed of others; so is
what is an operator only in later operator sets than `OPSET`.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from fastmlp.exchange.c_constants import CONSTANTS
from fastmlp.exchange.onnx_builder import Builder
from fastmlp.exchange.onnx_gelu import DOMAIN

_SELU_ABOVE, _SELU_BELOW = (float(CONSTANTS["float64"][f"selu_{at}"]) for at in ("above", "below"))

_OPERATORS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
    "exp": ("Exp", {}),
    "softmax": ("Softmax", {"axis": -1}),
}
"""One operator that is the activation, with its attributes."""


def add_activation(builder: Builder, name: str) -> None:
    """Add h(z), z being where the graph is."""
    if name == "identity":
        return
    double = builder.dtype == np.float64
    compose = _COMPOSED.get(name) or (_COMPOSED_FLOAT64.get(name) if double else None)
    if compose is not None:
        compose(builder, builder.at)
    else:
        operator, attributes = _OPERATORS[name]
        builder.add(operator, builder.at, name=name, **attributes)


def _gelu(graph: Builder, z: str) -> None:
    if graph.dtype == np.float64:
        graph.defines_gelu = True
        graph.add("Gelu", z, name="gelu", domain=DOMAIN)
        return
    erf = graph.add("Erf", graph.add("Mul", z, graph.number(0.5**0.5), name="scaled"), name="erf")
    sum_ = graph.add("Add", erf, graph.number(1.0), name="one_plus_erf")
    half = graph.add("Mul", z, graph.number(0.5), name="half")
    graph.add("Mul", half, sum_, name="gelu")


def _silu(graph: Builder, z: str) -> None:
    graph.add("Mul", z, graph.add("Sigmoid", z, name="sigmoid"), name="silu")


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


def _leaky_relu(graph: Builder, z: str) -> None:
    """Write it without LeakyRelu, whose slope is a float32."""
    graph.add("Max", z, graph.add("Mul", z, graph.number(0.01), name="leak"), name="leaky_relu")


def _elu(graph: Builder, z: str) -> None:
    power, positive = _power_below_0(graph, z), graph.add("Relu", z, name="positive")
    both = graph.add("Add", power, positive, name="sum")
    graph.add("Add", both, graph.number(-1.0), name="elu")


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


_Compose = Callable[[Builder, str], None]

_COMPOSED: Final[dict[str, _Compose]] = {
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "relu6": _relu6,
    "hardswish": _hardswish,
}

_COMPOSED_FLOAT64: Final[dict[str, _Compose]] = {
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "softplus": _softplus,
}
