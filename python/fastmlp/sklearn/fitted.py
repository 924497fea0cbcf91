"""Attributes of fitted estimators: the network, live weights, conversion to scikit-learn."""

from typing import Any, Self

from sklearn.base import BaseEstimator

from fastmlp.network import Network
from fastmlp.sklearn import conversion
from fastmlp.sklearn.architecture import LiveArrays
from fastmlp.sklearn.state import from_plain, to_plain


class Fitted(BaseEstimator):
    """An estimator that has a network after its first fit."""

    _network: Network

    @property
    def network_(self) -> Network:
        """The underlying network, to save, export or inspect; further training changes it."""
        return self._fitted_network("network_")

    @property
    def coefs_(self) -> LiveArrays:
        """The weights of each layer (K, N): live views of the network's memory."""
        return LiveArrays(self._fitted_network("coefs_").weights)

    @coefs_.setter
    def coefs_(self, values: Any) -> None:
        self.coefs_[:] = values

    @property
    def intercepts_(self) -> LiveArrays:
        """The biases of each layer (N,): live views of the network's memory."""
        return LiveArrays(self._fitted_network("intercepts_").biases)

    @intercepts_.setter
    def intercepts_(self, values: Any) -> None:
        self.intercepts_[:] = values

    @classmethod
    def from_sklearn(cls, model: Any) -> Self:
        """Convert a fitted `model` of scikit-learn.

        Parameters
        ----------
        model : sklearn.neural_network.MLPClassifier or MLPRegressor
            Fitted, of the kind of this class. Its weights are copied.

        Raises
        ------
        TypeError
            If it is not the scikit-learn estimator of this class.
        NotFittedError
            If it is not fitted.
        """
        return conversion.adopt(cls, model)

    def to_sklearn(self) -> Any:
        """Convert this fitted estimator to scikit-learn's, with copies of the weights.

        Raises
        ------
        NotFittedError
            If this estimator is not fitted.
        ValueError
            If a parameter has a value that scikit-learn does not support.
        """
        return conversion.release(self)

    def __getstate__(self) -> dict[str, Any]:
        return to_plain(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(from_plain(state))

    def _fitted_network(self, attribute: str) -> Network:
        if not self.__sklearn_is_fitted__():
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {attribute!r}: "
                "call fit or partial_fit first"
            )
        network: Network = self._network
        return network

    def __sklearn_is_fitted__(self) -> bool:
        return "_network" in self.__dict__
