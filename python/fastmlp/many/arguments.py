"""Arguments of `train_many`: the networks, and what is one for all of them or one for each."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation, files
from fastmlp.data._conversion import numbers
from fastmlp.fitting.checkpoints import Checkpoint, read_checkpoint
from fastmlp.fitting.early_stopping import EarlyStopping, read_early_stopping
from fastmlp.fitting.options import ValidationData
from fastmlp.many.networks import Networks, most_epochs
from fastmlp.model.class_weight import ClassWeight
from fastmlp.model.model import refuse_frozen, refuse_while_fitting
from fastmlp.network import Network, model_of

Weights = ArrayLike | Sequence[ArrayLike | None]
ClassWeights = ClassWeight | Sequence[ClassWeight | None]
HeldOutData = ValidationData | list[ValidationData | None]
Stopping = EarlyStopping | bool | Sequence[EarlyStopping | bool | None]
Checkpoints = Checkpoint | files.Path | Sequence[Checkpoint | files.Path | None]
"""The types of arguments of `train_many`: one for all networks, or one for each."""

_NONE: Final = "networks must hold at least one network"


def read_networks(networks: object) -> list[Network] | Networks:
    """Return the networks, of which those of a list are checked."""
    if isinstance(networks, Networks):
        if not networks:
            raise ValueError(_NONE)
        return networks
    nets = _validation.items("networks", networks, "a sequence of networks")
    if not nets:
        raise ValueError(_NONE)
    check_networks(nets, range(len(nets)))
    return nets


def check_networks(nets: list[Network], numbers: Sequence[int]) -> None:
    """Refuse networks that cannot be trained; `numbers` are theirs in errors."""
    for i, net in zip(numbers, nets, strict=True):
        if not isinstance(net, Network):
            raise TypeError(f"networks[{i}] must be a Network, got {_validation.described(net)}")
        if net.dtype != nets[0].dtype:
            raise ValueError(
                f"networks must have one dtype, but [0] is {nets[0].dtype} and [{i}] {net.dtype}"
            )
        if net.loss == "custom":
            raise ValueError(f"networks[{i}] has a custom loss, which needs Python: use its fit")
        refuse_while_fitting(model_of(net).core, f"train networks[{i}]")
    if len({id(net) for net in nets}) < len(nets):
        raise ValueError("networks must be different objects, but one occurs twice")
    for net in nets:
        refuse_frozen(model_of(net).core)


def parameters_of(nets: list[Network] | Networks) -> list[NDArray[Any]]:
    """Return the arrays of all parameters."""
    if isinstance(nets, Networks):
        return [nets.parameters]
    return [net.parameters for net in nets]


def read_epochs(epochs: int, nets: list[Network] | Networks) -> int:
    """Return the number of epochs, checked, to which those of each network can be added."""
    done = most_epochs(nets) if isinstance(nets, Networks) else max(net.epoch for net in nets)
    return _validation.integer("epochs", epochs, minimum=1, maximum=2**32 - 1 - done)


def for_each(
    name: str,
    value: Any,
    count: int,
    several: Callable[[Any], bool] = lambda value: isinstance(value, list | tuple),
) -> list[Any]:
    """Return an argument for each network: its items if they are `several`, or itself."""
    if not several(value):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{name} has {len(value)} items for {count} networks")
    return list(value)


def are_alike(each: dict[str, list[Any]]) -> bool:
    """Return whether what is wrong for any network is wrong for the first.

    Early stopping has an object for each, which is checked already.
    """
    return all(
        name == "early_stopping" or all(value is values[0] for value in values)
        for name, values in each.items()
    )


def are_weights(value: Any) -> bool:
    """Return whether it has weights for each network: rows of a matrix, or vectors and None."""
    if isinstance(value, list | tuple):
        return len(value) > 0 and (
            value[0] is None
            or getattr(value[0], "ndim", 0) == 1
            or (isinstance(value[0], list | tuple))
        )
    return getattr(value, "ndim", 1) == 2


def are_validation_data(value: Any) -> bool:
    """Return whether it is a list of validation data, tuples and None."""
    return isinstance(value, list) and all(
        each is None or isinstance(each, tuple) for each in value
    )


def stoppings(value: Any, count: int) -> list[EarlyStopping | None]:
    """Return the early stopping of each network: copies of one, or objects of their own."""
    if not isinstance(value, list | tuple):
        stopping = read_early_stopping(value)
        return [None if stopping is None else copy.copy(stopping) for _ in range(count)]
    stoppings = [read_early_stopping(each) for each in for_each("early_stopping", value, count)]
    own = [id(each) for each in stoppings if each is not None]
    if len(set(own)) < len(own):
        raise ValueError("early_stopping must have an object for each network, but one is twice")
    return stoppings


def checkpoints(value: Any, count: int) -> list[Checkpoint | None]:
    """Return the checkpoint of each network: files in a folder, or of their own."""
    if isinstance(value, list | tuple):
        checkpoints = [read_checkpoint(each) for each in for_each("checkpoint", value, count)]
        paths = [os.path.abspath(each.path) for each in checkpoints if each is not None]  # noqa: PTH100
        if len(set(paths)) < len(paths):
            raise ValueError("checkpoint must have a file for each network, but one is twice")
        return checkpoints
    one = read_checkpoint(value)
    if one is None:
        return [None] * count
    folder = os.fsdecode(one.path)
    return [
        Checkpoint(os.path.join(folder, f"{i}.ckpt"), one.every, resume=one.resume)  # noqa: PTH118
        for i in range(count)
    ]


def make_folders(checkpoints: Iterable[Checkpoint | None]) -> None:
    """Create the folders of checkpoint files."""
    for checkpoint in checkpoints:
        if checkpoint is not None:
            folder = os.path.dirname(os.path.abspath(checkpoint.path))  # noqa: PTH100, PTH120
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103


def row_numbers(i: int, part: object, count: int) -> NDArray[np.uint32]:
    """Return the `rows` of network i, checked."""
    try:
        array = numbers(f"rows[{i}]", part)
    except ValueError as error:
        raise TypeError(f"rows[{i}] must be a vector of integers: {error}") from None
    if array.dtype == bool:
        raise TypeError(
            f"rows[{i}] must be a vector of integers, got bool: pass np.flatnonzero(rows[{i}])"
        )
    if array.size == 0:
        raise ValueError(f"rows[{i}] must have at least one row number of X, got none")
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise TypeError(f"rows[{i}] must be a vector of integers, got {array.dtype} {array.shape}")
    if array.min() < 0 or array.max() >= count:
        at = int(np.argmax((array < 0) | (array >= count)))
        raise ValueError(
            f"rows[{i}] must have row numbers of X, 0 to {count - 1}, got {array[at]} at {at}"
        )
    if len(array) > np.iinfo(np.uint32).max:
        raise ValueError(f"rows[{i}] has {_validation.brief(len(array))} rows: at most 2^32 - 1")
    return np.array(array, np.uint32)


@contextmanager
def of_network(i: int) -> Iterator[None]:
    """Say whose arguments are refused in a ``with`` statement."""
    try:
        yield
    except (TypeError, ValueError) as error:
        error.add_note(f"in what networks[{i}] is trained with")
        raise
