"""Prediction and evaluation of streams and batches, piece by piece."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.data.rescaled import Rescaled
from fastmlp.data.stream import Stream, rows_of
from fastmlp.errors import DataError
from fastmlp.history import Evaluation, HeadsEvaluation
from fastmlp.model.model import Core, Model
from fastmlp.model.samples import CheckedSamples
from fastmlp.streams.batches import Batches
from fastmlp.streams.checking import (
    Checked,
    Demands,
    Labelled,
    as_scaled,
    check,
    check_alike,
    check_count,
    features,
)
from fastmlp.streams.places import unusable


def predict_stream(
    model: Model, stream: Stream, result: NDArray[Any], core: Core, n_threads: int
) -> None:
    """Write the outputs for all rows of a stream, in order, into `result` (n_rows, N)."""
    read, demands = stream.reader(), Demands.of(model)
    for start, stop in stream.pieces():
        given = read(start, stop)
        with unusable(*stream.place(start)):
            X = rows_of(given)[0]
            x = as_scaled(features(X, demands, stream, start), demands)
        check_count(stream, start, stop, len(x))
        if np.may_share_memory(result, X.X if isinstance(X, Rescaled) else np.asarray(X)):
            raise ValueError("out must not share memory with the arrays of the stream")
        core.predict(x, result[start:stop], n_threads)


def evaluate_data(model: Model, data: Stream | Batches, core: Core, n_threads: int) -> Evaluation:
    """Evaluate a network on all samples of a stream, or of one pass over batches.

    The loss is the mean of the losses of the pieces, weighted by their sample weights.
    """
    parts: list[tuple[float, Evaluation]] = []
    demands = Demands.of(model)
    for x, y, weight in _pieces(data, demands):
        counts = float(len(x) if weight is None else weight.sum(dtype=np.float64))
        if counts == 0.0:
            continue
        samples = CheckedSamples(
            as_scaled(x, demands), y, weight, model.loss_function, model.loss.heads
        )
        parts.append((counts, samples.evaluate(core, n_threads)))
    if not parts:
        raise DataError("there are no samples, or all of them have weight 0")
    return _mean(parts)


def _mean(parts: list[tuple[float, Evaluation]]) -> Evaluation:
    """Return the mean of evaluations, weighted by how much the samples of each count."""
    loss = accuracy = total = 0.0
    for counts, part in parts:
        loss += counts * part.loss
        accuracy += counts * (part.accuracy or 0.0)
        total += counts
    heads = [(counts, part.heads) for counts, part in parts if isinstance(part, HeadsEvaluation)]
    if heads:
        names = heads[0][1]
        of_heads = {name: _mean([(counts, each[name]) for counts, each in heads]) for name in names}
        return HeadsEvaluation(loss / total, of_heads)
    decides = parts[-1][1].accuracy is not None
    return Evaluation(loss / total, accuracy / total if decides else None)


class StreamSamples:
    """Validation samples from a stream; only targets and weights are kept in memory.

    Attributes
    ----------
    y : ndarray
        All targets.
    weight : ndarray or None
        All weights.
    """

    def __init__(self, model: Model, stream: Stream) -> None:
        self._model = model
        self._stream = stream
        parts = list(_targets(stream, Demands.of(model)))
        if not parts:
            raise ValueError("the validation stream has 0 rows, needs at least 1")
        for part in parts:
            check_alike("the validation stream", parts[0], part)
        self.y: NDArray[Any] = np.concatenate([y for y, _ in parts])
        weights = [weight for _, weight in parts if weight is not None]
        self.weight: NDArray[Any] | None = np.concatenate(weights) if weights else None
        if self.weight is not None and not self.weight.any():
            raise ValueError("the validation stream has weight 0 for every sample")

    def evaluate(self, core: Core, n_threads: int) -> Evaluation:
        """Return loss and accuracy of a network."""
        return evaluate_data(self._model, self._stream, core, n_threads)

    def predict(self, core: Core, n_threads: int) -> NDArray[Any]:
        """Return the outputs of a network for all of them."""
        shape = (self._stream.n_rows, self._model.outputs)
        result = np.empty(shape, self._model.dtype)
        predict_stream(self._model, self._stream, result, core, n_threads)
        return result


def _pieces(data: Stream | Batches, demands: Demands) -> Iterator[Checked]:
    if isinstance(data, Batches):
        yield from data.items(demands)
        return
    read = data.reader()
    for start, stop in data.pieces():
        samples = check(read(start, stop), demands, data, start)
        check_count(data, start, stop, len(samples[0]))
        yield samples


def _targets(stream: Stream, demands: Demands) -> Iterator[Labelled]:
    for _, y, weight in _pieces(stream, demands):
        yield y.copy(), None if weight is None else weight.copy()
