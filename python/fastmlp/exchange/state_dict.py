"""Parameters by name, as PyTorch stores them, to a network."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp import files
from fastmlp._validation import brief
from fastmlp.exchange.assembly import assemble
from fastmlp.exchange.steps import Activation, Linear, Step
from fastmlp.layers.activations import read_activation
from fastmlp.losses import LossLike
from fastmlp.model.model import Model

_TYPES: Final = {"F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8"}
"""How the types of safetensors are stored; NumPy has no BF16, the upper half of a float32."""


def from_state_dict(
    state: object, activation: object, output: str | None, loss: LossLike | None, seed: int | None
) -> Model:
    """Return a network with some parameters; see `fastmlp.from_state_dict`."""
    if isinstance(state, str | PathLike):
        files.refuse_devices(state)
        state = _tensors(Path(state))
    if not isinstance(state, Mapping):
        raise TypeError(
            f"state must be a mapping of names or the path of a file, got {type(state).__name__}"
        )
    _refuse_other_contents(state)
    arrays = {str(name): _array(str(name), tensor) for name, tensor in state.items()}
    return assemble(_steps(arrays, activation), output=output, loss=loss, seed=seed)


def _refuse_other_contents(state: Mapping[Any, Any]) -> None:
    """Refuse a checkpoint around the parameters, and batch normalization among them."""
    for name, value in state.items():
        if isinstance(value, Mapping):
            raise ValueError(
                f"state[{brief(name)}] is a mapping itself: pass it alone if it has the parameters"
            )
        if str(name).endswith((".running_mean", ".num_batches_tracked")):
            raise ValueError(
                f"{brief(name)} belongs to a batch normalization, but only dense layers are read "
                "from names: fm.from_torch reads a module with other layers"
            )


def _steps(arrays: dict[str, NDArray[Any]], activation: object) -> Iterator[Step]:
    function = read_activation("activation", activation)
    layers = _layers(arrays)
    for i, layer in enumerate(layers):
        weights, biases = arrays[f"{layer}.weight"], arrays.get(f"{layer}.bias")
        if biases is None:
            biases = np.zeros(len(weights), weights.dtype)
        yield Linear(weights.T, biases, f"{brief(layer)}.weight")
        if i < len(layers) - 1:
            yield Activation(function, layer)


def _layers(arrays: dict[str, NDArray[Any]]) -> list[str]:
    """Return the names of the layers in the order of their numbers, if it is certain."""
    layers = [name.removesuffix(".weight") for name in arrays if name.endswith(".weight")]
    known = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    others = [name for name, array in arrays.items() if name not in known]
    others += [f"{layer}.weight" for layer in layers if arrays[f"{layer}.weight"].ndim != 2]
    if others or not layers:
        raise ValueError(
            f"state must have pairs NAME.weight (N, K) and NAME.bias (N,) of dense layers only, "
            f"got {', '.join(map(brief, others[:5])) or 'none'}"
        )
    patterns = {re.sub(r"\d+", "0", layer) for layer in layers}
    if len(layers) > 1 and (len(patterns) > 1 or not re.search(r"\d", layers[0])):
        raise ValueError(
            "the order of the layers is not certain: their names must differ in numbers only, "
            f"got {', '.join(map(brief, layers[:5]))}"
        )
    _refuse_other_first(layers, arrays)
    places = {layer: [int(number) for number in re.findall(r"\d+", layer)] for layer in layers}
    ordered = sorted(layers, key=places.__getitem__)
    for before, after in pairwise(ordered):
        if places[before] == places[after]:
            raise ValueError(
                f"the order of {brief(before)} and {brief(after)} is not certain: equal numbers"
            )
        nodes, features = len(arrays[f"{before}.weight"]), arrays[f"{after}.weight"].shape[1]
        if nodes != features:
            raise ValueError(
                f"{brief(after)} takes {features} nodes, but gets {nodes} of {brief(before)}: the "
                "layers must be one after the other, not beside each other as heads"
            )
    return ordered


def _refuse_other_first(layers: list[str], arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse a table of vectors, as an embedding is, which has no biases where layers do."""
    bare = [layer for layer in layers if f"{layer}.bias" not in arrays]
    if bare and len(bare) < len(layers):
        first = min(layers, key=lambda layer: [int(n) for n in re.findall(r"\d+", layer)])
        if first in bare:
            raise ValueError(
                f"{brief(first)}.weight has no bias, which other layers have: it may be an "
                "embedding; add a bias of zeros if it is a dense layer"
            )


def _array(name: str, tensor: Any) -> NDArray[Any]:
    """Return an array, also of a tensor that is on a device or has gradients."""
    for method in ("detach", "cpu"):
        tensor = getattr(tensor, method, lambda same=tensor: same)()
    if str(getattr(tensor, "dtype", "")).endswith("bfloat16"):  # of PyTorch, or of ml_dtypes
        tensor = tensor.float() if hasattr(tensor, "float") else tensor.astype(np.float32)
    array = np.asarray(tensor)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype not in (np.float32, np.float64):
        raise ValueError(f"{brief(name)} must be floats of at most 64 bits, got {array.dtype}")
    return array


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a safetensors file."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + size])
        header.pop("__metadata__", None)
        data = memoryview(content)[8 + size :]
        return {name: _tensor(entry, data) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        name = files.shown(str(path))
        raise ValueError(
            f"{name} is not a safetensors file of float16, bfloat16, float32 and float64 tensors"
        ) from None


def _tensor(entry: dict[str, Any], data: memoryview) -> NDArray[Any]:
    start, end = entry["data_offsets"]
    if not 0 <= start <= end <= len(data):
        raise ValueError
    array = np.frombuffer(data[start:end], _TYPES[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array
