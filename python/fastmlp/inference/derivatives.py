"""`Derivatives`: how outputs and losses change with the features."""

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data import _arrays
from fastmlp.data.rescaled import Rescaled
from fastmlp.model.feature_names import check_names
from fastmlp.model.model import Model
from fastmlp.model.samples import read_samples


class Derivatives(Model):
    """A `Model` that goes back one layer more, to the features."""

    def jacobian(self, X: ArrayLike, n_threads: int | None = None) -> NDArray[Any]:
        """Compute the derivatives of the outputs with respect to the features.

        Those of what `predict` computes, softmax and running averages included, also beside a
        `fit` in another thread; the network is not touched, and many threads may ask at once. A
        sample has the same bits in any batch.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples; B may be 0.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.

        Returns
        -------
        ndarray, shape (B, N, features)
            ``jacobian[b, n, j]`` is d output_n / d x_j at sample b. Where an activation has a
            corner, as relu at 0, the derivative is that of training (2.12). With X `Rescaled` it is
            that by x_j before it is rescaled.

        Raises
        ------
        TypeError, ValueError
            If X does not fit the network or is not finite.

        Examples
        --------
        >>> from fastmlp import Network
        >>> net = Network([3, 8, 2], "tanh", "identity", seed=1)
        >>> net.jacobian([[0.1, 0.2, 0.3]]).shape
        (1, 2, 3)
        """
        limit = _validation.n_threads(n_threads)
        check_names("X", X, self.feature_names)
        per_row = self._features * self._layers[-1].nodes * self._dtype.itemsize
        x = _arrays.features("X", X, self._features, self._dtype, minimum=0, per_row=per_row)
        return _by(X, self._core.jacobian(x, limit))

    def input_gradient(
        self, X: ArrayLike, y: ArrayLike, n_threads: int | None = None
    ) -> NDArray[Any]:
        """Compute the derivatives of each sample's loss with respect to its features.

        Those of the loss that `evaluate` averages, also beside a `fit` in another thread; the
        network is not touched, and many threads may ask at once. A sample has the same bits in any
        batch.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples, at least 1.
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.

        Returns
        -------
        ndarray, shape (B, features)
            dL_b / d x_bj with L_b the loss of sample b alone, not divided by B. With X `Rescaled`
            it is that by x_bj before it is rescaled.

        Raises
        ------
        TypeError, ValueError
            If X or y does not fit the network or is not finite.
        """
        limit = _validation.n_threads(n_threads)
        if self.loss == "custom":
            raise ValueError(
                "input_gradient knows the losses of fastmlp only, and this network has a custom "
                "loss; use jacobian and its derivatives by the outputs"
            )
        samples = read_samples(self, X, y, per_row=self._features * self._dtype.itemsize)
        return _by(X, self._core.input_gradient(samples.X, samples.y, limit))


def _by(X: object, derivatives: NDArray[Any]) -> NDArray[Any]:
    """Return derivatives by X, of those by what the network reads."""
    return X.chain(derivatives) if isinstance(X, Rescaled) else derivatives
