"""Attributes of fitted estimators: the network, live weights, conversion to scikit-learn."""

import os
import threading
from typing import Any, ClassVar, Final, Self

from sklearn.base import BaseEstimator

from fastmlp.network import Network
from fastmlp.sklearn import conversion, given
from fastmlp.sklearn.arrays import NAMES, LayerArrays
from fastmlp.sklearn.state import from_plain, to_plain

_OF_FITTED: Final = ("_network", *NAMES)
"""Attributes of which an estimator has one after a fit, or once arrays were assigned to it."""


class Fitted(BaseEstimator):
    """An estimator that has a network after its first fit, or from arrays assigned to it.

    The lists of its arrays are attributes with the names of the properties, as in scikit-learn.
    """

    _network: Network
    out_activation_: str
    _replacing: ClassVar = threading.RLock()  # a network: other threads must not see half of it

    @property
    def network_(self) -> Network:
        """The underlying network, to save, export or inspect; further training changes it.

        A copy if `activation` or `out_activation_` have been set since the last fit.
        """
        if not self.__sklearn_is_fitted__():
            raise self._no_attribute("network_")
        return self._network_to_predict()

    @property
    def coefs_(self) -> LayerArrays:
        """The weights of each layer (K, N): live views of the network's memory."""
        return self._arrays("coefs_")

    @coefs_.setter
    def coefs_(self, values: Any) -> None:
        self._assign("coefs_", values)

    @property
    def intercepts_(self) -> LayerArrays:
        """The biases of each layer (N,): live views of the network's memory."""
        return self._arrays("intercepts_")

    @intercepts_.setter
    def intercepts_(self, values: Any) -> None:
        self._assign("intercepts_", values)

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
        """Convert this estimator to scikit-learn's: fitted, with copies of the weights, if it is.

        Raises
        ------
        ValueError
            If a parameter has a value that scikit-learn does not support; if it is not fitted, also
            if it has a parameter that scikit-learn does not have.
        """
        return conversion.release(self)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for name in NAMES:
            arrays = state.pop(name, None)
            if arrays is not None and getattr(arrays, "network", None) is not state.get("_network"):
                state[name] = [array.copy() for array in arrays]
        return to_plain(state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(from_plain(state))
        own = self.__dict__
        for name in NAMES:
            if name in own:
                own[name] = LayerArrays(name, own[name])
            elif "_network" in own:
                own[name] = LayerArrays.of(name, own["_network"])

    def __sklearn_is_fitted__(self) -> bool:
        return not vars(self).keys().isdisjoint(_OF_FITTED)

    def _arrays(self, name: str) -> LayerArrays:
        try:
            arrays: LayerArrays = vars(self)[name]
        except KeyError:
            raise self._no_attribute(name) from None
        return arrays

    def _assign(self, name: str, values: Any) -> None:
        """Copy arrays into the memory, or keep copies of them until they are used."""
        arrays = LayerArrays(name, values)
        current = vars(self).get(name)
        if isinstance(current, LayerArrays):
            current[:] = arrays
        else:
            self.__dict__[name] = arrays

    def _no_attribute(self, name: str) -> AttributeError:
        return AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}: "
            "call fit or partial_fit first"
        )

    def _hold(self, network: Network, *, fresh: bool = False) -> None:
        """Make `network` that of the estimator; the lists of its arrays stay, unless `fresh`."""
        own = self.__dict__
        with Fitted._replacing:
            self._network = network
            for name in NAMES:
                if isinstance(own.get(name), LayerArrays) and not fresh:
                    own[name].show(network)
                else:
                    own[name] = LayerArrays.of(name, network)

    def _current_network(self: Any) -> Network:
        """Return the network, with the arrays that were assigned since it was last used."""
        network: Network | None = self._live_network()
        if network is None:
            with Fitted._replacing:  # another thread may be in the middle of `_hold`
                network = self._live_network()
                if network is None:
                    network = given.network_of_arrays(self)
                    self._hold(network)
        given.refuse_other_depth(self)
        return network

    def _live_network(self) -> Network | None:
        """Return the network if `coefs_` and `intercepts_` are its views."""
        own = self.__dict__
        network: Network | None = own.get("_network")
        for name in NAMES:
            if getattr(own.get(name), "network", None) is not network:
                return None
        return network

    def _network_to_predict(self: Any) -> Network:
        return given.predicting(self, self._current_network())


def _renew_lock() -> None:
    """Forget a lock that a thread held which a fork did not copy."""
    Fitted._replacing = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)
