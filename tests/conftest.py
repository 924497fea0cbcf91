"""Fixtures that all tests share."""

import ctypes
import hashlib
import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core

Unchanged = Callable[..., AbstractContextManager[None]]
RunPython = Callable[..., subprocess.CompletedProcess[str]]
FMA = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def pytest_configure() -> None:
    """Make Ctrl-C work: a shell starts background jobs, and all they start, deaf to it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Keras itself would require TensorFlow by default.
    backends = (name for name in ("torch", "jax", "tensorflow") if find_spec(name))
    os.environ.setdefault("KERAS_BACKEND", next(backends, "tensorflow"))
    os.environ.setdefault("JAX_ENABLE_X64", "1")  # else JAX has no float64


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests whose processes have threads that must really run, or are timed; leave out some.

    With FASTMLP_TESTS_EVERY=4, about every fourth test is left, always the same ones, but others
    for each instruction set.
    """
    for item in items:
        starts_python = "run_python" in getattr(item, "fixturenames", ())
        if starts_python and not item.get_closest_marker("shares_cores"):
            item.add_marker(pytest.mark.alone)
    every, isa = int(os.environ.get("FASTMLP_TESTS_EVERY", "1")), os.environ.get("FASTMLP_ISA", "")
    left_out = [item for item in items if crc32(f"{isa}{item.nodeid}".encode()) % every]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def pytest_report_header() -> str:
    """Tell which instruction set these tests ran on."""
    return f"fastmlp {fm.__version__}: isa {_core.isa()} of {', '.join(_core.available_isas())}"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes a file of lines and returns its path."""

    def write(name: str, *lines: str) -> str:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    return write


@pytest.fixture(params=["scalar", "avx2", "avx512", "neon"])
def any_isa(request: pytest.FixtureRequest, isas: list[str]) -> str:
    """Every instruction set there is a kernel for; those the machine lacks are skipped visibly."""
    if request.param not in isas:
        pytest.skip(f"this machine has no {request.param}")
    return str(request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20_240_229)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    """Both types a network can have."""
    return str(request.param)


@pytest.fixture
def eps(dtype: str) -> float:
    """The spacing of `dtype` at 1, twice the greatest relative error of a rounding."""
    return float(np.finfo(dtype).eps)


@pytest.fixture(scope="session")
def isa() -> str:
    """The instruction set of this process; another one needs another process."""
    return _core.isa()


@pytest.fixture(scope="session")
def isas() -> list[str]:
    """The instruction sets of this machine."""
    return _core.available_isas()


@pytest.fixture
def blobs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Three separable classes of 4 features: X (90, 4) float32, y (90,)."""
    y = np.arange(90) % 3
    centres = 3.0 * rng.standard_normal((3, 4))
    X = centres[y] + 0.3 * rng.standard_normal((90, 4))
    return X.astype(np.float32), y


@pytest.fixture
def assert_unchanged() -> Unchanged:
    """A context in which a network and arrays must stay what they are, bit for bit."""

    def digest(net: fm.Network, arrays: tuple[np.ndarray, ...]) -> str:
        state = hashlib.sha256(repr((net, net.seed, net.epoch)).encode())
        for array in (net.parameters, net.gradients, *arrays):
            state.update(array.tobytes())
        return state.hexdigest()

    @contextmanager
    def unchanged(net: fm.Network, *arrays: np.ndarray) -> Iterator[None]:
        before = digest(net, arrays)
        yield
        assert digest(net, arrays) == before

    return unchanged


@pytest.fixture
def run_python() -> RunPython:
    """Run code in a separate Python process, with additional environment variables."""

    def run(code: str, *args: str, timeout: float = 60, **env: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", code, *args],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=os.environ | env,
            check=False,
        )

    return run


class GuardedMemory:
    """Arrays that end where memory ends: one element further kills the process.

    Each name owns a piece of memory, which its next array takes over.
    """

    SIZE = 1 << 20

    def __init__(self) -> None:
        self._maps: dict[str, mmap.mmap] = {}

    def __call__(self, name: str, shape: tuple[int, ...], dtype: str, gap: int = 0) -> np.ndarray:
        """Return a zeroed array whose last element touches the guarded page.

        The rows of a matrix, which only then may have a gap between them, are contiguous.
        """
        if name not in self._maps:
            self._maps[name] = self._map()
        *rows, width = shape
        stride = width + gap
        count = max(0, stride * int(np.prod(rows, dtype=int)) - gap)
        size = count * np.dtype(dtype).itemsize
        flat = np.frombuffer(self._maps[name], dtype, count, self.SIZE - size)
        flat[...] = 0
        strides = (stride * flat.itemsize, flat.itemsize)[-len(shape) :]
        array: np.ndarray = np.lib.stride_tricks.as_strided(flat, shape, strides)
        return array

    def _map(self) -> mmap.mmap:
        memory = mmap.mmap(-1, self.SIZE + mmap.PAGESIZE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        no_access = 0  # PROT_NONE
        end = ctypes.c_void_p(start + self.SIZE)
        if protect(end, ctypes.c_size_t(mmap.PAGESIZE), no_access) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")
        return memory


@pytest.fixture(scope="session")
def guarded() -> GuardedMemory:
    """Memory that ends at a protected page."""
    if not hasattr(mmap, "PROT_READ"):
        pytest.skip("guarded pages need mprotect")
    return GuardedMemory()


@pytest.fixture(scope="session")
def fma() -> FMA:
    """a * b + c rounded once, element by element, on any machine."""

    def two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rounded sum and what the rounding lost (Knuth)."""
        total = a + b
        of_b = total - a
        return total, (a - (total - of_b)) + (b - of_b)

    def two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rounded product and what the rounding lost (Dekker)."""
        split = 2.0**27 + 1.0
        high_a, high_b = (split * x - (split * x - x) for x in (a, b))
        low_a, low_b = a - high_a, b - high_b
        product = a * b
        lost = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
        return product, lost

    def sum_to_odd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return a + b in float64, rounded so that a second rounding does no harm.

        An inexact sum becomes its neighbour with an odd mantissa (Boldo and Melquiond, 2008).
        """
        total, rest = two_sum(a, b)
        even = total.view(np.int64) % 2 == 0
        neighbour = np.nextafter(total, np.copysign(np.inf, rest))
        return np.where((rest != 0) & even, neighbour, total)

    def fused(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        dtype = np.result_type(a, b, c)
        a, b, c = (x.astype(np.float64) for x in np.broadcast_arrays(a, b, c))
        if dtype == np.float32:  # the product is exact in float64
            return sum_to_odd(a * b, c).astype(np.float32)
        product, lost = two_product(a, b)
        carried, small = two_sum(c, lost)
        total, large = two_sum(product, carried)
        # Where the product is exact a sum is all there is, with the sign of its zero.
        return np.where(lost == 0, product + c, total + sum_to_odd(small, large))

    return fused


@pytest.fixture
def rounding_bound() -> Callable[[fm.Network, np.ndarray], np.ndarray]:
    """How far two correct ways to compute `predict` may be apart, whatever order they sum in.

    A sum of K products and a bias in any order is off by at most (K + 1) u (|x| |W| + |b|) each;
    what is off at the input goes through |W| and the slope of the activation, which is at most
    1.13 but for exp. An activation made of a few operations may be off by 8 u where it is of
    the size of 1, or of its own size. Scaling is two operations on rounded numbers, however it is
    written: 4 u of its product and its offset.
    """

    def bound(net: fm.Network, X: np.ndarray) -> np.ndarray:
        u = float(np.finfo(net.dtype).eps) / 2
        h = X.astype(np.float64)
        off = np.zeros_like(h)
        if net.input_scale is not None:
            h, off = scaled(h, off, u, net.input_scale, net.input_offset)
        for i, layer in enumerate(net.layers):
            weights, biases = net.weights[i].astype(np.float64), net.biases[i]
            size = np.abs(weights)
            most = np.abs(h) @ size + np.abs(biases)
            off = off @ size + 2 * (len(size) + 1) * u * most
            z = h @ weights + biases
            if layer.normalization is not None:
                z, off = normalized(net, i, z, off)
            if isinstance(layer, fm.Heads):
                parts = zip(layer.heads.values(), net.split(z), net.split(off), strict=True)
                each = [activated(head.activation, *columns, u) for head, *columns in parts]
                h, off = (np.concatenate(columns, axis=1) for columns in zip(*each, strict=True))
            else:
                h, off = activated(layer.activation, z, off, u)
        if net.output_scale is not None:
            _, off = scaled(h, off, u, net.output_scale, net.output_offset)
        return off

    return bound


def activated(
    activation: str, z: np.ndarray, off: np.ndarray, u: float
) -> tuple[np.ndarray, np.ndarray]:
    """Activate columns in float64, and carry along what they are off."""
    h = reference_activation(activation, z)
    if activation == "exp":
        off = h * np.expm1(off)
    elif activation == "softmax":
        off = h * np.expm1(2 * off.max(axis=1, keepdims=True)) + len(h.T) * u
    return h, 1.13 * off + 2 * 8 * u * np.maximum(1.0, np.abs(h))


def scaled(
    h: np.ndarray, off: np.ndarray, u: float, scale: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scale columns in float64, and carry along what they are off."""
    product, offset = h * scale.astype(np.float64), offset.astype(np.float64)
    off = off * np.abs(scale) + 4 * u * (np.abs(product) + np.abs(offset))
    return product + offset, off


def normalized(
    net: fm.Network, i: int, z: np.ndarray, off: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Normalize z of layer i in float64, and carry along what it is off.

    A sample's mean is off by as much as its worst node, its deviation too, and both by N u of
    the largest in any order of their sums; x = (z - mean) / deviation then by (2 + |x|) of that.
    ONNX has the epsilon 1e-5 as a float32.
    """
    u = float(np.finfo(net.dtype).eps) / 2
    scales = net.scales[i].astype(np.float64)
    if net.layers[i].normalization == "batch":
        mean, variance = net.running_means[i].astype(np.float64), net.running_variances[i]
        deviation = np.sqrt(variance.astype(np.float64) + 1e-5)
        x = (z - mean) / deviation
        off = (off + 8 * u * (np.abs(z) + np.abs(mean))) / deviation
    else:
        mean = z.mean(axis=1, keepdims=True)
        deviation = np.sqrt(z.var(axis=1, keepdims=True) + 1e-5)
        x = (z - mean) / deviation
        largest = np.abs(z).max(axis=1, keepdims=True)
        worst = off.max(axis=1, keepdims=True) + 2 * (z.shape[1] + 8) * u * largest
        off = worst * (2 + np.abs(x)) / deviation
    off = off + np.abs(x) * 1e-5 * 2.0**-24 / deviation**2 / 2
    y = x * scales + net.shifts[i]
    return y, off * np.abs(scales) + 8 * u * (np.abs(x * scales) + np.abs(net.shifts[i]))


def reference_activation(name: str, z: np.ndarray) -> np.ndarray:
    """Apply an activation of the pure-Python twin to every row."""
    return np.array([fm.reference.activations.activate(name, row) for row in z.tolist()])


@pytest.fixture
def random_parts(rng: np.random.Generator) -> Callable[[fm.Network], fm.Network]:
    """Give a network biases, scales, shifts and running averages that are not 0 and 1."""

    def fill(net: fm.Network) -> fm.Network:
        for biases in net.biases:
            biases[:] = rng.uniform(-0.5, 0.5, biases.size)
        for i, layer in enumerate(net.layers):
            if layer.normalization is not None:
                net.scales[i][:] = rng.uniform(0.5, 1.5, layer.nodes)
                net.shifts[i][:] = rng.uniform(-0.5, 0.5, layer.nodes)
            if layer.normalization == "batch":
                net.running_means[i][:] = rng.uniform(-0.5, 0.5, layer.nodes)
                net.running_variances[i][:] = rng.uniform(0.5, 1.5, layer.nodes)
        return net

    return fill
