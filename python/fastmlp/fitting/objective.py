"""The loss over the samples of all ranks as a function of the flat parameters."""

import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.data.stream import TargetsLike
from fastmlp.fitting.ranks import Ranks
from fastmlp.fitting.together import network_of_rank_0
from fastmlp.model.model import Core, Model, refuse_frozen
from fastmlp.model.objective import Objective, read_all
from fastmlp.model.samples import CheckedSamples


class ObjectiveOfRanks(Objective):
    """The mean of the `Objective` of each rank, weighted by the sums of the weights of its samples.

    The sums over the ranks are in float64, in their order. Called on all ranks with the same theta.

    Attributes
    ----------
    weight : float
        The sum of the weights of the samples of this rank.
    """

    def __init__(
        self,
        core: Core,
        samples: CheckedSamples,
        n_threads: int,
        together: Callable[[], AbstractContextManager[Ranks]],
    ) -> None:
        """Take the samples of this rank, and what begins each call on all ranks."""
        super().__init__(core, samples, n_threads)
        weight = samples.weight
        self.weight = float(len(samples) if weight is None else weight.sum(dtype=np.float64))
        self._together = together

    def __call__(self, theta: ArrayLike) -> tuple[float, NDArray[np.float64]]:
        """Return the mean loss and its gradient, as `Objective` does."""
        with self._together() as ranks:
            values = self._flat("theta", theta)
            self._refuse_others(ranks, theta=values)
            loss, gradient = 0.0, np.zeros(values.size)
            if self.weight > 0:
                loss, gradient = super().__call__(values)
            else:
                with self._core.stepping():
                    self._core.parameters[:] = values
            mean = ranks.mean(self.weight, np.append(loss, gradient))
            return float(mean[0]), mean[1:]

    def hvp(self, v: ArrayLike) -> NDArray[np.float64]:
        """Return the product of the Hessian with v, as `Objective` does."""
        with self._together() as ranks:
            return self._mean_product(ranks, self._direction(v))

    def hessp(self, theta: ArrayLike, v: ArrayLike) -> NDArray[np.float64]:
        """Return `hvp` of v at theta, which stays in the network."""
        with self._together() as ranks:
            values, direction = self._flat("theta", theta), self._direction(v)
            self._refuse_others(ranks, theta=values)
            with self._core.stepping():
                self._core.parameters[:] = values
            return self._mean_product(ranks, direction)

    def _mean_product(self, ranks: Ranks, direction: NDArray[Any]) -> NDArray[np.float64]:
        self._refuse_others(ranks, v=direction, parameters=self._core.parameters)
        product = np.zeros(direction.size)
        if self.weight > 0:
            product = self._product(direction)
        return ranks.mean(self.weight, product)

    def _refuse_others(self, ranks: Ranks, **values: NDArray[Any]) -> None:
        """Refuse other values on other ranks, or what else of their networks the loss depends on.

        The ranks began with the same network, and each may have changed its own since.
        """
        core = self._core
        numbers: dict[str, NDArray[Any] | None] = {
            **values,
            "input_scale": core.input_scale,
            "input_offset": core.input_offset,
            "output_scale": core.output_scale,
            "output_offset": core.output_offset,
            "loss_weights": core.loss_weights,
            "running averages": core.statistics,
        }
        sums = {k: None if v is None else zlib.crc32(v.data) for k, v in numbers.items()}
        ranks.refuse_others({**sums, "trainable": list(core.trainable)})


def objective_of_ranks(
    model: Model, X: ArrayLike, y: TargetsLike, sample_weight: ArrayLike | None, comm: Any
) -> Objective:
    """Return the mean loss over the (X, y) of all ranks; see `Network.objective`."""
    with Ranks(comm) as ranks, network_of_rank_0(model, ranks, {"the method": "objective"}):
        refuse_frozen(model.core)
        samples = read_all(model, X, y, sample_weight, alone=False)
        objective = ObjectiveOfRanks(model.core, samples, 0, lambda: Ranks(comm))
        ranks.start(len(samples), objective.weight, None)
    return objective
