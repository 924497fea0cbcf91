"""`train_many`: training of independent networks, as for seeds, folds and learning rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _core, _validation
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp.data._raw import RawRows
from fastmlp.data.stream import TargetsLike
from fastmlp.errors import DivergenceError
from fastmlp.fitting.loop import history_of
from fastmlp.fitting.options import core_options, read_batch_size, read_ema
from fastmlp.history import History
from fastmlp.model.feature_names import names_to_train_on
from fastmlp.model.model import Model, refuse_frozen, refuse_while_fitting
from fastmlp.model.samples import CheckedSamples, read_samples
from fastmlp.network import Network, model_of
from fastmlp.settings.optimizers import SGD, Optimizer, StepOptimizerName, read_step_optimizer
from fastmlp.settings.plateau import Plateau


@hints_at_arguments
def train_many(
    networks: Iterable[Network],
    X: ArrayLike,
    y: TargetsLike,
    epochs: int = 10,
    batch_size: int | None = 32,
    optimizer: Optimizer | StepOptimizerName | Sequence[Optimizer | StepOptimizerName] = SGD(0.1),  # noqa: B008  (frozen)
    *,
    rows: Sequence[ArrayLike] | None = None,
    sample_weight: ArrayLike | None = None,
    shuffle: bool = True,
    n_threads: int | None = None,
    ema: float | None = None,
    on_divergence: Literal["raise", "return"] = "raise",
) -> list[History | DivergenceError]:
    """Train independent networks in parallel, each with the same bits as its own ``fit``.

    Each network is trained on one thread: a small network cannot use a second one, but many
    networks can. The whole call runs in the core without the GIL.

    Parameters
    ----------
    networks : iterable of Network
        Different objects of one dtype; anything else may differ.
    X : array-like, shape (n, features)
        Samples, as in `Network.fit`; shared by all networks, not copied.
    y : array-like, shape (n,) or (n, N)
        Targets.
    epochs, batch_size, shuffle, sample_weight, ema
        As in `Network.fit`.
    optimizer : Optimizer, str, or sequence of them, default SGD(learning_rate=0.1)
        One for all networks, or one for each; names as in `Network.fit`. A learning rate is a
        number or a schedule of the step; functions and `Plateau`, which need Python during the
        training, work only with ``fit``.
    rows : sequence of array-like of int, optional
        For each network the samples it trains on, such as the folds of a cross-validation; they are
        copied.
    n_threads : int, optional
        Upper limit of threads; None is the limit of the process.
    on_divergence : {"raise", "return"}, default "raise"
        What to do about a network whose loss became infinite or NaN, after all others are trained.
        In either case it is restored to its last finite epoch end.

    Returns
    -------
    list of History or DivergenceError
        One for each network, in order; errors only with ``on_divergence="return"``.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; nothing has changed then.
    DivergenceError
        If a network diverged, with ``on_divergence="raise"``: the error of the first one.
    RuntimeError
        If a network is already being fitted.
    KeyboardInterrupt
        On Ctrl-C; every network has the parameters of a completed step.

    Examples
    --------
    >>> nets = [Network([4, 16, 3], seed=seed) for seed in range(20)]
    >>> histories = train_many(nets, X, y, epochs=50)  # doctest: +SKIP
    """
    models = _models(networks)
    optimizers = _optimizers(optimizer, len(models))
    _validation.choice("on_divergence", on_divergence, ("raise", "return"))
    epochs = _validation.integer(
        "epochs", epochs, minimum=1, maximum=2**32 - 1 - max(model.core.epoch for model in models)
    )
    size, limit = read_batch_size(batch_size), _validation.n_threads(n_threads)
    shuffle, decay = _validation.switch("shuffle", shuffle), read_ema(ema)
    names = [names_to_train_on(model.feature_names, model.features, X) for model in models]
    data = _data(models, X, y, sample_weight, rows)
    jobs = []
    all_options: dict[tuple[int, int], _core.TrainOptions] = {}
    for model, samples, settings in zip(models, data, optimizers, strict=True):
        kind = id(settings), len(samples)
        if kind not in all_options:
            all_options[kind] = core_options(
                settings,
                model.dtype,
                rows=len(samples),
                batch_size=size,
                epochs=epochs,
                shuffle=shuffle,
                ema=decay,
            )
        options = all_options[kind]
        refuse_frozen(model.core)
        model.core.check_batches(len(samples), samples.weight, None, options)
        jobs.append(_core.TrainJob(model.core, samples.X, samples.y, samples.weight, options))
    for model, each in zip(models, names, strict=True):
        model.feature_names = each
    train = _core.train_many32 if models[0].dtype == np.float32 else _core.train_many64
    results: list[History | DivergenceError] = []
    for model, samples, outcome in zip(models, data, train(jobs, limit), strict=True):
        if isinstance(outcome, tuple):
            epoch, loss, rate = outcome
            results.append(DivergenceError(epoch + 1, loss, rate))
        else:
            results.append(history_of(outcome, model, samples, n_threads=1))
    for i, result in enumerate(results):
        if isinstance(result, DivergenceError) and on_divergence == "raise":
            result.add_note(f"networks[{i}] diverged; the others are trained")
            raise result
    return results


def _models(networks: object) -> list[Model]:
    nets = _validation.items("networks", networks, "a sequence of networks")
    if not nets:
        raise ValueError("networks must hold at least one network")
    for i, net in enumerate(nets):
        if not isinstance(net, Network):
            raise TypeError(f"networks[{i}] must be a Network, got {_validation.described(net)}")
        if net.dtype != nets[0].dtype:
            raise ValueError(
                f"networks must have one dtype, but [0] is {nets[0].dtype} and [{i}] {net.dtype}"
            )
        if net.loss == "custom":
            raise ValueError(f"networks[{i}] has a custom loss, which needs Python: use its fit")
        refuse_while_fitting(model_of(net).core, f"train networks[{i}]")
    if len({id(net) for net in nets}) < len(nets):
        raise ValueError("networks must be different objects, but one occurs twice")
    return [model_of(net) for net in nets]


def _optimizers(optimizer: object, count: int) -> list[Optimizer]:
    several = isinstance(optimizer, list | tuple)
    given = list(optimizer) if isinstance(optimizer, list | tuple) else [optimizer]
    optimizers = [read_step_optimizer(each, "train_many") for each in given]
    if several and len(optimizers) != count:
        raise ValueError(f"optimizer has {len(optimizers)} items for {count} networks")
    for each in optimizers:
        if callable(each.learning_rate) or isinstance(each.learning_rate, Plateau):
            raise ValueError(
                "train_many takes a learning rate that is a number or a schedule of the step, "
                f"got {_validation.brief(each.learning_rate)}"
            )
    return optimizers if several else optimizers * count


def _data(
    models: list[Model],
    X: object,
    y: object,
    sample_weight: object,
    rows: Sequence[ArrayLike] | None,
) -> list[CheckedSamples]:
    """Return the samples of each network; one object for all that take the same."""
    shared: dict[Any, CheckedSamples] = {}
    data = []
    for model in models:
        scaling = model.input_scaling
        factors = None if scaling is None else tuple(part.tobytes() for part in scaling)
        kind = (model.features, model.outputs, model.loss, model.loss.heads, factors)
        if kind not in shared:
            samples = read_samples(model, X, y, sample_weight)
            if scaling is not None:  # which the core then does not do again
                values = samples.X.values if isinstance(samples.X, RawRows) else samples.X
                samples = replace(samples, X=RawRows(values, model.dtype, *scaling).read())
            if any(np.may_share_memory(samples.X, other.core.parameters) for other in models):
                raise ValueError("X must not share memory with the parameters of a network")
            shared[kind] = samples
        data.append(shared[kind])
    if rows is None:
        return data
    if len(rows) != len(models):
        raise ValueError(f"rows has {len(rows)} items for {len(models)} networks")
    parts = [
        samples.of_rows(_row_numbers(i, part, len(samples)))
        for i, (samples, part) in enumerate(zip(data, rows, strict=True))
    ]
    for i, samples in enumerate(parts):
        if samples.weight is not None and not samples.weight.any():
            raise ValueError(f"rows[{i}] holds only samples whose sample_weight is 0")
    return parts


def _row_numbers(i: int, part: ArrayLike, count: int) -> NDArray[np.intp]:
    array = np.asarray(part)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise TypeError(f"rows[{i}] must be a vector of integers, got {array.dtype} {array.shape}")
    if array.size == 0 or array.min() < 0 or array.max() >= count:
        raise ValueError(f"rows[{i}] must hold row numbers of X, 0 to {count - 1}, at least one")
    return array.astype(np.intp)
