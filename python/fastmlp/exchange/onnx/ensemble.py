"""Several networks in one ONNX graph, with the mean of their outputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, compose, helper, numpy_helper

from fastmlp.exchange.onnx.exporting import checked_model, onnx_model
from fastmlp.model.model import Model


class MeanOfNetworks:
    """The nodes, constants and operator set of networks, and of the mean of their outputs.

    Parameters
    ----------
    models : sequence of Model
        Each becomes part of the graph, with names that begin with ``network i/``.
    inputs : str
        The tensor that all of them take.
    output : str
        The name of the mean (B, N), in double: the sum in order, divided by their number.
    """

    def __init__(self, models: Sequence[Model], inputs: str, output: str) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.opset = 0
        total = ""
        for i, model in enumerate(models):
            double = self._add_network(model, f"network {i}/", inputs)
            total = self._add("Add", [total, double], f"sum {i}") if total else double
        count = numpy_helper.from_array(np.array(float(len(models))), "networks")
        self.constants.append(count)
        self._add("Div", [total, "networks"], output)

    def _add_network(self, model: Model, prefix: str, inputs: str) -> str:
        """Add a network; return its outputs in double."""
        network = compose.add_prefix(onnx_model(model), prefix)
        inner, outer = network.graph.input[0].name, network.graph.output[0].name
        for node in network.graph.node:
            node.input[:] = [inputs if name == inner else name for name in node.input]
        self.nodes.extend(network.graph.node)
        self.constants.extend(network.graph.initializer)
        (opset,) = network.opset_import
        self.opset = max(self.opset, opset.version)
        return self._add("Cast", [outer], f"{prefix}double", to=TensorProto.DOUBLE)

    def _add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output


def refuse_mean(graph: GraphProto) -> None:
    """Refuse the graph of several networks.

    Raises
    ------
    ValueError
        If `MeanOfNetworks` has written it.
    """
    if any(node.name == "sum 1" and node.op_type == "Add" for node in graph.node):
        raise ValueError(
            "the graph is the mean of several networks, which no single network computes: fm.load "
            "reads an ensemble or a table model from the file that its save wrote"
        )


def ensemble_model(models: Sequence[Model]) -> ModelProto:
    """Return networks of one shape as a checked ONNX model, from X to the mean Y."""
    together = MeanOfNetworks(models, "X", "mean")
    first = models[0]
    kind = helper.np_dtype_to_tensor_dtype(first.dtype)
    together.nodes.append(helper.make_node("Cast", ["mean"], ["Y"], name="Y", to=kind))
    return checked_model(first, together.nodes, together.constants, together.opset)
