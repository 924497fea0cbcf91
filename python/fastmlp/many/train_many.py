"""`train_many`: training of independent networks, as for seeds, folds and learning rates.

Over 400 lines, a quarter of which documents its arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Literal

from numpy.typing import ArrayLike

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp.data.stream import TargetsLike
from fastmlp.errors import DivergenceError
from fastmlp.fitting._metric_names import MetricsLike
from fastmlp.fitting.callbacks import AnyCallback, Callback, read_callbacks
from fastmlp.fitting.early_stopping import EarlyStopping
from fastmlp.fitting.options import FitOptions, read_options
from fastmlp.fitting.progress import shown
from fastmlp.fitting.resuming import refuse_other_loss_weights, refuse_other_scaling
from fastmlp.fitting.standardize import is_first_fit, refuse_rounded_targets, standardized
from fastmlp.fitting.unchanged import UnchangedIfRefused
from fastmlp.history import History
from fastmlp.many.arguments import (
    Checkpoints,
    ClassWeights,
    HeldOutData,
    Stopping,
    Weights,
    are_alike,
    are_validation_data,
    are_weights,
    check_networks,
    checkpoints,
    for_each,
    make_folders,
    of_network,
    parameters_of,
    read_epochs,
    read_networks,
    row_numbers,
    stoppings,
)
from fastmlp.many.bootstraps import Bootstraps
from fastmlp.many.data import Data
from fastmlp.many.following import Following
from fastmlp.many.jobs import (
    Job,
    Outcome,
    make_job,
    train_at_once,
    train_by_lbfgs,
)
from fastmlp.many.networks import Networks, groups_of
from fastmlp.many.rounds import train_in_rounds
from fastmlp.model.feature_names import Names, names_to_train_on
from fastmlp.model.model import Model
from fastmlp.network import Network, model_of
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import SGD, Optimizer, OptimizerName

AnyOptimizer = Optimizer | LBFGS | OptimizerName
"""One optimizer for ``fit``."""


@hints_at_arguments
def train_many(
    networks: Iterable[Network],
    X: ArrayLike,
    y: TargetsLike,
    epochs: int = 10,
    batch_size: int | None = 32,
    optimizer: AnyOptimizer | Sequence[AnyOptimizer] = SGD(0.1),  # noqa: B008  (frozen)
    *,
    rows: Sequence[ArrayLike] | None = None,
    sample_weight: Weights | None = None,
    class_weight: ClassWeights | None = None,
    shuffle: bool = True,
    validation_data: HeldOutData | None = None,
    validation_fraction: float | None = None,
    metrics: MetricsLike | None = None,
    early_stopping: Stopping | None = None,
    callbacks: AnyCallback | Iterable[AnyCallback] | None = None,
    checkpoint: Checkpoints | None = None,
    verbose: int = 0,
    n_threads: int | None = None,
    ema: float | None = None,
    standardize: bool = False,
    on_divergence: Literal["raise", "return"] = "raise",
) -> list[History | DivergenceError]:
    """Train independent networks in parallel, each with the same bits as its own ``fit``.

    Each network is trained on one thread: a small network cannot use a second one, but many
    networks can. Without validation, early stopping, callbacks, checkpoints and `Plateau` the whole
    call runs in the core; with them, all networks train an epoch in each of its calls, or, without
    callbacks, a few whose epochs are too short for that are trained one after another.

    Parameters
    ----------
    networks : iterable of Network
        Different objects of one dtype; anything else may differ.
    X : array-like, shape (n, features)
        Samples, as in `Network.fit`; shared by all networks, not copied. Not sparse.
    y : array-like, shape (n,) or (n, N)
        Targets.
    epochs, batch_size, shuffle, validation_fraction, metrics, ema, standardize
        As in `Network.fit`, for each network; `shuffle` is no order of samples.
    optimizer : Optimizer, LBFGS, str, or sequence of them, default SGD(learning_rate=0.1)
        One for all networks, or one for each; names as in `Network.fit`. A learning rate is a
        number, a schedule or `Plateau`; functions, which need Python at each step, work only with
        ``fit``. Networks with LBFGS are trained one after another.
    rows : sequence of array-like of int, optional
        For each network the samples that it trains on, such as folds or bootstraps: indices, which
        may repeat. The result is that of ``fit(X[rows[i]], y[rows[i]])``, but nothing is copied;
        only where each network scales X in its own way, and X has another dtype than theirs, are
        their rows, for some networks at a time (for all with callbacks and the like). All of X and
        y are checked. Where rows repeat, `validation_fraction` may hold out a copy of a row that is
        trained on, too: pass `validation_data`.
    sample_weight : array-like, shape (n,), or sequence of them, optional
        For all networks, or for each its own or None. They are those of X, also with `rows`.
    class_weight, early_stopping : optional
        As in `Network.fit`, for all networks or a sequence with one for each. A single
        `EarlyStopping` is copied for each network; those of a sequence have the state afterwards.
    validation_data : tuple (X, y) or (X, y, sample_weight), or list of them, optional
        For all networks, or a list of tuples with one for each.
    callbacks : callable, Callback, or sequence of them, optional
        Called for all networks together, with lists in place of a network and of its report:
        ``f(networks, reports)`` after each epoch, where the report of a network that did not train
        in it is None. A true result stops all; a list with a flag for each network stops those
        whose flag is true. `Callback.on_batch_end` is not called.
    checkpoint : path or Checkpoint, or sequence of them, optional
        A folder for one file for each network, named 0.ckpt and so on, and created; or a sequence
        with a file for each. Each is the file that ``fit`` would write.
    verbose : int, default 0
        1 shows a progress bar with the means of the networks, 2 a line for each epoch.
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
        If a network is already being fitted. With callbacks, validation or a checkpoint the
        networks are free between epochs: what fits or changes one then changes this training.
    KeyboardInterrupt
        On Ctrl-C; every network has the parameters of a completed step.

    Examples
    --------
    >>> nets = [Network([4, 16, 3], seed=seed) for seed in range(20)]
    >>> histories = train_many(nets, X, y, epochs=50)  # doctest: +SKIP
    """
    nets = read_networks(networks)
    _validation.choice("on_divergence", on_divergence, ("raise", "return"))
    followers = _followers(callbacks)
    each = {
        "optimizer": for_each("optimizer", optimizer, len(nets)),
        "sample_weight": for_each("sample_weight", sample_weight, len(nets), are_weights),
        "class_weight": for_each("class_weight", class_weight, len(nets)),
        "validation_data": for_each(
            "validation_data", validation_data, len(nets), are_validation_data
        ),
        "early_stopping": stoppings(early_stopping, len(nets)),
        "checkpoint": checkpoints(checkpoint, len(nets)),
    }
    in_groups = not (followers or verbose or standardize or rows is not None) and are_alike(each)
    if isinstance(nets, Networks) and not in_groups:
        nets = read_networks(list(nets))
    common = {
        "epochs": read_epochs(epochs, nets),
        "batch_size": batch_size,
        "shuffle": _validation.switch("shuffle", shuffle),
        "validation_fraction": validation_fraction,
        "metrics": metrics,
        "callbacks": None,
        "verbose": verbose,
        "n_threads": n_threads,
        "ema": ema,
        "standardize": standardize,
    }
    call = _Call(X, y, Data(parameters_of(nets), X, y), rows, followers, common)
    results = call.train_in_groups(nets, each)
    number_diverged(results, on_divergence)
    return results


def number_diverged(results: list[Outcome], on_divergence: str) -> None:
    """Say in errors whose they are; raise the first one, unless all are to be returned."""
    for i, result in enumerate(results):
        if isinstance(result, DivergenceError):
            result.network = i
            if on_divergence == "raise":
                result.add_note("the other networks are trained")
                raise result


@dataclass(frozen=True)
class _Call:
    """What is one for all networks of a call."""

    X: Any
    y: Any
    data: Data
    rows: Sequence[ArrayLike] | None
    followers: tuple[Callback, ...]
    common: dict[str, Any]

    def train_in_groups(
        self, nets: list[Network] | Networks, each: dict[str, list[Any]]
    ) -> list[Outcome]:
        """Train a list together, and `Networks` in groups, as far as nobody asked for them.

        What would be refused for any of them is refused for one of the first group.
        """
        if not isinstance(nets, Networks):
            return self._train(nets, each)
        results: list[Any] = [None] * len(nets)
        for numbers, group in groups_of(nets, self.common["n_threads"]):
            check_networks(group, numbers)
            own = {name: [values[i] for i in numbers] for name, values in each.items()}
            for i, outcome in zip(numbers, self._train(group, own), strict=True):
                results[i] = outcome
        return results

    def _train(self, nets: list[Network], each: dict[str, list[Any]]) -> list[Any]:
        models = [model_of(net) for net in nets]
        options = _options(models, each, **self.common)
        with ExitStack() as undo:
            jobs = _jobs(nets, models, self, options, undo)
            training = _prepared(jobs, self.followers, verbose=options[0].verbose)
            training(_validation.n_threads(self.common["n_threads"]))
            for job in jobs:
                if isinstance(job.outcome, DivergenceError):
                    job.leave_no_trace()
                    job.explain()
        return [job.outcome for job in jobs]


def _jobs(
    nets: list[Network],
    models: list[Model],
    call: _Call,
    options: list[FitOptions],
    undo: ExitStack,
) -> list[Job]:
    """Read everything for the trainings; errors leave all networks as they were."""
    X = call.X
    names = _names(models, X, options)
    before = [_before(model) for model in models]
    learning = _scaling(models, X, options, names, undo)
    jobs = _made(nets, models, call, options, before, learning)
    if any(learning):
        refuse_rounded_targets(models[learning.index(True)], call.y)
    shared: dict[Any, Any] = {}
    for job in jobs:
        job.learn_scaling(call.data)
    scalings = Counter(job.scaling for job in jobs)
    for job in jobs:
        job.prepare(call.data, shared, scales_alone=scalings[job.scaling] == 1)
    for model, own in zip(models, names, strict=True):
        if own != model.feature_names:
            undo.enter_context(UnchangedIfRefused(model, own, None))
    return jobs


def _made(
    nets: list[Network],
    models: list[Model],
    call: _Call,
    options: list[FitOptions],
    before: list[tuple[Any, ...]],
    learning: list[bool],
) -> list[Job]:
    """Read the samples of each network, or take those of one that is like it."""
    data, rows = call.data, _rows(call.rows, len(nets))
    copies_too = isinstance(call.rows, Bootstraps)
    jobs: list[Job] = []
    firsts: dict[Any, Job] = {}
    for i, (net, model) in enumerate(zip(nets, models, strict=True)):
        kind = id(options[i]), id(model.layers), id(model.loss), model.features
        is_plain = rows is None and not learning[i] and before[i][2] == (None, None)
        if is_plain and kind in firsts:
            jobs.append(firsts[kind].of_another(net, model, before[i]))
            continue
        part = None
        if rows is not None:
            count = len(data.samples(model, options[i].sample_weight))
            part = row_numbers(i, rows[i], count)
        with of_network(i):
            job = make_job(
                data, net, model, options[i], part, learns=learning[i], copies_too=copies_too
            )
        if part is not None and job.weight is not None and not job.weight[job.rows].any():
            raise ValueError(f"rows[{i}] holds only samples whose sample_weight is 0")
        job.before = before[i]
        jobs.append(job)
        if is_plain and options[i].validation_fraction is None:  # each seed holds out others
            firsts[kind] = job
    return jobs


def _rows(rows: Any, count: int) -> list[Any] | None:
    """Return the rows of each network."""
    if rows is None:
        return None
    each = _validation.items("rows", rows, "a sequence with row numbers for each network")
    if len(each) != count:
        raise ValueError(f"rows has {len(each)} items for {count} networks")
    return each


def _names(models: list[Model], X: Any, options: list[FitOptions]) -> list[Names | None]:
    """Return the names of the features of each network after the training."""
    known: dict[Any, Names | None] = {}
    names = []
    for model, each in zip(models, options, strict=True):
        own, held_out = model.feature_names, each.validation_data
        kind = own, model.features, id(held_out)
        if kind not in known:
            known[kind] = names_to_train_on(own, model.features, X, held_out)
        names.append(known[kind])
    return names


def _before(model: Model) -> tuple[Any, ...]:
    scalings = (model.input_scaling, model.output_scaling)
    return model.core.epoch, model.feature_names, scalings


def _scaling(
    models: list[Model],
    X: Any,
    options: list[FitOptions],
    names: list[Names | None],
    undo: ExitStack,
) -> list[bool]:
    """Prepare networks that learn to scale their data, or resume; whether each is to learn it."""
    learning = []
    for i, (model, each) in enumerate(zip(models, options, strict=True)):
        learns = each.standardize and is_first_fit(model)
        if each.standardize != learns:
            options[i] = replace(each, standardize=learns)
        if each.saved is not None and each.checkpoint is not None:
            refuse_other_scaling(each.checkpoint, each.saved, model, learns=learns)
            refuse_other_loss_weights(each.checkpoint, each.saved, model)
        if each.saved is not None or learns:
            undo.enter_context(UnchangedIfRefused(model, names[i], each.saved))
            saved_core = None if each.saved is None else each.saved.core
            undo.enter_context(standardized(model, X, saved_core))
        learning.append(learns and each.saved is None)
    return learning


def _prepared(
    jobs: list[Job], followers: tuple[Callback, ...], *, verbose: int
) -> Callable[[int], None]:
    """Return the function that trains; checkpoints are resumed before it is called."""
    descents = [job for job in jobs if isinstance(job.options.optimizer, LBFGS)]
    steps = [job for job in jobs if not isinstance(job.options.optimizer, LBFGS)]
    if followers and descents:
        raise ValueError(
            "callbacks follow all networks epoch by epoch, which LBFGS does not have: leave them "
            "out, or use another optimizer"
        )
    together = bool(followers or verbose)
    followed = together or any(job.is_followed for job in steps)
    make_folders(job.options.checkpoint for job in jobs)
    for job in jobs if followed else descents:
        job.begin(records=together)

    def train(n_threads: int) -> None:
        if steps and followed:
            epochs = steps[0].options.epochs
            with shown(epochs, verbose) as progress:
                train_in_rounds(steps, epochs, n_threads, Following(steps, followers, progress))
        elif steps:
            train_at_once(steps, n_threads)
        for job in descents:
            train_by_lbfgs(job, n_threads)

    return train


# The arguments


def _followers(callbacks: AnyCallback | Iterable[AnyCallback] | None) -> tuple[Callback, ...]:
    followers = read_callbacks(callbacks)
    for callback in followers:
        if type(callback).on_batch_end is not Callback.on_batch_end:
            raise ValueError(
                "callbacks of train_many are called after epochs, but "
                f"{type(callback).__name__} has on_batch_end: use fit"
            )
        if isinstance(callback, EarlyStopping):
            raise TypeError("callbacks has an EarlyStopping: pass it as early_stopping")
    return followers


def _options(models: list[Model], each: dict[str, list[Any]], **common: Any) -> list[FitOptions]:
    """Return the options of each network; the same object for those that have the same.

    A checkpoint is of one network only.
    """
    read: dict[Any, FitOptions] = {}
    options = []
    objects = zip(*(map(id, values) for values in each.values()), strict=True)
    for i, (model, given) in enumerate(zip(models, objects, strict=True)):
        kind = given, model.outputs, model.loss, model.loss.heads
        if kind not in read:
            own = {name: values[i] for name, values in each.items()}
            with of_network(i):
                read[kind] = read_options(model, **common, **own)
            rate = getattr(read[kind].optimizer, "learning_rate", None)
            if callable(rate):
                raise ValueError(
                    "train_many takes a learning rate that is a number, a schedule or Plateau, "
                    f"got {_validation.brief(rate)}"
                )
        options.append(read[kind])
    return options
