"""`Networks` and `train_many`: networks trained one after another.

The compiled core has the parameters of the first in one matrix, and trains in parallel.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any, overload

from . import validation
from .errors import DivergenceError
from .history import History
from .layers import Dense
from .network import Network
from .optimizers import SGD, Optimizer
from .samples import CheckedSamples, read_samples


class Networks(Sequence[Network]):
    """Networks of the same layers; number i has the seed ``seed + i``.

    Parameters
    ----------
    count : int
        How many networks, at least 1.
    layers, activation, output, loss, seed, dtype, normalization, dropout, input_normalization, \
            loss_weights
        As for `Network`.
    """

    def __init__(
        self,
        layers: Sequence[int | Dense],
        count: int,
        activation: str = "relu",
        output: str = "softmax",
        loss: object = None,
        seed: int | None = None,
        dtype: str = "float32",
        normalization: str | None = None,
        dropout: float = 0.0,
        input_normalization: str | None = None,
        loss_weights: object = None,
    ) -> None:
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")

        def of_seed(own: int | None) -> Network:
            return Network(
                layers,
                activation,
                output,
                loss,
                own,
                dtype,
                normalization,
                dropout,
                input_normalization,
                loss_weights,
            )

        chosen, most = validation.seed(seed), 2**64 - count
        if seed is not None and chosen > most:
            raise ValueError(f"seed must be at most 2**64 - {count}, got {chosen}")
        self._all = [of_seed(min(chosen, most) + i) for i in range(count)]

    @overload
    def __getitem__(self, index: int) -> Network: ...
    @overload
    def __getitem__(self, index: slice) -> list[Network]: ...
    def __getitem__(self, index: int | slice) -> Network | list[Network]:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)


def train_many(
    networks: Iterable[Network],
    X: object,
    y: object,
    epochs: int = 10,
    batch_size: int | None = 32,
    optimizer: Optimizer | str | Sequence[Optimizer | str] = SGD(learning_rate=0.1),  # noqa: B008  (frozen)
    *,
    rows: Sequence[Sequence[int]] | None = None,
    sample_weight: object = None,
    class_weight: object = None,
    shuffle: bool = True,
    validation_data: object = None,
    validation_fraction: float | None = None,
    metrics: object = None,
    early_stopping: object = None,
    n_threads: int | None = None,
    ema: float | None = None,
    standardize: bool = False,
    on_divergence: str = "raise",
) -> list[History | DivergenceError]:
    """Train independent networks, each as with its own ``fit``.

    Parameters
    ----------
    networks : iterable of Network
        Different objects.
    X, y, epochs, batch_size, shuffle, validation_fraction, metrics, n_threads, ema, standardize
        As in ``Network.fit``.
    sample_weight, class_weight, validation_data, early_stopping : optional
        As in ``Network.fit``, or a list with one for each network.
    optimizer : Optimizer, str, or sequence of them, default SGD(learning_rate=0.1)
        One for all networks, or one for each.
    rows : sequence of sequence of int, optional
        For each network the samples it trains on.
    on_divergence : {"raise", "return"}, default "raise"
        What to do with the error of a network that diverged, after all others are trained.

    Returns
    -------
    list of History or DivergenceError
        One for each network; errors only with ``on_divergence="return"``.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    DivergenceError
        If a network diverged, with ``on_divergence="raise"``: the error of the first one.
    """
    nets = _different(networks)
    validation.choice("on_divergence", on_divergence, ("raise", "return"))
    optimizers = _each(
        "optimizer", optimizer, len(nets), not isinstance(optimizer, Optimizer | str)
    )
    samples = _read(nets, X, y, sample_weight, rows)
    arguments = {
        "optimizer": optimizers,
        "class_weight": _each(
            "class_weight", class_weight, len(nets), isinstance(class_weight, list)
        ),
        "validation_data": _each(
            "validation_data", validation_data, len(nets), isinstance(validation_data, list)
        ),
        "early_stopping": _stoppings(early_stopping, len(nets)),
    }
    for net, data, own in zip(nets, samples, optimizers, strict=True):
        net._read_options(data, epochs, batch_size, own, shuffle)  # noqa: SLF001  (checks it)
    common = {
        "epochs": epochs,
        "batch_size": batch_size,
        "shuffle": shuffle,
        "validation_fraction": validation_fraction,
        "metrics": metrics,
        "n_threads": n_threads,
        "ema": ema,
        "standardize": standardize,
    }
    results = [
        _outcome(net, samples[i], {**common, **{name: each[i] for name, each in arguments.items()}})
        for i, net in enumerate(nets)
    ]
    _number_diverged(results, on_divergence)
    return results


def _different(networks: Iterable[Network]) -> list[Network]:
    """Return the networks as a list, at least one, and none twice."""
    nets = list(networks)
    if not nets:
        raise ValueError("networks must hold at least one network")
    if len({id(net) for net in nets}) < len(nets):
        raise ValueError("networks must be different objects, but one occurs twice")
    return nets


def _read(
    nets: list[Network],
    X: object,
    y: object,
    sample_weight: object,
    rows: Sequence[Sequence[int]] | None,
) -> list[CheckedSamples]:
    """Return the samples of each network."""
    if rows is not None and len(rows) != len(nets):
        raise ValueError(f"rows has {len(rows)} items for {len(nets)} networks")
    several = isinstance(_first(sample_weight), list | None)
    weights = _each("sample_weight", sample_weight, len(nets), several)
    samples = [read_samples(net, X, y, own) for net, own in zip(nets, weights, strict=True)]
    if rows is None:
        return samples
    return [s.of_rows(list(chosen)) for s, chosen in zip(samples, rows, strict=True)]


def _stoppings(early_stopping: object, count: int) -> list[Any]:
    """Return the early stopping of each network: a copy of a single one."""
    several = isinstance(early_stopping, list)
    each = _each("early_stopping", early_stopping, count, several)
    return each if several else [copy(own) for own in each]


def _outcome(
    net: Network, samples: CheckedSamples, arguments: dict[str, Any]
) -> History | DivergenceError:
    """Fit a network, and return its history, or the error if it diverged."""
    try:
        return net.fit(samples.X, samples.y, sample_weight=samples.weight, **arguments)
    except DivergenceError as error:
        return error


def _number_diverged(results: list[History | DivergenceError], on_divergence: str) -> None:
    """Say in errors whose they are; raise the first one, unless all are to be returned."""
    for i, result in enumerate(results):
        if isinstance(result, DivergenceError):
            result.network = i
            if on_divergence == "raise":
                result.add_note("the other networks are trained")
                raise result


def _each(name: str, value: Any, count: int, several: bool) -> list[Any]:
    """Return an argument for each network: its items if they are `several`, or itself."""
    if not several:
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{name} has {len(value)} items for {count} networks")
    return list(value)


def _first(weights: object) -> object:
    """Return the first item of a list of weights, which may be those of a network; else 1."""
    return weights[0] if isinstance(weights, list) and weights else 1.0
