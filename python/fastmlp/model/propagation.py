"""The paper's three steps, one at a time or all in one call, for loops that the user writes."""

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data import _arrays, copying
from fastmlp.data.stream import TargetsLike
from fastmlp.model.feature_names import check_names
from fastmlp.model.model import Model
from fastmlp.model.samples import read_samples
from fastmlp.model.targets import read_targets
from fastmlp.settings.custom_loss import CustomLoss
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import Optimizer, StepOptimizerName
from fastmlp.settings.step_optimizer import StepOptimizer


def forward(model: Model, X: ArrayLike, training: bool, n_threads: int | None) -> NDArray[Any]:
    """Compute the nodes of every layer; see `Network.forward`."""
    check_names("X", X, model.feature_names)
    per_row = model.bytes_per_row()
    x = copying.features(
        "X",
        X,
        model.features,
        model.dtype,
        minimum=1,
        per_row=per_row,
        scaling=model.input_scaling,
    )
    training = _validation.switch("training", training)
    return model.core.forward(x, training, _validation.n_threads(n_threads))


def backward(
    model: Model,
    y: TargetsLike | None,
    sample_weight: ArrayLike | None,
    gradient: ArrayLike | None,
    n_threads: int | None,
) -> float | None:
    """Compute deltas and gradients, and return the mean loss; see `Network.backward`."""
    rows = len(model.core.nodes(0))  # checked again by the core, under its lock
    threads = _validation.n_threads(n_threads)
    if _is_gradient(y, sample_weight, gradient, "backward"):
        model.core.backward(_outer(model, gradient, rows), None, rows, True, threads)
        return None
    targets = read_targets("y", y, rows, model.outputs, model.loss, model.dtype)
    weight = None
    if sample_weight is not None:
        weight = _arrays.weights("sample_weight", sample_weight, rows, model.dtype)
    function = model.loss_function
    given = targets if function is None else CustomLoss(function, targets)
    return model.core.backward(given, weight, rows, False, threads)


def update(
    model: Model, learning_rate: float | Optimizer | StepOptimizerName, n_threads: int | None
) -> None:
    """Take one step against the gradients; see `Network.update`."""
    threads = _validation.n_threads(n_threads)
    if not isinstance(learning_rate, Optimizer | LBFGS | str | type):
        model.core.update(_validation.learning_rate(learning_rate, model.dtype), threads)
        return
    optimizer = _read(model, learning_rate, "update")
    model.core.update_by(optimizer.core, _rate(model, optimizer), threads)


def train_on_batch(
    model: Model,
    X: ArrayLike,
    y: TargetsLike | None,
    optimizer: Optimizer | StepOptimizerName,
    sample_weight: ArrayLike | None,
    gradient: ArrayLike | None,
    n_threads: int | None,
) -> float | None:
    """Take a whole step on a batch; see `Network.train_on_batch`."""
    read = model.step_optimizer
    if read is None or read.given is not optimizer:
        read = _read(model, optimizer, "train_on_batch")
    result: float | None
    rate = read.rate
    if rate is None:
        rate = _rate(model, read)
    if sample_weight is None and n_threads is None:  # at once, if no array needs a conversion
        if gradient is None:
            result = model.core.try_train_on_batch(X, y, False, read.core, rate)
        elif y is None:
            result = model.core.try_train_on_batch(X, gradient, True, read.core, rate)
        else:
            result = NotImplemented
        if result is not NotImplemented:
            return result
    return _train_on_batch(model, X, y, read, rate, sample_weight, gradient, n_threads)


def _train_on_batch(
    model: Model,
    X: ArrayLike,
    y: TargetsLike | None,
    optimizer: StepOptimizer,
    rate: float,
    sample_weight: ArrayLike | None,
    gradient: ArrayLike | None,
    n_threads: int | None,
) -> float | None:
    """Take the step with arrays of any kind."""
    core, threads = model.core, _validation.n_threads(n_threads)
    per_row = model.bytes_per_row()
    if _is_gradient(y, sample_weight, gradient, "train_on_batch"):
        check_names("X", X, model.feature_names)
        x = copying.features_as_given(
            "X",
            X,
            model.features,
            model.dtype,
            minimum=1,
            shuffled=False,
            per_row=per_row,
            scaling=model.input_scaling,
            sparse=model.input_normalization is None,
        )
        outer = _outer(model, gradient, x.shape[0])
        return core.train_on_batch(x, outer, None, True, optimizer.core, rate, threads)
    samples = read_samples(model, X, y, sample_weight, as_given=True, per_row=per_row)
    return core.train_on_batch(
        samples.X, samples.targets, samples.weight, False, optimizer.core, rate, threads
    )


def _is_gradient(y: object, sample_weight: object, gradient: object, caller: str) -> bool:
    """Whether a gradient takes the place of targets; exactly one of them must be given."""
    if (y is None) == (gradient is None):
        both = "both" if gradient is not None else "neither"
        raise TypeError(f"{caller} needs either y or gradient=, got {both}")
    if gradient is not None and sample_weight is not None:
        raise TypeError(
            "sample_weight weighs the losses of y; multiply the rows of gradient= by it instead"
        )
    return gradient is not None


def _outer(model: Model, gradient: object, rows: int) -> NDArray[Any]:
    """Return the derivatives of a loss by the outputs as an array (rows, outputs)."""
    if model.loss.heads and isinstance(gradient, tuple | dict):
        raise TypeError(
            f"gradient must be one array ({rows}, {model.outputs}) for all heads, got a "
            f"{type(gradient).__name__}: fill the parts that net.split(gradient) returns"
        )
    return _arrays.gradient("gradient", gradient, rows, model.outputs, model.dtype)


def _read(model: Model, optimizer: object, caller: str) -> StepOptimizer:
    """Return the optimizer, read at its first use and kept for the next."""
    read = model.step_optimizer
    if read is None or read.given is not optimizer:
        read = model.step_optimizer = StepOptimizer(optimizer, caller, model.dtype)
    return read


def _rate(model: Model, optimizer: StepOptimizer) -> float:
    """Return the learning rate of the next step."""
    if optimizer.rate is not None:
        return optimizer.rate
    return optimizer.rate_at(model.core.steps_of(optimizer.core))
