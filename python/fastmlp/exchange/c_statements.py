"""The C statements of one layer, with offsets into the flat parameters and statistics."""

from typing import Final

import numpy as np

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


def normalization(net: Model, i: int, at: str) -> str:
    """Return the statement that normalizes z of layer i, or nothing."""
    kind, nodes = net.layers[i].normalization, net.layers[i].nodes
    if kind is None:
        return ""
    parts = (net.core.scales(i), net.core.shifts(i))
    scales, shifts = (place(part, net.core.parameters) for part in parts)
    statistics = ""
    if kind == "batch":
        averages = (net.core.running_means(i), net.core.running_variances(i))
        statistics = "".join(
            f", ${{m}}_statistics + {place(view, net.core.statistics)}" for view in averages
        )
    return (
        f"${{m}}_{kind}_normalization({at}, {nodes}, parameters + {scales}, parameters + {shifts}"
        f"{statistics});"
    )


def activation(name: str, nodes: int, at: str) -> str:
    """Return the statement that applies an activation to the nodes at `at`, or nothing."""
    if name == "softmax":
        return f"${{m}}_softmax({at}, {nodes});"
    if name == "identity":
        return ""
    return f"for (j = 0; j < {nodes}; ++j) {at}[j] = ${{m}}_{name}({at}[j]);"


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
