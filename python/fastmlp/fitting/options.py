"""`FitOptions`: the arguments of ``Network.fit``, checked once."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from operator import is_
from types import NoneType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import _validation, files
from fastmlp._validation.immutable import UNCHANGING
from fastmlp.data.stream import Rows, Stream
from fastmlp.fitting import resuming
from fastmlp.fitting._metric_names import (
    AskedMetric,
    MetricsLike,
    measured_on_training,
    measured_on_validation,
    read_metrics,
)
from fastmlp.fitting.callbacks import AnyCallback, Callback, read_callbacks
from fastmlp.fitting.checkpoints import Checkpoint, read_checkpoint
from fastmlp.fitting.early_stopping import EarlyStopping, check_monitors, read_early_stopping
from fastmlp.fitting.monitor import check_monitor
from fastmlp.fitting.ranks import Ranks
from fastmlp.losses import Loss
from fastmlp.model.class_weight import ClassWeight
from fastmlp.model.model import Model, TrainOptions, refuse_frozen
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import (
    SGD,
    Adam,
    AdamW,
    Optimizer,
    OptimizerName,
    RMSprop,
    read_optimizer,
)
from fastmlp.settings.plateau import Plateau
from fastmlp.settings.schedules import Schedule

ValidationData = Rows | Stream
"""The types of `validation_data` in ``fit``."""

_SWITCHES: Final = (bool, np.bool_, int, NoneType)
"""Types of `shuffle` that are no order."""

_UNCHANGING: Final = UNCHANGING | {SGD, Adam, AdamW, RMSprop, LBFGS}
"""Types, without subclasses, of arguments that are the same as long as they are the same object."""


_OF_THE_CORE: Final = {"optimizer", "epochs", "batch_size", "shuffle", "n_threads", "ema"}
"""Options that are nothing but values for the core; any other makes a fit do more around it."""

_LEFT_OUT: Final = {"verbose": 0, "metrics": {}, "callbacks": (), "standardize": False}
"""What options are that were not used, if not None."""


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """The arguments of ``Network.fit`` except its samples, checked as far as possible without them.

    Attributes
    ----------
    optimizer : Optimizer or LBFGS
        How gradients change the parameters.
    epochs : int
        The maximum number of epochs, or of iterations of LBFGS.
    batch_size : int or None
        Samples per step; None is all.
    shuffle : bool
        Whether each epoch draws an order of the samples.
    order : array-like or None
        A custom order instead, still to be checked against the samples.
    n_threads : int
        The maximum number of threads; 0 is the limit of the process.
    verbose : int
        0, 1 or 2.
    sample_weight, class_weight, validation_data
        As in ``fit``, still to be checked against the samples.
    validation_fraction : float or None
        The fraction of the samples to hold out.
    metrics : mapping of str to callable
        What to measure on held-out samples besides the loss and the accuracy.
    callbacks : tuple of Callback
        Early stopping comes first, because it saves the weights that were measured.
    checkpoint : Checkpoint or None
        Where to save.
    ema : float
        The decay of the moving average; 0 is none.
    saved : Saved or None
        The checkpoint to resume from.
    standardize : bool
        Whether the network learns to scale features and targets if this is its first fit.
    """

    optimizer: Optimizer | LBFGS
    epochs: int
    batch_size: int | None
    shuffle: bool
    order: ArrayLike | None
    n_threads: int
    verbose: int
    sample_weight: ArrayLike | None
    class_weight: ClassWeight | None
    validation_data: ValidationData | None
    validation_fraction: float | None
    metrics: Mapping[str, AskedMetric]
    callbacks: tuple[Callback, ...]
    checkpoint: Checkpoint | None
    ema: float
    saved: resuming.Saved | None
    standardize: bool

    @property
    def plateau(self) -> Plateau | None:
        """The schedule of the learning rate, if it depends on the losses."""
        rate = self.optimizer.learning_rate if isinstance(self.optimizer, Optimizer) else None
        return rate if isinstance(rate, Plateau) else None

    @property
    def validates(self) -> bool:
        """Whether there are held-out samples."""
        return self.validation_data is not None or self.validation_fraction is not None

    @cached_property
    def is_plain(self) -> bool:
        """Whether all options that are used are the core's own, with no Python between steps."""
        others = (each.name for each in fields(self) if each.name not in _OF_THE_CORE)
        left_out = all(_is_left_out(name, getattr(self, name)) for name in others)
        rate = getattr(self.optimizer, "learning_rate", None)
        return left_out and not callable(rate) and self.plateau is None

    def measured(self, loss: Loss) -> dict[str, bool | None]:
        """Return the names of what the fit measures, and whether larger values are better."""
        on_validation = measured_on_validation(loss, self.metrics) if self.validates else {}
        return {**measured_on_training(loss), **on_validation}

    def to_core(
        self, optimizer: Optimizer, dtype: np.dtype[np.floating], rows: int
    ) -> TrainOptions:
        """Return the options of the core for `rows` samples and `optimizer`, that of these.

        0 samples are an unknown number of them.
        """
        options = TrainOptions()
        options.epochs, options.shuffle = self.epochs, self.shuffle
        options.n_threads, options.ema = self.n_threads, self.ema
        size = self.batch_size
        options.batch_size = rows if size is None else min(size, rows or sys.maxsize)
        options.optimizer = optimizer.to_core(dtype)
        if isinstance(optimizer.learning_rate, Schedule):
            options.schedule = optimizer.learning_rate.to_core()
        return options


_Given = tuple[object, ...]


@dataclass
class _Plain:
    """A fit that is given nothing but samples and constants."""

    given: _Given
    options: FitOptions
    settings: tuple[np.dtype[np.floating], int, TrainOptions] | None = None
    """Those for the core, with the type and the number of rows that they are for."""


_last_plain: _Plain | None = None
"""Programs that fit again and again on a few samples pass the same arguments each time."""


def read_options(
    model: Model,
    *,
    epochs: int,
    batch_size: int | None,
    optimizer: Optimizer | LBFGS | OptimizerName,
    shuffle: bool | ArrayLike,
    validation_data: ValidationData | None,
    verbose: int,
    n_threads: int | None,
    callbacks: AnyCallback | Iterable[AnyCallback] | None,
    sample_weight: ArrayLike | None,
    class_weight: ClassWeight | None,
    validation_fraction: float | None,
    metrics: MetricsLike | None,
    early_stopping: EarlyStopping | bool | None,
    checkpoint: Checkpoint | files.Path | None,
    ema: float | None,
    standardize: bool = False,
    ranks: Ranks | None = None,
) -> FitOptions:
    """Check the arguments of ``Network.fit`` for a fit of `model`, by several `ranks` or alone.

    Raises
    ------
    TypeError, ValueError
        If one does not match the model or another one.
    ModelFormatError, OSError
        If the checkpoint cannot be read.
    """
    given: _Given = (epochs, batch_size, optimizer, shuffle, validation_data, verbose, n_threads)
    given += (callbacks, sample_weight, class_weight, validation_fraction, metrics, early_stopping)
    given += (checkpoint, ema, standardize, ranks)
    if (same := _repeated(given, model)) is not None:
        return same
    read = read_optimizer(optimizer)
    fraction = validation_fraction
    if fraction is not None:
        fraction = _validation.share("validation_fraction", fraction, zero=False, one=False)
    switch = isinstance(shuffle, _SWITCHES)
    file = None if checkpoint is None else read_checkpoint(checkpoint)
    options = FitOptions(
        optimizer=read,
        epochs=_epochs(epochs, batch_size, read, model),
        batch_size=None
        if batch_size is None
        else _validation.integer("batch_size", batch_size, minimum=1, alternative="None"),
        shuffle=switch and _validation.switch("shuffle", shuffle),
        order=None if switch else shuffle,
        n_threads=_validation.n_threads(n_threads),
        verbose=_validation.verbosity(verbose),
        sample_weight=sample_weight,
        class_weight=class_weight,
        validation_data=validation_data,
        validation_fraction=fraction,
        metrics={} if metrics is None else read_metrics(metrics, model.loss, model.outputs),
        callbacks=_callbacks(callbacks, early_stopping),
        checkpoint=file,
        ema=0.0 if ema is None else read_ema(ema),
        saved=None if file is None else resuming.read(file, model, ranks),
        standardize=_validation.switch("standardize", standardize),
    )
    _check_together(options, model)
    _remember(given, options)
    return options


def settings_of(
    options: FitOptions, optimizer: Optimizer, dtype: np.dtype[np.floating], rows: int
) -> TrainOptions:
    """Return `FitOptions.to_core`, that of the last plain fit if it was the same; not to change."""
    last = _last_plain
    if last is None or options is not last.options:
        return options.to_core(optimizer, dtype, rows)
    kept = last.settings
    if kept is None or kept[:2] != (dtype, rows):
        kept = last.settings = (dtype, rows, options.to_core(optimizer, dtype, rows))
    return kept[2]


def _repeated(given: _Given, model: Model) -> FitOptions | None:
    """Return the options of the last plain fit if these arguments are the same objects."""
    last = _last_plain
    if last is None or not all(map(is_, given, last.given)):
        return None
    return last.options if model.core.can_train(last.options.epochs) else None


def _remember(given: _Given, options: FitOptions) -> None:
    """Keep the options if they are plain: they follow from arguments that cannot change alone."""
    global _last_plain  # noqa: PLW0603
    depends = options.callbacks or options.metrics or options.checkpoint
    rate = getattr(options.optimizer, "learning_rate", None)
    holds = callable(rate)  # perhaps large data, which would stay in memory with the function
    if not (depends or holds) and all(type(each) in _UNCHANGING for each in given):
        _last_plain = _Plain(given, options)


def _is_left_out(option: str, value: object) -> bool:
    usual = _LEFT_OUT.get(option)
    return value is None if usual is None else bool(value == usual)


def is_balanced(class_weight: ClassWeight | None) -> bool:
    """Whether the weight of a class, or of one of a head, depends on how often it occurs."""
    of_heads = class_weight.values() if isinstance(class_weight, Mapping) else ()
    return isinstance(class_weight, str) or any(isinstance(each, str) for each in of_heads)


def read_ema(ema: float) -> float:
    """Return the decay of the moving average."""
    return _validation.share("ema", ema, zero=False, one=False, alternative="None for no average")


def refuse_with_stream(options: FitOptions, kind: str) -> None:
    """Refuse options that need all samples in memory, if they are from a `kind` of stream.

    Raises
    ------
    ValueError
        If there is one; the message says what to do instead.
    """
    if isinstance(options.optimizer, LBFGS):
        raise ValueError(f"LBFGS needs all samples in memory: use another optimizer with {kind}")
    if options.batch_size is None:
        raise ValueError(f"batch_size=None means all samples; with {kind} pass a number")
    if options.order is not None:
        raise ValueError(f"shuffle must be True or False with {kind}, not an order of samples")
    if options.sample_weight is not None:
        raise ValueError(f"sample_weight is part of {kind}: the third of (X, y, sample_weight)")
    if is_balanced(options.class_weight):
        raise ValueError(
            f"class_weight={_validation.brief(options.class_weight)} would have to count the "
            f"classes of {kind} first: pass a dict of label to weight"
        )
    if options.validation_fraction is not None:
        raise ValueError(
            f"validation_fraction cannot hold out samples of {kind}: pass validation_data"
        )


def _epochs(epochs: int, batch_size: int | None, optimizer: Optimizer | LBFGS, model: Model) -> int:
    if isinstance(optimizer, Optimizer):
        return _validation.integer("epochs", epochs, minimum=1, maximum=_most_epochs(model))
    if epochs != 10 or isinstance(epochs, bool):
        raise ValueError(
            "LBFGS has no epochs: limit its iterations by optimizer=fm.LBFGS(max_iterations=...), "
            f"got epochs={_validation.brief(epochs)}"
        )
    if batch_size not in (None, 32):
        raise ValueError(
            "LBFGS uses all samples in each step: leave out batch_size, or pass None, "
            f"got {_validation.brief(batch_size)}"
        )
    return optimizer.max_iterations


def _most_epochs(model: Model) -> int:
    return 2**32 - 1 - model.core.epoch


def _callbacks(
    callbacks: AnyCallback | Iterable[AnyCallback] | None,
    early_stopping: EarlyStopping | bool | None,
) -> tuple[Callback, ...]:
    stopping = None if early_stopping is None else read_early_stopping(early_stopping)
    others = () if callbacks is None else read_callbacks(callbacks)
    return others if stopping is None else (stopping, *others)


def _check_together(options: FitOptions, model: Model) -> None:
    """Refuse options that are incompatible with each other, or with the model."""
    refuse_frozen(model.core)
    data, fraction = options.validation_data, options.validation_fraction
    if data is not None and fraction is not None:
        raise ValueError("pass validation_data or validation_fraction, not both")
    if options.metrics and not options.validates:
        raise ValueError("metrics are measured on validation_data or a validation_fraction")
    if fraction is not None and options.order is not None:
        raise ValueError("shuffle orders rows of X, some of which validation_fraction removes")
    plateau = options.plateau
    if options.callbacks or plateau is not None:
        measured = options.measured(model.loss)
        check_monitors(options.callbacks, measured)
        if plateau is not None:
            check_monitor("Plateau", plateau.monitor, plateau.mode, measured)
    if isinstance(options.optimizer, LBFGS):
        if options.order is not None:
            _validation.switch("shuffle", options.order)
        if options.ema:
            raise ValueError("ema averages over the steps of batches: not with LBFGS")
        if options.checkpoint is not None:
            raise ValueError("checkpoint is not supported with LBFGS, whose state is SciPy's")
