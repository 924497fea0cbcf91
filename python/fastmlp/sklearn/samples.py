"""The samples of a fit, as the core takes them; sparse features become dense block by block."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.network import Network

BLOCK_BYTES: Final = 64 * 2**20
"""The most that sparse features take at a time when they are made dense."""


@dataclass(frozen=True)
class Samples:
    """Features, targets and weights, row by row.

    Parameters
    ----------
    x : ndarray or CSR matrix, shape (n, features)
        Features.
    targets : ndarray, shape (n,) of int32 or (n, N)
        Classes for softmax, else a target for each output.
    weights : ndarray, shape (n,), or None
        How much each sample counts; None is 1 each.
    """

    x: Any
    targets: NDArray[Any]
    weights: NDArray[Any] | None = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def take(self, rows: Any) -> "Samples":
        """Copy the samples `rows`."""
        weights = None if self.weights is None else self.weights[rows]
        return Samples(self.x[rows], self.targets[rows], weights)

    def outputs(self, network: Network) -> NDArray[Any]:
        """Return what `network` says to the features, shape (n, N)."""
        return predict(network, self.x, None)


def read_samples(
    network: Network, x: Any, targets: NDArray[Any], weights: NDArray[Any] | None
) -> Samples:
    """Return checked arrays as `network` takes them: its dtype, row by row in memory.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray or sparse matrix, shape (n, features)
        Features.
    targets : ndarray, shape (n,) of int32 or (n, N)
        Classes or targets.
    weights : ndarray, shape (n,), or None
        How much each sample counts.
    """
    x = x.tocsr() if is_sparse(x) else np.ascontiguousarray(x, network.dtype)
    if targets.ndim == 2:
        targets = np.ascontiguousarray(targets, network.dtype)
    if weights is not None:
        weights = np.ascontiguousarray(weights, network.dtype)
    return Samples(x, targets, weights)


def predict(network: Network, x: Any, n_threads: int | None) -> NDArray[Any]:
    """Return the outputs of `network` for dense or sparse features, shape (n, N).

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray or sparse matrix, shape (n, features)
        Checked features.
    n_threads : int or None
        Upper limit of threads.
    """
    if not is_sparse(x):
        return network.predict(x, n_threads=n_threads)
    result = np.empty((x.shape[0], network.layers[-1].nodes), network.dtype)
    x = x.tocsr()
    for rows in blocks(x.shape[0], x.shape[1] * network.dtype.itemsize):
        network.predict(dense(x[rows], network.dtype), out=result[rows], n_threads=n_threads)
    return result


def is_sparse(x: Any) -> bool:
    """Say whether `x` is one of SciPy's sparse arrays or matrices."""
    return hasattr(x, "tocsr")


def dense(x: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return features as a C-contiguous array of `dtype`."""
    return np.ascontiguousarray(x.toarray() if is_sparse(x) else x, dtype)


def blocks(rows: int, bytes_per_row: int, multiple: int = 1) -> Iterator[slice]:
    """Cut `rows` into slices of at most `BLOCK_BYTES`, each a multiple of `multiple` but the last.

    Parameters
    ----------
    rows : int
        How many there are.
    bytes_per_row : int
        What a row takes when it is dense.
    multiple : int, default 1
        A batch, so that none is cut; at least one of them is in a slice, whatever it takes.
    """
    size = max(1, BLOCK_BYTES // (bytes_per_row * multiple)) * multiple
    for first in range(0, rows, size):
        yield slice(first, min(rows, first + size))
