"""Whether a network that was read computes what the model it was read from computes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.exchange.assembly import assemble
from fastmlp.exchange.steps import LogSoftmax, Step
from fastmlp.inference.prediction import predict_converted
from fastmlp.model.model import Model

Array = NDArray[Any]

_SIZES: Final = np.array([1, 1, 1, 1, 1, 1, 4, 16])
"""How large the features of each row are: the large ones reach bounds such as that of relu6."""

_SAMPLES: Final = 4
_SAFETY: Final = 4.0


Parts = Callable[[Array], Iterable[tuple[Sequence[Step], str, Array]]]
"""Yields for rows X (B, K) what was read up to a place in the original model, the name of the
place, and what the original model computes there, in order."""


def verify(
    steps: Sequence[Step],
    theirs: Callable[[Array], Array | None],
    precision: float = 0.0,
    *,
    whole: bool = False,
    parts: Parts = lambda _: (),
) -> None:
    """Refuse a network whose predictions for 8 rows are not those of the original model.

    They may differ by rounding. A sum of K products in any order is typically off by
    sqrt(K) eps of its terms, and an activation by 8 eps: the tolerance is 4 times what the
    predictions of the network change if all its parameters are off by as much.

    Parameters
    ----------
    steps : sequence of Step
        What was read.
    theirs : callable
        Returns the outputs of the original model for rows X (B, K), of the network's type, or None
        if they cannot be computed here.
    precision : float, default 0
        The eps in which the original model computes, if it is more than that of its weights.
    whole : bool, default False
        Use integers from 0 to 255 as features.
    parts : callable, optional
        The places inside the original model, to name the one where the two part.

    Raises
    ------
    ValueError
        If they differ by more; the message has the place and both numbers.
    """
    net = _network(steps)
    X = _rows(net)
    if whole:
        X = np.clip(np.rint(np.abs(X)), 0.0, 255.0)
    with np.errstate(all="ignore"):  # what overflows must do so in both
        outputs = theirs(X)
        if outputs is None:
            return
        difference = _difference(steps, X, outputs, precision)
        if difference is not None:
            place = _place(X, parts, precision)
            raise ValueError(
                f"the network that was read is not the model{place}: {difference}; verify=False "
                "skips this check"
            )


def _network(steps: Sequence[Step]) -> Model:
    is_log = any(isinstance(step, LogSoftmax) for step in steps)
    return assemble(steps, output="softmax" if is_log else None, loss=None, seed=0)


def _difference(steps: Sequence[Step], X: Array, outputs: Array, precision: float) -> str | None:
    """Describe by how much the outputs of the network of some steps differ, None if they do not."""
    net = _network(steps)
    expected = np.asarray(outputs, np.float64)
    if any(isinstance(step, LogSoftmax) for step in steps):
        expected = np.exp(expected)
    found = _predicted(net, X)
    if len(expected) != len(found) or expected.size != found.size:
        return (
            f"the model returns {expected.shape} for {len(X)} rows, the network read from it "
            f"{found.shape}"
        )
    expected = expected.reshape(found.shape)
    allowed = _tolerance(net, X, found, max(precision, float(np.finfo(net.dtype).eps)))
    same = (expected == found) | (np.isnan(expected) & np.isnan(found))
    apart = ~(same | (np.abs(expected - found) <= allowed))
    if not apart.any():
        return None
    row, output = np.argwhere(apart)[0]
    return (
        f"in row {row} of {len(X)} random rows, output {output}, the model returns "
        f"{expected[row, output]:.9g} and the network {found[row, output]:.9g}, further apart than "
        f"rounding ({allowed[row, output]:.2g})"
    )


def _place(X: Array, parts: Parts, precision: float) -> str:
    """Say at which place the two part, if one of those that can be compared is it."""
    for steps, where, outputs in parts(X):
        try:
            difference = _difference(steps, X, outputs, precision)
        except ValueError:  # no network ends there
            continue
        if difference is not None:
            return f", from {where} on"
    return ""


def _rows(net: Model) -> Array:
    """Return rows of random features that are of the size of 1 after scaling."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((len(_SIZES), net.features)) * _SIZES[:, None]
    if net.input_normalization is not None and net.core.input_running_means().size:
        X = X * np.sqrt(net.core.input_running_variances()) + net.core.input_running_means()
    if net.input_scaling is not None:
        scale, offset = (part.astype(np.float64) for part in net.input_scaling)
        X = (X - offset) / np.where(scale == 0.0, 1.0, scale)
    rows: Array = X.astype(net.dtype)
    return rows


def _predicted(net: Model, X: Array) -> Array:
    return predict_converted(net, X, None, 1).astype(np.float64)


def _tolerance(net: Model, X: Array, found: Array, eps: float) -> Array:
    """Return by how much predictions may differ; changes the parameters of the network."""
    rng = np.random.default_rng(1)
    exact, parts = net.core.parameters.copy(), list(_off(net, X))
    moved = np.zeros_like(found)
    for sample in range(_SAMPLES):
        net.core.parameters[...] = exact
        for part, off in parts:
            # First as in sums of terms of one sign, which are all off in one direction.
            signs = rng.choice((-1.0, 1.0), off.shape) if sample else np.sign(part)
            np.add(part, off * eps * signs, out=part, casting="same_kind")
        moved = np.fmax(moved, np.abs(_predicted(net, X) - found))
    columns = np.ones(net.outputs)
    size = np.abs(found)
    if net.output_scaling is not None:
        scale, offset = (np.abs(part.astype(np.float64)) for part in net.output_scaling)
        columns, size = np.maximum(scale, np.finfo(np.float64).tiny), size + offset
    widest: Array = (moved / columns).max(axis=1, keepdims=True) * columns
    return _SAFETY * (widest + 2.0 * eps * (size + columns))


def _off(net: Model, X: Array) -> Iterator[tuple[Array, Array]]:
    """Yield each part of the parameters, and what it may be off, in eps."""
    core = net.core
    before = np.full(net.features, 8.0)
    if net.input_scaling is not None:
        scale, offset = (np.abs(part.astype(np.float64)) for part in net.input_scaling)
        before += 4.0 * ((np.abs(X) * scale).max(axis=0) + offset)
    for i, layer in enumerate(net.layers):
        weights, rounding = np.abs(core.weights(i).astype(np.float64)), _rounding(before.size)
        yield core.weights(i), rounding * weights
        yield core.biases(i), rounding * np.abs(core.biases(i)) + np.sqrt(before**2 @ weights**2)
        before = np.full(layer.nodes, 8.0)
        if layer.normalization is not None:
            rounding = _rounding(layer.nodes)
            yield core.scales(i), rounding * np.abs(core.scales(i))
            yield core.shifts(i), rounding * np.abs(core.shifts(i)) + before


def _rounding(terms: int) -> float:
    return float(np.sqrt(terms)) + 8.0
