"""What must be the same for a fit to go on with another's checkpoint."""

import zlib
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._raw import RawRows
from fastmlp.data._sparse import SparseRows
from fastmlp.model.class_weight import ClassWeight, of_classes
from fastmlp.model.model import Model, TrainOptions
from fastmlp.model.samples import CheckedSamples
from fastmlp.settings.optimizers import Optimizer
from fastmlp.settings.schedules import Schedule

_ROWS: Final = 1000
"""Rows that are compared, spread evenly over the samples; of fewer samples all."""


def of_samples(samples: CheckedSamples) -> dict[str, Any]:
    """Return that of samples as ``fit`` was given them, none held out."""
    n = len(samples)
    count = min(n, _ROWS)
    rows = np.arange(count) * (n - 1) // max(1, count - 1)
    weight = samples.weight
    return {
        "the blocks of a stream": None,
        "X": _described((n, samples.X.shape[1]), *_arrays_of(samples.X[rows])),
        "y": _described(samples.y.shape, samples.y[rows]),
        "sample_weight": None if weight is None else _described(weight.shape, weight[rows]),
    }


def of_arguments(
    model: Model, class_weight: ClassWeight | None, validation_fraction: float | None
) -> dict[str, Any]:
    """Return that of what ``fit`` makes of its samples."""
    named = class_weight
    if class_weight is not None and not isinstance(class_weight, str):
        by_class = of_classes(class_weight, max(2, model.outputs))
        named = _described(by_class.shape, by_class)
    return {"class_weight": named, "validation_fraction": validation_fraction}


def of_steps(
    optimizer: Optimizer,
    options: TrainOptions,
    order: NDArray[np.uint32] | None,
    rows: int,
) -> dict[str, Any]:
    """Return that of the steps over `rows` samples; of a function of the step, that it is one."""
    rate = optimizer.learning_rate
    named = replace(optimizer, learning_rate=1.0) if callable(rate) else optimizer
    spread = isinstance(rate, Schedule) and rate.is_spread
    return {
        "optimizer": repr(named),
        "learning_rate": "a function of the step" if callable(rate) else "",
        "batch_size": options.batch_size,
        "the number of samples": rows,
        "shuffle": options.shuffle,
        "order": None if order is None else zlib.crc32(order.tobytes()),
        "epochs": options.epochs if spread else None,
    }


def _arrays_of(rows: Any) -> tuple[NDArray[Any], ...]:
    """Return what makes up some rows of features."""
    if isinstance(rows, SparseRows):
        return rows.offsets, rows.columns, rows.values
    return (rows.read(),) if isinstance(rows, RawRows) else (rows,)


def _described(shape: tuple[int, ...], *arrays: NDArray[Any]) -> str:
    """Write the shape of an array, and a hash of what `arrays` has of it."""
    import hashlib  # noqa: PLC0415  (1 ms that only checkpoints pay)

    digest = hashlib.sha256()
    for array in arrays:
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        digest.update(f"{array.dtype.name}{array.shape}".encode())
        digest.update(little.tobytes())
    return f"of shape {shape}, with the hash {digest.hexdigest()[:16]}"
