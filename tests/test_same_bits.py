"""The same bits on every instruction set, for any number of threads and, of a row, in any batch.

No tolerance here: networks of random odd shapes are trained for 50 steps in processes of their own,
each with another instruction set or number of threads, and the hashes of what they learned must be
equal. FASTMLP_EXACT_THREADS=1 makes the threads really run, however small the work; the processes
count them.
"""

import json

import numpy as np
import pytest

import fastmlp as fm

# Everything random comes from one generator, so that all processes train the same networks.
NETWORKS = """
import hashlib, json, os, sys
import numpy as np
import fastmlp as fm
from fastmlp import _core
from fastmlp.layers import ACTIVATIONS

OUTPUTS = ["softmax", "sigmoid", "identity", "tanh", "relu", "exp", "gelu", "softplus"]
HIDDEN = [name for name in ACTIVATIONS if name not in ("softmax", "exp")]
LOSSES = [fm.CrossEntropy(0.1), "poisson", "mean_absolute_error", fm.Huber(0.3), fm.Quantile(0.9)]

def cases():
    rng = np.random.default_rng(5)
    for hidden in HIDDEN:
        for output in OUTPUTS:
            for loss in (None, "mean_squared_error")[: 1 + (output == "sigmoid")]:
                layers = rng.integers(1, 71, rng.integers(2, 5)).tolist()
                layers[-1] = max(layers[-1], 1 + (output == "softmax"))
                yield layers, hidden, output, loss, int(rng.integers(1, 25))
    for loss in LOSSES:
        output = {LOSSES[0]: "softmax", "poisson": "exp"}.get(loss, "identity")
        for hidden, layers, batch_size in (("gelu", [5, 17, 3], 7), ("silu", [9, 20, 33], 1)):
            yield layers, hidden, output, loss, batch_size
    for hidden in (fm.LeakyReLU(0.3), fm.ELU(0.4)):
        for batch_size in (1, 7):
            yield [7, 33, 16, 20, 3], hidden, "softmax", None, batch_size
    for batch_size in (1, 2):  # a batch of one takes ways of its own
        for layers in ([7, 33, 1], [16, 20, 17, 10], [3, 1, 32, 16]):
            yield layers, "relu", "softmax" if layers[-1] > 1 else "sigmoid", None, batch_size
    for layers in ([4, 131, 1], [8, 40, 2, 5], [1, 17, 2]):  # a hidden layer of few inputs
        yield layers, "relu", "identity", None, 19
    yield [600, 20, 3], "tanh", "softmax", None, 9  # a sum cut in two
    yield [20, 1024, 5], "relu", "identity", None, 18  # rows that share cache sets
    yield [70, 130, 200], "relu", "sigmoid", None, 37
    yield [9, 513, 515, 521, 3], "relu", "softmax", None, 19  # layers split by their outputs

NORMALIZATIONS = [
    fm.BatchNorm(1e-2, 0.3),
    fm.BatchNorm(after_activation=True),
    fm.LayerNorm(1e-3, after_activation=True),
]

def normalized(dtype):
    for normalization in NORMALIZATIONS:
        for hidden, dropout in (("relu", 0.2), ("gelu", 0.0)):
            yield fm.Network([9, 33, 16, 20, 3], hidden, normalization=normalization,
                             dropout=dropout, seed=3, dtype=dtype)
    for normalization in (fm.BatchNorm(1e-2, 0.3), "layer"):
        for layers in ([9, 513, 515, 3], [9, 3]):
            yield fm.Network(layers, seed=3, dtype=dtype, input_normalization=normalization)

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
        yield net, X, y, batch_size, steps // 5, loss
    for net in normalized(dtype):
        yield net, rng.standard_normal((57, 9)).astype(dtype), rng.integers(0, 3, 57), 12, 4, None

def digest(*arrays):
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in arrays)).hexdigest()[:16]
"""

TRAIN = """
threads = int(sys.argv[1])
count = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else None
before, digests = count(), {}
for dtype in ("float32", "float64"):
    for net, X, y, batch_size, epochs, _ in networks(dtype):
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
    """Run code after NETWORKS in a separate Python process and return its output."""

    def run(code, *args, timeout=250, **env):
        done = run_python(NETWORKS + code, *args, timeout=timeout, FASTMLP_EXACT_THREADS="1", **env)
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
    for net, X, y, _, _, given in networks(dtype):
        for batch_size in {1, 2, 3, 5, 8, 17, len(X)}:
            if batch_size == 1 and net.statistics.size:
                continue  # batches of one row have no variance
            fused, stepped = (fm.Network([net.features, *net.layers], loss=given, seed=net.seed,
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


@pytest.mark.parametrize("layers", [[9, 20], [9, 20, 16]], ids=str)
def test_products_that_underflow_to_minus_zero(dtype, rng, layers):
    """No gradient is -0, which would turn weights of -0 into +0 on some paths only."""
    tiny = float(np.finfo(dtype).tiny) ** 0.8
    X = (tiny * rng.standard_normal((4, 9))).astype(dtype)
    y = (tiny * rng.standard_normal((4, layers[-1]))).astype(dtype)
    fused, stepped = (fm.Network(layers, "identity", "identity", dtype=dtype) for _ in range(2))
    for net in (fused, stepped):
        net.parameters = np.full(net.n_parameters, -0.0)
        net.biases[0][:] = tiny
    fused.fit(X, y, 1, 1, fm.SGD(0.1), shuffle=False)
    for i in range(len(X)):
        stepped.forward(X[i : i + 1])
        stepped.backward(y[i : i + 1])
        stepped.update(0.1)
        assert not np.signbit(stepped.gradients[stepped.gradients == 0]).any()
    assert np.signbit(stepped.weights[-1]).all()
    assert fused.parameters.tobytes() == stepped.parameters.tobytes()


# Blocks of 128 rows pass through all layers together; few rows and one row have their own kernels;
# from 512 rows on weights are copied into an image.
PREDICT = """
for dtype in ("float32", "float64"):
    for layers in ([5, 33, 16, 3], [40, 100, 10], [3, 1], [17, 20], [20, 1024, 5], [64, 64, 10]):
        for hidden, output in (("relu", "softmax"), ("tanh", "sigmoid"), ("sigmoid", "identity")):
            if output == "softmax" and layers[-1] == 1:
                continue  # which Network refuses
            net = fm.Network(layers, hidden, output, seed=1, dtype=dtype)
            rng = np.random.default_rng(1)
            X = rng.standard_normal((515, layers[0])).astype(dtype)
            rows = [net.predict(X[i : i + 1], n_threads=1) for i in range(515)]
            one_by_one = np.concatenate(rows)
            for rows in (2, 3, 7, 8, 9, 16, 17, 100, 127, 128, 129, 255, 256, 257, 511, 512, 515):
                for threads in (1, 2, 3, 5):
                    got = net.predict(X[:rows], n_threads=threads)
                    assert got.tobytes() == one_by_one[:rows].tobytes(), (dtype, net, rows, threads)
            got = net.predict(X[44:], out=np.empty((471, layers[-1]), dtype))
            assert got.tobytes() == one_by_one[44:].tobytes()
            y = rng.integers(0, 2, (515, layers[-1]))
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


def test_rows_that_share_cache_sets_are_trained_like_any_others(dtype, rng):
    x = rng.standard_normal((200, 1024)).astype(dtype)
    apart = np.zeros((200, 1040), dtype)[:, :1024]
    apart[:] = x
    y = rng.integers(2, size=200)
    nets = []
    for rows in (x, apart):
        net = fm.Network([1024, 512, 2], dtype=dtype, seed=0)
        net.fit(rows, y, 2, 70, fm.SGD(0.1))
        nets.append(net)
    for first, second in zip(nets[0].weights, nets[1].weights, strict=True):
        assert np.array_equal(first, second)
