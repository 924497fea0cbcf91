"""`Plateau`: the learning-rate schedule that depends on what is measured after each epoch."""

from dataclasses import InitVar, dataclass
from typing import ClassVar, Literal

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp.settings.schedules import Schedule, set_fields, shown


@hints_at_arguments
@dataclass(frozen=True, slots=True, repr=False)
class Plateau(Schedule):
    """The rate times `factor` whenever a value has stopped getting better.

    The rule is that of ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with an absolute threshold.

    Parameters
    ----------
    learning_rate : float
        The rate of the first epochs.
    factor : float, default 0.1
        Above 0, below 1.
    patience : int, default 10
        Epochs without improvement that are borne; the next one lowers the rate.
    min_delta : float, default 1e-4
        What counts as an improvement: better than the best by more than this.
    minimum : float, default 0.0
        The rate is not lowered below this.
    monitor : str, default "loss"
        What is watched: "loss", "validation_loss", "validation_accuracy", or "validation_" and the
        name of one of the `metrics` of ``fit``.
    mode : {"auto", "min", "max"}, default "auto"
        Whether less or more is better; "auto" knows it of losses and of the metrics that have a
        name.
    cooldown : int, default 0
        Epochs after a change of the rate in which none counts as one without improvement.
    min_lr : float, optional
        Another name of `minimum`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range.
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
            raise ValueError("min_lr is another name of minimum: give one of them")
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
