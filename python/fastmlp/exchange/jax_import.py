"""JAX: reads what a model computes, from the program that JAX traces of it.

A model of Flax or Equinox is traced for a few rows. The primitives that compute with them become
steps, all other values are constants. Functions that JAX names, such as `jax.nn.silu`, are taken as
a whole if they return what that function does.
"""

from collections.abc import Callable
from typing import Any, Final

import jax
import numpy as np
from jax.extend import core
from numpy.typing import NDArray

from fastmlp.exchange.assembly import assemble
from fastmlp.exchange.jax_primitives import OPERATORS, Call, Rows, Traced
from fastmlp.exchange.steps import LogSoftmax, Step, Width
from fastmlp.exchange.values import Value
from fastmlp.exchange.verification import verify as verify_steps
from fastmlp.losses import LossLike
from fastmlp.model.model import Model

Array = NDArray[Any]

_INLINED: Final = (
    *("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"),
    *("custom_vjp_call_jaxpr", "checkpoint", "remat", "remat2"),
)
"""Primitives that call another program."""

_NAMED: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "relu": ("relu", jax.nn.relu),
    "relu6": ("relu6", jax.nn.relu6),
    "silu": ("silu", jax.nn.silu),
    "softplus": ("softplus", jax.nn.softplus),
    "elu": ("elu", jax.nn.elu),
    "leaky_relu": ("leaky_relu", jax.nn.leaky_relu),
    "celu": ("elu", jax.nn.celu),  # with alpha 1, which does not divide z
    "selu": ("selu", jax.nn.selu),
    "mish": ("mish", jax.nn.mish),
    "hard_silu": ("hardswish", jax.nn.hard_silu),
    "log_softmax": ("log_softmax", jax.nn.log_softmax),
}
"""By the name of the program: our name, and the function."""

_PARAMETERS: Final = {"elu": 1.0, "celu": 1.0, "leaky_relu": 0.01}
"""The parameter of a function, unless it is called with another."""


def from_function(
    function: Callable[[Any], Any],
    weights: list[Array],
    settings: tuple[str | None, LossLike | None, int | None],
    *,
    verify: bool,
) -> Model:
    """Return the network that computes `function` of rows (B, K).

    Parameters
    ----------
    function : callable
        Of an array of rows; it has all weights in it.
    weights : list of ndarray
        Arrays of the model, matrices as (K, N), whose shapes say how many features it may take.
    settings : tuple
        ``output, loss, seed``.
    verify : bool
        Whether to compare predictions.
    """
    floats = [each for each in weights if np.issubdtype(each.dtype, np.floating)]
    dtype = floats[0].dtype if floats else np.dtype(np.float32)
    steps = _steps(function, weights, dtype)
    if verify:
        verify_steps(steps, lambda X: np.asarray(function(jax.numpy.asarray(X))))
    output, loss, seed = settings
    return assemble(steps, output=output, loss=loss, seed=seed)


def _steps(function: Callable[[Any], Any], weights: list[Array], dtype: Any) -> list[Step]:
    """Return what a function computes, at the first number of features that it takes.

    If it takes none, the error is that of the number with which most was read, or the likeliest.
    """
    reason = ValueError("the model has no dense layer")
    furthest = -1
    sizes = {size for array in weights for size in array.shape}
    rows = next(rows for rows in range(17, len(sizes) + 18) if rows not in sizes)
    for features in _widths(weights):
        program = None
        try:
            given = np.zeros((rows, features), dtype)
            program, result = jax.make_jaxpr(function, return_shape=True)(given)
        except Exception as error:  # noqa: BLE001  (whatever a model raises)
            found = ValueError(
                f"the model cannot compute {rows} rows of {features} features: "
                f"{type(error).__name__}: {str(error)[:200]}"
            )
            count = 0
        else:
            if not hasattr(result, "shape"):
                raise ValueError(f"the model must return one array, got a {type(result).__name__}")
            trace = _Trace(rows)
            try:
                return trace.steps(program, features)
            except ValueError as error:
                found, count = error, 1 + trace.count
        if count > furthest:
            furthest, reason = count, found
    raise reason


def _widths(weights: list[Array]) -> list[int]:
    """Return the numbers of features that a model may take, the likely ones first.

    Those that a matrix (K, N) takes come first, and of them what no vector belongs to, such as
    the biases of another layer.
    """
    taken = [array.shape[0] for array in weights if array.ndim == 2]
    sizes = dict.fromkeys([*taken, *(size for array in weights for size in array.shape)])
    vectors = {array.size for array in weights if array.ndim == 1}
    return sorted(sizes, key=lambda size: (size not in taken, size in vectors))


class _Trace:
    """What becomes of a sample in a program."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self.count = 0
        """Of primitives that were understood."""

    def steps(self, program: Any, features: int) -> list[Step]:
        """Return the steps of a program of rows with some features."""
        start = Value().then(Width(features, "the model"))
        results = self._run(program.jaxpr, program.consts, [start])
        if len(results) != 1:
            raise ValueError(f"the model must return one array, got {len(results)}")
        if isinstance(results[0], Rows):
            raise results[0].refused()
        if not isinstance(results[0], Value):
            raise ValueError("the result of the model does not depend on the features")
        if program.out_avals[0].shape[0] != self._rows:
            raise ValueError("the model must return its rows along the first axis")
        return results[0].steps("the end of the model")

    def _run(self, jaxpr: Any, constants: Any, arguments: list[Any]) -> list[Any]:
        known: dict[Any, Any] = dict(zip(jaxpr.constvars, constants, strict=True))
        known.update(zip(jaxpr.invars, arguments, strict=True))

        def of(atom: Any) -> Any:
            return atom.val if isinstance(atom, core.Literal) else known[atom]

        for equation in jaxpr.eqns:
            results = self._computed(equation, [of(atom) for atom in equation.invars])
            known.update(zip(equation.outvars, results, strict=True))
        return [of(atom) for atom in jaxpr.outvars]

    def _computed(self, equation: Any, inputs: list[Any]) -> list[Any]:
        primitive, settings = equation.primitive, equation.params
        if not any(isinstance(each, Traced) for each in inputs):
            bound = primitive.get_bind_params(settings)
            functions, bound = bound if isinstance(bound, tuple) else ((), bound)  # before 0.10
            results = primitive.bind(*functions, *inputs, **bound)
            return list(results) if primitive.multiple_results else [results]
        inner = settings.get("jaxpr") or settings.get("call_jaxpr") or settings.get("fun_jaxpr")
        if primitive.name in _INLINED and inner is not None:
            named = self._named(str(settings.get("name")), inner, inputs)
            if named is not None:
                return [named]
            if isinstance(inner, core.ClosedJaxpr):
                return self._run(inner.jaxpr, inner.consts, inputs)
            return self._run(inner, (), inputs)
        shapes = [tuple(each.aval.shape) for each in equation.invars]
        result = tuple(equation.outvars[0].aval.shape)
        call = Call(primitive.name, inputs, settings, shapes, result, self._rows)
        if primitive.name not in OPERATORS:
            raise call.refused()
        self.count += 1
        return [OPERATORS[primitive.name](call)]

    def _upright(self, array: Any) -> Any:
        """Return (N, B) as (B, N); see `Call`."""
        return array.T if array.shape[1] == self._rows else array

    def _named(self, name: str, inner: Any, inputs: list[Any]) -> Value | None:
        """Return the result of a function of JAX, if it is one: it is compared with that."""
        first, *others = inputs
        is_sample = isinstance(first, Value) and not any(
            isinstance(each, Traced) for each in others
        )
        if name not in _NAMED or not is_sample or not isinstance(inner, core.ClosedJaxpr):
            return None
        ours, function = _NAMED[name]
        numbers = [np.asarray(each) for each in others]
        start = inner.in_avals[0]
        if any(each.size != 1 for each in numbers) or len(start.shape) != 2:
            return None
        z = np.linspace(-40.0, 40.0, start.size).reshape(start.shape).astype(start.dtype)
        parameter = _PARAMETERS.get(name)
        if numbers and parameter is not None:
            parameter = float(numbers[0].item())
        if name == "celu" and parameter != 1.0:
            return None
        given = () if parameter is None else (parameter,)
        results = core.jaxpr_as_fun(inner)(z, *others)
        found, expected = self._upright(results[0]), function(self._upright(z), *given)
        if not np.allclose(found, expected, rtol=1e-6, atol=1e-30):
            return None
        self.count += 1
        where = f"jax.nn.{name}"
        assert isinstance(first, Value)
        if ours == "log_softmax":
            return first.then(LogSoftmax(where))
        return first.apply(ours, where, parameter).settled(where)
