"""The paper's three steps, one at a time: `forward`, `backward` and `update`."""

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data import _arrays
from fastmlp.model.feature_names import check_names
from fastmlp.model.model import Model
from fastmlp.settings.custom_loss import CustomLoss
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import Optimizer, StepOptimizerName, read_step_optimizer


def forward(model: Model, X: ArrayLike, training: bool) -> NDArray[Any]:
    """Compute the nodes of every layer; see `Network.forward`."""
    check_names("X", X, model.feature_names)
    per_row = model.bytes_per_row()
    x = _arrays.features(
        "X",
        X,
        model.features,
        model.dtype,
        minimum=1,
        per_row=per_row,
        scaling=model.input_scaling,
    )
    return model.core.forward(x, _validation.switch("training", training))


def backward(model: Model, y: ArrayLike) -> float:
    """Compute deltas and gradients, and return the mean loss; see `Network.backward`."""
    rows = len(model.core.nodes(0))  # checked again by the core, under its lock
    targets = _arrays.targets("y", y, rows, model.outputs, model.loss, model.dtype)
    function = model.loss_function
    given = targets if function is None else CustomLoss(function, targets)
    return model.core.backward(given, None, rows)


def update(model: Model, learning_rate: float | Optimizer | StepOptimizerName) -> None:
    """Take one step against the gradients; see `Network.update`."""
    if not isinstance(learning_rate, Optimizer | LBFGS | str | type):
        model.core.update(_validation.learning_rate(learning_rate, model.dtype))
        return
    optimizer = read_step_optimizer(learning_rate, "update")
    if not isinstance(optimizer.learning_rate, float):
        raise TypeError("update takes an optimizer whose learning_rate is a number")
    model.core.update_by(optimizer.to_core(model.dtype))
