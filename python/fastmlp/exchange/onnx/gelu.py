"""gelu of float64 as an ONNX function: ONNX Runtime has no Erf of that type.

With t = |z|, gelu(z) = relu(z) - t exp(-t^2 / 2) ratio(t); the ratio is the polynomial of the
compiled core, see NormalTail in cpp/src/kernels/math-inl.hpp.
"""

from typing import Final

import numpy as np
from onnx import FunctionProto, NodeProto, helper, numpy_helper

from fastmlp.exchange.c_constants import CONSTANTS

DOMAIN: Final = "fastmlp"
"""The domain of operators defined by the file itself."""


def gelu_function(opset: int) -> FunctionProto:
    """Return the definition of the operator Gelu in `DOMAIN`."""
    words = CONSTANTS["float64"]
    coefficients = [float.fromhex(word) for word in words["tail_coefficients"].split(",")]
    centre, highest = float(words["tail_centre"]), float(words["tail_highest"])
    body = _Body()
    t = body.add("Min", body.add("Abs", "z"), body.number(highest))
    one = body.number(1.0)
    inverse = body.add("Div", one, body.add("Add", t, body.number(centre)))
    place = body.add("Sub", one, body.add("Mul", inverse, body.number(2.0 * centre)))
    sum_ = body.number(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        sum_ = body.add("Add", body.add("Mul", sum_, place), body.number(coefficient))
    half_square = body.add("Mul", body.add("Mul", t, t), body.number(-0.5))
    tail = body.add("Mul", body.add("Mul", sum_, inverse), body.add("Exp", half_square))
    body.add("Sub", body.add("Relu", "z"), body.add("Mul", t, tail))
    body.nodes[-1].output[0] = "h"
    imports = [helper.make_opsetid("", opset)]
    return helper.make_function(DOMAIN, "Gelu", ["z"], ["h"], body.nodes, imports)


class _Body:
    """The nodes of a function, their outputs numbered."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []

    def add(self, operator: str, *inputs: str) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output]))
        return output

    def number(self, value: float) -> str:
        output = f"t{len(self.nodes)}"
        tensor = numpy_helper.from_array(np.array(value))
        self.nodes.append(helper.make_node("Constant", [], [output], value=tensor))
        return output
