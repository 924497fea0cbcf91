"""`Prediction`: the outputs of a network, and how good they are."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data import _arrays, _memory
from fastmlp.data.stream import Rows, Stream
from fastmlp.history import Evaluation
from fastmlp.inference.streams import evaluate_data, predict_stream
from fastmlp.model.feature_names import check_names
from fastmlp.model.model import Model
from fastmlp.model.samples import read_samples
from fastmlp.streams.source import read_data


class Prediction(Model):
    """A `Model` that predicts and evaluates, which leaves it as it is."""

    def predict(
        self, X: ArrayLike | Stream, out: NDArray[Any] | None = None, n_threads: int | None = None
    ) -> NDArray[Any]:
        """Compute the outputs for X, without touching the network.

        Many threads may predict at once, also from a callback of `fit`. While another thread is
        inside a `fit`, the outputs are those of the network at its last epoch end; a single step
        is waited for. A row has the same bits alone and in any batch, with any number of threads.

        Parameters
        ----------
        X : array-like or sparse matrix of SciPy, shape (B, features), or Stream
            Samples; B may be 0. One sample is ``x.reshape(1, -1)``. A stream is read piece by
            piece; the rows of the result are as its own stand.
        out : ndarray, shape (B, N), optional
            Written and returned, of the network's dtype, C-contiguous, apart from X and weights.
            A call that raises in the middle, as on Ctrl-C, may have written some of it.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.

        Returns
        -------
        ndarray, shape (B, N)
            The outputs: probabilities for softmax and sigmoid.

        Raises
        ------
        TypeError, ValueError
            If X does not fit the network or is not finite, or `out` does not fit.
        MemoryError
            If the outputs cannot fit into memory; then not a value of X was looked at.
        """
        limit = 0 if n_threads is None else _validation.n_threads(n_threads)
        # What needs no conversion the core checks itself: this is the whole cost of a call.
        result = self._core.predict(X, out, limit)
        return result if result is not NotImplemented else self._predict_converted(X, out, limit)

    def _predict_converted(self, X: ArrayLike | Stream, out: object, limit: int) -> NDArray[Any]:
        check_names("X", X, self.feature_names)
        if isinstance(X, Stream):
            return self._predict_stream(X, out, limit)
        x = _arrays.features_as_given(
            "X",
            X,
            self._features,
            self._dtype,
            minimum=0,
            shuffled=False,
            per_row=self._layers[-1].nodes * self._dtype.itemsize if out is None else 0,
        )
        result = None
        if out is not None:
            result = _arrays.output(out, len(x), self._layers[-1].nodes, self._dtype)
            values = x if isinstance(x, np.ndarray) else x.values
            if np.may_share_memory(result, values) or np.may_share_memory(result, self.parameters):
                raise ValueError("out must not share memory with X or with the parameters")
        return self._core.predict(x, result, limit)

    def _predict_stream(self, stream: Stream, out: object, limit: int) -> NDArray[Any]:
        rows, outputs = stream.n_rows, self._layers[-1].nodes
        if out is None:
            _memory.require("the outputs", rows * outputs * self._dtype.itemsize)
        result = (
            np.empty((rows, outputs), self._dtype)
            if out is None
            else _arrays.output(out, rows, outputs, self._dtype)
        )
        if np.may_share_memory(result, self.parameters):
            raise ValueError("out must not share memory with X or with the parameters")
        predict_stream(self, stream, result, self._core.snapshot(), limit)
        return result

    def evaluate(
        self,
        X: ArrayLike | Stream | Iterable[Rows],
        y: ArrayLike | None = None,
        n_threads: int | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Evaluation:
        """Compute the mean loss and the accuracy of the network on X against y.

        Beside a `fit` in another thread they are those of its last epoch end, as in `predict`.

        Parameters
        ----------
        X : array-like or sparse matrix of SciPy, shape (B, features)
            Samples, at least 1; or a `Stream`, or an iterable of batches, alone.
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.
        sample_weight : array-like, shape (B,), optional
            How much each sample counts: finite, at least 0, not all 0. Those of weight 0 are left
            out, whatever they hold.

        Returns
        -------
        Evaluation
            The named tuple ``(loss, accuracy)``; accuracy is None for losses that decide
            nothing: all but the cross-entropies.

        Raises
        ------
        TypeError, ValueError
            If X or y does not fit the network or is not finite.
        """
        limit = _validation.n_threads(n_threads)
        data = read_data(X, y)
        check_names("X", X, self.feature_names)
        if data is not None:
            if sample_weight is not None:
                raise ValueError("sample_weight comes with the samples of a stream")
            return evaluate_data(self, data, self._core.snapshot(), limit)
        kept = self._dtype.itemsize + 8  # the loss of a sample, and how much of it is right
        samples = read_samples(self, X, y, sample_weight, as_given=True, per_row=kept)
        return samples.evaluate(self._core, limit)
