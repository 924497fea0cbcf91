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
    nets = list(networks)
    if not nets:
        raise ValueError("networks must hold at least one network")
    if len({id(net) for net in nets}) < len(nets):
        raise ValueError("networks must be different objects, but one occurs twice")
    validation.choice("on_divergence", on_divergence, ("raise", "return"))
    optimizers = (
        [optimizer] * len(nets) if isinstance(optimizer, Optimizer | str) else list(optimizer)
    )
    if len(optimizers) != len(nets):
        raise ValueError(f"optimizer has {len(optimizers)} items for {len(nets)} networks")
    if rows is not None and len(rows) != len(nets):
        raise ValueError(f"rows has {len(rows)} items for {len(nets)} networks")
    weights = _each(sample_weight, len(nets), isinstance(_first(sample_weight), list | None))
    samples = _read(nets, X, y, weights, rows)
    of_classes = _each(class_weight, len(nets), isinstance(class_weight, list))
    held_out = _each(validation_data, len(nets), isinstance(validation_data, list))
    several = isinstance(early_stopping, list)
    stoppings = [
        each if several else copy(each) for each in _each(early_stopping, len(nets), several)
    ]
    for net, data, settings in zip(nets, samples, optimizers, strict=True):
        net._read_options(data, epochs, batch_size, settings, shuffle)  # noqa: SLF001  (checks it)
    results: list[History | DivergenceError] = []
    for i, net in enumerate(nets):
        try:
            history = net.fit(
                samples[i].X,
                samples[i].y,
                epochs,
                batch_size,
                optimizers[i],
                shuffle,
                held_out[i],
                n_threads=n_threads,
                sample_weight=samples[i].weight,
                class_weight=of_classes[i],
                validation_fraction=validation_fraction,
                metrics=metrics,
                early_stopping=stoppings[i],
                ema=ema,
                standardize=standardize,
            )
            results.append(history)
        except DivergenceError as error:
            results.append(error)
    for i, result in enumerate(results):
        if isinstance(result, DivergenceError) and on_divergence == "raise":
            result.add_note(f"networks[{i}] diverged; the others are trained")
            raise result
    return results


def _read(
    nets: list[Network],
    X: object,
    y: object,
    weights: list[Any],
    rows: Sequence[Sequence[int]] | None,
) -> list[CheckedSamples]:
    """Return the samples of each network."""
    samples = [read_samples(net, X, y, own) for net, own in zip(nets, weights, strict=True)]
    if rows is None:
        return samples
    return [s.of_rows(list(chosen)) for s, chosen in zip(samples, rows, strict=True)]


def _each(value: Any, count: int, several: bool) -> list[Any]:
    """Return an argument for each network: its items if they are `several`, or itself."""
    if not several:
        return [value] * count
    if len(value) != count:
        raise ValueError(f"there are {len(value)} items for {count} networks")
    return list(value)


def _first(weights: object) -> object:
    """Return the first item of a list of weights, which may be those of a network; else 1."""
    return weights[0] if isinstance(weights, list) and weights else 1.0
