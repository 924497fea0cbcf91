"""Parameters by name, as PyTorch stores them, to a network."""

import json
import re
from collections.abc import Iterator, Mapping
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

_TYPES: Final = {"F32": "<f4", "F64": "<f8"}


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
    arrays = {str(name): _array(str(name), tensor) for name, tensor in state.items()}
    return assemble(_steps(arrays, activation), output=output, loss=loss, seed=seed)


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
    return sorted(layers, key=lambda layer: [int(number) for number in re.findall(r"\d+", layer)])


def _array(name: str, tensor: Any) -> NDArray[Any]:
    """Return an array, also of a tensor that is on a device or has gradients."""
    for method in ("detach", "cpu"):
        tensor = getattr(tensor, method, lambda same=tensor: same)()
    array = np.asarray(tensor)
    if array.dtype not in (np.float32, np.float64):
        raise ValueError(f"{brief(name)} must be float32 or float64, got {array.dtype}")
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
            f"{name} is not a safetensors file of float32 and float64 tensors"
        ) from None


def _tensor(entry: dict[str, Any], data: memoryview) -> NDArray[Any]:
    start, end = entry["data_offsets"]
    if not 0 <= start <= end <= len(data):
        raise ValueError
    return np.frombuffer(data[start:end], _TYPES[entry["dtype"]]).reshape(entry["shape"])
