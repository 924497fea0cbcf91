"""`StepOptimizer`: an optimizer for single steps, outside `fit`, where there are no epochs."""

import math

import numpy as np

from fastmlp._validation import returned_number
from fastmlp.settings.optimizers import read_step_optimizer
from fastmlp.settings.plateau import Plateau
from fastmlp.settings.schedules import LinearWarmup, Schedule


class StepOptimizer:
    """An optimizer, read once, as the core uses it in one step after another.

    A step counts as an epoch: ``StepDecay(every=1000)`` changes the rate every 1000 steps.

    Parameters
    ----------
    given : Optimizer or str
        The optimizer as the user passed it.
    caller : str
        The method it was passed to, for messages.
    dtype : dtype
        The dtype of the network.

    Attributes
    ----------
    given : object
        As passed: the same object needs no second reading.
    core : Optimizer
        Its settings for the core.
    rate : float or None
        Its learning rate; None if it depends on the step.

    Raises
    ------
    TypeError, ValueError
        If it is no optimizer of steps, or its schedule needs losses or a number of epochs.
    """

    __slots__ = ("_dtype", "_rate", "_schedule", "core", "given", "rate")

    def __init__(self, given: object, caller: str, dtype: np.dtype[np.floating]) -> None:
        optimizer = read_step_optimizer(given, caller)
        rate = optimizer.learning_rate
        self.given, self.core = given, optimizer.to_core(dtype)
        self._rate, self._dtype = rate, dtype
        self._schedule = None
        self.rate = None if isinstance(rate, Schedule) or callable(rate) else rate
        if isinstance(rate, Schedule):
            _refuse_without_epochs(rate, caller)
            self._schedule = rate.to_core()

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, which counts from 0.

        Raises
        ------
        TypeError, ValueError
            If a function returns what is no rate.
        """
        if self._schedule is not None:
            return self.core.learning_rate * self._schedule.factor_at(step, 1, 1)
        if not callable(self._rate):
            return self.core.learning_rate
        rate = float(returned_number("learning_rate", self._rate(step)))
        if not 0 <= rate <= np.finfo(self._dtype).max or math.isnan(rate):
            raise ValueError(
                f"the learning rate of step {step} must be at least 0 and finite, got {rate}"
            )
        return rate


def _refuse_without_epochs(schedule: Schedule, caller: str) -> None:
    name = type(schedule).__name__
    if isinstance(schedule, Plateau):
        raise TypeError(f"{name} depends on the losses of epochs: use it with fit, not {caller}")
    if schedule.is_spread:
        spread = schedule.after if isinstance(schedule, LinearWarmup) else schedule
        name = type(spread).__name__
        raise ValueError(
            f"{name} is spread over the epochs of a fit, but {caller} takes single steps: "
            f"pass its length in steps, as {name}(..., epochs=10_000)"
        )
