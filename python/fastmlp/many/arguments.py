"""Arguments of `train_many` that are one for all networks, or one for each."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from fastmlp import files
from fastmlp.fitting.checkpoints import Checkpoint, read_checkpoint
from fastmlp.fitting.early_stopping import EarlyStopping, read_early_stopping
from fastmlp.fitting.options import ValidationData
from fastmlp.model.class_weight import ClassWeight

Weights = ArrayLike | Sequence[ArrayLike | None]
ClassWeights = ClassWeight | Sequence[ClassWeight | None]
HeldOutData = ValidationData | list[ValidationData | None]
Stopping = EarlyStopping | bool | Sequence[EarlyStopping | bool | None]
Checkpoints = Checkpoint | files.Path | Sequence[Checkpoint | files.Path | None]
"""The types of arguments of `train_many`: one for all networks, or one for each."""


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
