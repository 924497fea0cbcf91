"""What must be the same for a fit to resume from another's checkpoint."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._raw import RawRows
from fastmlp.data._sparse import SparseRows
from fastmlp.layers import label_of
from fastmlp.model.class_weight import ClassWeight, read_class_weight
from fastmlp.model.model import Core, Model, TrainOptions
from fastmlp.model.samples import CheckedSamples
from fastmlp.settings.optimizers import Optimizer
from fastmlp.settings.schedules import Schedule

_ROWS: Final = 1000
"""Number of rows that are compared, evenly spaced; all, if there are fewer."""

RANKS: Final = "the number of ranks"
"""Missing for one; see `of_ranks`."""

OF_RANKS: Final = ("the blocks of a stream", "X", "y", "sample_weight", "order")
"""What each rank has its own of."""


def of_samples(samples: CheckedSamples) -> dict[str, Any]:
    """Return the fingerprint of the samples passed to ``fit``, before any are held out."""
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


def of_ranks(every: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the fingerprint of a fit of several ranks, from what each would have alone."""
    if len(every) == 1:
        return every[0]
    joined: dict[str, Any] = {}
    for key in every[0].keys() & OF_RANKS:
        parts = [each[key] for each in every]
        if any(part is not None for part in parts):
            hashed = zlib.crc32(repr(parts).encode())
            is_text = isinstance(next(part for part in parts if part is not None), str)
            joined[key] = f"with the hash {hashed:08x}, of all ranks" if is_text else hashed
    return every[0] | joined | {RANKS: len(every)}


def of_arguments(
    model: Model, class_weight: ClassWeight | None, validation_fraction: float | None
) -> dict[str, Any]:
    """Return the fingerprint of the arguments that change the samples."""
    named: Any = None
    if class_weight is not None:
        by_head = read_class_weight(class_weight, model.loss, model.outputs)
        described = {head: _weights_described(by_class) for head, by_class in by_head.items()}
        named = "; ".join(": ".join(filter(None, each)) for each in described.items())
    return {"class_weight": named, "validation_fraction": validation_fraction}


def _weights_described(by_class: NDArray[np.float64] | str) -> str:
    return by_class if isinstance(by_class, str) else _described(by_class.shape, by_class)


def of_scaling(core: Core) -> str:
    """Return the fingerprint of the scaling of features and outputs."""
    parts = (core.input_scale, core.input_offset, core.output_scale, core.output_offset)
    present = [part for part in parts if part is not None]
    return f"set (hash {_hash(*present)})" if present else "not set"


def of_loss_weights(core: Core) -> str:
    """Return the fingerprint of the weights of the outputs."""
    weights = core.loss_weights
    return "not set" if weights is None else f"set (hash {_hash(weights)})"


def of_steps(
    optimizer: Optimizer,
    options: TrainOptions,
    order: NDArray[np.uint32] | None,
    rows: int,
) -> dict[str, Any]:
    """Return the fingerprint of the steps over `rows` samples; functions are not compared."""
    rate = optimizer.learning_rate
    named = replace(optimizer, learning_rate=1.0) if callable(rate) else optimizer
    spread = isinstance(rate, Schedule) and rate.is_spread
    return {
        "optimizer": repr(named),
        "learning_rate": "a function of the step" if callable(rate) else "",
        "ema": options.ema,
        "batch_size": options.batch_size,
        "the number of samples": rows,
        "shuffle": options.shuffle,
        "order": None if order is None else zlib.crc32(order.tobytes()),
        "epochs": options.epochs if spread else None,
    }


def of_network(core: Core) -> dict[str, object]:
    """Return the parts of a network by name, those first that others depend on."""
    model = Model.of_core(core)
    before, layers = model.input_normalization, model.layers
    parts: dict[str, object] = {
        "dtype": model.dtype,
        "the number of features": model.features,
        "input_normalization": None if before is None else label_of(before),
        "the number of layers": len(layers),
    }
    for i, layer in enumerate(layers):
        parts[f"the number of nodes of layer {i}"] = layer.nodes
    for name, head in model.loss.heads:
        parts[f"head {name!r}"] = head.described()
    for i, layer in enumerate(layers):
        parts[f"layer {i}"] = layer.function()
    return parts | {"loss": model.loss.described()}


def _arrays_of(rows: Any) -> tuple[NDArray[Any], ...]:
    """Return the arrays that contain some rows of features."""
    if isinstance(rows, SparseRows):
        return rows.offsets, rows.columns, rows.values
    return (rows.read(),) if isinstance(rows, RawRows) else (rows,)


def _described(shape: tuple[int, ...], *arrays: NDArray[Any]) -> str:
    """Return the shape of an array and a hash of `arrays`, its data."""
    return f"of shape {shape}, with the hash {_hash(*arrays)}"


def _hash(*arrays: NDArray[Any]) -> str:
    import hashlib  # noqa: PLC0415  (1 ms that only checkpoints pay)

    digest = hashlib.sha256()
    for array in arrays:
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        digest.update(f"{array.dtype.name}{array.shape}".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()[:16]
