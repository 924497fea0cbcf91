"""`FitOptions`: the arguments of ``Network.fit`` about its steps, checked before it starts."""

from collections.abc import Sequence
from dataclasses import dataclass

from . import arrays, validation
from .optimizers import Optimizer, read_optimizer
from .random import rank_order


@dataclass(frozen=True)
class FitOptions:
    """The steps of a fit.

    Attributes
    ----------
    rows : int
        Number of samples.
    epochs, batch_size : int
        Passes over the samples, and samples per step.
    optimizer : Optimizer
        How gradients change the parameters.
    shuffle : bool
        Whether to draw an order of samples per epoch.
    orders : list of list of int
        Custom orders, used in turn instead; empty if there are none.
    ranks : list of int
        The number of samples of each rank, which come in this order; one without others.
    """

    rows: int
    epochs: int
    batch_size: int
    optimizer: Optimizer
    shuffle: bool
    orders: list[list[int]]
    ranks: list[int]

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches; the last may be short."""
        return -(-self.rows // self.batch_size)

    def order(self, epoch: int, seed: int, trained: int) -> list[int]:
        """Return the order of samples of an epoch.

        Parameters
        ----------
        epoch : int
            The epoch within this fit, from 0.
        seed : int
            The seed of the network.
        trained : int
            The number of epochs the network was trained before.
        """
        if self.orders:
            return self.orders[epoch % len(self.orders)]
        order: list[int] = []
        for rank, rows in enumerate(self.ranks):
            own = rank_order(seed, trained, rows, rank) if self.shuffle else range(rows)
            order += [len(order) + i for i in own]
        return order

    def batches(self, epoch: int, seed: int, trained: int) -> list[list[list[int]]]:
        """Return the order of samples of an epoch, batch by batch, in a part of each rank."""
        order = self.order(epoch, seed, trained)
        starts = [sum(self.ranks[:rank]) for rank in range(len(self.ranks))]
        return [
            [
                order[start + self._end(step, rows) : start + self._end(step + 1, rows)]
                for start, rows in zip(starts, self.ranks, strict=True)
            ]
            for step in range(self.steps_per_epoch)
        ]

    def _end(self, steps: int, rows: int) -> int:
        """Return how many of the `rows` of a rank are in the first `steps` batches."""
        return min(self.rows, steps * self.batch_size) * rows // self.rows

    def check_batches(self, weight: list[float], seed: int, trained: int) -> None:
        """Check, for batch normalization, that some batch has two samples of weight above 0.

        Raises
        ------
        ValueError
            If all of them have at most one, which has no variance.
        """
        for epoch in range(self.epochs):
            for parts in self.batches(epoch, seed, trained + epoch):
                if sum(weight[i] > 0.0 for part in parts for i in part) > 1:
                    return
        raise ValueError(
            "batch_size must give batch normalization batches of at least 2 rows of weight above "
            f"0, got {self.batch_size} for {self.rows} rows"
        )

    def rate(self, step: int) -> float:
        """Return the learning rate of a step of the fit, counted from 0."""
        return self.optimizer.rate(step, self.steps_per_epoch, self.epochs)


def read_options(
    epochs: object,
    batch_size: object,
    optimizer: object,
    shuffle: object,
    *,
    rows: int,
    trained: int,
    ranks: Sequence[int] | None = None,
) -> FitOptions:
    """Check the arguments of ``Network.fit`` about its steps.

    Parameters
    ----------
    epochs, batch_size, optimizer, shuffle : object
        As in ``Network.fit``.
    rows : int
        Number of samples.
    trained : int
        Number of epochs the network was trained before; its counter has 32 bits.
    ranks : sequence of int, optional
        As in ``Network.fit``.
    """
    handed_in = not isinstance(shuffle, int)
    times = validation.integer("epochs", epochs, 1, 2**32 - 1 - trained)
    size = rows
    if batch_size is not None:
        size = min(rows, validation.integer("batch_size", batch_size, 1, alternative="None"))
    return FitOptions(
        rows=rows,
        epochs=times,
        batch_size=size,
        optimizer=read_optimizer(optimizer),
        shuffle=not handed_in and validation.switch("shuffle", shuffle),
        orders=arrays.orders(shuffle, rows, times) if handed_in else [],
        ranks=read_ranks(ranks, rows),
    )


def read_ranks(ranks: Sequence[int] | None, rows: int) -> list[int]:
    """Return the number of rows of each rank, of which there may be one."""
    if ranks is None:
        return [rows]
    found = [validation.integer("ranks", n, 0) for n in ranks]
    if sum(found) != rows:
        raise ValueError(f"ranks must have the sum {rows}, the rows of X, got {sum(found)}")
    return found
