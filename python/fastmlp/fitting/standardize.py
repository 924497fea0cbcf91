"""``Network.adapt`` and ``fit(standardize=True)``: networks learn to scale their data.

Over 400 lines, as arrays, sparse matrices and streams of one process or of ranks are scaled alike.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data import copying
from fastmlp.data._conversion import Scaling, numbers
from fastmlp.data._raw import RawRows, refuse_not_finite
from fastmlp.data._sparse import SparseRows, is_sparse, sparse_rows
from fastmlp.data.moments import ColumnMoments
from fastmlp.data.rescaled import Rescaled
from fastmlp.data.rounding import IntegerRanges, refuse_rounded_integers
from fastmlp.data.stream import Stream, TargetsLike, check_width, rows_of
from fastmlp.errors import DataError, level_of_caller
from fastmlp.fitting.ranks import Ranks
from fastmlp.layers import ActivationLike
from fastmlp.losses import Loss
from fastmlp.model.feature_names import check_names
from fastmlp.model.model import Model, refuse_while_fitting
from fastmlp.model.samples import CheckedSamples
from fastmlp.model.targets import read_targets, targets_of_heads
from fastmlp.streams.batches import Batches
from fastmlp.streams.places import unusable

_BLOCK = 1 << 16  # elements that are converted to float64 at once

_MOST_DEVIATIONS = 2.0**33
"""Where the offset is beyond it, no scale of float32 keeps the mean near 0: as it is about 500
deviations from one offset to the next there."""

_MOST_DEVIATIONS_OF_TARGETS = 2.0**20
"""Where the mean of y is beyond it, outputs of float32, which are in units of y, are more than an
eighth of a deviation apart."""

_NOISE = 2.0**-40
"""Columns of y with smaller deviations, relative to their mean, are constant but for rounding."""

_REGRESSION = ("mean_squared_error", "mean_absolute_error", "huber", "quantile")
"""Losses whose targets are standardized: those of numbers in any unit."""

_SQUARED = ("mean_squared_error", "huber")
"""Those in the square of that unit."""


def adapt(
    model: Model, X: ArrayLike | Stream, y: TargetsLike | None, ranks: Ranks | None = None
) -> None:
    """Learn scale and offset of features and targets; see `Network.adapt`."""
    refuse_while_fitting(model.core, "adapt the network")
    check_names("X", X, model.feature_names)
    if ranks is not None:
        ranks.refuse_others(
            {
                "the method": "adapt",
                "the number of features": model.features,
                "whether X is dense, sparse or a stream": kind_of(X),
                "whether y is None": y is None,
            }
        )
    if isinstance(X, Stream):
        if y is not None:
            raise TypeError("y is part of the stream: pass the stream alone")
        features, targets = _of_stream(model, X, ranks)
    else:
        features, targets = _of_arrays(model, X, y, ranks)
    _set(model, features, targets)


def kind_of(X: object) -> str:
    """Return how the scaling of X is learned, which must be the same on all ranks."""
    if isinstance(X, Stream):
        return "a stream"
    return "sparse" if is_sparse(X) else "dense"


def _of_arrays(
    model: Model, X: Any, y: TargetsLike | None, ranks: Ranks | None
) -> tuple[Scaling, Scaling | None]:
    if isinstance(X, Rescaled):
        raise TypeError("X is Rescaled; adapt learns the scale itself from what was rescaled, X.X")
    if isinstance(X, Iterator):
        raise TypeError(
            "X must be an array, a frame, a list, a sparse matrix or a Stream, "
            f"got {_validation.described(X)}"
        )
    float64 = np.dtype(np.float64)
    minimum = int(ranks is None)  # others have more rows
    if is_sparse(X):
        copying.features_as_given("X", X, model.features, float64, minimum=minimum, shuffled=False)
        rows: Any = sparse_rows("X", X, float64)
    else:
        refuse_rounded_integers("X", X, copying.ENCODE_FEATURES)
        rows = copying.to_scale(numbers("X", X, copying.ENCODE_FEATURES), float64)
        copying.check_shape("X", rows.shape, model.features, minimum)
        refuse_not_finite("X", rows)
    if y is None:
        return _of_features(model, rows, ranks), None
    if not _numeric_outputs(model).any():
        names = [name for name, _ in model.loss.heads]
        raise ValueError(
            f"y is scaled only for outputs of identity and the losses {', '.join(_REGRESSION)}; "
            + (
                f"no head of this network has them: {', '.join(names)}; "
                if names
                else f"this network has {model.layers[-1].activation!r} and {str(model.loss)!r}; "
            )
            + "pass X alone"
        )
    given = read_targets("y", y, len(rows), model.outputs, model.loss, model.dtype)
    refuse_rounded_targets(model, y, ranks)
    return _of_features(model, rows, ranks), _of_targets(model, given, ranks)


def _of_stream(model: Model, stream: Stream, ranks: Ranks | None) -> tuple[Scaling, Scaling | None]:
    """Return both scalings, from one pass over a stream."""
    check_width(stream, model.features)
    features, targets = ColumnMoments(model.features), _moments_of_targets(model)
    exact, integers = _moments_of_targets(model), IntegerRanges()
    read = stream.reader()
    for start, stop in stream.pieces():
        with unusable(*stream.place(start)):
            X, y, _ = rows_of(read(start, stop))
            if isinstance(X, Rescaled):
                raise TypeError("X is Rescaled; adapt learns the scale itself")
            array = numbers("X", X, copying.ENCODE_FEATURES)
            copying.check_shape("X", array.shape, model.features)
            rows = copying.to_scale(array, np.dtype(np.float64))
            refuse_not_finite("X", rows)
            features.add(rows.values.astype(np.float64))
            integers.add(rows.values)
            if targets is not None and exact is not None:
                given = read_targets("y", y, len(array), model.outputs, model.loss, model.dtype)
                targets.add(_numbers(model, given).astype(np.float64))
                exact.add(_exact_numbers(model, y))
    integers.refuse_rounded("X", lambda j: float(np.sqrt(features.variance()[j])))
    scaling = _inwards(_merged(features, ranks), model.dtype, "X")
    if targets is None or exact is None:
        return scaling, None
    _refuse_rounded(model, _merged(exact, ranks))
    return scaling, _outwards(_merged(targets, ranks), model)


def warn_of_constants(model: Model) -> None:
    """Warn of columns that `adapt` saw as constant: samples in which they vary may come later."""
    for name, scaling, of, what in (
        ("X", model.input_scaling, "input", "this feature is 0 for the network"),
        ("y", model.output_scaling, "output", "this output is always that constant"),
    ):
        if scaling is None:
            continue
        constant = np.flatnonzero(scaling[0] == 0.0)
        if len(constant):
            column = int(constant[0])
            more = f" and {len(constant) - 1} more" if len(constant) > 1 else ""
            warnings.warn(
                f"{name} is constant in column {column}{more}: with the scale 0, {what}, also for "
                f"samples in which it varies; for those, adapt to more samples, or set "
                f"{of}_scale[{column}] = 1",
                UserWarning,
                stacklevel=level_of_caller(),
            )


@contextmanager
def standardized(
    model: Model, data: object, saved_core: Any, ranks: Ranks | None = None
) -> Iterator[None]:
    """Prepare a network for ``fit(standardize=True)``, and undo that if no step is made.

    Until the scaling is known, it is 1, so that features are already read as those of a network
    that scales them. A resumed fit takes the scaling of its checkpoint.
    """
    core = model.core
    before = (model.input_scaling, model.output_scaling)
    position = (core.epoch, core.steps)
    if saved_core is not None:
        core.set_input_scaling(saved_core.input_scale, saved_core.input_offset)
        core.set_output_scaling(saved_core.output_scale, saved_core.output_offset)
    elif isinstance(data, Batches):
        raise ValueError(
            "standardize=True needs all samples before the first step, which an iterable of "
            "batches does not have: call net.adapt(X, y) before fit"
        )
    elif isinstance(data, Stream):
        adapt(model, data, None, ranks)
    else:
        if not (isinstance(data, Rescaled) or is_sparse(data)):
            refuse_rounded_integers("X", data, copying.ENCODE_FEATURES)
        ones = np.ones(model.features, model.dtype)
        core.set_input_scaling(ones, np.negative(np.zeros_like(ones)))
    try:
        yield
    except BaseException as error:
        refused = (core.epoch, core.steps) == position
        if refused or isinstance(error, DataError):
            for scaling, put in zip(
                before, (core.set_input_scaling, core.set_output_scaling), strict=True
            ):
                put(*(scaling if scaling is not None else (None, None)))
        raise


def is_first_fit(model: Model) -> bool:
    """Return whether ``fit(standardize=True)`` learns the scaling; not if there is one already.

    Raises
    ------
    ValueError
        If the network was trained without scaling: its weights would mean something else.
    """
    if model.input_scaling is not None or model.output_scaling is not None:
        return False
    if model.core.epoch > 0 or model.core.steps > 0:
        raise ValueError(
            "standardize=True scales before the first fit, but the network was trained without "
            "scaling; net.adapt(X, y) adds it now, which changes what the network computes"
        )
    return True


def learn_from(model: Model, samples: CheckedSamples, ranks: Ranks | None = None) -> None:
    """Learn the scaling of the training samples of a fit, those of weight 0 left out."""
    samples = samples.counting()
    numeric = _numeric_outputs(model).any()
    targets = _of_targets(model, samples.y, ranks) if numeric else None
    _set(model, _of_features(model, samples.X, ranks), targets)


def _set(model: Model, features: Scaling, targets: Scaling | None) -> None:
    model.core.set_input_scaling(*features)
    if targets is not None:
        model.core.set_output_scaling(*targets)


def _numeric_outputs(model: Model) -> NDArray[np.bool_]:
    """Return which outputs (N,) are numbers that can be scaled."""
    return _of_outputs(model, _is_numeric)


def _of_outputs(model: Model, test: Callable[[ActivationLike, Loss], bool]) -> NDArray[np.bool_]:
    """Return for which outputs (N,) their activation and loss pass a test."""
    if not model.loss.heads:
        return np.full(model.outputs, test(model.layers[-1].activation, model.loss))
    heads = [head for _, head in model.loss.heads]
    return np.concatenate(
        [np.full(head.nodes, test(head.activation, head.chosen_loss)) for head in heads]
    )


def _is_numeric(activation: ActivationLike, loss: Loss) -> bool:
    return activation == "identity" and loss in _REGRESSION


def _numbers(model: Model, y: NDArray[Any]) -> NDArray[Any]:
    """Return the columns of targets, as `read_targets` returns them, that can be scaled."""
    heads = model.loss.heads
    if not heads:
        return y
    pairs = zip(targets_of_heads(y, heads), heads, strict=True)
    numeric = [part for part, (_, head) in pairs if _is_numeric(head.activation, head.chosen_loss)]
    return np.concatenate(numeric, axis=1)


def _moments_of_targets(model: Model) -> ColumnMoments | None:
    """Return moments for the targets that can be scaled, if there are any."""
    columns = int(_numeric_outputs(model).sum())
    return ColumnMoments(columns) if columns else None


def _of_features(model: Model, rows: Any, ranks: Ranks | None) -> Scaling:
    if isinstance(rows, SparseRows):
        return _of_sparse(rows, model.dtype, ranks)
    moments = ColumnMoments(model.features)
    values = rows.values if isinstance(rows, RawRows) else rows
    _add_blocks(moments, values)
    return _inwards(_merged(moments, ranks), model.dtype, "X")


def _of_targets(model: Model, y: NDArray[Any], ranks: Ranks | None) -> Scaling:
    moments = _moments_of_targets(model)
    assert moments is not None
    _add_blocks(moments, _numbers(model, y))
    return _outwards(_merged(moments, ranks), model)


def refuse_rounded_targets(model: Model, y: Any, ranks: Ranks | None = None) -> None:
    """Refuse to scale targets whose deviations are lost in outputs of float32.

    `y` is as it was given: rounded to float32 it may already be constant.

    Raises
    ------
    TypeError, ValueError
        If it does not match the network, or varies too little around a large mean.
    """
    moments = _moments_of_targets(model)
    if moments is None:
        return
    for part in [y] if not model.loss.heads else y.values() if isinstance(y, Mapping) else y:
        refuse_rounded_integers("y", part)
    if model.dtype != np.float32:
        return
    moments.add(_exact_numbers(model, y))
    _refuse_rounded(model, _merged(moments, ranks))


def _exact_numbers(model: Model, y: Any) -> NDArray[np.float64]:
    """Return the columns of targets that can be scaled, in float64."""
    first = y
    if model.loss.heads and isinstance(y, Mapping | tuple | list) and y:
        first = next(iter(y.values())) if isinstance(y, Mapping) else y[0]
    rows = np.shape(first)[0] if np.ndim(first) else 0
    float64 = np.dtype(np.float64)
    return _numbers(model, read_targets("y", y, rows, model.outputs, model.loss, float64))


def _refuse_rounded(model: Model, exact: ColumnMoments) -> None:
    """Refuse columns that vary too little around their mean for outputs of float32."""
    if model.dtype != np.float32 or exact.count == 0:
        return
    mean, deviation = np.abs(exact.mean), exact.deviation("y")
    rounded = (mean > _MOST_DEVIATIONS_OF_TARGETS * deviation) & (deviation > _NOISE * mean)
    if rounded.any():
        column = int(rounded.argmax())
        raise ValueError(
            f"y varies too little around its mean {exact.mean[column]:.6g} in column {column}, "
            f"with a standard deviation of {deviation[column]:.2g}, for outputs of float32: "
            "subtract a constant from it first, or use dtype='float64'"
        )


def _merged(moments: ColumnMoments, ranks: Ranks | None) -> ColumnMoments:
    """Return the moments of the rows of all ranks."""
    return moments if ranks is None else ranks.moments(moments)


def _add_blocks(moments: ColumnMoments, array: NDArray[Any]) -> None:
    step = max(1, _BLOCK // max(1, array.shape[1]))
    for first in range(0, len(array), step):
        moments.add(array[first : first + step].astype(np.float64))


def _of_sparse(rows: SparseRows, dtype: np.dtype[Any], ranks: Ranks | None) -> Scaling:
    """Return 1 / standard deviation of each column, and no offsets."""
    moments = ColumnMoments(rows.n_features)
    if len(rows):
        moments.set(*_sparse_moments(rows))
    deviation = np.sqrt(_merged(moments, ranks).variance())
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return _representable("X", scale, np.zeros_like(scale), dtype)


def _sparse_moments(rows: SparseRows) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Return the number of rows, the means and the sums of (x - mean)^2."""
    n, columns = len(rows), rows.columns
    values = rows.values.astype(np.float64) if rows.exact is None else rows.exact
    mean = np.bincount(columns, values, rows.n_features) / n
    zeros = n - np.bincount(columns, minlength=rows.n_features)
    stored = np.bincount(columns, (values - mean[columns]) ** 2, rows.n_features)
    return n, mean, stored + zeros * mean**2


def _inwards(moments: ColumnMoments, dtype: np.dtype[Any], name: str) -> Scaling:
    """Return the scaling that gives columns mean 0 and standard deviation 1, or 0 if constant.

    The offset is computed from the rounded scale, so that the scaled mean is 0 even if the mean is
    large.
    """
    exact, offset = moments.standardization(name)
    far = np.abs(offset) > _MOST_DEVIATIONS
    if dtype == np.float32 and far.any():
        column = int(far.argmax())
        raise ValueError(
            f"{name} varies too little around its mean {moments.mean[column]:.6g} in column "
            f"{column} to be scaled in {dtype}: subtract a constant from it first"
        )
    with np.errstate(over="ignore"):
        scale = exact.astype(dtype)
    return _representable(name, scale, 0.0 - moments.mean * scale.astype(np.float64), dtype)


def _outwards(moments: ColumnMoments, model: Model) -> Scaling:
    """Return the scaling that gives outputs the mean and standard deviation of the targets.

    It leaves the outputs of heads that are no numbers.
    """
    of_numbers = _representable("y", moments.deviation("y"), moments.mean, model.dtype)
    scale, offset = np.ones(model.outputs, model.dtype), np.zeros(model.outputs, model.dtype)
    numeric = _numeric_outputs(model)
    scale[numeric], offset[numeric] = of_numbers
    _warn_of_lost_losses(model, scale)
    return scale, offset


def _warn_of_lost_losses(model: Model, scale: NDArray[Any]) -> None:
    """Warn if losses in units of y, which the core computes in the network's type, leave it."""
    limits = np.finfo(model.dtype)
    squared = _of_outputs(model, lambda _, loss: loss in _SQUARED)
    units = np.where(squared, scale.astype(np.float64) ** 2, scale)[_numeric_outputs(model)]
    small = (units > 0) & (units < float(limits.tiny) / float(limits.eps))
    large = units > float(limits.max) * float(limits.eps)
    if (small | large).any():
        deviation = scale[_numeric_outputs(model)][int((small | large).argmax())]
        what = "round to 0" if small.any() else "overflow"
        remedy = "" if model.dtype == np.float64 else ", or use dtype='float64'"
        warnings.warn(
            f"y has a standard deviation of {deviation:.2g}, with which losses in units of y "
            f"{what} in {model.dtype}, and early stopping compares them: divide y by a constant "
            f"first{remedy}",
            UserWarning,
            stacklevel=level_of_caller(),
        )


def _representable(
    name: str, scale: NDArray[Any], offset: NDArray[Any], dtype: np.dtype[Any]
) -> Scaling:
    with np.errstate(over="ignore"):
        factors = (scale.astype(dtype), offset.astype(dtype))
    for factor in factors:
        if not np.isfinite(factor).all():
            column = int(np.isfinite(factor).argmin())
            raise ValueError(f"{name} varies too little in column {column} to be scaled in {dtype}")
    return factors
