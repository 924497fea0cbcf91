"""Optimizers: how gradients change the parameters. Plain data; the core does the arithmetic.

The formulas are those of ``torch.optim``. Before an optimizer's own step, its gradient g is
modified in this order: its norm is clipped, its elements are clipped, ``l1 * sign(w)`` and
``l2 * w`` are added. `weight_decay` does not change g: w is multiplied by
``1 - learning_rate * weight_decay`` (Loshchilov and Hutter, 2019).
"""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Final, Literal, TypeAlias

import numpy as np

from fastmlp import _core, _validation
from fastmlp._core import OptimizerKind as OptimizerKind  # noqa: PLC0414  (for others)
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp._validation.immutable import immutable
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.schedules import Schedule

Rate = float | Schedule | Callable[[int], float]
"""A learning rate: a number, a schedule, or any function of the step."""


@immutable
@dataclass(frozen=True, slots=True)
class Optimizer:
    """The base class of optimizers.

    Parameters
    ----------
    learning_rate : float, Schedule or callable, default 0.1
        The step size; see `SGD`.
    l1, l2 : float, default 0.0
        Penalties: ``l1 * sign(w)`` and ``l2 * w`` are added to the gradient.
    weight_decay : float, default 0.0
        Decoupled decay: w is multiplied by ``1 - learning_rate * weight_decay`` in each step.
    clip_value : float, optional
        Bound on the absolute value of each element of the gradient.
    clip_norm : float, optional
        Bound on the Euclidean norm of the whole gradient, which `fit` must then store.
    decay_biases : bool, default True
        Whether penalties and decay also apply to biases (and scales and shifts).

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.
    """

    learning_rate: Rate = 0.1
    _: KW_ONLY
    l1: float = 0.0
    l2: float = 0.0
    weight_decay: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None
    decay_biases: bool = True

    kind: ClassVar[OptimizerKind] = OptimizerKind.SGD

    def __post_init__(self) -> None:
        check = _validation
        for name in ("l1", "l2", "weight_decay"):
            object.__setattr__(self, name, check.not_negative(name, getattr(self, name)))
        for name in ("clip_value", "clip_norm"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else check.positive(name, value))
        object.__setattr__(self, "decay_biases", check.switch("decay_biases", self.decay_biases))
        for name in ("momentum", "beta_1", "beta_2", "rho"):
            if hasattr(self, name):
                value = check.share(name, getattr(self, name), one=False)
                object.__setattr__(self, name, value)
        if hasattr(self, "epsilon"):
            object.__setattr__(self, "epsilon", check.positive("epsilon", self.epsilon))
        if not isinstance(self.learning_rate, Schedule) and not callable(self.learning_rate):
            rate = check.positive("learning_rate", self.learning_rate)
            object.__setattr__(self, "learning_rate", rate)

    @property
    def base_rate(self) -> float:
        """The learning rate before its schedule; 1 if it is a function."""
        rate = self.learning_rate
        if isinstance(rate, Schedule):
            return rate.learning_rate
        return 1.0 if callable(rate) else rate

    def to_core(self, dtype: np.dtype[np.floating]) -> _core.Optimizer:
        """Return the settings for the core, for parameters of `dtype`."""
        core = _core.Optimizer()
        core.kind = self.kind
        rate = self.base_rate
        core.learning_rate = _validation.representable_rate(rate, rate, dtype)
        for name in _CORE_FIELDS:
            value = getattr(self, name, None)
            if value is not None:
                if name in _SCALES and value != 0:
                    _validation.representable(name, value, dtype)
                setattr(core, name, value)
        return core


_CORE_FIELDS = (
    *("momentum", "nesterov", "beta_1", "beta_2", "rho", "epsilon"),
    *("l1", "l2", "weight_decay", "clip_value", "clip_norm", "decay_biases"),
)


_SCALES = ("epsilon", "l1", "l2", "weight_decay", "clip_value", "clip_norm")


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class SGD(Optimizer):
    """Stochastic gradient descent: ``w = w - learning_rate * gradient`` (2.13), (2.14).

    All gradients use the weights before the update. With momentum the direction is
    ``u = momentum * u + gradient`` (Polyak, 1964), with Nesterov's momentum
    ``gradient + momentum * u`` (Sutskever et al., 2013).

    Parameters
    ----------
    learning_rate : float, Schedule or callable, default 0.1
        The step size eta, finite and above 0; or a schedule, or a function of the step, which
        counts from 0.
    momentum : float, default 0.0
        At least 0 and below 1.
    nesterov : bool, default False
        Needs a momentum above 0.
    l1, l2, weight_decay, clip_value, clip_norm, decay_biases
        As in `Optimizer`.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is not finite or out of range.
    """

    learning_rate: Rate = 0.1
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        Optimizer.__post_init__(self)
        object.__setattr__(self, "nesterov", _validation.switch("nesterov", self.nesterov))
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=True needs a momentum above 0, got momentum=0.0")


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class Adam(Optimizer):
    """Adam: the mean of the gradients divided by the root of their mean square.

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015.

    Parameters
    ----------
    learning_rate : float, Schedule or callable, default 0.001
        As in `SGD`.
    beta_1, beta_2 : float, default 0.9 and 0.999
        Decay of the two running means per step, at least 0 and below 1.
    epsilon : float, default 1e-8
        Added to the root, above 0.
    l1, l2, weight_decay, clip_value, clip_norm, decay_biases
        As in `Optimizer`.
    """

    kind: ClassVar = OptimizerKind.ADAM
    learning_rate: Rate = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class AdamW(Optimizer):
    """`Adam` with decoupled weight decay (Loshchilov and Hutter, 2019).

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon
        As in `Adam`.
    weight_decay : float, default 0.01
        As in `Optimizer`.
    l1, l2, clip_value, clip_norm, decay_biases
        As in `Optimizer`.
    """

    kind: ClassVar = OptimizerKind.ADAM
    learning_rate: Rate = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    _: KW_ONLY
    weight_decay: float = 0.01


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class RMSprop(Optimizer):
    """RMSprop: the gradient divided by the root of its mean square (Hinton, 2012).

    Parameters
    ----------
    learning_rate : float, Schedule or callable, default 0.01
        As in `SGD`.
    rho : float, default 0.99
        Decay of the running mean per step, at least 0 and below 1.
    epsilon : float, default 1e-8
        Added to the root, above 0.
    momentum : float, default 0.0
        Momentum of the steps, at least 0 and below 1.
    l1, l2, weight_decay, clip_value, clip_norm, decay_biases
        As in `Optimizer`.
    """

    kind: ClassVar = OptimizerKind.RMSPROP
    learning_rate: Rate = 1e-2
    rho: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0


StepOptimizerName: TypeAlias = Literal["sgd", "adam", "adamw", "rmsprop"]
"""The name of an optimizer for batches, with its defaults."""

OptimizerName: TypeAlias = StepOptimizerName | Literal["lbfgs"]
"""The name of an optimizer, with its defaults."""

_BY_NAME: Final[dict[str, type[Optimizer | LBFGS]]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "lbfgs": LBFGS,
}

_DEFAULTS: Final = {name: kind() for name, kind in _BY_NAME.items()}
"""One of each for all networks, as they never change."""

_OF_BATCHES: Final = tuple(name for name in _BY_NAME if name != "lbfgs")


def read_optimizer(
    optimizer: object, argument: str = "optimizer", names: Sequence[str] = tuple(_BY_NAME)
) -> Optimizer | LBFGS:
    """Return the optimizer passed to ``fit`` as an object or by name.

    Messages name the `argument` and the `names` it accepts.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If it is not the name of an optimizer.
    """
    if isinstance(optimizer, LBFGS):
        return optimizer
    if isinstance(optimizer, Optimizer) and type(optimizer) is not Optimizer:
        return optimizer
    if isinstance(optimizer, str):
        return _DEFAULTS[_validation.choice(argument, optimizer, names)]
    kinds = [_BY_NAME[name].__name__ for name in names]
    raise TypeError(
        f"{argument} must be an {', '.join(kinds[:-1])} or {kinds[-1]}, or the name of one, "
        f"got {_validation.described(optimizer)}; write {_meant(optimizer)}"
    )


def read_step_optimizer(optimizer: object, caller: str) -> Optimizer:
    """Return the optimizer passed to `caller`, which works on batches.

    Raises
    ------
    TypeError, ValueError
        As in `read_optimizer`; also if it is LBFGS, which needs all samples.
    """
    if isinstance(optimizer, LBFGS) or (isinstance(optimizer, str) and optimizer == "lbfgs"):
        raise ValueError(f"{caller} works on batches; LBFGS needs all samples, use it with fit")
    argument = "learning_rate" if caller == "update" else "optimizer"
    read = read_optimizer(optimizer, argument, _OF_BATCHES)
    assert not isinstance(read, LBFGS)
    return read


def _meant(value: object) -> str:
    """Return the call that creates the optimizer a class or a foreign object represents."""
    kind = value if isinstance(value, type) else type(value)
    made = _BY_NAME.get(kind.__name__.lower(), SGD)
    return f"fm.{made.__name__}({'' if made is LBFGS else 'learning_rate=...'})"
