"""gelu of float64 in operators that every runtime has: ONNX Runtime has no Erf of that type.

With t = |z|, gelu(z) = relu(z) - t exp(-t^2 / 2) ratio(t); the ratio is the polynomial of the
compiled core, see NormalTail in cpp/src/kernels/math-inl.hpp.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import count
from typing import Final

import numpy as np
from onnx import NodeProto, helper

from fastmlp.exchange.c_constants import CONSTANTS
from fastmlp.exchange.onnx.builder import Builder
from fastmlp.exchange.onnx.constants import Constants

DOMAIN: Final = "fastmlp"
"""The domain of the operator Gelu that files of earlier versions define themselves."""


def add_gelu(graph: Builder, z: str) -> None:
    """Add gelu(z) of float64."""
    words, numbers = CONSTANTS["float64"], count()

    def add(operator: str, *inputs: str) -> str:
        return graph.add(operator, *inputs, name=f"gelu_{next(numbers)}")

    coefficients = [float.fromhex(word) for word in words["tail_coefficients"].split(",")]
    centre, highest = float(words["tail_centre"]), float(words["tail_highest"])
    t = add("Min", add("Abs", z), graph.number(highest))
    one = graph.number(1.0)
    inverse = add("Div", one, add("Add", t, graph.number(centre)))
    place = add("Sub", one, add("Mul", inverse, graph.number(2.0 * centre)))
    sum_ = graph.number(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        sum_ = add("Add", add("Mul", sum_, place), graph.number(coefficient))
    half_square = add("Mul", add("Mul", t, t), graph.number(-0.5))
    tail = add("Mul", add("Mul", sum_, inverse), add("Exp", half_square))
    positive = add("Max", z, graph.number(0.0))
    add("Sub", positive, add("Mul", t, tail))


@cache
def _template() -> tuple[Sequence[NodeProto], dict[str, float]]:
    """Return the nodes of gelu(z), and the numbers by their names."""
    graph = Builder(np.dtype(np.float64))
    add_gelu(graph, "z")
    numbers = {each.name: float(each.name) for each in graph.constants}
    return graph.nodes, numbers


def with_gelu(nodes: Sequence[NodeProto], constants: Constants) -> Iterable[NodeProto]:
    """Yield nodes, those that compute gelu as above as one Gelu."""
    template, _ = _template()
    i = 0
    while i < len(nodes):
        found = nodes[i : i + len(template)]
        z = nodes[i].input[0] if nodes[i].op_type == "Abs" and len(nodes[i].input) == 1 else None
        if z is not None and len(found) == len(template) and _is_gelu(found, z, constants):
            yield helper.make_node("Gelu", [z], found[-1].output, nodes[i].name)
            i += len(template)
        else:
            yield nodes[i]
            i += 1


def _is_gelu(nodes: Sequence[NodeProto], z: str, constants: Constants) -> bool:
    template, numbers = _template()
    names = {"z": z}
    for node, like in zip(nodes, template, strict=True):
        same = node.op_type == like.op_type and not node.domain and not node.attribute
        if not same or len(node.input) != len(like.input) or len(node.output) != 1:
            return False
        for name, of in zip(node.input, like.input, strict=True):
            if of in numbers:
                if not constants.is_number(name, numbers[of]):
                    return False
            elif names[of] != name:
                return False
        names[like.output[0]] = node.output[0]
    return True
