"""scikit-learn's own tests of its perceptrons, as installed, run with ours in their place."""

import importlib.util

import pytest

pytest.importorskip("sklearn", minversion="1.9")
SOURCE = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
if SOURCE is None:
    pytest.skip("this scikit-learn comes without its tests", allow_module_level=True)

from sklearn import neural_network  # noqa: E402

from fastmlp import sklearn as ours  # noqa: E402

INTERNAL = {
    "test_fit": "sets attributes before the first fit",
    "test_gradient": "calls a private method; test_sklearn_parity has the gradients",
}


def load_tests():
    """Load the module again, with ours in place of scikit-learn's."""
    names = set(ours.__all__) & set(neural_network.__all__)
    theirs = {name: getattr(neural_network, name) for name in names}
    module = importlib.util.module_from_spec(SOURCE)
    try:
        for name in names:
            setattr(neural_network, name, getattr(ours, name))
        SOURCE.loader.exec_module(module)
    finally:
        for name, estimator in theirs.items():
            setattr(neural_network, name, estimator)
    return {name: value for name, value in vars(module).items() if name.startswith("test_")}


@pytest.fixture
def global_random_seed():
    return 42


for name, test in load_tests().items():
    # Warnings do not fail them; what their own marks say of warnings comes after that, and counts.
    test.pytestmark = [pytest.mark.filterwarnings("default").mark, *getattr(test, "pytestmark", [])]
    reason = INTERNAL.get(name)
    globals()[name] = pytest.mark.skip(reason=reason)(test) if reason else test
