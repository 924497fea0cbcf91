"""`Builder`: the nodes and constants of an ONNX graph in the making."""

from typing import Any, Final

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET: Final = 13
"""The operator set, of 2020, of graphs that need no later one."""


class Builder:
    """The nodes and constants of a graph that has one tensor at a time, `at`."""

    def __init__(self, dtype: np.dtype[Any], inputs: str = "X") -> None:
        self.dtype = dtype
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.opset = OPSET
        self.at = inputs
        self.prefix = ""

    def constant(self, name: str, array: Any) -> str:
        """Add an array of this layer, in the network's dtype."""
        values = np.asarray(array, dtype=self.dtype, order="C")
        full_name = f"{self.prefix}.{name}"
        self.constants.append(numpy_helper.from_array(values, full_name))
        return full_name

    def integer(self, name: str, value: int) -> str:
        """Add a list of one integer, as the arguments of operators are."""
        full_name = f"{self.prefix}.{name}"
        self.constants.append(numpy_helper.from_array(np.array([value], np.int64), full_name))
        return full_name

    def number(self, value: float) -> str:
        """Add a number, which has its value as its name; the whole graph shares it."""
        name = f"{value:.17g}"
        if name not in (known.name for known in self.constants):
            self.constants.append(numpy_helper.from_array(np.array(value, self.dtype), name))
        return name

    def add(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:
        """Add a node; its output, and what `at` becomes, is `name` in this layer."""
        self.at = f"{self.prefix}.{name}"
        self.nodes.append(helper.make_node(operator, inputs, [self.at], name=self.at, **attributes))
        return self.at
