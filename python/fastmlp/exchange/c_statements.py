"""The C statements of one layer, with offsets into the flat parameters and statistics."""

from typing import Any, Final

import numpy as np

from fastmlp.exchange.normalizations import Learned
from fastmlp.heads import Heads
from fastmlp.layers import ActivationLike, Dense, parameter_of
from fastmlp.model.model import Model

_NARROW: Final = 16
"""Layers of at most this many nodes sum z by tree16."""


def linear(net: Model, i: int, before: str, to: str) -> str:
    """Return the statement of z = x W + b of layer i."""
    nodes, previous = net.layers[i].nodes, net.core.weights(i).shape[0]
    kind = "narrow" if nodes <= _NARROW else "wide"
    weights, biases = offsets(net, i)
    return (
        f"${{m}}_{kind}({before}, {previous}, parameters + {weights}, parameters + {biases}, "
        f"{nodes}, {to});"
    )


def scaling_of(columns: str) -> str:
    """Return the arguments that are the scale and offset of "input" or "output" columns."""
    return f"${{m}}_{columns}_scale, ${{m}}_{columns}_offset"


def normalization(net: Model, learned: Learned | None, at: str) -> str:
    """Return the statement of a normalization, in place, or nothing."""
    if learned is None:
        return ""
    parts = (learned.scales, learned.shifts)
    scales, shifts = (place(part, net.core.parameters) for part in parts)
    statistics = "".join(
        f", ${{m}}_statistics + {place(view, net.core.statistics)}" for view in learned.averages
    )
    epsilon = literal(net.dtype.type(learned.kind.epsilon))
    return (
        f"${{m}}_{learned.kind}_normalization({at}, {learned.nodes}, {epsilon}, "
        f"parameters + {scales}, parameters + {shifts}{statistics});"
    )


def activation(net: Model, i: int, at: str) -> str:
    """Return the statements that apply the activation of layer i, or its heads, or nothing."""
    statements, first = [], 0
    for function, nodes in activations_of(net.layers[i]):
        here = at if first == 0 else f"({at} + {first})"
        if function == "softmax":
            statements.append(f"${{m}}_softmax({here}, {nodes});")
        elif function != "identity":
            call = applied(function, f"{here}[j]", net.dtype)
            statements.append(f"for (j = 0; j < {nodes}; ++j) {here}[j] = {call};")
        first += nodes
    return "\n".join(statements)


def activations_of(layer: Dense) -> list[tuple[ActivationLike, int]]:
    """Return the activation of a layer, or those of its heads, and of how many nodes."""
    if isinstance(layer, Heads):
        return [(head.activation, head.nodes) for _, head in layer.named]
    return [(layer.activation, layer.nodes)]


def applied(
    activation: ActivationLike, to: str, dtype: np.dtype[np.floating], *, slope: bool = False
) -> str:
    """Return the call of an activation, or of its slope, for one node."""
    parameter = ""
    if activation in ("leaky_relu", "elu"):
        parameter = f", {literal(dtype.type(parameter_of(activation)))}"
    return f"${{m}}_{activation}{'_slope' if slope else ''}({to}{parameter})"


def literal(number: np.floating[Any]) -> str:
    """Return a number as an exact hexadecimal literal of its type, without zeros at the end."""
    mantissa, exponent = float(number).hex().split("p")
    digits = mantissa.rstrip("0").rstrip(".") if number else "0x0"
    sign = "-" if number == 0 and np.signbit(number) else ""
    return f"{sign}{digits}p{exponent}" + ("f" if number.dtype == np.float32 else "")


def loops(name: str) -> bool:
    """Return whether the statement of an activation has a loop over the nodes."""
    return name not in ("identity", "softmax")


def offsets(net: Model, i: int) -> tuple[int, int]:
    """Return the offsets of the weights and the biases of layer i in the parameters."""
    core = net.core
    return place(core.weights(i), core.parameters), place(core.biases(i), core.parameters)


def place(view: np.ndarray, buffer: np.ndarray) -> int:
    """Return the index in a buffer of the first element of a view."""
    return (view.ctypes.data - buffer.ctypes.data) // buffer.itemsize
