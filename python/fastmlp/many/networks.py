"""`Networks`: many networks of the same layers, whose parameters are one matrix."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _core, _validation
from fastmlp._validation import FloatType
from fastmlp._validation.attributes import refuses_others
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp.data import _memory
from fastmlp.data._sparse import is_sparse
from fastmlp.inference.prediction import read_features
from fastmlp.layers import ActivationLike, Dense, NormalizationLike
from fastmlp.losses import LossLike
from fastmlp.many.training_states import TrainingStates
from fastmlp.model import saving
from fastmlp.model.feature_names import check_names, names_of
from fastmlp.model.model import Model
from fastmlp.model.parameter_views import read_values
from fastmlp.network import Network, model_of, network_of

_Item = TypeVar("_Item")

_SEEDS: Final = 2**64
_PARAMETERS: Final = "the parameters of the networks"


@refuses_others("a Networks object")
class Networks(Sequence[Network]):
    """Many networks of the same layers, whose parameters are the rows of one matrix.

    ``networks[i]`` is a `Network` that is made when it is asked for, and kept: its parameters are
    row i of `parameters`, so that a change of one is a change of the other. It has the seed
    ``seed + i`` and the bits of ``Network(layers, ..., seed=that)``. A slice is a
    `Networks` of some of them, which shares their parameters. Everything that takes a sequence of
    networks takes it, such as `train_many`, which needs the least memory for networks that were not
    asked for.

    Pickles and copies are independent of the original and hold all of its parameters; those of a
    slice hold what the slice holds.

    Parameters
    ----------
    layers : sequence of int or Dense
        As for `Network`, like all others but `count`.
    count : int
        How many networks, at least 1.
    activation, output, loss, dtype, normalization, dropout, input_normalization, loss_weights
        As for `Network`. The loss cannot be a callable.
    seed : int, optional
        That of the first network, at most ``2**64 - count``. None draws one, which is then the
        attribute `seed`.

    Attributes
    ----------
    seed : int
        The seed of the first network.

    Raises
    ------
    TypeError, ValueError
        As for `Network`, or if `count` is not a number of networks.
    MemoryError
        If the parameters do not fit in memory.

    Examples
    --------
    >>> networks = Networks([8, 16, 1], 1000, output="identity", seed=1)
    >>> networks.parameters.shape
    (1000, 161)
    >>> networks[2].seed
    3
    >>> bool((networks[2].parameters == networks.parameters[2]).all())
    True
    """

    @hints_at_arguments
    def __init__(
        self,
        layers: Sequence[int | Dense],
        count: int,
        activation: ActivationLike = "relu",
        output: ActivationLike = "softmax",
        loss: LossLike | None = None,
        seed: int | None = None,
        dtype: FloatType = "float32",
        normalization: NormalizationLike | None = None,
        dropout: float = 0.0,
        input_normalization: NormalizationLike | None = None,
        loss_weights: ArrayLike | None = None,
    ) -> None:
        count = _validation.integer("count", count, minimum=1, maximum=sys.maxsize)
        first = Network(
            layers,
            activation,
            output,
            loss,
            _first_seed(seed, count),
            dtype,
            normalization,
            dropout,
            input_normalization,
            loss_weights,
        )
        if first.loss == "custom":
            raise ValueError("networks of a custom loss are trained one by one: use Network")
        self._begin(first, range(first.seed, first.seed + count))

    def _begin(self, first: Network, seeds: range) -> None:
        count = len(seeds)
        self._first, self._seeds, self._places = first, seeds, range(count)
        self._made: dict[int, Network] = {}
        self._lent: dict[int, Network] = {}  # made for a training, and not asked for
        needed = count * first.n_parameters * first.dtype.itemsize
        _memory.require(_PARAMETERS, needed)
        kind = _core.Networks32 if first.dtype == np.float32 else _core.Networks64
        try:
            self._rows = kind(model_of(first).core, count)  # type: ignore[arg-type]
        except MemoryError:
            raise _memory.error(_PARAMETERS, needed) from None
        self._states = TrainingStates(count, first.n_parameters, first.dtype)

    @property
    def seed(self) -> int:
        """The seed of the first network."""
        return self._seeds[self._places.start] if self._places else self._first.seed

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the parameters, float32 or float64."""
        return self._first.dtype

    @property
    def layers(self) -> tuple[Dense, ...]:
        """The layers of each network after the features."""
        return self._first.layers

    @property
    def parameters(self) -> NDArray[Any]:
        """All parameters, shape (networks, parameters of one), a live view that can be written.

        Rows are in the order of the networks, each in the order of `Network.parameters`; the
        memory is one piece in C order, of which a slice has its rows.
        """
        return self._rows.parameters[self._slice()]

    @parameters.setter
    def parameters(self, value: ArrayLike) -> None:
        target = self.parameters
        array = read_values("parameters", target, value)
        with np.errstate(over="ignore"):
            target[...] = array

    def predict(self, X: ArrayLike, n_threads: int | None = None) -> NDArray[Any]:
        """Compute the outputs of every network for the same samples.

        Parameters
        ----------
        X : array-like, shape (n, features)
            Samples.
        n_threads : int, optional
            Upper limit of threads of networks that are not predicted side by side.

        Returns
        -------
        ndarray, shape (networks, n, N)
            ``predict(X)[i]`` has the bits of ``networks[i].predict(X)``.

        Raises
        ------
        TypeError, ValueError
            As by `Network.predict`.
        """
        first = model_of(self._first)
        limit = _validation.n_threads(n_threads)
        if is_sparse(X) or not (self._rows.predicts_together and self._places):
            outputs = [network.predict(X, n_threads=n_threads) for network in self]
            return np.stack(outputs) if outputs else np.empty((0, 0, first.outputs), self.dtype)
        places = self._places
        if names_of(X) is not None:
            for network in (made for at, made in [*self._made.items()] if at in places):
                check_names("X", X, model_of(network).feature_names)
        x = read_features(first, X)
        result = self._rows.predict(x, list(places))
        for place, made in [*self._made.items(), *self._lent.items()]:
            core = model_of(made).core
            plain = core.input_scale is core.output_scale is None and not core.busy
            if not plain and place in places:
                result[places.index(place)] = made.predict(X, n_threads=limit or None)
        return result

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Network: ...
    @overload
    def __getitem__(self, index: slice) -> Networks: ...
    def __getitem__(self, index: int | slice) -> Network | Networks:
        if isinstance(index, slice):
            part = Networks.__new__(type(self))
            part.__dict__.update(self.__dict__, _places=self._places[index])
            return part
        return self._at(network_at(self._places, index))

    def _at(self, place: int) -> Network:
        made = self._made.get(place)
        if made is not None:
            return made
        lent = self._lent.pop(place, None)
        # As one operation, so that threads get the same network.
        return self._made.setdefault(place, self._make(place) if lent is None else lent)

    def _slice(self) -> slice:
        """Return the places as a slice of all rows, whose end cannot be -1."""
        places = self._places
        if not places:
            return slice(0, 0)
        return slice(places.start, places.stop if places.stop >= 0 else None, places.step)

    def _make(self, place: int) -> Network:
        of = model_of(self._first)
        core = self._rows.at(place, self._seeds[place])
        model = Model(of.features, of.layers, of.loss, of.dtype, core, of.input_normalization)
        self._states.give(place, model)
        return network_of(model)

    @property
    def _most_epochs(self) -> int:
        """The largest number of epochs of any network, of all that share the parameters."""
        made = [*self._made.values(), *self._lent.values()]
        return max([self._states.most_epochs, *(model_of(each).core.epoch for each in made)])

    def _in_groups(self, size: int) -> Iterator[list[int]]:
        """Yield the numbers of the networks in groups, those first that were asked for."""
        asked = [i for i, place in enumerate(self._places) if place in self._made]
        others = [i for i, place in enumerate(self._places) if place not in self._made]
        yield asked + others[:size]
        for first in range(size, len(others), size):
            yield others[first : first + size]

    @contextmanager
    def _lend(self, numbers: Sequence[int]) -> Iterator[list[Network]]:
        """Lend networks to a training; those nobody asks for meanwhile are only its state after."""
        places = [self._places[i] for i in numbers]
        networks = [self._lendable(place) for place in places]
        try:
            yield networks
        finally:
            for place in places:
                lent = self._lent.get(place)
                if lent is None:
                    continue
                if self._states.keep(place, model_of(lent)):
                    self._lent.pop(place, None)
                else:
                    self._at(place)

    def _lendable(self, place: int) -> Network:
        if place in self._made or place in self._lent:
            return self._at(place)
        return self._lent.setdefault(place, self._make(place))

    def __iter__(self) -> Iterator[Network]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, network: object) -> bool:
        return any(self._made.get(place) is network for place in self._places)

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {len(self):,} of {self._first!r}"

    def __getstate__(self) -> dict[str, Any]:
        """Return plain values and one array; and whole networks where they were asked for."""
        seeds = self._seeds[self._slice()]
        return {
            "format": 1,
            "first": self._first,
            "seeds": (seeds.start, seeds.step),
            "parameters": np.array(self.parameters),
            "states": self._states.part(self._slice()),
            "made": {
                i: network.__getstate__()
                for i, place in enumerate(self._places)
                if (network := self._made.get(place) or self._lent.get(place)) is not None
            },
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        (start, step), count = state["seeds"], len(state["parameters"])
        self._begin(state["first"], range(start, start + step * count, step))
        self._rows.parameters[...] = state["parameters"]
        if "states" in state:  # not in every older pickle
            self._states.replace(state["states"])
        for i, each in state["made"].items():
            network = self[i]
            network.__dict__.update(saving.restore(model_of(network), each))


def _first_seed(seed: int | None, count: int) -> int:
    """Return the seed of the first of `count` networks, which is drawn if it is None."""
    chosen, most = _validation.seed(seed), _SEEDS - count
    if seed is not None and chosen > most:
        raise ValueError(
            f"seed must be at most 2**64 - {count}, as network i of {count} has the seed seed + i, "
            f"got {chosen}"
        )
    return min(chosen, most)


def groups_of(
    networks: Networks, n_threads: int | None
) -> Iterator[tuple[list[int], list[Network]]]:
    """Yield numbers and networks in groups, which are in use until the next one."""
    for numbers in networks._in_groups(_at_once(n_threads)):  # noqa: SLF001  (its own module)
        with networks._lend(numbers) as lent:  # noqa: SLF001
            yield numbers, lent


def _at_once(n_threads: int | None) -> int:
    """Return how many of `Networks` are objects at a time, of which each thread has enough.

    With four times as many, the garbage collector goes through all histories more often, which took
    a tenth of a training of 100,000.
    """
    return max(256, 32 * (_validation.n_threads(n_threads) or _core.get_num_threads()))


def most_epochs(networks: Networks) -> int:
    """Return the largest number of epochs of any network."""
    return networks._most_epochs  # noqa: SLF001  (its own module)


def network_at(networks: Sequence[_Item], index: Any) -> _Item:
    """Return a network by its number.

    Raises
    ------
    TypeError, IndexError
        If it is no number, or too large.
    """
    try:
        item: _Item = networks[index]
        return item
    except IndexError:
        raise IndexError(f"there is no network {index} of {len(networks)}") from None
    except TypeError:
        raise TypeError(
            f"networks are chosen by an integer or a slice, got {_validation.described(index)}"
        ) from None
