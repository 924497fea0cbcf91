"""The plain fit: arrays that need no conversion, and nothing to do around the epochs.

Programs that train on a few samples at a time, as in online or reinforcement learning, call it so
often that what `fit` does around the core would take longer than the steps.
"""

from typing import Any

import numpy as np

from fastmlp.data import _memory, copying
from fastmlp.fitting.epochs import history_of
from fastmlp.fitting.options import FitOptions, settings_of
from fastmlp.history import History
from fastmlp.model.model import Model
from fastmlp.settings.optimizers import Optimizer


def fit_plain(model: Model, X: Any, y: object, options: FitOptions) -> History | None:
    """Train as ``Network.fit`` does; None, and nothing has changed, if options are not plain, or
    samples must be converted, compared with what the network knows, or refused.
    """
    core, optimizer = model.core, options.optimizer
    if not options.is_plain or not isinstance(optimizer, Optimizer):
        return None
    if core.feature_names is not None:
        return None
    if type(X) is not np.ndarray or X.ndim != 2:
        return None
    rows = len(X)
    _memory.require(copying.RESULTS, rows * 8, rows, "X")  # targets, and indices in the order
    settings = settings_of(options, optimizer, model.dtype, rows)
    trained = core.fit_ready(X, y, settings)
    if trained is None:
        return None
    epochs, n_threads = trained
    return history_of(epochs, model, X, n_threads, head_losses={})
