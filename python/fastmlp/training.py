"""``Network.fit``: check everything, then one call of the core for all epochs."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _arrays, _core, _validation
from fastmlp.errors import DivergenceError
from fastmlp.history import EpochReport, Evaluation, History
from fastmlp.optimizers import SGD
from fastmlp.progress import Progress
from fastmlp.views import Core, refuse_while_fitting

if TYPE_CHECKING:
    from fastmlp.network import Network

Callback = Callable[["Network", EpochReport], object]
Batch = tuple[NDArray[Any], NDArray[Any]]


def fit(
    network: "Network",
    core: Core,
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
) -> History:
    """Train `network` as ``Network.fit`` documents; all checks come before all work."""
    refuse_while_fitting(core, "fit the network")
    epochs = _validation.integer("epochs", epochs, minimum=1, maximum=2**32 - 1 - core.epoch)
    batch_size = _validation.integer("batch_size", batch_size, minimum=1)
    rate = _validation.learning_rate(_sgd(optimizer).learning_rate, network.dtype)
    threads = _validation.n_threads(n_threads)
    verbose = _validation.switch("verbose", verbose)
    x, t = network_batch(network, X, y)
    if np.may_share_memory(x, core.parameters):
        x = x.copy()  # trained on its own weights, it would change under the training
    if t.ndim == 1 or np.may_share_memory(t, core.parameters):
        t = t.copy()  # labels are indices: a callback that writes them must not lead astray
    rows = len(x)
    order = None if _is_switch(shuffle) else _arrays.orders(shuffle, rows, epochs).copy()
    shuffle = order is None and _validation.switch("shuffle", shuffle)
    validation = _validation_batch(network, validation_data)
    followers = _callbacks(callbacks)
    progress = Progress(epochs) if verbose else None
    if progress is not None:
        followers = (*followers, progress)

    validate = None if validation is None else partial(evaluation, core, validation, threads)
    epoch_end = _EpochEnd(network, epochs, rows, validate, followers)
    on_epoch = epoch_end if validate is not None or followers else None
    try:
        results = core.fit(
            x, t, order, epochs, min(batch_size, rows), rate, shuffle, threads, on_epoch
        )
    except _core.DivergedError as error:
        epoch, loss = error.args
        raise DivergenceError(epoch + 1, loss, rate) from None
    finally:
        if progress is not None:
            progress.close()
    return History(
        loss=[loss for loss, _ in results],
        epoch_seconds=[seconds for _, seconds in results],
        samples=rows,
        flops_per_sample=flops_per_sample(network),
        dtype=network.dtype,
        n_threads=core.threads_for(min(batch_size, rows), threads),
        validation_loss=epoch_end.validation_loss,
        validation_accuracy=epoch_end.validation_accuracy,
    )


def network_batch(
    network: "Network", X: object, y: object, names: tuple[str, str] = ("X", "y")
) -> Batch:
    """Check and convert features and targets for `network`, at least one sample."""
    x = _arrays.features(names[0], X, network.features, network.dtype, minimum=1)
    outputs = network.layers[-1].nodes
    return x, _arrays.targets(names[1], y, len(x), outputs, network.loss, network.dtype)


def evaluation(core: Core, batch: Batch, n_threads: int) -> Evaluation:
    """Evaluate a checked batch."""
    loss, correct, decisions = core.evaluate(*batch, n_threads)
    return Evaluation(loss, correct / decisions if decisions else None)


def flops_per_sample(network: "Network") -> int:
    """Count the flops of training on one sample.

    2 K N each for the forward product and the gradient of a layer, and 2 K N for passing delta
    back through every layer but the first.
    """
    products = 0
    previous = network.features
    for i, layer in enumerate(network.layers):
        products += previous * layer.nodes * (2 if i == 0 else 3)
        previous = layer.nodes
    return 2 * products


class _EpochEnd:
    """What the core calls at each epoch end: validates, tells the callbacks, says whether to stop.

    The weights are exact and at rest meanwhile, so callbacks may predict, save and write them.
    """

    def __init__(
        self,
        network: "Network",
        epochs: int,
        samples: int,
        validate: Callable[[], Evaluation] | None,
        callbacks: tuple[Callback, ...],
    ) -> None:
        self._network = network
        self._epochs = epochs
        self._samples = samples
        self._validate = validate
        self._callbacks = callbacks
        self.validation_loss: list[float] = []
        self.validation_accuracy: list[float] = []

    def __call__(self, epoch: int, loss: float, seconds: float) -> bool:
        """Take the epoch, counted from 0, from the core; True stops after it."""
        validation_loss, accuracy = None, None
        if self._validate is not None:
            validation_loss, accuracy = self._validate()
            self.validation_loss.append(validation_loss)
            if accuracy is not None:
                self.validation_accuracy.append(accuracy)
        report = EpochReport(
            epoch + 1, self._epochs, loss, validation_loss, accuracy, seconds, self._samples
        )
        stop = False
        for callback in self._callbacks:
            stop = bool(callback(self._network, report)) or stop
        return stop


def _sgd(optimizer: object) -> SGD:
    if not isinstance(optimizer, SGD):
        hint = "; write optimizer=SGD(learning_rate=...)" if not isinstance(optimizer, type) else ""
        raise TypeError(
            f"optimizer must be an SGD(learning_rate), got {_validation.described(optimizer)}{hint}"
        )
    return optimizer


def _is_switch(shuffle: object) -> bool:
    return isinstance(shuffle, bool | np.bool_ | int)


def _validation_batch(network: "Network", data: object) -> Batch | None:
    if data is None:
        return None
    if not isinstance(data, tuple | list):
        raise TypeError(
            f"validation_data must be a tuple (X, y) or None, got {_validation.described(data)}"
        )
    if len(data) != 2:
        raise ValueError(f"validation_data must be a tuple (X, y), got {len(data)} items")
    X, y = data
    return network_batch(network, X, y, ("validation_data[0]", "validation_data[1]"))


def _callbacks(callbacks: object) -> tuple[Callback, ...]:
    if callbacks is None:
        return ()
    if callable(callbacks):
        return (callbacks,)
    if not isinstance(callbacks, Iterable):
        raise TypeError(
            f"callbacks must be callable or a sequence of callables, "
            f"got {_validation.described(callbacks)}"
        )
    result = tuple(callbacks)
    for i, callback in enumerate(result):
        if not callable(callback):
            raise TypeError(
                f"callbacks[{i}] must be callable, got {_validation.described(callback)}"
            )
    return result
