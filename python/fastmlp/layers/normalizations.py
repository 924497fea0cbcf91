"""Normalizations of ``z = nodes @ weights + biases`` before h, or of h(z)."""

from typing import Any, Final, Literal, Self, TypeAlias, cast, get_args

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments

NormalizationName: TypeAlias = Literal["batch", "layer"]
NORMALIZATIONS: Final[tuple[NormalizationName, ...]] = get_args(NormalizationName)

_EPSILON: Final = 1e-5
_MOMENTUM: Final = 0.1


class Normalization(str):
    """The name of a normalization, with its numbers. It equals the name.

    Two of them are equal if their numbers are equal, too.
    """

    __slots__ = ("after_activation", "epsilon", "momentum")

    epsilon: float
    momentum: float
    after_activation: bool

    def __new__(cls, name: str, epsilon: float, momentum: float, after_activation: bool) -> Self:
        """Create it, after checks."""
        self = super().__new__(cls, name)
        self.epsilon = _validation.positive("epsilon", epsilon)
        self.momentum = _validation.share("momentum", momentum)
        self.after_activation = _validation.switch("after_activation", after_activation)
        return self

    def __eq__(self, other: object) -> bool:
        same = not isinstance(other, Normalization) or self.numbers == other.numbers
        return same and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    @property
    def numbers(self) -> tuple[float, float, bool]:
        """Epsilon, momentum, and whether it follows the activation."""
        return self.epsilon, self.momentum, self.after_activation

    def _repr(self, name: str) -> str:
        usual = (_EPSILON, _MOMENTUM, False)
        shown = zip(("epsilon", "momentum", "after_activation"), self.numbers, usual, strict=True)
        return f"{name}({', '.join(f'{key}={now!r}' for key, now, was in shown if now != was)})"


@hints_at_arguments
class BatchNorm(Normalization):
    """Batch normalization (Ioffe and Szegedy, 2015) with numbers of its own.

    Parameters
    ----------
    epsilon : float, default 1e-5
        Added to the variance; above 0.
    momentum : float, default 0.1
        The weight of a new batch in the running averages, in [0, 1], as in PyTorch: the momentum of
        Keras is one minus this.
    after_activation : bool, default False
        True normalizes h(z) instead of z.

    Raises
    ------
    TypeError, ValueError
        If an argument is not such a value.

    Examples
    --------
    >>> Dense(64, "relu", BatchNorm(epsilon=1e-3, momentum=0.01))
    Dense(nodes=64, activation='relu', normalization=BatchNorm(epsilon=0.001, momentum=0.01))
    """

    __slots__ = ()

    def __new__(
        cls,
        epsilon: float = _EPSILON,
        momentum: float = _MOMENTUM,
        *,
        after_activation: bool = False,
    ) -> Self:
        """Create it, after checks."""
        return Normalization.__new__(cls, "batch", epsilon, momentum, after_activation)

    def __repr__(self) -> str:
        return self._repr("BatchNorm")

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return of_numbers, (BatchNorm, self.numbers)


@hints_at_arguments
class LayerNorm(Normalization):
    """Layer normalization (Ba, Kiros and Hinton, 2016) with numbers of its own.

    Parameters
    ----------
    epsilon : float, default 1e-5
        Added to the variance; above 0.
    after_activation : bool, default False
        True normalizes h(z) instead of z.

    Raises
    ------
    TypeError, ValueError
        If an argument is not such a value.

    Examples
    --------
    >>> Dense(64, "gelu", LayerNorm(after_activation=True))
    Dense(nodes=64, activation='gelu', normalization=LayerNorm(after_activation=True))
    """

    __slots__ = ()

    def __new__(cls, epsilon: float = _EPSILON, *, after_activation: bool = False) -> Self:
        """Create it, after checks."""
        return Normalization.__new__(cls, "layer", epsilon, _MOMENTUM, after_activation)

    def __repr__(self) -> str:
        return self._repr("LayerNorm")

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return of_numbers, (LayerNorm, self.numbers)


def of_numbers(kind: type[Normalization], numbers: tuple[float, float, bool]) -> Normalization:
    """Return a normalization of a kind with these `Normalization.numbers`."""
    return Normalization.__new__(kind, "batch" if kind is BatchNorm else "layer", *numbers)


NormalizationLike: TypeAlias = NormalizationName | Normalization

CoreNormalization: TypeAlias = str | tuple[str, float, float, bool]
"""A normalization, or ``"none"``, as the core describes it: see ``_core.pyi``."""


def describe_normalization(normalization: NormalizationLike | None) -> CoreNormalization:
    """Return a normalization as the core describes it."""
    if isinstance(normalization, Normalization):
        return (str(normalization), *normalization.numbers)
    return normalization or "none"


def of_description(described: CoreNormalization) -> NormalizationLike | None:
    """Return the normalization that the core describes."""
    if isinstance(described, tuple):
        name, epsilon, momentum, after = described
        return of_numbers(BatchNorm if name == "batch" else LayerNorm, (epsilon, momentum, after))
    return None if described == "none" else cast("NormalizationLike", described)


def numbers_of(normalization: NormalizationLike | None) -> Normalization:
    """Return a normalization with its numbers, the usual ones of a name."""
    if isinstance(normalization, Normalization):
        return normalization
    return LayerNorm() if normalization == "layer" else BatchNorm()


def label_of(normalization: NormalizationLike) -> str:
    """Describe a normalization in a table of layers: ``'batch norm'``."""
    if isinstance(normalization, Normalization):
        return repr(normalization)
    return f"{normalization} norm"


def read_normalization(name: str, value: object) -> NormalizationLike:
    """Return a normalization; one with the usual numbers as its plain name."""
    if isinstance(value, type) and issubclass(value, Normalization):
        raise TypeError(f"{name} must be a normalization, not the class; write {value.__name__}()")
    _validation.own(name, value, Normalization, "epsilon")
    if isinstance(value, Normalization) and value.numbers != (_EPSILON, _MOMENTUM, False):
        return value
    return _validation.choice(name, str(value) if isinstance(value, str) else value, NORMALIZATIONS)


def read_input_normalization(value: object) -> NormalizationLike | None:
    """Return the normalization of the features, if any."""
    if value is None:
        return None
    read = read_normalization("input_normalization", value)
    if numbers_of(read).after_activation:
        raise ValueError(
            f"input_normalization comes before the first layer and takes no after_activation, "
            f"got {read!r}"
        )
    return read
