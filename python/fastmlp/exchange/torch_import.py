"""PyTorch: reads what a model computes, whatever modules it is made of.

A copy of the model, on the CPU and in evaluation mode, computes a few rows. PyTorch reports each
operator that it calls, after hooks, scripts and parametrizations: those on the sample become steps,
all other tensors are constants. Over 400 lines, as the copy, the run and what is refused in it
belong together.
"""

import copy
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from sys import _getframe
from types import CellType, FrameType, FunctionType
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from fastmlp.exchange.assembly import assemble
from fastmlp.exchange.steps import Activation, Dropout, HeadActivations, Step, Width
from fastmlp.exchange.torch import joined_heads
from fastmlp.exchange.torch_operators import OPERATORS, Call
from fastmlp.exchange.values import Value
from fastmlp.exchange.verification import Parts
from fastmlp.exchange.verification import verify as verify_steps
from fastmlp.losses import LossLike
from fastmlp.model.model import Model

_OTHER_DROPOUT = (
    *(nn.functional.alpha_dropout, nn.functional.feature_alpha_dropout),
    *(nn.functional.dropout1d, nn.functional.dropout2d, nn.functional.dropout3d),
)

_READING = (
    *(torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.item, torch.Tensor.__array__),
    *(torch.Tensor.__dlpack__, torch.Tensor.data_ptr, torch.Tensor.untyped_storage),
    *(torch.Tensor.storage, torch.Tensor.apply_, torch.Tensor.map_, torch.Tensor.map2_),
)
"""What takes values out of PyTorch, where nothing is recorded."""


def from_torch(
    model: nn.Module, output: str | None, loss: LossLike | None, seed: int | None, verify: bool
) -> Model:
    """Return a network with the weights of `model`; see `fastmlp.from_torch`."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    _refuse_without_values(model)
    reader = _Reader(model)
    with _as_outside(), _without_trace(model):
        steps = reader.steps()
        if verify:
            precision = max(reader.precision, reader.precision_of(steps))
            verify_steps(steps, reader.outputs, precision, parts=reader.parts(steps))
    return assemble(steps, output=output, loss=loss, seed=seed)


@contextmanager
def _as_outside() -> Iterator[None]:
    """Compute on the CPU without gradients, whatever modes the caller is in."""
    with (
        torch.inference_mode(mode=False),
        torch.no_grad(),
        torch.autocast("cpu", enabled=False),
        torch.device("cpu"),
    ):
        yield


@contextmanager
def _without_trace(model: nn.Module) -> Iterator[None]:
    """Restore what the copy of a model may change: random numbers, buffers of the original.

    The copy computes with the original where a function of it refers to that by a global name.
    """
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  (the global state)
    kept = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        for buffer, before in kept:
            if not torch.equal(buffer, before):
                buffer.copy_(before)


class _Reader:
    """A copy of a model, which leaves the original as it is."""

    def __init__(self, model: nn.Module) -> None:
        self._model = _copied(model)
        self._names = {id(each): name for name, each in self._model.named_modules()}
        parameters = [each for each in self._tensors() if each.is_floating_point()]
        self._dtype = parameters[0].dtype if parameters else torch.float32

    @property
    def precision(self) -> float:
        """The eps of products of matrices."""
        lowest = {"high": 2.0**-11, "medium": 2.0**-8}  # what may replace float32
        return lowest.get(torch.get_float32_matmul_precision(), 0.0)

    @staticmethod
    def precision_of(steps: list[Step]) -> float:
        """Return the error of functions that PyTorch approximates: softplus(z) is z from 20 on."""
        names = [step.name for step in steps if isinstance(step, Activation)]
        return math.exp(-20.0) if "softplus" in names else 0.0

    def steps(self) -> list[Step]:
        """Return what the model computes, at the first number of features that it takes."""
        furthest, reason = -1, ValueError("the model has no dense layer")
        for features in _widths(self._model):
            recording = _Recording(self._names)
            rows = torch.randn(self._unused_size(), features, dtype=self._dtype, device="cpu")
            try:
                return recording.of(self._model, rows)
            except ValueError as error:
                if len(recording) > furthest:
                    furthest, reason = len(recording), error
        raise reason

    def outputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return what the model computes for rows, every second one by itself."""
        together = self._outputs(X)
        alone = [self._outputs(X[i : i + 1]) for i in range(0, len(X), 2)]
        outputs = together.copy()
        if len(together) == len(X):
            outputs[::2] = np.concatenate(alone).reshape(outputs[::2].shape)
        return outputs

    def parts(self, steps: list[Step]) -> Parts:
        """Return a function that yields what the model computes on the way, as it was read."""

        def parts(X: NDArray[Any]) -> Iterator[tuple[list[Step], str, NDArray[Any]]]:
            recording = _Recording(self._names, keeps_copies=True)
            rows = np.resize(X, (self._unused_size(), X.shape[1]))
            with suppress(ValueError):
                recording.of(self._model, torch.from_numpy(rows).to(self._dtype))
            for value, where, tensor in recording.copies:
                with suppress(ValueError):  # of a tensor that is a part of an activation
                    count = len(value.steps(where))
                    yield steps[:count], where, np.asarray(tensor)[: len(X)]

        return parts

    def _outputs(self, X: NDArray[Any]) -> NDArray[Any]:
        rows = torch.from_numpy(X).to(self._dtype, copy=True)  # the model may change its input
        return np.asarray(self._model(rows))

    def _tensors(self) -> Iterator[torch.Tensor]:
        yield from self._model.parameters()
        yield from self._model.buffers()

    def _unused_size(self) -> int:
        """Return a number of rows that is the size of no tensor, so that shapes are certain."""
        sizes = {size for tensor in self._tensors() for size in tensor.shape}
        return next(rows for rows in range(8, len(sizes) + 9) if rows not in sizes)


class _Recording(TorchDispatchMode):  # type: ignore[misc]
    """What becomes of a sample while a model computes."""

    def __init__(self, names: dict[int, str], *, keeps_copies: bool = False) -> None:
        super().__init__()
        self._names = names
        self._values: dict[int, Value] = {}
        self._kept: list[torch.Tensor] = []  # so that no other tensor gets the same id
        self._is_paused = False
        self._failed: ValueError | None = None
        self._keeps_copies = keeps_copies
        self.copies: list[tuple[Value, str, torch.Tensor]] = []
        """Each tensor of the sample as it was computed, and where."""

    def of(self, model: nn.Module, rows: torch.Tensor) -> list[Step]:
        """Return the steps of a model, from what it does with some rows."""
        size, features = rows.shape
        self.set(rows, Value().then(Width(features, "the model")))
        try:
            with self, _Functions(self):
                result = model(rows)
        except Exception as error:  # noqa: BLE001  (whatever a forward raises)
            raise self._failed or ValueError(
                f"{self._where_raised(error)}: it cannot compute {size} rows of {features} "
                f"features: {type(error).__name__}: {str(error)[:200]}"
            ) from None
        if self._failed is not None:  # and the model went on
            raise self._failed
        if not isinstance(result, torch.Tensor):
            raise ValueError(f"the model must return one tensor, got {type(result).__name__}")
        value = self.get(result)
        if value is None:
            raise ValueError("the result of the model does not depend on the features")
        return value.steps("the end of the model")

    def __len__(self) -> int:
        """Return how many tensors of the sample there were."""
        return len(self._values)

    def get(self, tensor: object) -> Value | None:
        """Return what a tensor is of the sample; None if it is a constant."""
        return self._values.get(id(tensor)) if isinstance(tensor, torch.Tensor) else None

    def set(self, tensor: torch.Tensor, value: Value) -> None:
        """Remember what a tensor is of the sample."""
        self._values[id(tensor)] = value
        self._kept.append(tensor)
        if self._keeps_copies:
            self.copies.append((value, self.where(), self.whole(torch.clone, [tensor], {})))

    def whole(self, function: Any, arguments: Any, settings: Any) -> Any:
        """Call a function whose operators are not recorded one by one."""
        self._is_paused = True
        try:
            return function(*arguments, **settings)
        finally:
            self._is_paused = False

    def refuse(self, error: ValueError) -> ValueError:
        """Keep an error, which a script would replace by another."""
        self._failed = self._failed or error
        return error

    def __torch_dispatch__(
        self, operator: Any, types: Any, arguments: Any = (), settings: Any = None
    ) -> Any:
        """Record a call of an operator."""
        settings = settings or {}
        if self._is_paused or not self._has_sample([*arguments, *settings.values()]):
            return operator(*arguments, **settings)
        tensors = [each for each in (*arguments, *settings.values()) if self.get(each) is not None]
        before = tensors[0].shape if tensors else torch.Size()
        result = operator(*arguments, **settings)
        first = result[0] if isinstance(result, tuple | list) and result else result
        try:
            value = self._computed(operator, arguments, settings, before, first)
        except ValueError as error:
            raise self.refuse(error) from None
        self.set(first, value)
        return result

    def _has_sample(self, arguments: Any) -> bool:
        return any(
            self._has_sample(each) if isinstance(each, list | tuple) else self.get(each) is not None
            for each in arguments
        )

    def _computed(
        self, operator: Any, arguments: Any, settings: Any, before: torch.Size, result: Any
    ) -> Value:
        names = [each.name for each in operator._schema.arguments]  # noqa: SLF001
        defaults = {each.name: each.default_value for each in operator._schema.arguments}  # noqa: SLF001
        given = {**defaults, **dict(zip(names, arguments, strict=False)), **settings}
        read = {name: self.get(each) or each for name, each in given.items() if name != "out"}
        library, name = operator.name().split("::")
        name = name.split(".")[0]
        if not name.startswith("_"):
            name = name.removesuffix("_")  # of the form in place
        shape = result.shape if isinstance(result, torch.Tensor) else torch.Size()
        call = Call(name, self.where(), read, before, shape)
        if library != "aten" or name not in OPERATORS or not call.samples:
            raise call.refused()
        return OPERATORS[name](call)

    def where(self, frame: FrameType | None = None) -> str:
        """Return the name of the innermost module at work, for messages."""
        frame = frame or _getframe()
        while frame is not None:
            module = frame.f_locals.get("self")
            if isinstance(module, nn.Module) and id(module) in self._names:
                return shown(self._names[id(module)], module)
            frame = frame.f_back
        return "model"

    def _where_raised(self, error: Exception) -> str:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        return self.where(None if place is None else place.tb_frame)


class _Functions(TorchFunctionMode):  # type: ignore[misc]
    """Records what is no operator in evaluation mode, or more than one."""

    def __init__(self, recording: _Recording) -> None:
        super().__init__()
        self._recording = recording

    def __torch_function__(
        self, function: Any, types: Any, arguments: Any = (), settings: Any = None
    ) -> Any:
        """Record a dropout, or heads; refuse to give away values."""
        settings, recording = settings or {}, self._recording
        value = recording.get(arguments[0]) if arguments else None
        if value is None:
            return function(*arguments, **settings)
        if function in _READING:
            raise recording.refuse(
                ValueError(
                    f"{recording.where()}: {function.__name__}, reads the values of the features "
                    "or what is computed of them; what the model computes may depend on it"
                )
            )
        if function is joined_heads:
            result = recording.whole(function, arguments, settings)
            layer = arguments[1].layer
            recording.set(result, value.then(HeadActivations(layer, recording.where())))
            return result
        if function in _OTHER_DROPOUT:
            raise recording.refuse(
                ValueError(f"{recording.where()}: {function.__name__}, only Dropout is supported")
            )
        result = function(*arguments, **settings)
        if function is nn.functional.dropout and result is arguments[0]:
            rate = settings.get("p", arguments[1] if len(arguments) > 1 else 0.5)
            recording.set(result, value.then(Dropout(rate, recording.where())))
        return result


def _copied(model: nn.Module) -> nn.Module:
    """Return a copy on the CPU, in evaluation mode, without what only makes it parallel or fast."""
    model = _unwrapped(model)
    memo = {
        id(tensor): tensor.detach().clone()
        for module in model.modules()
        for tensor in vars(module).values()
        if isinstance(tensor, torch.Tensor) and not tensor.is_leaf  # which cannot be copied
    }
    copied = copy.deepcopy(model, memo).cpu()
    for module in copied.modules():
        for functions in (module._forward_hooks, module._forward_pre_hooks, vars(module)):  # noqa: SLF001
            for key, function in list(functions.items()):
                if isinstance(function, FunctionType):
                    functions[key] = _with_copies(function, memo)
        for name, child in module._modules.items():  # noqa: SLF001  (setattr would check)
            if child is not None and child is not (inner := _unwrapped(child)):
                module._modules[name] = inner  # noqa: SLF001
    return cast("nn.Module", copied.eval())


def _with_copies(function: FunctionType, memo: dict[int, Any]) -> FunctionType:
    """Return a function that refers to copies where it refers to what is around it."""
    cells = []
    for cell in function.__closure__ or ():
        try:
            inner = cell.cell_contents
            if isinstance(inner, FunctionType):
                copied = _with_copies(inner, memo) if inner is not function else inner
            else:
                copied = copy.deepcopy(inner, memo)
            cells.append(CellType(copied))
        except Exception:  # noqa: BLE001  (it is empty, or cannot be copied)
            cells.append(cell)
    made = FunctionType(
        *(function.__code__, function.__globals__, function.__name__, function.__defaults__),
        closure=tuple(cells) if cells else None,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def _unwrapped(model: nn.Module) -> nn.Module:
    """Return the module in a wrapper that computes the same."""
    wrappers = {"OptimizedModule": "_orig_mod", "DataParallel": "module"}
    wrappers["DistributedDataParallel"] = "module"
    name = wrappers.get(type(model).__name__)
    is_theirs = type(model).__module__.startswith("torch.")
    hooks = (model._forward_hooks, model._forward_pre_hooks)  # noqa: SLF001  (all there is)
    if name is None or not is_theirs or any(hooks):
        return model
    return _unwrapped(getattr(model, name))


def _refuse_without_values(model: nn.Module) -> None:
    """Refuse a model with a tensor that has no values, or is not of a network's types."""
    for name, module in model.named_modules():
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for own, tensor in tensors:
            what = f"{shown(name, module)}: its {own}"
            if tensor.is_meta or nn.parameter.is_lazy(tensor):
                raise ValueError(
                    f"{what} has no values yet: initialize the model, or load its weights"
                )
            if tensor.is_floating_point() and tensor.dtype not in (torch.float32, torch.float64):
                raise ValueError(f"{what} must be float32 or float64, got {tensor.dtype}")


def _widths(model: nn.Module) -> Iterator[int]:
    """Yield the numbers of features that a model may take, the likely ones first."""
    seen = set()
    for module in model.modules():
        given = [getattr(module, name, None) for name in ("in_features", "num_features")]
        shapes = [each.shape for each in (*module.parameters(False), *module.buffers(False))]
        sizes = [size for shape in shapes for size in reversed(shape)]
        for size in [*given, *sizes]:
            if isinstance(size, int) and size > 0 and size not in seen:
                seen.add(size)
                yield size


def shown(name: str, module: nn.Module) -> str:
    """Return a module of a model as in Python: ``model.net[0] (Linear)``."""
    parts = [f"[{part}]" if part.isdigit() else f".{part}" for part in name.split(".") if part]
    return f"model{''.join(parts)} ({type(module).__name__})"
