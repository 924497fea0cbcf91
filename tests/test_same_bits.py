"""The same bits on every instruction set, for any number of threads and, of a row, in any batch.

No tolerance here: networks of random odd shapes are trained for 50 steps in processes of their own,
each with another instruction set or number of threads, and the hashes of what they learned must be
equal. FASTMLP_EXACT_THREADS=1 makes the threads really run, however small the work; the processes
count them.
"""

import json
import platform

import numpy as np
import pytest

import fastmlp as fm

# Everything random comes from one generator, so that all processes train the same networks.
NETWORKS = """
import hashlib, json, os, sys
import numpy as np
import fastmlp as fm
from fastmlp import _core

OUTPUTS = ["softmax", "sigmoid", "identity", "tanh", "relu"]

def cases():
    rng = np.random.default_rng(5)
    for hidden in ("relu", "sigmoid", "tanh", "identity"):
        for output in OUTPUTS:
            for loss in (None, "mean_squared_error")[: 1 + (output == "sigmoid")]:
                layers = rng.integers(1, 71, rng.integers(2, 5)).tolist()
                yield layers, hidden, output, loss, int(rng.integers(1, 25))
    for batch_size in (1, 2):  # a batch of one takes ways of its own
        for layers in ([7, 33, 1], [16, 20, 17, 10], [3, 1, 32, 16]):
            yield layers, "relu", "softmax", None, batch_size
    yield [600, 20, 3], "tanh", "softmax", None, 9  # a sum cut in two
    yield [20, 1024, 5], "relu", "identity", None, 18  # rows that share cache sets
    yield [70, 130, 200], "relu", "sigmoid", None, 37

def targets(rng, rows, outputs, output):
    if output == "softmax" and rng.integers(2):
        return rng.integers(0, outputs, rows)
    return rng.random((rows, outputs))

def networks(dtype):
    rng = np.random.default_rng(6)
    for layers, hidden, output, loss, batch_size in cases():
        net = fm.Network(layers, hidden, output, loss, seed=3, dtype=dtype)
        steps = 5 if max(layers) > 99 else 50
        rows = 5 * batch_size - batch_size // 2
        X = rng.standard_normal((rows, layers[0])).astype(dtype)
        y = targets(rng, rows, layers[-1], output)
        yield net, X, y, batch_size, steps // 5

def digest(*arrays):
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in arrays)).hexdigest()[:16]
"""

TRAIN = """
threads = int(sys.argv[1])
count = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else None
before, digests = count(), {}
for dtype in ("float32", "float64"):
    for net, X, y, batch_size, epochs in networks(dtype):
        history = net.fit(X, y, epochs, batch_size, fm.SGD(0.02), n_threads=threads)
        assert np.isfinite(net.parameters).all()
        loss, _ = net.evaluate(X, y, n_threads=threads)
        outputs = net.predict(X, n_threads=threads)
        digests[f"{dtype} {batch_size} {net!r}"] = digest(
            net.parameters, history.loss, outputs, loss
        )
started = None if before is None else count() - before
print(json.dumps({"isa": _core.isa(), "started": started, "digests": digests}))
"""


@pytest.fixture
def printed(run_python):
    """Run code after NETWORKS in a Python of its own and return what it printed."""

    def run(code, *args, timeout=250, **env):
        done = run_python(
            NETWORKS + code, *args, timeout=timeout, FASTMLP_EXACT_THREADS="1", **env
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def expected():
    """The result of one thread on the usual instruction set, once computed."""
    return {}


def compare(printed, expected, isa, threads):
    if not expected:
        expected.update(json.loads(printed(TRAIN, "1")))
    got = json.loads(printed(TRAIN, str(threads), FASTMLP_ISA=isa))
    assert got["isa"] == isa
    assert got["started"] in {threads - 1, None}
    assert got["digests"] == expected["digests"]
    assert len(got["digests"]) == len(set(got["digests"].values())) > 60


def test_every_instruction_set(printed, expected, any_isa):
    compare(printed, expected, any_isa, 1)


@pytest.mark.parametrize("threads", [2, 3, 5, 8, 16])
def test_any_number_of_threads(printed, expected, isa, threads):
    compare(printed, expected, isa, threads)


def test_threads_on_every_instruction_set(printed, expected, any_isa):
    compare(printed, expected, any_isa, 4)


THREE_CALLS = """
for dtype in ("float32", "float64"):
    for net, X, y, _, _ in networks(dtype):
        for batch_size in {1, 2, 3, 5, 8, 17, len(X)}:
            fused, stepped = (fm.Network([net.features, *net.layers], loss=net.loss, seed=net.seed,
                                         dtype=dtype) for _ in range(2))
            X, y = X[:40], y[:40]
            fused.fit(X, y, 1, batch_size, fm.SGD(0.002), shuffle=False, n_threads=int(sys.argv[1]))
            for i in range(0, len(X), batch_size):
                stepped.forward(X[i : i + batch_size])
                stepped.backward(y[i : i + batch_size])
                stepped.update(0.002)
            assert digest(fused.parameters) == digest(stepped.parameters), (batch_size, dtype, net)
print("equal")
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_fit_is_the_three_calls(printed, threads):
    assert printed(THREE_CALLS, str(threads)) == "equal\n"


# Blocks of 128 rows pass through all layers together; few rows and one row have their own kernels.
PREDICT = """
for dtype in ("float32", "float64"):
    for layers in ([5, 33, 16, 3], [40, 100, 10], [3, 1], [17, 20], [20, 1024, 5], [64, 64, 10]):
        for hidden, output in (("relu", "softmax"), ("tanh", "sigmoid"), ("sigmoid", "identity")):
            net = fm.Network(layers, hidden, output, seed=1, dtype=dtype)
            rng = np.random.default_rng(1)
            X = rng.standard_normal((300, layers[0])).astype(dtype)
            one_by_one = np.concatenate([net.predict(X[i : i + 1], n_threads=1) for i in range(300)])
            for rows in (2, 3, 7, 8, 9, 16, 17, 100, 127, 128, 129, 255, 256, 257, 300):
                for threads in (1, 2, 3, 5):
                    got = net.predict(X[:rows], n_threads=threads)
                    assert got.tobytes() == one_by_one[:rows].tobytes(), (dtype, net, rows, threads)
            got = net.predict(X[44:], out=np.empty((256, layers[-1]), dtype))
            assert got.tobytes() == one_by_one[44:].tobytes()
            y = rng.integers(0, 2, (300, layers[-1]))
            losses = {net.evaluate(X, y, n_threads=threads) for threads in (1, 2, 3, 5, 8)}
            assert len(losses) == 1
print("equal")
"""


def test_a_row_has_the_same_bits_in_any_batch(printed):
    assert printed(PREDICT) == "equal\n"


def test_the_place_in_memory_does_not_matter(dtype, rng):
    """Rows at any alignment, of any array they are a part of."""
    net = fm.Network([9, 18, 3], seed=1, dtype=dtype)
    X = rng.standard_normal((20, 9)).astype(dtype)
    wanted = net.predict(X).tobytes()
    for offset in range(17):
        moved = np.empty(X.size + offset, dtype)[offset:].reshape(X.shape)
        moved[:] = X
        assert net.predict(moved).tobytes() == wanted


FLOATING_POINT = """
import ctypes, ctypes.util

libm = ctypes.CDLL(ctypes.util.find_library("m"))
environment = (ctypes.c_uint32 * 64)()
libm.fegetenv(environment)
word, bits = int(sys.argv[1]), int(sys.argv[2], 0)

def calls(dtype, scale, threads):
    step = fm.SGD(0.01)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((33, 5)).astype(dtype)
    y = (scale * rng.standard_normal((33, 3))).astype(dtype)
    start = (scale * rng.standard_normal(5 * 17 + 17 + 17 * 3 + 3)).astype(dtype)
    for batch_size in (1, 8):
        net = fm.Network([5, 17, 3], "identity", "identity", seed=1, dtype=dtype)
        assign = lambda: setattr(net, "parameters", start) or net.parameters
        fit = lambda: net.fit(X, y, 2, batch_size, step, n_threads=threads).loss
        yield "assign", assign
        yield f"fit, batches of {batch_size}", lambda: [*fit(), *net.parameters]
        yield "forward", lambda: net.forward(X)
        yield "backward", lambda: [net.backward(y), *net.gradients]
        yield "update", lambda: net.update(step.learning_rate) or net.parameters.copy()
        yield "predict", lambda: net.predict(X, n_threads=threads)
        yield "evaluate", lambda: net.evaluate(X, y, n_threads=threads).loss
        yield "initial weights", lambda: fm.Network([50, 30], seed=1, dtype=dtype).parameters

def results(dtype, scale, threads, changed):
    for name, call in calls(dtype, scale, threads):
        libm.fegetenv(environment)
        usual, environment[word] = environment[word], environment[word] ^ bits * changed
        libm.fesetenv(environment)
        result = call()
        libm.fegetenv(environment)
        kept = (environment[word] ^ usual) & ~0x3F == bits * changed  # but for the sticky flags
        environment[word] = usual
        libm.fesetenv(environment)
        assert kept, f"the caller's floating-point mode is gone after: {name}"
        yield name, np.array(result)

for dtype, tiny in (("float32", 1e-39), ("float64", 1e-309)):
    for scale in (tiny, 1):
        for threads in (1, 3):
            usual, changed = (list(results(dtype, scale, threads, on)) for on in (False, True))
            fitted = np.abs(usual[1][1][2:])
            assert (scale == 1) != (fitted < np.finfo(dtype).smallest_normal).all()
            for (name, a), (_, b) in zip(usual, changed, strict=True):
                if a.tobytes() != b.tobytes():
                    print(dtype, scale, f"{threads} threads", name)
"""

# The control register of float arithmetic in glibc's fenv_t: its 32-bit word, and bits to flip.
CONTROLS = {
    ("x86_64", "flush to zero"): (7, 0x8040),  # FTZ and DAZ of MXCSR
    ("x86_64", "round up"): (7, 0x4000),
    ("x86_64", "round towards zero"): (7, 0x6000),
    ("aarch64", "flush to zero"): (0, 1 << 24),  # FZ of FPCR
    ("aarch64", "round up"): (0, 1 << 22),
    ("aarch64", "round towards zero"): (0, 3 << 22),
}


@pytest.mark.parametrize("mode", ["flush to zero", "round up", "round towards zero"])
def test_the_callers_floating_point_mode(printed, mode):
    """It changes no bit of ours, neither in our threads, and is back when we return."""
    control = CONTROLS.get((platform.machine(), mode))
    if control is None or platform.libc_ver()[0] != "glibc":
        pytest.skip(f"how to set '{mode}' is known for glibc on x86_64 and aarch64")
    assert printed(FLOATING_POINT, str(control[0]), str(control[1])) == ""
