"""`Plateau`: the learning-rate schedule that depends on what is measured after each epoch."""

from dataclasses import InitVar, dataclass
from typing import ClassVar, Literal

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp._validation.immutable import immutable
from fastmlp.settings.schedules import Schedule, set_fields, shown


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True, repr=False)
class Plateau(Schedule):
    """Multiplies the rate by `factor` whenever a value has stopped improving.

    The rule is that of ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with an absolute threshold.

    Parameters
    ----------
    learning_rate : float
        The rate of the first epochs.
    factor : float, default 0.1
        Above 0, below 1.
    patience : int, default 10
        Epochs without improvement that are tolerated; the next one lowers the rate.
    min_delta : float, default 1e-4
        The minimum change that counts as an improvement on the best value.
    minimum : float, default 0.0
        The rate is not lowered below this.
    monitor : str, default "loss"
        The value to monitor: "loss", "validation_loss", "validation_accuracy", or ``validation_``
        and the name of one of the `metrics` of ``fit``.
    mode : {"auto", "min", "max"}, default "auto"
        Whether lower or higher is better; "auto" knows this for losses and for metrics given by
        name.
    cooldown : int, default 0
        Epochs after a change of the rate that do not count as epochs without improvement.
    min_lr : float, optional
        Another name of `minimum`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.
    """

    goes_by_step: ClassVar = False
    learning_rate: float
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    minimum: float = 0.0
    monitor: str = "loss"
    mode: Literal["auto", "min", "max"] = "auto"
    cooldown: int = 0
    min_lr: InitVar[float | None] = None

    def __post_init__(self, min_lr: float | None) -> None:
        if min_lr is not None and self.minimum != 0:
            raise ValueError("min_lr is another name of minimum: pass only one of them")
        if not isinstance(self.monitor, str):
            raise TypeError(f"monitor must be a string, got {_validation.described(self.monitor)}")
        name, minimum = ("minimum", self.minimum) if min_lr is None else ("min_lr", min_lr)
        set_fields(
            self,
            factor=_validation.share("factor", self.factor, zero=False, one=False),
            patience=_validation.integer("patience", self.patience, minimum=0),
            min_delta=_validation.not_negative("min_delta", self.min_delta),
            minimum=_validation.not_negative(name, minimum),
            mode=_validation.choice("mode", self.mode, ("auto", "min", "max")),
            cooldown=_validation.integer("cooldown", self.cooldown, minimum=0, maximum=2**63 - 1),
        )

    def __repr__(self) -> str:
        return shown(self, added=("mode", "cooldown"))
