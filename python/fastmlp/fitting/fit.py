"""``Network.fit``: check everything, then one call of the core for all epochs."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core, _validation
from fastmlp.data import _arrays
from fastmlp.errors import DataError, DivergenceError
from fastmlp.fitting import fingerprint
from fastmlp.fitting.callbacks import Callback, Network, read_callbacks
from fastmlp.fitting.checkpoints import Saved, read_checkpoint
from fastmlp.fitting.early_stopping import check_monitors, read_early_stopping
from fastmlp.fitting.held_out import HeldOut, hold_out, read_held_out
from fastmlp.fitting.lbfgs import minimise, refuse_batches
from fastmlp.fitting.loop import Course, Trained
from fastmlp.fitting.plateau_watch import read_plateau
from fastmlp.fitting.progress import Progress
from fastmlp.history import History
from fastmlp.model.class_weight import weigh_classes
from fastmlp.model.feature_names import Names, names_to_train_on
from fastmlp.model.model import Core, Model, refuse_while_fitting
from fastmlp.model.samples import Samples, read_samples
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import Optimizer, read_optimizer
from fastmlp.settings.schedules import Schedule
from fastmlp.streams.source import Source, read_data, read_source, refuse_with_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def fit(
    network: Network,
    model: Model,
    X: object,
    y: object,
    *,
    epochs: object,
    batch_size: object,
    optimizer: object,
    shuffle: object,
    validation_data: object,
    verbose: object,
    n_threads: object,
    callbacks: object,
    sample_weight: object,
    class_weight: object,
    validation_fraction: object,
    metrics: object,
    early_stopping: object,
    checkpoint: object,
) -> History:
    """Train `network` as ``Network.fit`` documents; all checks come before all work."""
    core = model.core
    refuse_while_fitting(core, "fit the network")
    optimizer = read_optimizer(optimizer)
    threads, verbose = _validation.n_threads(n_threads), _validation.verbosity(verbose)
    checkpoint = read_checkpoint(checkpoint)
    saved = None if checkpoint is None else checkpoint.read(model)
    data = read_data(X, y)
    names = names_to_train_on(model.feature_names, model.features, X, validation_data)
    samples: Samples | Source
    if data is None:
        samples, held_out, settings = _read_arrays(
            model,
            (X, y, sample_weight),
            class_weight,
            shuffle,
            (validation_data, validation_fraction, metrics),
            seed=core.seed if saved is None else saved.core.seed,
            as_given=not isinstance(optimizer, LBFGS),
            compared=checkpoint is not None,
        )
    else:
        refuse_with_stream(
            data,
            at_once=isinstance(optimizer, LBFGS),
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            class_weight=class_weight,
            validation_fraction=validation_fraction,
        )
        samples = read_source(model, data, class_weight, shuffle)
        held_out = read_held_out(model, validation_data, metrics)
        settings = {} if checkpoint is None else samples.fingerprint()
    # The checkpoint is the last: what the others did is part of the state.
    followers = _followers(callbacks, early_stopping, held_out)
    followers += () if checkpoint is None else (checkpoint,)

    train: Callable[[Course], Sequence[Trained]]
    if isinstance(optimizer, LBFGS):
        assert isinstance(samples, Samples)
        refuse_batches(epochs, batch_size, shuffle)
        if checkpoint is not None:
            raise ValueError("checkpoint does not go with LBFGS, whose memory is SciPy's")
        epochs, plateau, used = optimizer.max_iterations, None, 1
        train = partial(minimise, core, samples, optimizer)
    else:
        rows = len(samples)
        epochs = _validation.integer("epochs", epochs, minimum=1, maximum=2**32 - 1 - core.epoch)
        plateau = read_plateau(optimizer, () if held_out is None else held_out.names())
        options = core_options(optimizer, batch_size, rows, model.dtype)
        options.epochs, options.n_threads = epochs, threads
        if isinstance(samples, Source):
            samples.refuse_epochs(epochs, optimizer, checkpoint)
            samples.require_memory(options.batch_size)
        order = _read_order(core, samples, shuffle, options)
        if checkpoint is not None:
            settings |= fingerprint.of_arguments(model, class_weight, validation_fraction)
            settings |= fingerprint.of_steps(optimizer, options, order, rows)
        used = core.threads_for(options.batch_size, threads)
        train = partial(_train, core, samples, order, options, optimizer)

    with closing(Progress(epochs, verbose)) if verbose else nullcontext() as progress:
        followers += () if progress is None else (progress,)
        course = Course(network, model, epochs, samples, held_out, threads, plateau, followers)
        refused = nullcontext() if saved is None else _unchanged_if_refused(model, saved)
        with _named(model, names), refused:
            if checkpoint is not None and not isinstance(optimizer, LBFGS):
                checkpoint.begin(model, course, settings, options, saved)
            course.begin()
            return course.end(train(course), used)


@contextmanager
def _named(model: Model, names: Names | None) -> Iterator[None]:
    """Give a network the names of what it trains on, unless that is refused."""
    before, model.feature_names = model.feature_names, names
    position = _position(model.core)
    try:
        yield
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError) or _position(model.core) == position:
            model.feature_names = before
        raise


def _position(core: Core) -> tuple[int, int]:
    return core.epoch, core.optimizer_state[3]


@contextmanager
def _unchanged_if_refused(model: Model, saved: Saved) -> Iterator[None]:
    """Undo what was taken over from a checkpoint if no step follows, but an error of the data."""
    core, before = model.core, model.copied_core()
    try:
        yield
    except DivergenceError:
        raise
    except (TypeError, ValueError):
        if (core.epoch, core.optimizer_state[3]) == (saved.core.epoch, saved.state.steps):
            core.assign(before)  # type: ignore[arg-type]
        raise


def _read_order(
    core: Core, samples: Samples | Source, shuffle: object, options: _core.TrainOptions
) -> NDArray[np.uint32] | None:
    """Return the orders of samples that `shuffle` may be, and check the batches they make."""
    order = None
    if not _is_switch(shuffle):
        order = _arrays.orders(shuffle, len(samples), options.epochs).copy()
    options.shuffle = order is None and _validation.switch("shuffle", shuffle)
    weight = samples.weight if isinstance(samples, Samples) else None
    if order is not None and weight is not None and not weight[order].any(axis=1).all():
        raise ValueError("shuffle has an epoch of samples whose sample_weight is 0")
    core.check_batches(len(samples), weight, order, options)
    return order


def _read_arrays(
    model: Model,
    given: tuple[object, object, object],
    class_weight: object,
    shuffle: object,
    held_out: tuple[object, object, object],
    *,
    seed: int,
    as_given: bool,
    compared: bool,
) -> tuple[Samples, HeldOut | None, dict[str, Any]]:
    """Return the samples to train on, those held out, and, if `compared`, their fingerprint."""
    data, fraction, metrics = held_out
    if fraction is not None and not _is_switch(shuffle):
        raise ValueError("shuffle names rows of X, some of which validation_fraction takes away")
    X, y, sample_weight = given
    samples = read_samples(model, X, y, sample_weight, as_given=as_given, shuffled=True)
    settings = fingerprint.of_samples(samples) if compared else {}
    samples, validation = hold_out(model, samples, data, fraction, metrics, seed)
    samples = weigh_classes(samples, class_weight, model.loss, model.outputs)
    return samples.apart_from(model.core.parameters), validation, settings


def _train(
    core: Core,
    samples: Samples | Source,
    order: NDArray[np.uint32] | None,
    options: _core.TrainOptions,
    optimizer: Optimizer,
    course: Course,
) -> list[_core.EpochReport]:
    """Let the core train on mini-batches."""
    rate = optimizer.learning_rate
    fit_core = (
        partial(samples.train, core)
        if isinstance(samples, Source)
        else partial(core.fit, samples.X, samples.targets, samples.weight, order)
    )
    try:
        return fit_core(
            options,
            (lambda step: _validation.told("the learning rate of a step", rate(step)))
            if callable(rate)
            else None,
            course.end_epoch if course.is_watched else None,
            course.end_step if course.is_watched_closely else None,
        )
    except _core.DivergedError as error:
        epoch, loss, rate_used = error.args
        raise DivergenceError(epoch + 1, loss, rate_used) from None


def core_options(
    optimizer: Optimizer, batch_size: object, rows: int, dtype: np.dtype[np.floating]
) -> _core.TrainOptions:
    """Return how the core steps; a batch of None is all samples, 0 being a number not known."""
    options = _core.TrainOptions()
    options.batch_size = rows
    if batch_size is not None:
        size = _validation.integer("batch_size", batch_size, minimum=1, alternative="None")
        options.batch_size = min(size, rows or sys.maxsize)
    options.optimizer = optimizer.to_core(dtype)
    if isinstance(optimizer.learning_rate, Schedule):
        options.schedule = optimizer.learning_rate.to_core()
    return options


def _is_switch(shuffle: object) -> bool:
    return isinstance(shuffle, bool | np.bool_ | int)


def _followers(
    callbacks: object, early_stopping: object, held_out: HeldOut | None
) -> tuple[Callback, ...]:
    """Return early stopping and the callbacks, once what they monitor is known to be told."""
    followers = read_callbacks(callbacks)
    stopping = read_early_stopping(early_stopping)
    if stopping is not None:
        followers = (stopping, *followers)  # first, for it keeps the weights that were measured
    check_monitors(followers, held_out.names() if held_out is not None else ())
    return followers
