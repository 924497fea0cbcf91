"""Checks and conversion of rows that were read; errors name the file, row and column."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.data import _arrays, copying
from fastmlp.data._conversion import Scaling, converted, first_non_finite, numbers
from fastmlp.data._raw import RawRows
from fastmlp.data._sparse import is_sparse
from fastmlp.data.rescaled import Rescaled
from fastmlp.data.stream import rows_of
from fastmlp.errors import DataError
from fastmlp.losses import Loss
from fastmlp.model.class_weight import ByClass, ClassWeight, read_class_weight, times_class
from fastmlp.model.feature_names import Names, check_names
from fastmlp.model.model import Model
from fastmlp.model.targets import read_targets
from fastmlp.streams.places import Places, unusable


@dataclass(frozen=True)
class Demands:
    """What a network requires of its samples; `class_weights`, or None.

    With a `scaling` of its features they are scaled as they are read.
    """

    n_features: int
    outputs: int
    loss: Loss
    dtype: np.dtype[Any]
    class_weights: ByClass | None = None
    feature_names: Names | None = None
    scaling: Scaling | None = None

    @classmethod
    def of(cls, model: Model, class_weight: ClassWeight | None = None) -> "Demands":
        """Return those of a network, with the `class_weight` of ``fit``."""
        outputs = model.outputs
        weights = None
        if class_weight is not None:
            weights = read_class_weight(class_weight, model.loss, outputs)
        return cls(
            model.features,
            outputs,
            model.loss,
            model.dtype,
            weights,
            model.feature_names,
            model.input_scaling,
        )


Checked = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]
"""(X, y, sample_weight) for the core; they may be views of the data read."""


def check(read: Any, demands: Demands, stream: Places, start: int) -> Checked:
    """Check and convert what was read from a stream, starting at row `start`.

    Raises
    ------
    DataError
        If its conversion raises, it does not match the network, or it is not finite; the message
        names file, row and column.
    """
    target, (file, first) = stream.target_name(), stream.place(start)
    with unusable(file, first):
        X, y, weight = rows_of(read)
        x = features(X, demands, stream, start)
    with unusable(stream.target_file(start), first):
        if not demands.loss.heads:
            y = numbers(target, y, _arrays.advice_for_targets(demands.loss))
            if y.dtype.kind == "f" and np.isnan(y).any():
                row = int(np.argwhere(np.isnan(y))[0, 0])
                raise ValueError(f"{target} is NaN or null at row {row}")
        t = read_targets(target, y, len(x), demands.outputs, demands.loss, demands.dtype)
        w = None if weight is None else _weights(weight, len(x), demands.dtype)
        if demands.class_weights is not None:
            t, w = times_class(demands.class_weights, t, w, demands.loss, demands.dtype)
        return x, t, w


Labelled = tuple[NDArray[Any], NDArray[Any] | None]
"""(y, sample_weight) for the core."""


def check_alike(source: str, first: Labelled, part: Labelled) -> None:
    """Refuse a part of "the stream" or "the batches" with targets of another kind than the first.

    Raises
    ------
    DataError
        If the targets have another type or number of columns, or only one part has weights.
    """
    if (first[1] is None) != (part[1] is None):
        raise DataError(f"some samples of {source} have weights and others have none")
    before, now = first[0], part[0]
    if before.dtype != now.dtype or before.shape[1:] != now.shape[1:]:
        raise DataError(
            f"targets of {source} were of {before.dtype}, shape {_of_rows(before)}, "
            f"and now are of {now.dtype}, shape {_of_rows(now)}"
        )


def _of_rows(y: NDArray[Any]) -> str:
    """Return the shape of any number of rows: ``(n, 3)``."""
    return f"({', '.join(['n', *map(str, y.shape[1:])])})"


def check_count(stream: Places, start: int, stop: int, count: int) -> None:
    """Refuse `count` rows if they are not as many as `start` to `stop` - 1."""
    if count != stop - start:
        file, row = stream.place(start)
        raise DataError(f"{file}: {count} rows instead of {stop - start} from row {row} on")


def features(X: Any, demands: Demands, stream: Places, start: int) -> NDArray[Any]:
    """Check and convert the features read from row `start` on; errors as in `check`."""
    if is_sparse(X):
        raise TypeError("X is sparse, which streams do not support; pass .toarray()")
    check_names("X", X, demands.feature_names)
    given = X if isinstance(X, Rescaled) else numbers("X", X, copying.ENCODE_FEATURES)
    if len(given.shape) != 2 or given.shape[1] != demands.n_features:
        raise ValueError(
            f"X must have the shape (rows, {demands.n_features}) that the network takes, "
            f"got {given.shape}"
        )
    if isinstance(given, Rescaled):
        copying.refuse_rescaled("X", demands.scaling)
        array, result = given.X, given.rows(demands.dtype).read()
    elif demands.scaling is not None:
        rows = copying.to_scale(given, demands.dtype).values
        array, result = given, RawRows(rows, demands.dtype, *demands.scaling).read()
    else:
        array, result = given, converted(given, demands.dtype)
    index = first_non_finite(result)
    if index < 0:
        return result
    row, column = divmod(index, array.shape[1])
    value = array[row, column]
    what = "NaN" if np.isnan(value) else "infinity"
    if np.isfinite(value):
        what = f"{value}, too large for {demands.dtype}"
    file, place = stream.place(start + row)
    raise DataError(f"{file}: row {place}, column {stream.feature_name(column)}: {what}")


def as_scaled(x: NDArray[Any], demands: Demands) -> NDArray[Any] | RawRows:
    """Return features that `features` has scaled so that the core does not scale them again."""
    if demands.scaling is None:
        return x
    ones = np.ones(demands.n_features, demands.dtype)
    return RawRows(x, demands.dtype, ones, np.negative(np.zeros_like(ones)))  # x + -0 is x


def _weights(weight: Any, rows: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return weights (rows,), which may all be 0, as those of other rows may not."""
    array = numbers("sample_weight", weight)
    if array.shape != (rows,):
        raise ValueError(f"sample_weight must have the shape ({rows},), got {array.shape}")
    result = converted(array, dtype)
    wrong = ~(np.isfinite(result) & (result >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"sample_weight must be at least 0 and finite in {dtype}, got {array[row]} at row {row}"
        )
    return result
