"""The interpreter exits while daemon threads are inside the core, which calls Python."""

from concurrent.futures import ThreadPoolExecutor

import pytest

HEAD = """
import random, threading, time
import numpy as np
import fastmlp as fm

X, y = np.zeros((3000, 16), np.float32), np.zeros(3000, int)
net = fm.Network([16, 64, 2], seed=1)
"""

TAIL = """
threading.Thread(target=work, daemon=True).start()
time.sleep(0.05 + 0.1 * random.random())
"""

WORK = {
    "epoch callback": """
def work():
    net.fit(X, y, 10**6, callbacks=lambda *_: time.sleep(0.002))
""",
    "step callback": """
class Slow(fm.Callback):
    def on_batch_end(self, net, step, loss):
        time.sleep(0.001)

def work():
    net.fit(X, y, 10**6, callbacks=Slow())
""",
    "loss": """
def loss(outputs, y, gradient):
    time.sleep(0.001)
    gradient.fill(0)
    return 0.0

net = fm.Network([16, 64, 2], output="identity", loss=loss, seed=1)

def work():
    net.fit(X, np.zeros((3000, 2)), 10**6)
""",
    "loss, L-BFGS": """
def loss(outputs, y, gradient):
    time.sleep(0.001)
    gradient[...] = outputs - y
    return ((outputs - y) ** 2).sum(axis=1) / 2

net = fm.Network([16, 64, 2], output="identity", loss=loss, seed=1)

def work():
    while True:
        net.weights[0] = np.random.default_rng(1).standard_normal((16, 64))
        net.fit(X, np.ones((3000, 2)), optimizer=fm.LBFGS())
""",
    "loss, steps": """
def loss(outputs, y, gradient):
    time.sleep(0.001)
    gradient.fill(0)
    return 0.0

net = fm.Network([16, 64, 2], output="identity", loss=loss, seed=1)

def work():
    while True:
        net.forward(X)
        net.backward(np.zeros((3000, 2)))
""",
    "rate": """
def rate(step):
    time.sleep(0.001)
    return 0.1

def work():
    net.fit(X, y, 10**6, optimizer=fm.SGD(rate))
""",
    "generator": """
def batches():
    while True:
        time.sleep(0.001)
        yield X, y

def work():
    net.fit(batches(), epochs=1)
""",
    "generator of arrays with a finalizer": """
class Array(np.ndarray):
    def __del__(self):
        time.sleep(0.003)

def batches():
    while True:
        yield X[:64].view(Array).copy(), y[:64]

def work():
    net.fit(batches(), epochs=1)
""",
    "stream": """
def work():
    while True:
        net.fit(fm.ArrayStream(X, y), epochs=2)
""",
    "predict beside fit": """
def ask():
    while True:
        net.predict(X)
        net.evaluate(X, y)

threading.Thread(target=ask, daemon=True).start()

def work():
    net.fit(X, y, 10**6, callbacks=lambda *_: time.sleep(0.002))
""",
    "train_many": """
def work():
    while True:
        fm.train_many([fm.Network([16, 64, 2], seed=seed) for seed in range(2)], X, y)
""",
}


@pytest.mark.parametrize("work", WORK)
def test_exit_is_clean(run_python, work):
    with ThreadPoolExecutor(3) as pool:
        for done in pool.map(lambda _: run_python(HEAD + WORK[work] + TAIL), range(3)):
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
