"""A network as an ONNX graph, by the operators that every runtime has."""

from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

import fastmlp
from fastmlp import files
from fastmlp.exchange.onnx_gelu import DOMAIN, gelu_function
from fastmlp.exchange.steps import EPSILON
from fastmlp.model.model import Model

_OPSET = 13  # of 2020
_IR_VERSION = 8
_MOST_BYTES = 2**31 - 2**20  # a protobuf ends at 2 GiB

# One operator that is the activation, with its attributes.
_OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "elu": ("Elu", {"alpha": 1.0}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
    "exp": ("Exp", {}),
    "softmax": ("Softmax", {"axis": -1}),
}


def to_onnx(net: Model, path: files.Path) -> None:
    """Write the network; see `Network.to_onnx`."""
    model = onnx_model(net)
    files.write_file(path, model.SerializeToString(deterministic=True))


def onnx_model(net: Model) -> ModelProto:
    """Return the network as a checked ONNX model."""
    if net.core.parameters.nbytes > _MOST_BYTES:
        raise ValueError(
            f"the network has {net.core.parameters.nbytes:,} bytes of parameters, "
            f"an ONNX file holds at most {_MOST_BYTES:,}"
        )
    builder = _Builder(net.dtype)
    for i, layer in enumerate(net.layers):
        builder.prefix = f"layer_{i}"
        weights = builder.constant("weights", net.core.weights(i))
        biases = builder.constant("biases", net.core.biases(i))
        builder.add("Gemm", builder.at, weights, biases, name="z")
        builder.normalization(net, i)
        builder.activation(layer.activation)
    kind = helper.np_dtype_to_tensor_dtype(net.dtype)
    last = builder.nodes[-1]
    last.output[0] = "Y"
    graph = helper.make_graph(
        builder.nodes,
        "fastmlp",
        [helper.make_tensor_value_info("X", kind, ["batch", net.features])],
        [helper.make_tensor_value_info("Y", kind, ["batch", net.layers[-1].nodes])],
        builder.constants,
    )
    model = helper.make_model(
        graph,
        producer_name="fastmlp",
        producer_version=fastmlp.__version__,
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", builder.opset)],
        functions=[gelu_function(builder.opset)] if builder.defines_gelu else [],
    )
    if builder.defines_gelu:
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    checker.check_model(model, full_check=True)
    return model


class _Builder:
    """The nodes and constants of a graph that has one tensor at a time, `at`."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.opset = _OPSET
        self.defines_gelu = False
        self.at = "X"
        self.prefix = ""

    def constant(self, name: str, array: Any) -> str:
        """Add a constant of the network's dtype; a number is shared by the whole graph."""
        values = np.asarray(array, dtype=self.dtype, order="C")
        full_name = f"{self.prefix}.{name}" if values.ndim else name
        if full_name not in (known.name for known in self.constants):
            self.constants.append(numpy_helper.from_array(values, full_name))
        return full_name

    def add(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:
        """Add a node; its output, and what `at` becomes, is `name` in this layer."""
        self.at = f"{self.prefix}.{name}"
        self.nodes.append(helper.make_node(operator, inputs, [self.at], name=self.at, **attributes))
        return self.at

    def normalization(self, net: Model, i: int) -> None:
        """Add what layer i does to z before its activation, as prediction does it."""
        kind = net.layers[i].normalization
        if kind is None:
            return
        parts = {"scales": net.core.scales(i), "shifts": net.core.shifts(i)}
        if kind == "batch":
            parts |= {
                "means": net.core.running_means(i),
                "variances": net.core.running_variances(i),
            }
            operator, attributes = "BatchNormalization", {}
        else:
            operator, attributes = "LayerNormalization", {"axis": -1}
            self.opset = max(self.opset, 17)
        constants = [self.constant(name, array) for name, array in parts.items()]
        self.add(operator, self.at, *constants, name="normalized", epsilon=EPSILON, **attributes)

    def activation(self, name: str) -> None:
        """Add h(z). ONNX Runtime has no Elu, Erf and Softplus of float64, so they are composed."""
        z = self.at
        double = self.dtype == np.float64
        if name == "identity":
            return
        if name == "gelu" and double:
            self.defines_gelu = True
            self.add("Gelu", z, name="gelu", domain=DOMAIN)
        elif name == "gelu":
            self._gelu(z)
        elif name == "silu":
            self.add("Mul", z, self.add("Sigmoid", z, name="sigmoid"), name="silu")
        elif name == "leaky_relu" and double:  # the attribute of LeakyRelu is a float32
            leak = self.add("Mul", z, self.constant("leak", 0.01), name="leak_z")
            self.add("Max", z, leak, name="leaky_relu")
        elif name == "elu" and double:
            zero, minus_one = self.constant("zero", 0.0), self.constant("minus_one", -1.0)
            negative = self.add("Min", z, zero, name="negative")
            power = self.add("Exp", negative, name="exp")
            positive = self.add("Relu", z, name="positive")
            both = self.add("Add", power, positive, name="sum")
            self.add("Add", both, minus_one, name="elu")
        elif name == "softplus" and double:
            size = self.add("Abs", z, name="abs")
            power = self.add("Exp", self.add("Neg", size, name="minus_abs"), name="exp")
            sum_ = self.add("Add", power, self.constant("one", 1.0), name="one_plus_exp")
            log = self.add("Log", sum_, name="log")
            self.add("Add", log, self.add("Relu", z, name="positive"), name="softplus")
        else:
            operator, attributes = _OPERATORS[name]
            self.add(operator, z, name=name, **attributes)

    def _gelu(self, z: str) -> None:
        root = self.add("Mul", z, self.constant("root_half", 0.5**0.5), name="z_root_half")
        erf = self.add("Erf", root, name="erf")
        sum_ = self.add("Add", erf, self.constant("one", 1.0), name="one_plus_erf")
        half = self.add("Mul", z, self.constant("half", 0.5), name="half")
        self.add("Mul", half, sum_, name="gelu")
