"""A fork while other threads use a network: in the child every call returns, of finite weights."""

import os

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

HEAD = """
import copy, os, pickle, signal, threading, time, warnings
import numpy as np
import fastmlp as fm

warnings.simplefilter("ignore")  # that a process with threads forks
X = np.random.default_rng(1).standard_normal((2000, 16)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)

def network():
    return fm.Network([16, fm.Dense(64, "relu", normalization="batch"), 2], seed=1)

net = network()

def use():
    assert np.isfinite(net.parameters).all()
    net.predict(X)
    net.evaluate(X, y)
    copy.deepcopy(net)
    pickle.dumps(net)
    net.weights[0] = net.weights[0].copy()
    net.forward(X)
    net.backward(y)
    net.update(0.1)
    net.fit(X, y, 1, optimizer=fm.Adam(0.01))
    net.steps, net.optimizer_state, net.nodes[0], net.deltas[0]
    assert np.isfinite(net.parameters).all()

def in_child(f):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try:
            f()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0, "see above"

def beside(work, *children, pause=0.05):
    go_on = True
    def loop():
        while go_on:
            work()
    thread = threading.Thread(target=loop)
    thread.start()
    for child in children:
        time.sleep(pause)
        in_child(child)
    go_on = False
    thread.join()
"""

BESIDE = {
    "predict": "big = np.tile(X, (50, 1)); beside(lambda: net.predict(big), *[use] * 5)",
    "evaluate": "big = np.tile(X, (50, 1)); beside(lambda: net.evaluate(big, np.tile(y, 50)), use)",
    "fit": "beside(lambda: net.fit(X, y, 20), *[use] * 5)",
    "stream": "beside(lambda: net.fit(fm.ArrayStream(X, y), epochs=20), *[use] * 3)",
    "steps": """
def steps():
    net.forward(X)
    net.backward(y)
    net.update(fm.Adam(0.001))
beside(steps, *[use] * 10, pause=0.013)
""",
    "predict beside fit": """
stop = False
def ask():
    while not stop:
        net.predict(X)
asking = threading.Thread(target=ask)
asking.start()
beside(lambda: net.fit(X, y, 20), *[use] * 5)
stop = True
asking.join()
""",
}


@pytest.mark.no_sanitizer  # whose allocator another thread may hold at the fork
@pytest.mark.parametrize("work", BESIDE)
def test_the_child_uses_the_network(run_python, work):
    done = run_python(HEAD + BESIDE[work] + "\nprint('done')", timeout=60)
    assert done.stdout == "done\n", done.stdout + done.stderr


LAST_EPOCH_END = """
inside, leave = threading.Event(), threading.Event()

def rate(step):  # 63 steps an epoch
    if step == 150:
        inside.set()
        leave.wait(60)
    return 0.01

def expect_two_epochs():
    twin = network()
    twin.fit(X, y, 2, optimizer=fm.Adam(lambda step: 0.01))
    assert net.epoch == 2 and net.steps == twin.steps == 126
    assert net.predict(X).tobytes() == twin.predict(X).tobytes()
    for name, moment in twin.optimizer_state.items():
        assert moment.tobytes() == net.optimizer_state[name].tobytes()
    twin.fit(X, y, 2, optimizer=fm.Adam(0.01))
    net.fit(X, y, 2, optimizer=fm.Adam(0.01))
    assert net.predict(X).tobytes() == twin.predict(X).tobytes()

thread = threading.Thread(target=lambda: net.fit(X, y, 4, optimizer=fm.Adam(rate)))
thread.start()
assert inside.wait(60)
in_child(expect_two_epochs)
leave.set()
thread.join()
assert net.epoch == 4
print("done")
"""


@pytest.mark.no_sanitizer  # whose allocator another thread may hold at the fork
def test_the_child_has_the_weights_of_the_last_epoch_end(run_python):
    done = run_python(HEAD + LAST_EPOCH_END, timeout=60)
    assert done.stdout == "done\n", done.stdout + done.stderr


FROM_A_CALLBACK = """
pid = None

def fork(net, report):
    global pid
    if report.epoch == 2:
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)

net.fit(X, y, 4, callbacks=fork)
os.write(1, f"{net.epoch} {np.abs(net.parameters).sum()}\\n".encode())  # one piece
if pid == 0:
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.mark.no_sanitizer  # whose allocator another thread may hold at the fork
def test_a_fork_in_a_callback_is_two_trainings(run_python):
    done = run_python(HEAD + FROM_A_CALLBACK, timeout=60)
    first, second = done.stdout.splitlines()
    assert first == second, done.stderr
    assert first.startswith("4 ")
