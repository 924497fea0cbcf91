"""The constants of an ONNX graph: initializers, and values computed only from them."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from fastmlp._validation import brief

_MISSHAPEN = (ValueError, TypeError, IndexError, OverflowError, KeyError, NotImplementedError)

_Folding = Callable[..., NDArray[Any]]


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """Return an attribute of the type of its default, or the default where it is missing.

    Raises
    ------
    ValueError
        If it is of another type.
    """
    found = next((a for a in node.attribute if a.name == name), None)
    if found is None:
        return default
    kinds = {
        float: AttributeProto.FLOAT,
        int: AttributeProto.INT,
        bytes: AttributeProto.STRING,
        list: AttributeProto.INTS,
        tuple: AttributeProto.FLOATS,
        TensorProto: AttributeProto.TENSOR,
    }
    if found.type != kinds[type(default)]:
        raise ValueError(f"node {brief(node.name)} ({node.op_type}): {name} has the wrong type")
    return helper.get_attribute_value(found)


def decoded(texts: Iterable[bytes]) -> list[str] | None:
    """Return texts, or None if one is not UTF-8."""
    try:
        return [text.decode() for text in texts]
    except UnicodeDecodeError:
        return None


class Constants:
    """Arrays by the name of their tensor, created when first needed."""

    def __init__(self, initializers: Iterable[TensorProto]) -> None:
        self._known: dict[str, TensorProto | NDArray[Any]] = {i.name: i for i in initializers}

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def set(self, name: str, array: NDArray[Any]) -> None:
        """Name an array."""
        self._known[name] = array

    def get(self, name: str, where: str) -> NDArray[Any]:
        """Return the array of numbers of a tensor.

        Raises
        ------
        ValueError
            If there is none, it has another type, or its data does not match its shape.
        """
        found = self._known.get(name)
        if found is None:
            raise ValueError(f"{where}: {brief(name)} is neither a constant nor computed before")
        if isinstance(found, TensorProto):
            found = self._known[name] = _array(found, where)
        if found.dtype.kind not in "fiub":
            raise ValueError(f"{where}: {brief(name)} holds {found.dtype}, not numbers")
        return found

    def is_number(self, name: str, number: float) -> bool:
        """Return whether a tensor is one number."""
        try:
            array = self.get(name, name)
        except ValueError:
            return False
        return array.size == 1 and array.item() == number

    def texts(self, name: str) -> list[str] | None:
        """Return the texts of a tensor, or None if it has none."""
        found = self._known.get(name)
        if not isinstance(found, TensorProto) or found.data_type != TensorProto.STRING:
            return None
        return decoded(found.string_data)

    def fold(self, node: NodeProto) -> None:
        """Compute a node of constants; a failure matters only if the result is used."""
        where = f"node {brief(node.name)} ({node.op_type})"
        if node.op_type == "Constant" and any(a.name == "value" for a in node.attribute):
            self._known[node.output[0]] = attribute(node, "value", TensorProto())
        if node.op_type not in _FOLDABLE or not all(name in self for name in node.input):
            return
        try:
            inputs = [self.get(name, where) for name in node.input]
            with np.errstate(all="ignore"):
                self._known[node.output[0]] = _FOLDABLE[node.op_type](node, *inputs)
        except _MISSHAPEN:
            return


def _elementwise(function: np.ufunc) -> _Folding:
    """Return a folding whose result is not larger than its largest operand."""

    def fold(_: NodeProto, *inputs: NDArray[Any]) -> NDArray[Any]:
        shape = np.broadcast_shapes(*(array.shape for array in inputs))
        if shape not in (array.shape for array in inputs):
            raise ValueError("broadcast beyond its operands")
        return np.asarray(function(*inputs))

    return fold


def _cast(node: NodeProto, array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(helper.tensor_dtype_to_np_dtype(attribute(node, "to", 0)))


def _transposed(node: NodeProto, array: NDArray[Any]) -> NDArray[Any]:
    return array.transpose(attribute(node, "perm", []) or None)


def _shape(_: NodeProto, *inputs: NDArray[Any]) -> NDArray[Any]:
    """Return [batch, nodes] from two numbers: shapes are the only concatenations needed."""
    if len(inputs) != 2 or any(array.size != 1 for array in inputs):
        raise ValueError("no shape")
    return np.concatenate([array.reshape(-1) for array in inputs])


_FOLDABLE: dict[str, _Folding] = {
    "Add": _elementwise(np.add),
    "Cast": _cast,
    "Concat": _shape,
    "Div": _elementwise(np.divide),
    "Gather": lambda _, array, index: np.asarray(array.reshape(-1)[int(index)]),
    "Identity": lambda _, array: array,
    "Mul": _elementwise(np.multiply),
    "Neg": _elementwise(np.negative),
    "Pow": _elementwise(np.power),
    "Reciprocal": _elementwise(np.reciprocal),
    "Reshape": lambda _, array, shape: array.reshape(shape.ravel().tolist()),
    "Sqrt": _elementwise(np.sqrt),
    "Squeeze": lambda _, array, *__: array.reshape([size for size in array.shape if size > 1]),
    "Sub": _elementwise(np.subtract),
    "Transpose": _transposed,
    "Unsqueeze": lambda _, array, *__: array.reshape(1, *array.shape),
}


def _array(tensor: TensorProto, where: str) -> NDArray[Any]:
    if tensor.data_location == TensorProto.EXTERNAL:
        raise ValueError(f"{where}: {brief(tensor.name)} is in another file")
    try:
        array: NDArray[Any] = numpy_helper.to_array(tensor)
    except _MISSHAPEN as error:
        raise ValueError(f"{where}: the tensor {brief(tensor.name)} is damaged: {error}") from None
    return array
