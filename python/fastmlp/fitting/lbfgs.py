"""L-BFGS over the whole data set, through `scipy.optimize`, for small data sets."""

import math
import time
import warnings
from contextlib import nullcontext, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._extras import require
from fastmlp.errors import ConvergenceWarning, DivergenceError
from fastmlp.fitting.epochs import TrainedEpoch
from fastmlp.fitting.held_out import HeldOut
from fastmlp.fitting.loop import FitLoop
from fastmlp.fitting.objective import ObjectiveOfRanks
from fastmlp.fitting.ranks import Ranks
from fastmlp.history import History, StopReason
from fastmlp.model.model import Core, Model
from fastmlp.model.objective import Objective
from fastmlp.model.samples import CheckedSamples
from fastmlp.settings.lbfgs import LBFGS


class _Descent:
    """The functions that SciPy calls: the objective, and the end of each iteration."""

    def __init__(
        self,
        core: Core,
        samples: CheckedSamples,
        l2: float,
        loop: FitLoop,
        n_threads: int,
        ranks: Ranks | None,
    ) -> None:
        self._core = core
        loss = Model.of_core(core).loss
        self._heads = [f"validation_{name}_loss" for name, _ in loss.heads]
        self._all = HeldOut(samples, {}, loss, ranks)
        self._objective = Objective(core, samples, n_threads)
        if ranks is not None:
            self._objective = ObjectiveOfRanks(core, samples, n_threads, lambda: nullcontext(ranks))
        self._n_threads = n_threads
        self._l2 = l2
        self._penalised = _penalised(core, l2)
        self._loop = loop
        self._since = time.perf_counter()
        self.iterations: list[TrainedEpoch] = []
        self.best = core.parameters.copy()
        self.stop: StopIteration | None = None

    def value(self, theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the penalised loss and its gradient."""
        loss, gradient = self._objective(theta)
        return loss + self._penalty(theta), gradient + self._penalised * theta

    def end_iteration(self, intermediate_result: Any) -> None:
        """Handle the end of an iteration; StopIteration makes SciPy stop."""
        self._core.parameters[:] = intermediate_result.x
        self._core.end_epoch()
        self.best[:] = intermediate_result.x
        seconds = time.perf_counter() - self._since
        loss = float(intermediate_result.fun) - self._penalty(intermediate_result.x)
        iteration = TrainedEpoch(len(self.iterations), loss, seconds)
        if self._heads or self._core.output_scale is not None:
            measured = self._all.measure(self._core, self._n_threads)
            iteration.head_losses = [measured.metrics[name] for name in self._heads]
            if self._core.output_scale is not None:  # minimised is the loss of scaled targets
                iteration.loss = measured.loss
        self.iterations.append(iteration)
        try:
            stop = self._loop.end_epoch(iteration)
        except StopIteration as error:  # raised by a callback, so not meant for SciPy
            self.stop = error
            raise
        if stop:
            raise StopIteration
        self._since = time.perf_counter()

    def _penalty(self, theta: NDArray[np.float64]) -> float:
        if not self._l2:
            return 0.0
        if isinstance(self._penalised, float):
            return 0.5 * self._l2 * float(theta @ theta)
        return 0.5 * float(theta @ (self._penalised * theta))


def _penalised(core: Core, l2: float) -> float | NDArray[np.float64]:
    """Return the penalty of each parameter: one for all, or 0 for those of frozen layers."""
    if all(core.trainable):
        return l2
    layers = enumerate(core.layers)
    sizes = [
        core.weights(i).size + (1 if normalization == "none" else 3) * nodes
        for i, (nodes, _, normalization, _) in layers
    ]
    sizes[0] += 2 * core.input_scales().size
    return np.repeat(l2 * np.array(core.trainable), sizes)


def minimise(
    core: Core,
    samples: CheckedSamples,
    optimizer: LBFGS,
    loop: FitLoop,
    n_threads: int,
    ranks: Ranks | None = None,
) -> list[TrainedEpoch]:
    """Train with L-BFGS, and return its iterations; 0 threads are as many as are worthwhile.

    Raises
    ------
    ImportError
        If SciPy is not installed.
    DivergenceError
        If the loss at the start or at the end is not finite; the parameters are those of the last
        iteration.
    """
    minimize = require("scipy.optimize", "LBFGS", "lbfgs").minimize
    with core.training():
        descent = _Descent(core, samples, optimizer.l2, loop, n_threads, ranks)
        return _minimise(core, descent, optimizer, loop, minimize)


def warn_if_not_converged(history: History, stacklevel: int) -> None:
    """Warn about a fit that L-BFGS ended before convergence."""
    remedies = {
        "iterations": "Try optimizer=fm.LBFGS(max_iterations=...) with more, or scaled features",
        "line_search": "Try a network of dtype='float64', or scaled features",
    }
    if history.stopped_by in remedies:
        warnings.warn(
            f"L-BFGS has not converged after {len(history.loss)} iterations: {history.message}. "
            f"{remedies[history.stopped_by]}",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )


def _minimise(
    core: Core, descent: _Descent, optimizer: LBFGS, loop: FitLoop, minimize: Any
) -> list[TrainedEpoch]:
    try:
        result = minimize(
            descent.value,
            descent.best.astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            callback=descent.end_iteration,
            options={
                "maxiter": optimizer.max_iterations,
                "maxfun": 2**31 - 1,  # the iterations bound them
                "maxcor": optimizer.history,
                "gtol": optimizer.tolerance,
            },
        )
    finally:
        core.parameters[:] = descent.best
    if not math.isfinite(result.fun):
        raise DivergenceError(len(descent.iterations) + 1, float(result.fun), math.nan)
    if not descent.iterations:  # it started at a minimum: report one iteration that changes nothing
        with suppress(StopIteration):
            descent.end_iteration(result)
    if descent.stop is not None:
        raise descent.stop
    reasons: dict[int, StopReason] = {0: "convergence", 1: "iterations"}
    loop.end_by(reasons.get(result.status, "line_search"), str(result.message))
    return descent.iterations
