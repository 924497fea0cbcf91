"""Faults around a training: Ctrl-C, a fork, an exit, many threads.

One fault at a time is in `test_concurrency` and `test_threads`; here they meet several threads that
really run, long epochs of many steps, and each other.
"""

import os
import sys
import threading

import numpy as np
import pytest

import fastmlp as fm

BUSY_MACHINE = 0.8  # seconds that a machine with other work may take beside ours


# An epoch of thousands of steps is interrupted; the same steps one by one must meet its weights.
INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
import fastmlp as fm

batch_size, threads = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(1)
X = rng.standard_normal((30_000, 64)).astype(np.float32)
y = rng.integers(0, 3, len(X))
net, twin = (fm.Network([64, 500, 3], seed=1) for _ in range(2))
start = twin.parameters.tobytes()
sent = []

def interrupt(pause):
    time.sleep(pause)
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)

for pause in (0.1, 1, 10):  # on a busy machine the first step may take long
    if net.parameters.tobytes() == start:
        try:
            threading.Thread(target=interrupt, args=(pause,)).start()
            net.fit(X, y, 10**6, batch_size, fm.SGD(1e-3), shuffle=False, n_threads=threads)
        except KeyboardInterrupt:
            seconds = time.perf_counter() - sent[-1]
reached = net.parameters.tobytes()
assert reached != twin.parameters.tobytes()
for _ in range(net.epoch):
    twin.fit(X, y, 1, batch_size, fm.SGD(1e-3), shuffle=False)

batches = iter(range(0, len(X), batch_size))
while twin.parameters.tobytes() != reached:
    i = next(batches)  # no more: then the weights are those of no completed step
    twin.forward(X[i : i + batch_size])
    twin.backward(y[i : i + batch_size])
    twin.update(1e-3)
assert net.evaluate(X[:50], y[:50]).loss > 0
net.fit(X[:50], y[:50], 1)
print(seconds)
"""


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_ctrl_c_in_a_long_epoch_leaves_a_completed_step(run_python, threads, batch_size):
    arguments = (str(batch_size), str(threads))
    done = run_python(INTERRUPTED, *arguments, timeout=200, FASTMLP_EXACT_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.2 + BUSY_MACHINE


SETUP = """
import os, sys, threading, time
import numpy as np
import fastmlp as fm

X = np.random.default_rng(1).standard_normal((400, 20)).astype(np.float32)
y = np.arange(400) % 5

def everything():
    net = fm.Network([20, 70, 5], seed=1)
    net.fit(X, y, 3, 50, n_threads=4)
    return net.predict(X, n_threads=3).tobytes() + repr(net.evaluate(X, y, n_threads=5)).encode()

"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_generations_of_forks_compute_the_same(run_python):
    """Each child forks in turn, before and after it has used threads."""
    code = (
        SETUP
        + """
expected = everything()
for generation in range(6):
    pid = os.fork()
    if pid:
        good = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 and everything() == expected
        if generation == 0:
            print(good, flush=True)
        os._exit(0 if good else 1)
    if generation % 2 and everything() != expected:
        os._exit(2)
"""
    )
    done = run_python(code, timeout=100, FASTMLP_EXACT_THREADS="1")
    assert done.stdout == "True\n", done.stderr


@pytest.mark.no_sanitizer  # the interpreter frees what its daemon threads still hold
@pytest.mark.parametrize("method", ["fit", "predict", "evaluate"])
def test_exit_while_daemon_threads_compute(run_python, method):
    code = (
        SETUP
        + """
def work():
    net = fm.Network([20, 70, 5], seed=1)
    while True:
        if sys.argv[1] == "fit":
            net.fit(X, y, 10**6, callbacks=lambda *_: None, n_threads=3)
        elif sys.argv[1] == "predict":
            net.predict(X, n_threads=3)
        else:
            net.evaluate(X, y, n_threads=3)

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""
    )
    for _ in range(3):
        done = run_python(code, method, timeout=60, FASTMLP_EXACT_THREADS="1")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def in_threads(functions):
    """Run all functions concurrently; return their results in order."""
    results = [None] * len(functions)
    gate = threading.Barrier(len(functions))

    def run(i):
        gate.wait()
        results[i] = functions[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_many_threads_predict_with_one_network(dtype, rng):
    net = fm.Network([20, 100, 17, 4], seed=1, dtype=dtype)
    batches = [rng.standard_normal((rows, 20)).astype(dtype) for rows in (1, 5, 40, 300)]
    wanted = [net.predict(X).tobytes() for X in batches]
    before = net.parameters.tobytes()

    def predict():
        return {(i, net.predict(batches[i]).tobytes()) for i in [*range(4)] * 50}

    assert in_threads([predict] * 8) == [set(enumerate(wanted))] * 8
    assert net.parameters.tobytes() == before


def test_networks_of_several_threads_do_not_meet(rng):
    """Concurrent fits, steps and predictions of all kinds of networks give independent results."""
    X = rng.standard_normal((300, 12)).astype(np.float32)
    y = rng.integers(0, 3, 300)

    def task(hidden, dtype, batch_size):
        def run():
            net = fm.Network([12, *hidden, 3], seed=1, dtype=dtype)
            history = net.fit(X, y, 5, batch_size, n_threads=2)
            net.forward(X[:50])
            net.backward(y[:50])
            net.update(0.1)
            return net.parameters.tobytes(), net.predict(X).tobytes(), history.loss

        return run

    kinds = [([300], "float32", 100), ([5], "float64", 1), ([64, 64], "float32", 32)]
    tasks = [task(*kind) for kind in kinds] * 2
    assert in_threads(tasks) == [run() for run in tasks]


@pytest.mark.no_sanitizer
@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
def test_nothing_is_left_behind(run_python):
    """Thousands of networks, fits, predictions, errors: memory, threads and files stay."""
    code = (
        SETUP
        + """
def cycle():
    net = fm.Network([20, 70, 5])
    net.fit(X[:40], y[:40], 1, 7, n_threads=3)
    net.predict(X[:9]), net.predict(X[:300].astype(float), n_threads=3)
    net.evaluate(X[:9], y[:9])
    net.forward(X[:9]), net.backward(y[:9]), net.weights[0], net.nodes[1], net.deltas[0]
    for bad in (lambda: net.fit(X, y + 9), lambda: net.predict(X[:, 1:]), lambda: net.backward(y),
                lambda: net.fit(X[:9], y[:9], callbacks=lambda *_: 1 / 0)):
        try:
            bad()
        except (ValueError, ArithmeticError):
            pass
        else:
            sys.exit("no error")

def state():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGESIZE"), *(
        len(os.listdir(f"/proc/self/{what}")) for what in ("task", "fd")
    )

for _ in range(200):
    cycle()
before = state()
for _ in range(1500):
    cycle()
after = state()
print(after[0] - before[0], after[1:] == before[1:])
"""
    )
    done = run_python(code, timeout=200, FASTMLP_EXACT_THREADS="1")
    assert done.returncode == 0, done.stderr
    growth, same = done.stdout.split()
    assert same == "True"
    assert int(growth) <= 2**20
