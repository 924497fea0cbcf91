"""`Ensemble`: several networks that predict together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation, files
from fastmlp._extras import require
from fastmlp._validation.attributes import refuses_others
from fastmlp.data._conversion import any_array
from fastmlp.data.stream import TargetsLike
from fastmlp.errors import ModelFormatError
from fastmlp.fitting.held_out import classes_of
from fastmlp.history import Evaluation, History
from fastmlp.inference.evaluated_outputs import evaluate_outputs
from fastmlp.inference.prediction import check_classes, classes
from fastmlp.many.bootstraps import Bootstraps, bootstrap
from fastmlp.many.networks import network_at
from fastmlp.many.train_many import train_many
from fastmlp.model.model import Model
from fastmlp.model.model_files import read_model, write_model
from fastmlp.model.samples import read_samples
from fastmlp.model.targets import read_targets
from fastmlp.network import Network, model_of, network_of


@refuses_others("an ensemble")
class Ensemble(Sequence[Network]):
    """Networks whose predictions are averaged; how they differ is the error bar.

    Parameters
    ----------
    networks : iterable of Network
        Different objects, at least one, of one dtype, with the same features and outputs: the same
        last activation and loss. Hidden layers may differ. They are kept, not copied.

    Raises
    ------
    TypeError, ValueError
        If they are not such networks.

    Examples
    --------
    >>> ensemble = Ensemble(Network([8, 16, 3], seed=seed) for seed in range(20))
    >>> ensemble.fit(X, y, epochs=100, bootstrap=True)  # doctest: +SKIP
    >>> mean, std = ensemble.predict(X_new, return_std=True)  # doctest: +SKIP
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        nets = tuple(_validation.items("networks", networks, "a sequence of networks"))
        if not nets:
            raise ValueError("networks must hold at least one network")
        for i, net in enumerate(nets):
            if not isinstance(net, Network):
                raise TypeError(
                    f"networks[{i}] must be a Network, got {_validation.described(net)}"
                )
            if (difference := _difference(model_of(nets[0]), model_of(net))) is not None:
                name, first, other = difference
                raise ValueError(
                    f"networks must have the same {name}, but [0] has {first} and [{i}] {other}"
                )
        if len({id(net) for net in nets}) < len(nets):
            raise ValueError("networks must be different objects, but one occurs twice")
        self._networks = nets

    @property
    def networks(self) -> tuple[Network, ...]:
        """The members, as passed."""
        return self._networks

    def __len__(self) -> int:
        return len(self._networks)

    def __iter__(self) -> Iterator[Network]:
        return iter(self._networks)

    def __getitem__(self, index: Any) -> Any:
        """Return a member, or an ensemble of some of them for a slice."""
        if isinstance(index, slice):
            return Ensemble(self._networks[index])
        return network_at(self._networks, index)

    def fit(
        self,
        X: ArrayLike,
        y: TargetsLike,
        epochs: int = 10,
        batch_size: int | None = 32,
        *,
        bootstrap: bool = False,
        **arguments: Any,
    ) -> list[History]:
        """Train the members together, by `train_many`.

        Without `bootstrap` they differ by their seeds: in their initial weights and in the order of
        the samples.

        Parameters
        ----------
        X, y, epochs, batch_size
            As in `train_many`.
        bootstrap : bool, default False
            Whether each member trains on as many samples, drawn with replacement by its seed; see
            `bootstrap_rows`. Then `validation_fraction` holds out all copies of a sample or none.
        **arguments
            Of `train_many`, such as `optimizer`. With `bootstrap` there are no `rows`.

        Returns
        -------
        list of History
            One for each member.

        Raises
        ------
        TypeError, ValueError, DivergenceError
            As `train_many`.
        """
        if "comm" in arguments:
            raise TypeError(
                "an ensemble takes no comm: train its members one by one by fit(comm=...), or "
                "divide them among machines by fastmlp.dask.train_many"
            )
        if _validation.switch("bootstrap", bootstrap):
            if arguments.get("rows") is not None:
                raise ValueError("pass rows, or bootstrap=True, which draws them, not both")
            arguments["rows"] = Bootstraps(self.bootstrap_rows(y))
        return train_many(self._networks, X, y, epochs, batch_size, **arguments)  # type: ignore[return-value]

    def bootstrap_rows(self, y: TargetsLike) -> list[NDArray[np.intp]]:
        """Return the samples that each member trains on with ``fit(bootstrap=True)``.

        They depend on the member's seed and on the classes only: of a classification every class
        keeps its number of samples, so row i of a bootstrap is of the class of row i. Those that
        are not drawn, about 37 %, are out of the bag: the member can be measured on them.

        Parameters
        ----------
        y : array-like, shape (n,) or (n, N)
            Targets, as in `fit`.

        Returns
        -------
        list of ndarray of int, shape (n,)
            Row numbers for each member.

        Raises
        ------
        TypeError, ValueError
            If y does not match the networks.
        """
        model = model_of(self._networks[0])
        of_heads = y.values() if isinstance(y, Mapping) else y if isinstance(y, tuple) else (y,)
        try:
            length = len(next(iter(of_heads), ()))
        except TypeError:
            raise TypeError(f"y must be array-like, got {_validation.described(y)}") from None
        if length == 0:
            raise ValueError("y has 0 samples, but a bootstrap needs at least 1")
        checked = read_targets("y", y, length, model.outputs, model.loss, model.dtype)
        labels = classes_of(checked, model.loss)
        return [bootstrap(labels, net.seed) for net in self._networks]

    def predict(
        self, X: ArrayLike, *, return_std: bool = False, n_threads: int | None = None
    ) -> Any:
        """Compute the mean of the members' outputs.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (B, features), or Stream
            Samples, as in `Network.predict`.
        return_std : bool, default False
            Whether to return the standard deviation over the members as well.
        n_threads : int, optional
            As in `Network.predict`.

        Returns
        -------
        mean : ndarray of float64, shape (B, N)
            Summed in the order of the members, in float64.
        std : ndarray of float64, shape (B, N)
            Divided by the number of members; only with ``return_std=True``.

        Raises
        ------
        TypeError, ValueError
            If X does not match the networks.
        """
        with_std = _validation.switch("return_std", return_std)
        if not with_std:
            return mean_outputs(self._networks, X, n_threads)
        outputs = self.members(X, n_threads=n_threads).astype(np.float64)
        mean = _mean(outputs)
        return mean, np.sqrt(_mean((outputs - mean) ** 2))

    def members(self, X: ArrayLike, *, n_threads: int | None = None) -> NDArray[Any]:
        """Return the outputs of each member, shape (members, B, N)."""
        return np.stack([net.predict(X, n_threads=n_threads) for net in self._networks])

    def quantiles(
        self, X: ArrayLike, q: ArrayLike, *, n_threads: int | None = None
    ) -> NDArray[np.float64]:
        """Compute quantiles of the members' outputs.

        Parameters
        ----------
        X
            As in `predict`.
        q : float or sequence of float
            From 0 to 1; 0.5 is the median.

        Returns
        -------
        ndarray of float64, shape (B, N), or (len(q), B, N) for several
            Interpolated linearly between members.

        Raises
        ------
        TypeError, ValueError
            If `q` is not from 0 to 1, or X does not match the networks.
        """
        levels = any_array("q", q)
        if levels.dtype.kind not in "fiu" or levels.ndim > 1:
            raise TypeError(
                f"q must be a number or a sequence of numbers, got {_validation.described(q)}"
            )
        if levels.size == 0 or not ((levels >= 0) & (levels <= 1)).all():
            raise ValueError(f"q must be from 0 to 1, got {_validation.brief(q)}")
        outputs = self.members(X, n_threads=n_threads).astype(np.float64)
        return np.asarray(np.quantile(outputs, levels.astype(np.float64), axis=0))

    def predict_classes(self, X: ArrayLike, n_threads: int | None = None) -> NDArray[Any]:
        """Predict classes, as `Network.predict_classes`, from the mean of the outputs."""
        model = model_of(self._networks[0])
        check_classes(model)
        return classes(model, self.predict(X, n_threads=n_threads))

    def evaluate(
        self,
        X: ArrayLike,
        y: TargetsLike,
        n_threads: int | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Evaluation:
        """Compute the mean loss and the accuracy of `predict`, the mean of the members' outputs.

        Parameters
        ----------
        X, y, n_threads, sample_weight
            As in `Network.evaluate`, but no streams.

        Returns
        -------
        Evaluation
            As that of `Network.evaluate`; the loss is the first member's, with its `loss_weights`,
            computed in float64, and accuracy decides by the mean.

        Raises
        ------
        TypeError, ValueError
            If X or y does not match the networks or is not finite.
        """
        model = model_of(self._networks[0])
        samples = read_samples(model, X, y, sample_weight, as_given=True)
        return evaluate_outputs(model, samples, mean_outputs(self._networks, X, n_threads))

    def save(self, path: files.Path, *, allow_nonfinite: bool = False) -> None:
        """Write all members to one file; `load` and ``fastmlp.load`` read it to the same bits.

        Writing is atomic. C++ reads the file with ``load_ensemble``.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists.
        allow_nonfinite : bool, default False
            Write parameters that are NaN or infinite, too.

        Raises
        ------
        TypeError, ValueError, OSError
            As `Network.save`.
        """
        allow = _validation.switch("allow_nonfinite", allow_nonfinite)
        Ensemble(self._networks)  # they may have changed, as by a fit of one of them to a frame
        write_model(path, [model_of(net) for net in self._networks], allow_nonfinite=allow)

    @classmethod
    def load(cls, path: files.Path, *, allow_nonfinite: bool = False) -> Ensemble:
        """Read the networks of a file as an ensemble, also those of a single one.

        Raises
        ------
        ModelFormatError
            If the file is damaged, or its networks do not predict the same.
        TypeError, OSError, MemoryError
            As `fastmlp.load`.
        """
        allow = _validation.switch("allow_nonfinite", allow_nonfinite)
        models, table = read_model(path, allow_nonfinite=allow)
        name = files.shown(files.checked_path(path))
        if table is not None:
            raise ModelFormatError(
                name, "metadata 'table'", 8, "there is a table: read it with fastmlp.load"
            )
        return ensemble_of(name, models)

    def to_onnx(self, path: files.Path) -> None:
        """Write the ensemble as one ONNX graph: X (B, features) to the mean Y (B, N).

        As in `predict` the mean is summed in double; Y is in the type of the networks. Needs
        ``pip install 'fastmlp[onnx]'``.

        Raises
        ------
        ImportError
            If onnx is not installed.
        ValueError, OSError
            As `Network.to_onnx`.
        """
        require("onnx", "to_onnx", "onnx")
        from fastmlp.exchange.onnx.ensemble import ensemble_model  # noqa: PLC0415  (imports onnx)

        model = ensemble_model([model_of(net) for net in self._networks])
        files.write_file(path, model.SerializeToString(deterministic=True))

    def __repr__(self) -> str:
        first = self._networks[0]
        return (
            f"Ensemble({len(self)} networks: {first.features} features, "
            f"{first.layers[-1].nodes} outputs, {first.loss}, {first.dtype})"
        )


def ensemble_of(file: str, models: Sequence[Model]) -> Ensemble:
    """Return the ensemble of the content of a file; ModelFormatError if it is none."""
    try:
        return Ensemble(network_of(model) for model in models)
    except ValueError as error:
        raise ModelFormatError(file, "metadata 'ensemble'", 8, str(error)) from None


def mean_outputs(
    networks: Sequence[Network], X: ArrayLike, n_threads: int | None
) -> NDArray[np.float64]:
    """Return the mean of the outputs of networks, summed in order in float64, (B, N)."""
    first = networks[0].predict(X, n_threads=n_threads)
    total: NDArray[np.float64] = first.astype(np.float64)
    for network in networks[1:]:
        total += network.predict(X, n_threads=n_threads)
    total /= len(networks)
    return total


def _mean(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the members, summed in order."""
    total: NDArray[np.float64] = outputs[0].copy()
    for each in outputs[1:]:
        total += each
    total /= len(outputs)
    return total


def _difference(first: Model, other: Model) -> tuple[str, object, object] | None:
    """Return the name of what two members must have in common but have not, and both values."""

    def activation(model: Model) -> object:
        return getattr(model.layers[-1], "activation", "heads")

    pairs: dict[str, tuple[object, object]] = {
        "dtype": (first.dtype, other.dtype),
        "number of features": (first.features, other.features),
        "number of outputs": (first.outputs, other.outputs),
        "loss": (first.loss.described(), other.loss.described()),
        "last activation": (activation(first), activation(other)),
        "names of classes": (first.core.class_names, other.core.class_names),
        "feature names": (first.feature_names, other.feature_names),
    }
    return next(((name, *pair) for name, pair in pairs.items() if pair[0] != pair[1]), None)
