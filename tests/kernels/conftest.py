"""The raw kernels of every instruction set, through a module that is built here.

It is linked with the static library of the installed package, so what is tested is what is shipped,
and compiled with the flags of that library's CMake package: with sanitizers where it has them.
"""

import fcntl
import importlib.util
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import fastmlp as fm

Guarded = Callable[..., np.ndarray]
FMA = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def run(*command: object) -> str:
    """Return what a command of the build printed; fail with it if the command failed."""
    scripts = sysconfig.get_path("scripts")  # cmake and ninja, where no environment is active
    env = os.environ | {"PATH": os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])}
    env.pop("LD_PRELOAD", None)  # a sanitizer is for this process, not for the compiler
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
        status, text = done.returncode, done.stdout + done.stderr
    except FileNotFoundError as error:
        status, text = -1, str(error)
    if status != 0:
        needs = "It needs a C++ compiler and `pip install '.[test]'`."
        pytest.fail(f"The kernels' module cannot be built. {needs}\n{text}", pytrace=False)
    return text.strip()


def build(folder: Path) -> Path:
    """Build the module `_kernels` with the installed library; what is up to date stays."""
    # It may be of another environment; the objects of its folder are good all the same.
    (folder / "CMakeCache.txt").unlink(missing_ok=True)
    run(
        "cmake", "-S", Path(__file__).parent, "-B", folder, "-G", "Ninja",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dpybind11_DIR={run(sys.executable, '-m', 'pybind11', '--cmakedir')}",
        f"-Dfastmlp_DIR={fm.get_cmake_dir()}",
    )  # fmt: skip
    run("cmake", "--build", folder)
    return folder / f"_kernels{sysconfig.get_config_var('EXT_SUFFIX')}"


@pytest.fixture(scope="session")
def kernel_module(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> ModuleType:
    """The module `_kernels`; pytest's cache keeps it from one run to the next."""
    if pytestconfig.pluginmanager.hasplugin("cacheprovider"):
        folder = pytestconfig.cache.mkdir("kernels")
    else:
        folder = tmp_path_factory.mktemp("kernels")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        spec = importlib.util.spec_from_file_location("_kernels", build(folder))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def kernels_of(kernel_module: ModuleType, dtype: str) -> Callable[[str], Any]:
    """Give the kernels of an instruction set by its name."""
    return {"float32": kernel_module.Kernels32, "float64": kernel_module.Kernels64}[dtype]


@pytest.fixture
def kernels(kernels_of: Callable[[str], Any], any_isa: str) -> Any:
    """The kernels of every instruction set and dtype."""
    return kernels_of(any_isa)


@pytest.fixture
def scalar(kernels_of: Callable[[str], Any]) -> Any:
    """The kernels that every machine has."""
    return kernels_of("scalar")


@pytest.fixture
def fill(guarded: Guarded, dtype: str, rng: np.random.Generator) -> Callable[..., np.ndarray]:
    """Make a guarded matrix of normal numbers whose rows have NaNs beyond `width`."""

    def filled(
        name: str, rows: int, width: int, room: int | None = None, gap: int = 0
    ) -> np.ndarray:
        array = guarded(name, (rows, room or width), dtype, gap)
        array[:, width:] = np.nan
        array[:, :width] = rng.standard_normal((rows, width))
        return array

    return filled


@pytest.fixture
def chain(fma: FMA) -> Callable[..., np.ndarray]:
    """Sum a[:, k] * w[k] over k in order, one fma after the other, from `start`."""

    def summed(a: np.ndarray, w: np.ndarray, start: np.ndarray) -> np.ndarray:
        total = np.array(np.broadcast_to(start, (len(a), w.shape[1])))
        for k in range(w.shape[0]):
            total = fma(a[:, k, None], w[k], total)
        return total

    return summed
