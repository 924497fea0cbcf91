"""The samples of a fit, for the core; sparse features stay sparse."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._sparse import SparseRows, is_sparse, sparse_rows
from fastmlp.network import Network


@dataclass(frozen=True)
class EstimatorSamples:
    """Features, targets and weights, row by row.

    Parameters
    ----------
    x : ndarray or CSR matrix, shape (n, features)
        Features.
    targets : ndarray, shape (n,) of int32 or (n, N)
        Classes for softmax, otherwise a target for each output.
    weights : ndarray, shape (n,), or None
        Weights of the samples; None is 1 for all.
    """

    x: Any
    targets: NDArray[Any]
    weights: NDArray[Any] | None = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    @property
    def density(self) -> float:
        """The fraction of the features that is stored; 1 if they are not sparse."""
        return self.x.density if isinstance(self.x, SparseRows) else 1.0

    def take(self, rows: Any) -> "EstimatorSamples":
        """Copy the samples `rows`."""
        weights = None if self.weights is None else self.weights[rows]
        return EstimatorSamples(self.x[rows], self.targets[rows], weights)

    def counting(self) -> "EstimatorSamples":
        """Return the samples whose weight is not 0: a copy if there are others."""
        if self.weights is None or self.weights.all():
            return self
        return self.take(np.flatnonzero(self.weights))

    def outputs(self, network: Network) -> NDArray[Any]:
        """Return the outputs of `network` for the features, shape (n, N)."""
        return network.predict(self.x)


def read_samples(
    dtype: np.dtype[Any], x: Any, targets: NDArray[Any], weights: NDArray[Any] | None
) -> EstimatorSamples:
    """Return checked arrays for a network: in its `dtype`, C-contiguous and aligned.

    Parameters
    ----------
    dtype : dtype
        What is computed in.
    x : ndarray or sparse matrix, shape (n, features)
        Features.
    targets : ndarray, shape (n,) of int32 or (n, N)
        Classes or targets.
    weights : ndarray, shape (n,), or None
        Weights of the samples.
    """
    x = x.tocsr() if is_sparse(x) else _ready(x, dtype)
    if targets.ndim == 2:
        targets = _ready(targets, dtype)
    if weights is not None:
        weights = _ready(weights, dtype)
        check_weights("fit", weights)
    return EstimatorSamples(x, targets, weights)


def check_weights(where: str, weights: NDArray[Any] | None) -> None:
    """Raise ValueError, that of scikit-learn if all weights are 0, unless their sum is above 0.

    Some may be negative, as those of simulated events are.
    """
    if weights is None:
        return
    if not weights.any():
        raise ValueError(
            f"Sample weights must contain at least one non-zero number, those of {where} have none."
        )
    if not weights.sum() > 0:
        raise ValueError(
            f"the sum of the sample weights of {where} must be above 0, got {weights.sum():g}"
        )


def core_features(x: Any, dtype: np.dtype[Any]) -> NDArray[Any] | SparseRows:
    """Return features for one call of the core."""
    return sparse_rows("X", x, dtype) if is_sparse(x) else dense(x, dtype)


def dense(x: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return features as a C-contiguous array of `dtype`."""
    return _ready(x.toarray() if is_sparse(x) else x, dtype)


def _ready(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array that the core can read."""
    array = np.ascontiguousarray(values, dtype)
    return array if array.flags.aligned else array.copy()
