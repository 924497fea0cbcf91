"""Small steps are timed to find the number of threads: no bits change, whatever interferes."""

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm

ROWS, BATCH = 640, 32  # steps of 0.2 MFLOP: small, but not too small for two threads
EPOCHS = 60  # of 20 steps: enough for a trial, see training/team_trial.hpp
_rng = np.random.default_rng(5)
X = _rng.standard_normal((ROWS, 16)).astype(np.float32)
Y = _rng.integers(0, 3, ROWS)
FOLDER = str(Path(__file__).parent)
WITHIN_A_TRIAL = 36  # steps: one thread has taken 32, now more take some


class Quiet(fm.Callback):
    def on_batch_end(self, network, step, loss):
        pass


KINDS = {
    "arrays": {},
    "float64": {"dtype": "float64"},
    "Adam": {"optimizer": fm.Adam()},
    "clipped": {"optimizer": fm.SGD(0.01, clip_norm=0.1)},
    "batch normalization": {"normalization": "batch", "dropout": 0.2},
    "weights": {"sample_weight": np.arange(ROWS) % 3},
    "moving average": {"ema": 0.99},
    "callback": {"callbacks": Quiet()},
    "epochs of three steps": {"rows": 3 * BATCH, "epochs": 400},
    "stream": {"stream": True},
    "sparse": {"sparse": True},
}


def network(**options):
    return fm.Network([16, 48, 3], seed=1, **options)


def state(net):
    arrays = [net.parameters, net.statistics, *net.optimizer_state.values()]
    return [array.tobytes() for array in arrays], net.steps


def trained(n_threads=None, *, rows=ROWS, stream=False, sparse=False, **options):
    """Return all that a fit leaves."""
    of_network = {"dtype", "normalization", "dropout"} & options.keys()
    net = network(**{name: options.pop(name) for name in of_network})
    options = {"epochs": EPOCHS, "batch_size": BATCH, "n_threads": n_threads} | options
    if stream:
        history = net.fit(fm.ArrayStream(X, Y, block_rows=3 * BATCH), **options)
    elif sparse:
        csr_array = pytest.importorskip("scipy.sparse").csr_array
        history = net.fit(csr_array(np.where(np.abs(X) < 0.5, 0, X)), Y, **options)
    else:
        history = net.fit(X[:rows], Y[:rows], **options)
    return state(net), history.loss


@pytest.mark.parametrize("kind", KINDS)
def test_it_changes_no_bits(kind):
    assert trained(**KINDS[kind]) == trained(1, **KINDS[kind])


def test_concurrent_fits_have_the_bits_of_one():
    found = []
    threads = [threading.Thread(target=lambda: found.append(trained())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [trained(1)] * 4


def test_train_many_has_the_bits_of_fit():
    nets, one = [network() for _ in range(3)], network()
    fm.train_many(nets, X, Y, EPOCHS, BATCH)
    one.fit(X, Y, EPOCHS, BATCH)
    assert [state(net) for net in nets] == [state(one)] * 3


@pytest.mark.parametrize("step", range(28, 48, 3))
def test_ctrl_c_within_a_trial_leaves_whole_steps(step):
    def rate(now):
        if now == step:
            signal.raise_signal(signal.SIGINT)
        return 0.01

    def interrupted(n_threads):
        net = network()
        with pytest.raises(KeyboardInterrupt):
            net.fit(X, Y, EPOCHS, BATCH, fm.Adam(rate), n_threads=n_threads)
        return net

    net, one = interrupted(None), interrupted(1)
    assert state(net) == state(one)
    assert net.steps == step
    assert state(net)[0] != state(network())[0]


HEAD = """
import os, signal, sys, threading
sys.path.insert(0, sys.argv[1])
from test_team_trial import *
"""

FORK = """
inside, leave = threading.Event(), threading.Event()

def rate(step):
    if step == WITHIN_A_TRIAL:
        inside.set()
        leave.wait(60)
    return 0.01

net = network()
thread = threading.Thread(target=net.fit, args=(X, Y, EPOCHS, BATCH, fm.SGD(rate)))
thread.start()
assert inside.wait(60)
pid = os.fork()
if pid == 0:
    signal.alarm(30)
    twin = network()
    twin.fit(X, Y, 1, BATCH, fm.SGD(0.01))
    of_an_epoch = state(net) == state(twin)
    net.fit(X, Y, EPOCHS, BATCH, fm.SGD(0.01))
    twin.fit(X, Y, EPOCHS, BATCH, fm.SGD(0.01), n_threads=1)
    os._exit(0 if of_an_epoch and state(net) == state(twin) else 1)
assert os.waitpid(pid, 0)[1] == 0
leave.set()
thread.join()
assert state(net) == trained(1, optimizer=fm.SGD(0.01))[0]
print("done")
"""

FORK_BETWEEN_EPOCHS = """
epochs = {"rows": 3 * BATCH, "epochs": 400}
pids = []

def fork(network, report):
    if network.steps == WITHIN_A_TRIAL:
        pids.append(os.fork())
        if pids == [0]:
            signal.alarm(30)

good = trained(callbacks=fork, **epochs) == trained(1, **epochs)
if pids == [0]:
    os._exit(0 if good else 1)
assert os.waitpid(pids[0], 0)[1] == 0 and good
print("done")
"""

LIMITS = """
every = os.sched_getaffinity(0)
wanted = trained(1)
for mask in ({min(every)}, every, {max(every)}):
    os.sched_setaffinity(0, mask)
    for most in (len(every), 1, len(every)):
        fm.set_num_threads(most)
        assert trained() == wanted
        assert network().fit(X, Y, EPOCHS, BATCH).n_threads <= min(most, len(mask))
print("done")
"""


@pytest.mark.no_sanitizer  # whose allocator another thread may hold at the fork
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("code", [FORK, FORK_BETWEEN_EPOCHS], ids=["by a thread", "by a callback"])
def test_a_fork_within_a_trial(run_python, code):
    done = run_python("import warnings; warnings.simplefilter('ignore')" + HEAD + code, FOLDER)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.once
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks here")
def test_limits_may_change_between_fits(run_python):
    done = run_python(HEAD + LIMITS, FOLDER)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.once
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks here")
@pytest.mark.parametrize("first", ["", "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"])
@pytest.mark.parametrize("env", [{"FASTMLP_NUM_THREADS": "1"}, {}])
def test_one_core_or_thread_is_enough(run_python, first, env):
    code = f"import os; {first}" + HEAD + "assert trained() == trained(1); print('done')"
    done = run_python(code, FOLDER, **env)
    assert done.stdout == "done\n", done.stderr
