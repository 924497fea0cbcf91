"""ONNX Runtime on a graph of Gemm and Relu."""

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from cases import Array, Problem

DISTRIBUTION = "onnxruntime"


def make_graph(problem: Problem) -> bytes:
    """Return the network as a serialised ONNX model."""
    nodes, tensors, source = [], [], "x"
    last = len(problem.weights) - 1
    for i, (weights, biases) in enumerate(zip(problem.weights, problem.biases, strict=True)):
        tensors += [
            numpy_helper.from_array(weights, f"w{i}"),
            numpy_helper.from_array(biases, f"b{i}"),
        ]
        target = "y" if i == last else f"z{i}"
        nodes.append(helper.make_node("Gemm", [source, f"w{i}", f"b{i}"], [target]))
        if i < last:
            nodes.append(helper.make_node("Relu", [target], [f"h{i}"]))
        source = f"h{i}"
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(problem.X.shape))],
        [
            helper.make_tensor_value_info(
                "y", TensorProto.FLOAT, [len(problem.X), problem.case.sizes[-1]]
            )
        ],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class Predictor:
    """`InferenceSession.run`."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            make_graph(problem), options, providers=["CPUExecutionProvider"]
        )
        self.feed = {"x": problem.X}

    def run(self, calls: int) -> None:
        """Predict."""
        run, feed = self.session.run, self.feed
        for _ in range(calls):
            run(None, feed)

    def outputs(self) -> Array:
        """Return the outputs."""
        return self.session.run(None, self.feed)[0]
