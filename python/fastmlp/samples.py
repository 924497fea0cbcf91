"""`Samples`: features and targets, checked and as the core takes them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _arrays

if TYPE_CHECKING:
    from fastmlp.network import Network


@dataclass(frozen=True)
class Samples:
    """Checked arrays, of one length.

    Attributes
    ----------
    X : ndarray, shape (n, features)
        The features.
    y : ndarray, shape (n,) or (n, N)
        Labels, or numbers per output.
    """

    X: NDArray[Any]
    y: NDArray[Any]

    def __len__(self) -> int:
        return len(self.X)

    def of_rows(self, rows: NDArray[np.intp]) -> "Samples":
        """Return a copy of some rows."""
        return Samples(self.X[rows], self.y[rows])

    def apart_from(self, parameters: NDArray[Any]) -> "Samples":
        """Return samples that training on them cannot change."""
        X, y = self.X, self.y
        if np.may_share_memory(X, parameters):
            X = X.copy()  # trained on its own weights, it would change under the training
        if y.ndim == 1 or np.may_share_memory(y, parameters):
            y = y.copy()  # labels are indices: a callback that writes them must not lead astray
        return Samples(X, y)


def read_samples(
    network: "Network", X: object, y: object, names: tuple[str, str] = ("X", "y")
) -> Samples:
    """Check and convert features and targets for `network`, at least one sample.

    Raises
    ------
    TypeError, ValueError
        If they do not fit the network or each other, or are not finite.
    """
    x = _arrays.features(names[0], X, network.features, network.dtype, minimum=1)
    outputs = network.layers[-1].nodes
    return Samples(x, _arrays.targets(names[1], y, len(x), outputs, network.loss, network.dtype))
