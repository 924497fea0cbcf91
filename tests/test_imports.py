"""Importing: fast, without optional packages, and the versions agree."""

import importlib.metadata
import inspect
from operator import attrgetter

import pytest

import fastmlp as fm
from fastmlp import _core, metrics

FORBIDDEN = [
    "sklearn",
    "scipy",
    "matplotlib",
    "pandas",
    "polars",
    "tqdm",
    "threadpoolctl",
    "onnx",
    "torch",
    "keras",
    "mpi4py",
    "dask",
    "fastmlp.reference",
]


def test_versions_agree():
    assert fm.__version__ == _core.__version__ == importlib.metadata.version("fastmlp")


@pytest.mark.no_sanitizer
def test_import_is_quick_beside_numpy(run_python):
    code = "import time, numpy; t = time.perf_counter(); import fastmlp"
    code += "; print(time.perf_counter() - t)"
    # The least of several: a busy machine makes single runs slow.
    assert min(float(run_python(code).stdout) for _ in range(5)) < 0.1


@pytest.mark.shares_cores
def test_import_brings_nothing_optional(run_python):
    code = "import fastmlp, sys; print(*sys.modules)"
    modules = run_python(code).stdout.split()
    assert "fastmlp.network" in modules
    assert not [name for name in FORBIDDEN if name in modules]


@pytest.mark.shares_cores
def test_import_is_silent(run_python):
    done = run_python("import fastmlp")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.shares_cores
def test_the_reference_comes_with_its_first_use(run_python):
    code = "import fastmlp as fm; print(fm.reference.Network.__name__)"
    done = run_python(code)
    assert done.stdout == "Network\n", done.stderr


def test_public_names():
    for name in fm.__all__:
        assert getattr(fm, name) is not None
    assert set(fm.__all__) == set(dir(fm))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        fm.nonsense  # noqa: B018


METRICS = [*metrics.CLASSIFICATION, *metrics.REGRESSION]


@pytest.mark.parametrize("name", [*fm.__all__, *(f"metrics.{name}" for name in METRICS)])
def test_help_shows_types_by_their_names(name):
    """Evaluated, `ArrayLike` is a union of 200 characters, private names among them."""
    public = attrgetter(name)(fm)
    members = [public, *(vars(public).values() if inspect.isclass(public) else ())]
    for member in filter(callable, members):
        try:
            signature = str(inspect.signature(member))
        except (TypeError, ValueError):  # built in
            continue
        assert "numpy._typing" not in signature
        assert len(signature) < 1000
