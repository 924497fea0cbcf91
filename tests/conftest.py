"""Fixtures that all tests share."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core

Unchanged = Callable[..., AbstractContextManager[None]]
RunPython = Callable[..., subprocess.CompletedProcess[str]]


def pytest_report_header() -> str:
    """Tell which instruction set these tests ran on."""
    return f"fastmlp {fm.__version__}: isa {_core.isa()} of {', '.join(_core.available_isas())}"


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
    """Three classes of 4 features that a network can tell apart: X (90, 4) float32, y (90,)."""
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
    """Run a piece of code in a Python of its own, with more environment variables."""

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
