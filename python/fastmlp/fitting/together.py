"""What a fit of several ranks can do, and what its ranks must have in common."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fastmlp.fitting import fingerprint
from fastmlp.fitting.callbacks import Callback
from fastmlp.fitting.early_stopping import EarlyStopping
from fastmlp.fitting.options import FitOptions
from fastmlp.fitting.ranks import Ranks
from fastmlp.fitting.standardize import kind_of
from fastmlp.model.model import Model
from fastmlp.settings.lbfgs import LBFGS


@contextmanager
def network_of_rank_0(model: Model, ranks: Ranks, settings: Mapping[str, object]) -> Iterator[None]:
    """Make the network that of rank 0, unless an error occurs before the first step."""
    core, before = model.core, model.copied_core()
    ranks.share(model, settings)
    begun = (core.epoch, core.steps)
    try:
        yield
    except BaseException:
        if (core.epoch, core.steps) == begun:
            core.assign(before)  # type: ignore[arg-type]
        raise


def in_common(options: FitOptions, model: Model, X: object) -> dict[str, object]:
    """Return what must be the same on all ranks, by name; functions are not compared."""
    optimizer = options.optimizer
    if isinstance(optimizer, LBFGS):
        steps: Mapping[str, object] = {"optimizer": optimizer}
    else:
        core_options = options.to_core(optimizer, model.dtype, 0)
        steps = fingerprint.of_steps(optimizer, core_options, None, 0)
    stoppings = [
        (repr(each), each.baseline, each.start_from_epoch)
        for each in options.callbacks
        if isinstance(each, EarlyStopping)
    ]
    silent = Callback.on_batch_end
    return {
        "the method": "fit",
        **fingerprint.of_arguments(model, options.class_weight, options.validation_fraction),
        **steps,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "shuffle": (options.shuffle, options.order is None),
        "validation_data": options.validation_data is not None,
        "metrics": [*options.metrics],
        "standardize": options.standardize,
        "whether X is dense, sparse or a stream": options.standardize and kind_of(X),
        "checkpoint": options.checkpoint is None,
        "early_stopping": stoppings,
        "on_batch_end": any(type(each).on_batch_end is not silent for each in options.callbacks),
    }
