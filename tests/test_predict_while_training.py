"""Predictions during a training: which parameters they use, and that there is no deadlock."""

import threading
import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest

import fastmlp as fm

SEED = 5


def network():
    layers = [6, fm.Dense(16, "relu", normalization="batch"), fm.Dense(9, "tanh"), 2]
    return fm.Network(layers, seed=SEED)


@pytest.fixture
def data(rng):
    X = rng.standard_normal((96, 6)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


class Gate:
    """A point in Python code that a training reaches repeatedly, and where it is stopped."""

    def __init__(self, calls):
        self.calls = calls
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self):
        self.calls -= 1
        if self.calls == 0:
            self.reached.set()
            assert self.go_on.wait(60)


@contextmanager
def held(gate, train):
    """Another thread inside `train`, as long as the context lasts at the gate."""
    thread = threading.Thread(target=train)
    thread.start()
    try:
        assert gate.reached.wait(60)
        yield
    finally:
        gate.go_on.set()
        thread.join(60)
    assert not thread.is_alive()


def batches(X, y, gate):
    """Three batches of 32, the gate before each."""
    for rows in np.split(np.arange(96), 3):
        gate()
        yield X[rows], y[rows]


class Blocks:
    """Batches that can be iterated over again in each epoch."""

    def __init__(self, X, y, gate):
        self.arguments = (X, y, gate)

    def __iter__(self):
        return batches(*self.arguments)


def rate_of(gate):
    def rate(step):
        gate()
        return 0.1

    return fm.SGD(rate)


def gated_loss(gate):
    def loss(outputs, y, gradient):
        gate()
        difference = outputs - y
        gradient[...] = 2 * difference
        return (difference**2).sum(axis=1)

    return loss


MIDDLES = {
    "of the first epoch": (2, 0),
    "of the third epoch": (8, 2),
}


@pytest.mark.parametrize("optimizer", [fm.SGD(0.1), fm.Adam(0.01)])
@pytest.mark.parametrize("middle", MIDDLES)
def test_in_the_middle_it_is_the_last_epoch_end(data, middle, optimizer):
    X, y = data
    calls, epochs = MIDDLES[middle]
    gate = Gate(calls)
    net, twin = network(), network()
    if epochs:
        twin.fit(Blocks(X, y, Gate(-1)), epochs=epochs, optimizer=optimizer)
    with held(gate, lambda: net.fit(Blocks(X, y, gate), epochs=4, optimizer=optimizer)):
        for _ in range(2):
            assert net.predict(X).tobytes() == twin.predict(X).tobytes()
            assert net.predict(X[:1]).tobytes() == twin.predict(X[:1]).tobytes()
            assert net.evaluate(X, y) == twin.evaluate(X, y)
    twin = network()
    twin.fit(Blocks(X, y, Gate(-1)), epochs=4, optimizer=optimizer)
    assert net.predict(X).tobytes() == twin.predict(X).tobytes()


def test_a_rate_function_is_the_middle_of_an_epoch(data):
    X, y = data
    gate = Gate(5)
    net, twin = network(), network()
    twin.fit(X, y, 1, optimizer=fm.SGD(0.1))
    with held(gate, lambda: net.fit(X, y, 3, optimizer=rate_of(gate))):
        assert net.predict(X).tobytes() == twin.predict(X).tobytes()


def test_an_iterator_is_one_epoch_that_has_not_ended(data):
    X, y = data
    gate = Gate(3)
    net, twin = network(), network()
    with held(gate, lambda: net.fit(batches(X, y, gate), epochs=1)):
        assert net.predict(X).tobytes() == twin.predict(X).tobytes()


@pytest.mark.filterwarnings("ignore:L-BFGS has not converged")
def test_lbfgs_answers_from_the_last_iteration(data):
    pytest.importorskip("scipy")
    X, y = data
    targets = np.eye(2)[y]
    gate, seen = Gate(6), []  # its calls are those of the loss: the middle of a line search

    def train():
        optimizer = fm.LBFGS(max_iterations=8)
        net.fit(X, targets, optimizer=optimizer, callbacks=lambda *_: seen.append(net.predict(X)))

    net = fm.Network([6, 9, 2], output="identity", loss=gated_loss(gate), seed=1)
    seen.append(net.predict(X))
    with held(gate, train):
        assert len(seen) > 1
        assert np.array_equal(net.predict(X), seen[-1])
        with pytest.raises(RuntimeError, match="being trained"):
            net.forward(X)


def test_one_of_many_answers_before_and_after_its_turn(data):
    X, y = data
    first, busy, last = (fm.Network([6, 40, 2], seed=seed) for seed in range(3))
    initial, twin = last.predict(X), fm.Network([6, 40, 2], seed=0)
    twin.fit(X, y, 1)
    rows = [np.arange(96), np.repeat(np.arange(96), 10_000), np.arange(96)]

    def train():
        fm.train_many([first, busy, last], X, y, 1, rows=rows, n_threads=1)

    thread = threading.Thread(target=train)
    thread.start()
    while first.epoch == 0:
        time.sleep(0.001)
    answers = first.predict(X), last.predict(X)
    assert thread.is_alive()
    assert np.array_equal(answers[0], twin.predict(X))
    assert np.array_equal(answers[1], initial)
    thread.join()


def test_what_was_answered_stays(data):
    X, y = data
    net, gate = network(), Gate(5)
    with held(gate, lambda: net.fit(Blocks(X, y, gate), epochs=4)):
        first = net.predict(X)
        copy = first.copy()
    assert np.array_equal(first, copy)
    assert not np.array_equal(net.predict(X), first)


def test_every_answer_is_of_some_epoch_end(data):
    X, y = data
    twin, ends = network(), set()
    ends.add(twin.predict(X).tobytes())
    for _ in range(300):
        twin.fit(X, y, 1)
        ends.add(twin.predict(X).tobytes())
    net, answers, done = network(), set(), threading.Event()

    def ask():
        while not done.is_set():
            answers.add(net.predict(X).tobytes())

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    net.fit(X, y, 300)
    done.set()
    for thread in threads:
        thread.join()
    assert answers <= ends


def test_a_partial_fit_is_waited_for(data):
    sklearn = pytest.importorskip("fastmlp.sklearn")
    X, y = data
    gate = Gate(1)
    model = sklearn.MLPClassifier((9,), random_state=1).partial_fit(X, y, classes=[0, 1])
    model.set_params(callbacks=lambda *_: gate())
    answers = []
    with held(gate, lambda: model.partial_fit(X, y)):
        asking = threading.Thread(target=lambda: answers.append(model.predict_proba(X)))
        asking.start()
        asking.join(0.2)
        assert asking.is_alive()
    asking.join(60)
    assert np.array_equal(answers[0], model.predict_proba(X))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_an_estimator_answers_beside_its_fit(data):
    sklearn = pytest.importorskip("fastmlp.sklearn")
    X, y = data
    gate, seen = Gate(3), []

    def follow(net, report):
        seen.append(net.predict(X))
        gate()

    model = sklearn.MLPClassifier((9,), random_state=1, max_iter=9, callbacks=follow)
    fitting = threading.Thread(target=model.fit, args=(X, y))
    fitting.start()
    assert gate.reached.wait(60)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(model.predict_proba(X)))
    asking.start()
    asking.join(0.1)
    gate.go_on.set()
    asking.join(60)
    fitting.join(60)
    ends = {outputs.tobytes() for outputs in seen}
    assert answers[0][:, 1:].astype(seen[0].dtype).tobytes() in ends


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_callback_of_an_estimator_may_wait_for_a_prediction(data):
    sklearn = pytest.importorskip("fastmlp.sklearn")
    X, y = data
    answers = []

    def follow(net, report):
        asking = threading.Thread(target=lambda: answers.append(net.predict(X)), daemon=True)
        asking.start()
        asking.join(10)
        assert len(answers) == report.epoch
        assert np.array_equal(answers[-1], net.predict(X))

    sklearn.MLPClassifier((9,), random_state=1, max_iter=3, callbacks=follow).fit(X, y)
    assert len(answers) == 3


def test_nobody_starves(data):
    X, y = data
    net = fm.Network([6, 64, 2], seed=1)
    big = np.tile(X, (40, 1))
    done = threading.Event()
    predictions = [0] * 4

    def read(i):
        while not done.is_set():
            net.predict(big)
            predictions[i] += 1

    readers = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for reader in readers:
        reader.start()
    until, steps = time.monotonic() + 1.0, 0
    while time.monotonic() < until:
        net.forward(X)
        net.backward(y)
        net.update(0.01)
        steps += 1
    done.set()
    for reader in readers:
        reader.join(60)
        assert not reader.is_alive()
    # Each has waited for all others again and again; a tenth of a second for one turn is a lot.
    assert steps > 10
    assert min(predictions) > 10


def test_a_callback_reads_and_writes_its_own_network(data):
    X, y = data

    def follow(net, report):
        with suppress(AttributeError):
            net.weights[0] *= 1
        net.biases[1] = net.biases[1]
        assert net.steps == 3 * report.epoch
        assert net.optimizer_state == {}
        net.predict(X)
        for action in (lambda: net.fit(X, y), lambda: net.update(0.1), net.reset_optimizer):
            with pytest.raises(RuntimeError, match="own callback"):
                action()

    assert network().fit(X, y, 3, callbacks=follow).loss
