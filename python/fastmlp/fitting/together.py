"""What a fit of several ranks can do, and what its ranks must have in common."""

from fastmlp.data.stream import Stream
from fastmlp.fitting import fingerprint
from fastmlp.fitting.callbacks import Callback
from fastmlp.fitting.early_stopping import EarlyStopping
from fastmlp.fitting.options import FitOptions, is_balanced
from fastmlp.model.model import Model
from fastmlp.settings.lbfgs import LBFGS


def refuse_with_ranks(options: FitOptions, model: Model, *, is_stream: bool) -> None:
    """Refuse options that need all samples of a batch, or a file, on one rank.

    Raises
    ------
    ValueError
        If there is one; the message says what to do instead.
    """
    core = model.core
    normalizations = str((core.input_normalization, [layer[2] for layer in core.layers]))
    refused = {
        "LBFGS: use another optimizer": isinstance(options.optimizer, LBFGS),
        "streams and iterables: pass the rows of each rank as arrays": is_stream,
        "a custom loss, which needs all samples of a batch": model.loss.function is not None,
        "batch normalization, which needs all samples of a batch": "batch" in normalizations,
        "a Stream of validation_data: pass arrays": isinstance(options.validation_data, Stream),
        "metrics: loss and accuracy are measured on the validation data of all ranks": bool(
            options.metrics
        ),
        "checkpoint: save in a callback of rank 0": options.checkpoint is not None,
        "standardize=True: call net.adapt on rank 0 before": options.standardize,
        "validation_fraction: pass validation_data, a part of it on each rank": (
            options.validation_fraction is not None
        ),
        "class_weight='balanced': pass a dict of label to weight": is_balanced(
            options.class_weight
        ),
    }
    for problem, is_asked in refused.items():
        if is_asked:
            raise ValueError(f"comm does not go together with {problem}")


def in_common(options: FitOptions, model: Model) -> str:
    """Return what must be the same on all ranks, as text; functions are not compared."""
    optimizer = options.optimizer
    assert not isinstance(optimizer, LBFGS)  # refused
    steps = fingerprint.of_steps(optimizer, options.to_core(optimizer, model.dtype, 0), None, 0)
    stoppings = [
        (repr(each), each.baseline, each.start_from_epoch)
        for each in options.callbacks
        if isinstance(each, EarlyStopping)
    ]
    silent = Callback.on_batch_end
    return repr(
        (
            fingerprint.of_arguments(model, options.class_weight, None),
            steps,
            options.epochs,
            options.batch_size,
            options.order is None,
            options.validation_data is not None,
            stoppings,
            any(type(each).on_batch_end is not silent for each in options.callbacks),
        )
    )
