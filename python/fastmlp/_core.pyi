"""The compiled core. Cranky on purpose: `fastmlp` validates and converts, this refuses."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Self, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

__version__: str

class DivergedError(ArithmeticError):
    """The loss of an epoch was not finite; args are (epoch, loss)."""

class FormatError(ValueError):
    """A file is damaged; args are (file, field, offset, problem)."""

def load_network(path: str | bytes, allow_nonfinite: bool) -> Network32 | Network64: ...
def parse_network(data: bytes, allow_nonfinite: bool) -> Network32 | Network64: ...
def network_from_archive(
    tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str], file: str
) -> Network32 | Network64: ...
def write_file(path: str | bytes, content: bytes) -> None: ...
def write_archive(
    path: str | bytes, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> None: ...
def read_archive(path: str | bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]: ...
def parse_archive(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]: ...
def isa() -> str: ...
def available_isas() -> list[str]: ...
def compiler() -> str: ...
def peak_gflops(dtype: str, n_threads: int) -> float: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def draw_uniform(
    seed: int, purpose: int, epoch: int, first: int, count: int
) -> NDArray[np.float64]: ...
def draw_order(
    seed: int, epoch: int, n: int, purpose: int = 1, first: int = 0
) -> NDArray[np.uint32]: ...
def first_non_finite(X: NDArray[Any]) -> int: ...

class OptimizerKind(Enum):
    __pybind11_native_enum__: ClassVar[object]
    SGD = ...
    ADAM = ...
    RMSPROP = ...

@final
class Optimizer:
    def __init__(self) -> None: ...
    kind: OptimizerKind
    learning_rate: float
    momentum: float
    nesterov: bool
    beta_1: float
    beta_2: float
    rho: float
    epsilon: float
    l1: float
    l2: float
    weight_decay: float
    clip_value: float
    clip_norm: float
    decay_biases: bool
    penalty_per_sample: bool
    velocity_holds_rate: bool
    uncorrected_epsilon: bool

class ScheduleKind(Enum):
    __pybind11_native_enum__: ClassVar[object]
    CONSTANT = ...
    STEP = ...
    EXPONENTIAL = ...
    COSINE = ...
    ONE_CYCLE = ...
    INVERSE = ...

@final
class Schedule:
    def __init__(self) -> None: ...
    kind: ScheduleKind
    factor: float
    every: int
    final: float
    initial: float
    rise: float
    power: float
    warm_up: int
    total_epochs: int
    def factor_at(self, step: int, steps_per_epoch: int, epochs: int) -> float: ...

@final
class TrainOptions:
    def __init__(self) -> None: ...
    epochs: int
    batch_size: int
    optimizer: Optimizer
    schedule: Schedule
    rate_factor: float
    first_epoch: int
    shuffle: bool
    gradient_scale: float
    report_squares: bool
    batch_means: bool
    loss_limit: float
    roll_back: bool
    n_threads: int

@final
class EpochReport:
    def __init__(self, *args: object, **kwargs: object) -> None: ...
    @property
    def epoch(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def squares(self) -> float: ...
    rate_factor: float

_Block: TypeAlias = tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None, bool]
"""(X, y, sample_weight, whether it is the last of its epoch); no y where the loss is custom."""

_Loss: TypeAlias = Callable[[NDArray[Any], NDArray[np.uint32], NDArray[Any], NDArray[Any]], None]

class SparseRows:
    def __init__(
        self,
        offsets: NDArray[np.int64],
        columns: NDArray[np.int32],
        values: NDArray[Any],
        n_features: int,
    ) -> None: ...
    @property
    def offsets(self) -> NDArray[np.int64]: ...
    @property
    def columns(self) -> NDArray[np.int32]: ...
    @property
    def values(self) -> NDArray[Any]: ...
    @property
    def n_features(self) -> int: ...

class RawRows:
    def __init__(
        self,
        values: NDArray[Any],
        scales: NDArray[Any] | None = None,
        offsets: NDArray[Any] | None = None,
    ) -> None: ...
    @property
    def values(self) -> NDArray[Any]: ...
    @property
    def scales(self) -> NDArray[Any] | None: ...
    @property
    def offsets(self) -> NDArray[Any] | None: ...

def count_finite_rows32(X: RawRows) -> int: ...
def count_finite_rows64(X: RawRows) -> int: ...
def read_rows32(X: RawRows) -> NDArray[np.float32]: ...
def read_rows64(X: RawRows) -> NDArray[np.float64]: ...

class _Network:
    def __init__(
        self,
        features: int,
        layers: Sequence[tuple[int, str, str, float]],
        loss: tuple[str, float],
        seed: int,
    ) -> None: ...
    @property
    def features(self) -> int: ...
    @property
    def layers(self) -> list[tuple[int, str, str, float]]: ...
    @property
    def loss(self) -> tuple[str, float]: ...
    @property
    def seed(self) -> int: ...
    @property
    def busy(self) -> bool: ...
    @property
    def epoch(self) -> int: ...
    @epoch.setter
    def epoch(self, value: int) -> None: ...
    @property
    def parameters(self) -> NDArray[Any]: ...
    @property
    def gradients(self) -> NDArray[Any]: ...
    def weights(self, i: int) -> NDArray[Any]: ...
    def biases(self, i: int) -> NDArray[Any]: ...
    def weight_gradients(self, i: int) -> NDArray[Any]: ...
    def bias_gradients(self, i: int) -> NDArray[Any]: ...
    @property
    def statistics(self) -> NDArray[Any]: ...
    def scales(self, i: int) -> NDArray[Any]: ...
    def shifts(self, i: int) -> NDArray[Any]: ...
    def scale_gradients(self, i: int) -> NDArray[Any]: ...
    def shift_gradients(self, i: int) -> NDArray[Any]: ...
    def running_means(self, i: int) -> NDArray[Any]: ...
    def running_variances(self, i: int) -> NDArray[Any]: ...
    def nodes(self, p: int) -> NDArray[Any]: ...
    def deltas(self, i: int) -> NDArray[Any]: ...
    def forward(self, X: NDArray[Any], training: bool = True) -> NDArray[Any]: ...
    def backward(
        self,
        y: NDArray[Any] | _Loss,
        sample_weight: NDArray[Any] | None = None,
    ) -> float: ...
    def update(self, learning_rate: float) -> None: ...
    def update_by(self, optimizer: Optimizer) -> None: ...
    @property
    def optimizer_state(
        self,
    ) -> tuple[OptimizerKind, NDArray[Any] | None, NDArray[Any] | None, int]: ...
    def set_optimizer_state(
        self,
        kind: OptimizerKind,
        first: NDArray[Any] | None,
        second: NDArray[Any] | None,
        steps: int,
    ) -> None: ...
    def to_archive(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]: ...
    def assign(self, other: Self) -> None: ...
    def predict(self, X: object, out: object = None, n_threads: int = 0) -> NDArray[Any]: ...
    def evaluate(
        self,
        X: NDArray[Any] | RawRows | SparseRows,
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None = None,
        n_threads: int = 0,
    ) -> tuple[float, int, int]: ...
    def save(self, path: str | bytes, allow_nonfinite: bool) -> None: ...
    def jacobian(self, X: NDArray[Any], n_threads: int = 0) -> NDArray[Any]: ...
    def input_gradient(
        self, X: NDArray[Any], y: NDArray[Any], n_threads: int = 0
    ) -> NDArray[Any]: ...
    def threads_for(self, batch_size: int, n_threads: int = 0) -> int: ...
    def fit(
        self,
        X: NDArray[Any] | RawRows | SparseRows,
        y: NDArray[Any] | _Loss,
        sample_weight: NDArray[Any] | None,
        order: NDArray[np.uint32] | None,
        options: TrainOptions,
        learning_rate: Callable[[int], float] | None = None,
        on_epoch: Callable[[EpochReport], bool] | None = None,
        on_step: Callable[[int, float], bool] | None = None,
    ) -> list[EpochReport]: ...
    def fit_stream(
        self,
        next_block: Callable[[], _Block],
        rows: int,
        loss: _Loss | None,
        options: TrainOptions,
        learning_rate: Callable[[int], float] | None = None,
        on_epoch: Callable[[EpochReport], bool] | None = None,
        on_step: Callable[[int, float], bool] | None = None,
    ) -> list[EpochReport]: ...

@final
class Network32(_Network): ...

@final
class Network64(_Network): ...

@final
class TrainJob:
    def __init__(
        self,
        network: Network32 | Network64,
        X: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        options: TrainOptions,
    ) -> None: ...

def train_many32(
    jobs: Sequence[TrainJob], n_threads: int
) -> list[list[EpochReport] | tuple[int, float]]: ...
def train_many64(
    jobs: Sequence[TrainJob], n_threads: int
) -> list[list[EpochReport] | tuple[int, float]]: ...

class _Kernels:
    """The raw kernels of one instruction set, for tests; whoever calls guarantees the shapes."""

    def __init__(self, isa: str) -> None: ...
    def product(
        self,
        a: NDArray[Any],
        first_k: int,
        count_k: int,
        w: NDArray[Any],
        init: NDArray[Any] | None,
        out: NDArray[Any],
        epilogue: int,
        nodes: NDArray[Any] | None,
        /,
    ) -> None: ...
    def outer(
        self,
        a: NDArray[Any],
        first_k: int,
        count_k: int,
        v: NDArray[Any],
        first_j: int,
        width: int,
        scale: float,
        rate: float,
        store: bool,
        target: NDArray[Any],
        /,
    ) -> None: ...
    def column_sums(
        self,
        v: NDArray[Any],
        scale: float,
        rate: float,
        store: bool,
        target: NDArray[Any],
        /,
    ) -> None: ...
    def hidden_gradients(
        self,
        a: NDArray[Any],
        nodes: NDArray[Any],
        delta: NDArray[Any],
        wt: NDArray[Any],
        first_j: int,
        scale: float,
        gradients: NDArray[Any],
        /,
    ) -> None: ...
    def narrow_forward(
        self,
        a: NDArray[Any],
        wt: NDArray[Any],
        bias: NDArray[Any],
        n: int,
        out: NDArray[Any],
        /,
    ) -> None: ...
    def narrow_forward_natural(
        self,
        a: NDArray[Any],
        w: NDArray[Any],
        bias: NDArray[Any],
        n: int,
        out: NDArray[Any],
        /,
    ) -> None: ...
    def convert(
        self,
        x: NDArray[Any],
        scales: NDArray[Any] | None,
        offsets: NDArray[Any] | None,
        out: NDArray[Any],
        /,
    ) -> None: ...
    def transpose(
        self, source: NDArray[Any], rows: int, cols: int, target: NDArray[Any], /
    ) -> None: ...
    def activate(self, name: str, z: NDArray[Any], h: NDArray[Any], cols: int, /) -> None: ...
    def activate_backward(
        self, name: str, source: NDArray[Any], delta: NDArray[Any], cols: int, /
    ) -> None: ...
    def layer_normalize(
        self,
        z: NDArray[Any],
        n: int,
        epsilon: float,
        scales: NDArray[Any],
        shifts: NDArray[Any],
        normalized: NDArray[Any],
        inverses: NDArray[Any],
        /,
    ) -> None: ...
    def layer_normalize_backward(
        self,
        delta: NDArray[Any],
        n: int,
        scales: NDArray[Any],
        normalized: NDArray[Any],
        inverses: NDArray[Any],
        out: NDArray[Any],
        /,
    ) -> None: ...
    def batch_moments(
        self, z: NDArray[Any], means: NDArray[Any], variances: NDArray[Any], /
    ) -> None: ...
    def batch_normalize(
        self,
        z: NDArray[Any],
        epsilon: float,
        means: NDArray[Any],
        variances: NDArray[Any],
        scales: NDArray[Any],
        shifts: NDArray[Any],
        normalized: NDArray[Any],
        /,
    ) -> None: ...
    def batch_normalize_backward(
        self,
        delta: NDArray[Any],
        epsilon: float,
        variances: NDArray[Any],
        scales: NDArray[Any],
        normalized: NDArray[Any],
        mean_deltas: NDArray[Any],
        mean_products: NDArray[Any],
        out: NDArray[Any],
        /,
    ) -> None: ...
    def column_dots(
        self, a: NDArray[Any], v: NDArray[Any], scale: float, out: NDArray[Any], /
    ) -> None: ...
    def dropout(
        self,
        h: NDArray[Any],
        seed: int,
        stream: int,
        epoch: int,
        position: int,
        least: int,
        scale: float,
        out: NDArray[Any],
        /,
    ) -> None: ...
    def update(
        self,
        step: int,
        adjusted: bool,
        scalars: dict[str, float],
        g: NDArray[Any],
        w: NDArray[Any],
        first: NDArray[Any] | None,
        second: NDArray[Any] | None,
        /,
    ) -> None: ...
    def count_finite(self, x: NDArray[Any], /) -> int: ...
    def exp(self, x: NDArray[Any], out: NDArray[Any], /) -> None: ...
    def log(self, x: NDArray[Any], out: NDArray[Any], /) -> None: ...

@final
class Kernels32(_Kernels): ...

@final
class Kernels64(_Kernels): ...
