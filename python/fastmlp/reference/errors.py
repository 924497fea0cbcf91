"""The exception of this package."""


class DivergenceError(ValueError, ArithmeticError):
    """Training diverged: the loss of an epoch was not finite.

    The network is restored to the last epoch end at which all parameters were finite (or to the
    start of the fit, if there was none).

    Parameters
    ----------
    epoch : int
        The epoch of this ``fit`` that diverged, counted from 1.
    loss : float
        Its loss: infinite or not a number.
    learning_rate : float
        The learning rate in use.

    Attributes
    ----------
    network : int or None
        Of `train_many`, the number of the network.
    """

    def __init__(self, epoch: int, loss: float, learning_rate: float) -> None:
        super().__init__(epoch, loss, learning_rate)
        self.epoch = epoch
        self.loss = loss
        self.learning_rate = learning_rate
        self.network: int | None = None

    def __str__(self) -> str:
        of = "" if self.network is None else f" of networks[{self.network}]"
        return (
            f"training{of} diverged: the loss became {self.loss} in epoch {self.epoch} with "
            f"learning_rate={self.learning_rate:g}; the network is back at its last finite "
            "epoch end. Try a smaller learning rate, or scale the features"
        )
