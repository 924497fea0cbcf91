"""Ctrl-C, or any signal whose handler raises, ends a long call soon and leaves the network whole.

Every call here would take a second or more; `_SOON` is 0.2 s with room for a busy machine.
"""

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fastmlp as fm

if not hasattr(signal, "setitimer"):
    pytest.skip("no timers that send signals", allow_module_level=True)

_AFTER = 0.1
_SOON = 0.8


class Stop(Exception):  # noqa: N818  (no error)
    """What the handler raises."""


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Stop

    old = signal.signal(signal.SIGALRM, stop)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, old)


def interrupted(call: Callable[[], Any]) -> None:
    """Call, and check that a signal during the call ends it."""
    start = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, _AFTER)
    with pytest.raises(Stop):
        call()
    assert time.perf_counter() - start < _AFTER + _SOON


def state(net: fm.Network) -> bytes:
    return net.parameters.tobytes() + net.statistics.tobytes()


X = np.zeros((2**19, 16), np.float32)
Y = np.zeros(2**19, np.int64)

CALLS: dict[str, Callable[[fm.Network, int], Any]] = {
    "predict": lambda net, n: net.predict(X, n_threads=n),
    "predict_out": lambda net, n: net.predict(X, np.empty((len(X), 2), np.float32), n),
    "predict_converted": lambda net, n: net.predict(X.astype(np.float64), n_threads=n),
    "evaluate": lambda net, n: net.evaluate(X, Y, n_threads=n),
    "evaluate_weights": lambda net, n: net.evaluate(X, Y, n, sample_weight=np.ones(len(X))),
    "jacobian": lambda net, n: net.jacobian(X, n_threads=n),
    "input_gradient": lambda net, n: net.input_gradient(X, Y, n_threads=n),
}


@pytest.fixture(scope="module")
def deep() -> fm.Network:
    """Return a network whose rows take long."""
    return fm.Network([16, 1024, 1024, 2], seed=1, normalization="batch", dropout=0.1)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("name", CALLS)
def test_inference_is_interrupted(deep: fm.Network, name: str, n_threads: int) -> None:
    before = state(deep)
    interrupted(lambda: CALLS[name](deep, n_threads))
    assert state(deep) == before
    assert np.isfinite(deep.predict(X[:3])).all()


@pytest.mark.parametrize("call", ["predict", "jacobian"])
def test_few_rows_of_a_wide_network_are_interrupted(call: str) -> None:
    net = fm.Network([16, 6000, 6000, 2], seed=1)
    interrupted(lambda: getattr(net, call)(X[:2048], n_threads=1))


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_forward_leaves_no_half_batch(normalization: str | None) -> None:
    net = fm.Network([16, 2048, 2048, 2], "tanh", seed=1, normalization=normalization)
    twin = fm.Network([16, 2048, 2048, 2], "tanh", seed=1, normalization=normalization)
    net.forward(X[:5])
    before = state(net)
    twin.statistics = net.statistics
    interrupted(lambda: net.forward(X[:12000]))
    assert state(net) == before
    with pytest.raises(RuntimeError, match="call forward first"):
        net.backward(Y[:12000])
    assert np.array_equal(net.forward(X[:7]), twin.forward(X[:7]))  # not the batch after the next
    assert net.backward(Y[:7]) == twin.backward(Y[:7])
    assert np.array_equal(net.gradients, twin.gradients)


@pytest.mark.slow
def test_backward_leaves_no_half_gradient() -> None:
    net, twin = (fm.Network([16, 2048, 2048, 2], seed=1) for _ in range(2))
    x = np.ones((6000, 16), np.float32)
    net.forward(x)
    before = state(net)
    interrupted(lambda: net.backward(Y[:6000]))
    assert state(net) == before
    assert not net.gradients.any()
    for network in (net, twin):
        network.forward(x[:9])
        network.backward(Y[:9])
    assert np.array_equal(net.gradients, twin.gradients)


def test_objective_is_interrupted() -> None:
    net = fm.Network([16, 2048, 2048, 2], seed=1)
    function = net.objective(X[:12000], Y[:12000])
    theta = net.parameters.astype(np.float64)
    interrupted(lambda: function(theta))
    assert np.array_equal(net.parameters, theta.astype(np.float32))


def test_networks_and_files_are_interrupted(tmp_path: Any) -> None:
    def repeat(call: Callable[[], Any]) -> Callable[[], None]:
        """Return many calls in a row: signals between calls would be handled anyway."""
        return lambda: [call() for _ in range(10)] and None

    interrupted(lambda: fm.Network([16, 8000, 8000, 2], seed=1))
    net = fm.Network([16, 3000, 3000, 2], seed=1)
    path = tmp_path / "model.safetensors"
    net.save(path)
    content = path.read_bytes()
    interrupted(repeat(lambda: net.save(path)))
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
    interrupted(repeat(lambda: fm.load(path)))
    net.save_checkpoint(path)
    interrupted(repeat(lambda: fm.load_checkpoint(path)))


def test_calls_one_inside_another_are_interrupted() -> None:
    net = fm.Network([16, 1024, 1024, 2], seed=1)
    other = fm.Network([16, 8, 2], seed=2)
    interrupted(lambda: other.fit(X[:50], Y[:50], 1, callbacks=lambda *_: net.predict(X)))
    assert np.isfinite(other.predict(X[:3])).all()
