"""``Network.fit``: check the samples, then one call of the core for all epochs.

There are three parallel versions: for arrays, for streams and iterables, and for L-BFGS over all
samples.
"""

from collections.abc import Callable, Iterable, Sized
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data import _arrays
from fastmlp.data.stream import Rows, Stream, TargetsLike
from fastmlp.errors import DivergenceError
from fastmlp.fitting import fingerprint
from fastmlp.fitting.callbacks import Callback, Network
from fastmlp.fitting.checkpoints import CheckpointFile
from fastmlp.fitting.held_out import HeldOut, read_held_out, split
from fastmlp.fitting.lbfgs import minimise, warn_if_not_converged
from fastmlp.fitting.loop import FitLoop
from fastmlp.fitting.options import FitOptions, refuse_with_stream, settings_of
from fastmlp.fitting.plain import fit_plain
from fastmlp.fitting.plateau_watch import PlateauWatch
from fastmlp.fitting.progress import shown
from fastmlp.fitting.ranks import Ranks
from fastmlp.fitting.resuming import refuse_other_loss_weights, refuse_other_scaling, resume
from fastmlp.fitting.standardize import (
    is_first_fit,
    learn_from,
    refuse_rounded_targets,
    standardized,
)
from fastmlp.fitting.together import in_common, network_of_rank_0
from fastmlp.fitting.unchanged import UnchangedIfRefused
from fastmlp.history import History
from fastmlp.model.class_weight import only_here, weigh_classes
from fastmlp.model.feature_names import names_to_train_on
from fastmlp.model.model import Core, Diverged, Model, TrainOptions, refuse_while_fitting
from fastmlp.model.samples import CheckedSamples, read_samples
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import Optimizer
from fastmlp.streams.batches import Batches
from fastmlp.streams.source import read_data, read_source

Features = ArrayLike | Stream | Iterable[Rows]
"""The types of `X` in ``fit``."""

Targets = TargetsLike | None
"""The types of `y` in ``fit``."""

_UNSCALED: Final = nullcontext()
"""In place of `standardized` for a fit that leaves the scaling as it is."""


def fit(
    network: Network,
    model: Model,
    X: Features,
    y: Targets,
    options: FitOptions,
    ranks: Ranks | None = None,
) -> History:
    """Train `network`, which holds `model`; all checks come before all work."""
    refuse_while_fitting(model.core, "fit the network")
    data = read_data(X, y)
    if ranks is None:
        return _fit(network, model, X, y, data, options, None)
    if isinstance(data, Batches):
        raise ValueError(
            "comm does not go together with iterables of batches, which do not tell how many rows "
            "a rank has, and thus its share of a batch: pass arrays or a Stream"
        )
    if ranks.rank > 0:
        options = replace(options, verbose=0)  # rank 0 shows the progress
    with network_of_rank_0(model, ranks, in_common(options, model, X)):
        history = _fit(network, model, X, y, data, options, ranks)
        ranks.end_epoch(model.core)  # callbacks may have restored the best
        return history


def _fit(
    network: Network,
    model: Model,
    X: Features,
    y: Targets,
    data: Stream | Batches | None,
    options: FitOptions,
    ranks: Ranks | None,
) -> History:
    """Train with the scaling of the features and the names that the fit needs."""
    optimizer = options.optimizer
    if data is not None:
        refuse_with_stream(options, "a stream" if X is data else "an iterable of batches")
    try:
        alone = data is None and ranks is None
        if alone and (history := fit_plain(model, X, y, options)) is not None:
            return history
        names = names_to_train_on(
            model.core.feature_names, model.features, X, options.validation_data
        )
        if options.standardize and not is_first_fit(model):
            options = replace(options, standardize=False)
        if options.saved is not None and options.checkpoint is not None:
            refuse_other_scaling(
                options.checkpoint, options.saved, model, learns=options.standardize
            )
            refuse_other_loss_weights(options.checkpoint, options.saved, model)
        learns = options.standardize and options.saved is None
        scaling: AbstractContextManager[None] = _UNSCALED
        if learns or options.saved is not None:
            saved_core = None if options.saved is None else options.saved.core
            scaling = standardized(model, X if data is None else data, saved_core, ranks)
        with UnchangedIfRefused(model, names, options.saved), scaling:
            if isinstance(optimizer, LBFGS):
                return _fit_lbfgs(network, model, X, y, optimizer, options, learns, ranks)
            if data is not None:
                return _fit_stream(network, model, data, optimizer, options, ranks)
            return _fit_arrays(network, model, X, y, optimizer, options, learns, ranks)
    except Diverged as error:
        epoch, loss, rate = error.args
        if not np.isfinite(model.core.parameters).all():  # although they are restored
            raise ValueError(
                "the network has parameters that are not finite, and had them before the fit: "
                "set them, or create the network again"
            ) from None
        raise DivergenceError(epoch + 1, loss, rate) from None


def _fit_arrays(
    network: Network,
    model: Model,
    X: Features,
    y: Targets,
    optimizer: Optimizer,
    options: FitOptions,
    learns: bool,
    ranks: Ranks | None,
) -> History:
    """Train on arrays, in batches; the network `learns` how to scale them first."""
    core = model.core
    samples, held_out, of_samples = _read_arrays(model, X, y, options, ranks, as_given=True)
    trained: Sized = samples
    if ranks is not None:
        options, trained = _counted(model, samples, samples.weight, held_out, options, ranks)
    rows = len(trained)
    if learns:
        refuse_rounded_targets(model, y, ranks)
        learn_from(model, samples, ranks)
    settings = settings_of(options, optimizer, model.dtype, rows)
    order = None if options.order is None else _read_order(samples, options.order, options.epochs)
    _check_batches(model, rows, samples.weight, order, settings, ranks)
    file = checkpoint_file(model, options, settings, rows, order, of_samples, ranks)
    n_threads = core.threads_for(settings.batch_size, options.n_threads, samples.density)
    with shown(options.epochs, options.verbose) as progress:
        loop = fit_loop(network, model, trained, held_out, options, progress, file, ranks)
        if file is not None:
            resume(loop, file, options.saved, settings)
        loop.begin()
        epochs = core.fit(
            samples.X,
            samples.targets,
            samples.weight,
            order,
            settings,
            _rate_of_step(optimizer),
            loop.on_epoch,
            loop.on_step,
            ranks=None if ranks is None else _of_core(core, ranks),
        )
        return loop.end(epochs, n_threads)


def _check_batches(
    model: Model,
    rows: int,
    weights: NDArray[Any] | None,
    order: NDArray[np.uint32] | None,
    settings: TrainOptions,
    ranks: Ranks | None,
) -> None:
    """Refuse batch normalization if no batch has two samples that count, as all of a stream may."""
    if ranks is None:
        model.core.check_batches(rows, weights, order, settings)
        return
    known = ranks.weights(weights) if model.moves_averages else None
    model.core.check_batches(rows, known, None, settings, ranks.rows)


def _of_core(core: Core, ranks: Ranks) -> tuple[Any, ...]:
    """Return the ranks as the core takes them."""
    shared = ranks.share_memory(core.shared_bytes(ranks.size))
    return ranks.rank, ranks.rows, ranks.add, shared, ranks.check


def _counted(
    model: Model,
    samples: Sized,
    weights: NDArray[Any] | None,
    held_out: HeldOut | None,
    options: FitOptions,
    ranks: Ranks,
) -> tuple[FitOptions, Sized]:
    """Return the options with a limit of threads, and the samples of all ranks."""
    ranks.refuse_others({"the names of features": model.feature_names})
    weight = len(samples) if weights is None else weights.sum(dtype=np.float64)
    rows = ranks.start(len(samples), float(weight), None if held_out is None else held_out.weight)
    return replace(options, n_threads=ranks.threads(options.n_threads)), range(rows)


def _fit_stream(
    network: Network,
    model: Model,
    data: Stream | Batches,
    optimizer: Optimizer,
    options: FitOptions,
    ranks: Ranks | None,
) -> History:
    """Train on a stream or an iterable of batches."""
    core = model.core
    source = read_source(model, data, options.class_weight, options.shuffle)
    held_out = None
    if options.validation_data is not None:
        held_out = read_held_out(model, options.validation_data, options.metrics, ranks)
    source.refuse_epochs(options.epochs, optimizer, options.checkpoint)
    trained: Sized = source
    if ranks is not None:
        options, trained = _counted(model, source, None, held_out, options, ranks)
    rows = len(trained)
    settings = options.to_core(optimizer, model.dtype, rows)
    source.require_memory(settings.batch_size)
    _check_batches(model, rows, None, None, settings, ranks)
    of_samples = {} if options.checkpoint is None else source.fingerprint()
    file = checkpoint_file(model, options, settings, rows, None, of_samples, ranks)
    n_threads = core.threads_for(settings.batch_size, options.n_threads)
    with shown(options.epochs, options.verbose) as progress:
        loop = fit_loop(network, model, trained, held_out, options, progress, file, ranks)
        if file is not None:
            resume(loop, file, options.saved, settings)
        loop.begin()
        epochs = source.train(
            settings,
            _rate_of_step(optimizer),
            loop.on_epoch,
            loop.on_step,
            None if ranks is None else _of_core(core, ranks),
        )
        return loop.end(epochs, n_threads)


def _fit_lbfgs(
    network: Network,
    model: Model,
    X: Features,
    y: Targets,
    optimizer: LBFGS,
    options: FitOptions,
    learns: bool,
    ranks: Ranks | None,
) -> History:
    """Train on arrays, all samples in each step; the network `learns` how to scale them first."""
    samples, held_out, _ = _read_arrays(model, X, y, options, ranks, as_given=False)
    trained: Sized = samples
    if ranks is not None:
        options, trained = _counted(model, samples, samples.weight, held_out, options, ranks)
    if learns:
        refuse_rounded_targets(model, y, ranks)
        learn_from(model, samples, ranks)
    with shown(options.epochs, options.verbose) as progress:
        loop = fit_loop(network, model, trained, held_out, options, progress, ranks=ranks)
        loop.begin()
        iterations = minimise(model.core, samples, optimizer, loop, options.n_threads, ranks)
        n_threads = model.core.threads_for(max(1, len(samples)), options.n_threads)
        history = loop.end(iterations, n_threads)
    if ranks is not None and ranks.rank > 0:
        return history
    warn_if_not_converged(history, stacklevel=7)  # the line that calls Network.fit
    return history


def fit_loop(
    network: Network,
    model: Model,
    samples: Sized,
    held_out: HeldOut | None,
    options: FitOptions,
    progress: tuple[Callback, ...],
    file: CheckpointFile | None = None,
    ranks: Ranks | None = None,
) -> FitLoop:
    """Return the loop around the epochs of a fit with `options`."""
    plateau = options.plateau
    return FitLoop(
        network,
        model,
        samples,
        held_out,
        epochs=options.epochs,
        n_threads=options.n_threads,
        plateau=None if plateau is None else PlateauWatch(plateau, options.measured(model.loss)),
        callbacks=(*options.callbacks, *progress),
        file=file,
        ranks=ranks,
    )


def _read_arrays(
    model: Model,
    X: Features,
    y: Targets,
    options: FitOptions,
    ranks: Ranks | None,
    *,
    as_given: bool,
) -> tuple[CheckedSamples, HeldOut | None, dict[str, Any]]:
    """Return the training samples, the held-out ones, and their fingerprint for a checkpoint."""
    alone = ranks is None
    samples = read_samples(
        model, X, y, options.sample_weight, as_given=as_given, shuffled=True, alone=alone
    )
    of_samples = {} if options.checkpoint is None else fingerprint.of_samples(samples)
    held_out = None
    if options.validation_data is not None:
        held_out = read_held_out(model, options.validation_data, options.metrics, ranks)
    if options.validation_fraction is not None:
        seed = model.core.seed if options.saved is None else options.saved.core.seed
        samples, apart = split(samples, options.validation_fraction, model.loss, seed, alone=alone)
        held_out = HeldOut(apart, options.metrics, model.loss, ranks)
    if options.class_weight is not None:
        total = only_here if ranks is None else ranks.total
        samples = weigh_classes(samples, options.class_weight, model.loss, model.outputs, total)
    return samples.apart_from(model.core.parameters), held_out, of_samples


def _read_order(samples: CheckedSamples, order: ArrayLike, epochs: int) -> NDArray[np.uint32]:
    """Return the custom orders of samples."""
    order = _arrays.orders(order, len(samples), epochs).copy()
    if samples.weight is not None and not samples.weight[order].any(axis=1).all():
        raise ValueError("shuffle has an epoch of samples whose sample_weight is 0")
    return order


def checkpoint_file(
    model: Model,
    options: FitOptions,
    settings: TrainOptions,
    rows: int,
    order: NDArray[np.uint32] | None,
    of_samples: dict[str, Any],
    ranks: Ranks | None = None,
) -> CheckpointFile | None:
    """Return the checkpoint file of the fit, with what must be the same to resume."""
    optimizer = options.optimizer
    if options.checkpoint is None or not isinstance(optimizer, Optimizer):
        return None
    same = {
        **of_samples,
        **fingerprint.of_arguments(model, options.class_weight, options.validation_fraction),
        **fingerprint.of_steps(optimizer, settings, order, rows),
        "standardize": options.standardize,
    }
    if options.saved is not None:  # with the scaling that it has
        same["standardize"] = options.saved.fit.settings.get("standardize", True)
    if ranks is None:
        return CheckpointFile(options.checkpoint, model.core, same)
    same = fingerprint.of_ranks(ranks.gathered(same))
    return CheckpointFile(options.checkpoint, model.core, same, is_written=ranks.rank == 0)


def _rate_of_step(optimizer: Optimizer) -> Callable[[int], float] | None:
    """Return the learning rate for the core, if it is a function of the user."""
    rate = optimizer.learning_rate
    if not callable(rate):
        return None
    return lambda step: _validation.returned_number("the learning rate of a step", rate(step))
