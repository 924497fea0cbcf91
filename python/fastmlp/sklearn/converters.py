"""skl2onnx's converters of the estimators; see `fastmlp.sklearn.register_skl2onnx`."""

from typing import Any, Final

import numpy as np
import skl2onnx
from numpy.typing import NDArray
from onnx import TensorProto, defs, helper, numpy_helper
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from fastmlp.exchange.onnx.exporting import onnx_model
from fastmlp.network import model_of
from fastmlp.sklearn.architecture import copy_of
from fastmlp.sklearn.classifier import MLPClassifier
from fastmlp.sklearn.regressor import MLPRegressor

_OPTIONS: Final = {
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
    "nocl": [True, False],
}
"""Those of skl2onnx for classifiers."""


def register() -> None:
    """Register the converters."""
    skl2onnx.update_registered_converter(
        MLPClassifier,
        "FastmlpMLPClassifier",
        _classifier_shapes,
        _convert_classifier,
        options=_OPTIONS,
    )
    skl2onnx.update_registered_converter(
        MLPRegressor, "FastmlpMLPRegressor", _regressor_shapes, _convert_regressor
    )


def _regressor_shapes(operator: Any) -> None:
    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].set_type(_numbers(operator)([rows, _width(operator)]))


def _classifier_shapes(operator: Any) -> None:
    labels = _labels(operator)
    rows = operator.inputs[0].get_first_dimension()
    shape = [rows, len(labels)] if operator.raw_operator._is_multilabel() else [rows]
    label = StringTensorType if labels.dtype.kind == "U" else Int64TensorType
    operator.outputs[0].set_type(label(shape))
    operator.outputs[1].set_type(_numbers(operator)([rows, len(labels)]))


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    graph = _Graph(scope, container)
    graph.node("Identity", _add_network(graph, operator), to=operator.outputs[0].full_name)


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    graph, dtype = _Graph(scope, container), _dtype(operator)
    label, probabilities = (each.full_name for each in operator.outputs)
    outputs = _add_network(graph, operator)
    if _width(operator) > 1:
        graph.node("Identity", outputs, to=probabilities)
    else:
        rest = graph.node("Sub", graph.constant(np.ones(1, dtype)), outputs)
        graph.node("Concat", rest, outputs, to=probabilities, axis=1)
    binarizer = operator.raw_operator._label_binarizer
    if binarizer.y_type_ == "multiclass":
        numbers = graph.node("ArgMax", outputs, axis=1, keepdims=0)
    else:
        positive = graph.node("Greater", outputs, graph.constant(np.full(1, 0.5, dtype)))
        numbers = graph.node("Cast", positive, cast_to=np.int64)
    if binarizer.y_type_ == "binary":
        numbers = graph.node("Reshape", numbers, graph.constant(np.array([-1], np.int64)))
    if operator.raw_operator._is_multilabel():
        graph.node("Identity", numbers, to=label)
    else:
        graph.node("Gather", graph.constant(_labels(operator)), numbers, to=label, axis=0)


def _add_network(graph: "_Graph", operator: Any) -> str:
    """Add the network of an estimator, and return the name of its outputs."""
    network, dtype = operator.raw_operator.network_, _dtype(operator)
    model = model_of(network if network.dtype == dtype else copy_of(network, dtype))
    with model.core.reading():
        source = onnx_model(model)
    graph.require_opset(next(each.version for each in source.opset_import if not each.domain))
    names = {"X": graph.node("Cast", operator.inputs[0].full_name, cast_to=dtype)}
    for constant in source.graph.initializer:
        names[constant.name] = graph.constant(numpy_helper.to_array(constant))
    for node in source.graph.node:
        settings = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        inputs = [names[name] for name in node.input]
        names[node.output[0]] = graph.node(node.op_type, *inputs, **settings)
    return names[source.graph.output[0].name]


class _Graph:
    """The graph that skl2onnx is making, in which each of our nodes has a name of its own."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope = scope
        self._container = container

    def constant(self, array: NDArray[Any]) -> str:
        """Add a constant, and return its name."""
        name: str = self._scope.get_unique_variable_name("fastmlp_constant")
        is_text = array.dtype.kind == "U"
        kind = TensorProto.STRING if is_text else helper.np_dtype_to_tensor_dtype(array.dtype)
        values = [text.encode() for text in array.tolist()] if is_text else array.ravel().tolist()
        self._container.add_initializer(name, kind, array.shape, values)
        return name

    def node(
        self,
        kind: str,
        *inputs: str,
        to: str | None = None,
        cast_to: Any = None,
        **settings: Any,
    ) -> str:
        """Add a node, and return the name of its output: `to`, or a new one."""
        output: str = to or self._scope.get_unique_variable_name("fastmlp")
        if cast_to is not None:
            settings["to"] = helper.np_dtype_to_tensor_dtype(np.dtype(cast_to))
        version = defs.get_schema(kind, self._container.target_opset).since_version
        name = self._scope.get_unique_operator_name("fastmlp")
        self._container.add_node(
            kind, list(inputs), output, op_version=version, name=name, **settings
        )
        return output

    def require_opset(self, needed: int) -> None:
        """Raise if the operators of the network are newer than the target."""
        if needed > self._container.target_opset:
            raise RuntimeError(
                f"the network needs target_opset={needed} or later, "
                f"got {self._container.target_opset}"
            )


def _dtype(operator: Any) -> Any:
    """Return what the graph computes in: double precision for inputs of doubles only."""
    return np.float64 if isinstance(operator.inputs[0].type, DoubleTensorType) else np.float32


def _numbers(operator: Any) -> Any:
    return DoubleTensorType if _dtype(operator) is np.float64 else FloatTensorType


def _width(operator: Any) -> int:
    """Return the number of outputs of the network."""
    return int(operator.raw_operator.network_.layers[-1].nodes)


def _labels(operator: Any) -> NDArray[Any]:
    """Return the classes as text or 64-bit integers, which ONNX has; or refuse them."""
    estimator = operator.raw_operator
    classes = np.asarray(estimator.classes_)
    if len(classes) < 2:
        raise ValueError(f"a classifier of one class, {classes.tolist()}, cannot be converted")
    if operator.scope_inst.get_options(estimator, {"nocl": False}, fail=False)["nocl"]:
        return np.arange(len(classes))
    if classes.dtype.kind in "iub":
        return classes.astype(np.int64)
    if all(isinstance(each, str) for each in classes):
        return classes.astype(str)
    if classes.dtype.kind == "f" and (classes == np.round(classes)).all():
        return classes.astype(np.int64)
    raise ValueError(
        "labels in ONNX are text or integers, got classes_ of "
        f"{classes.dtype}: {classes[:3].tolist()}"
    )
