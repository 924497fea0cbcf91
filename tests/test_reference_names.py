"""One import swaps the libraries: names, arguments and methods are the same in the reference."""

import inspect

import pytest

import fastmlp as fm
from fastmlp import reference

pytestmark = pytest.mark.once

# What the reference omits computes nothing, or is SciPy's; its docstring lists it.
ABSENT = {
    *("LBFGS", "ConvergenceWarning", "Checkpoint", "ModelFormatError", "load", "load_checkpoint"),
    "reference",
    *(
        "from_keras",
        "from_onnx",
        "from_sklearn",
        "from_equinox",
        "from_flax",
        "from_state_dict",
        "from_torch",
        "get_cmake_dir",
        "get_include",
    ),
    *("__version__", "get_config", "metrics"),
    *("ArrayStream", "DataError", "Ensemble", "ParquetStream", "Stream", "TabularModel"),
}
COMPUTES_NOTHING = {"train_many": ("callbacks", "checkpoint", "verbose")}


def test_the_public_names():
    assert set(fm.__all__) == set(reference.__all__) | ABSENT


SHARED = sorted(set(reference.__all__) - {"Callback", "DivergenceError", "History", "show_config"})


@pytest.mark.parametrize("name", SHARED)
def test_the_same_arguments(name):
    """One import swaps the libraries: names, order and defaults are the same."""
    ours, twin = getattr(fm, name), getattr(reference, name)
    ours = [each for each in parameters(ours) if each[0] not in COMPUTES_NOTHING.get(name, ())]
    assert ours == parameters(twin)


METHODS = [
    "fit",
    "adapt",
    "predict",
    "predict_classes",
    "evaluate",
    "objective",
    "forward",
    "backward",
    "update",
]


@pytest.mark.parametrize(
    "name",
    [
        *METHODS,
        "train_on_batch",
        "jacobian",
        "input_gradient",
        "reset_optimizer",
        "copy",
        "soft_update",
        "averaged",
    ],
)
def test_the_same_methods(name):
    ours, twin = parameters(getattr(fm.Network, name)), parameters(getattr(reference.Network, name))
    ours = [parameter for parameter in ours if parameter[0] != "y"]  # a stream brings its own
    twin = [parameter for parameter in twin if parameter[0] != "y"]
    twin = [parameter for parameter in twin if parameter[0] != "ranks"]  # here in one process
    assert set(twin) <= set(ours)
    assert {n for n, *_ in ours} - {n for n, *_ in twin} <= {"checkpoint", "comm", "reduction"}


def parameters(function):
    """Return the arguments of a function or class: name, kind, and default as text."""
    return [
        (p.name, p.kind, repr(p.default)) for p in inspect.signature(function).parameters.values()
    ]
