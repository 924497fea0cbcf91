"""`jacobian` and `input_gradient`: derivatives with respect to the features."""

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data import copying
from fastmlp.data.rescaled import Rescaled
from fastmlp.data.stream import TargetsLike
from fastmlp.model.feature_names import check_names
from fastmlp.model.model import Model
from fastmlp.model.samples import read_samples


def jacobian(model: Model, X: ArrayLike, n_threads: int | None) -> NDArray[Any]:
    """Compute the derivatives of the outputs; see `Network.jacobian`."""
    limit = _validation.n_threads(n_threads)
    check_names("X", X, model.feature_names)
    per_row = model.features * model.outputs * model.dtype.itemsize
    x = copying.features(
        "X",
        X,
        model.features,
        model.dtype,
        minimum=0,
        per_row=per_row,
        scaling=model.input_scaling,
    )
    return _by(X, model.core.jacobian(x, limit))


def input_gradient(
    model: Model, X: ArrayLike, y: TargetsLike, n_threads: int | None
) -> NDArray[Any]:
    """Compute the derivatives of each sample's loss; see `Network.input_gradient`."""
    limit = _validation.n_threads(n_threads)
    if model.loss == "custom":
        raise ValueError(
            "input_gradient supports only the losses of fastmlp, and this network has a custom "
            "loss; combine jacobian with the derivatives of the loss by the outputs"
        )
    samples = read_samples(model, X, y, per_row=model.features * model.dtype.itemsize)
    return _by(X, model.core.input_gradient(samples.X, samples.y, limit))


def _by(X: object, derivatives: NDArray[Any]) -> NDArray[Any]:
    """Convert derivatives by the rescaled features to derivatives by X."""
    return X.chain(derivatives) if isinstance(X, Rescaled) else derivatives
