"""The same bits whatever a network is made of and trained by: a random design over all of it.

Each case takes one level of every factor below, in a shuffled order in which each level comes as
often as the others: shapes, activations, losses, optimizers and their penalties, normalisation,
dropout, weights, schedules, batch sizes. Processes of their own, each with another instruction set
or number of threads that really run, must print the same hashes; there is no tolerance.
"""

import json

import pytest

# Everything random comes from one generator, so that all processes have the same design.
DESIGN = """
import hashlib, json, os, sys
import numpy as np
import fastmlp as fm
from fastmlp import _core
from fastmlp.layers import ACTIVATIONS

CASES = 48
HIDDEN = [name for name in ACTIVATIONS if name not in ("softmax", "exp")]
OUTPUTS = [
    ("softmax", "cross_entropy"), ("softmax", fm.CrossEntropy(0.1)), ("exp", "poisson"),
    ("sigmoid", "binary_cross_entropy"), ("identity", fm.Huber(0.3)), ("tanh", fm.Quantile(0.9)),
    ("gelu", "mean_squared_error"), ("elu", "mean_absolute_error"),
    *((name, "mean_squared_error") for name in HIDDEN),
]
OPTIMIZERS = [
    lambda rate, more: fm.SGD(rate, **more),
    lambda rate, more: fm.SGD(rate, momentum=0.9, **more),
    lambda rate, more: fm.SGD(rate, momentum=0.8, nesterov=True, **more),
    lambda rate, more: fm.Adam(rate, **more),
    lambda rate, more: fm.AdamW(rate, **more),
    lambda rate, more: fm.RMSprop(rate, **more),
    lambda rate, more: fm.RMSprop(rate, momentum=0.5, **more),
]
EXTRAS = [
    {}, {"l1": 0.01}, {"l2": 0.1, "decay_biases": False}, {"weight_decay": 0.2},
    {"clip_value": 0.05}, {"clip_norm": 0.1}, {"clip_norm": 0.2, "l2": 0.05, "clip_value": 0.1},
    {"l1": 0.01, "weight_decay": 0.1, "decay_biases": False},
]
RATES = [
    lambda r: r, lambda r: fm.StepDecay(r, 0.5, 2), lambda r: fm.ExponentialDecay(r, 0.7),
    lambda r: fm.CosineDecay(r, 0.1), lambda r: fm.OneCycle(r), lambda r: fm.InverseScaling(r, 0.6),
    lambda r: fm.LinearWarmup(fm.CosineDecay(r), 7), lambda r: fm.Plateau(r, 0.5, 0, 0.1),
    lambda r: lambda step: r / (1 + step),
]
WIDTHS = [*range(1, 71, 2), 16, 17, 32, 33, 48, 64, 130, 257]
NORMALIZATION, DROPOUT = [None, "batch", "layer"], [0.0, 0.3]
WEIGHTS = [None, "samples", "balanced"]
BATCHES = [1, 2, 3, 5, 8, 13, 16, 24, 37]

def column(rng, levels):
    '''Each level as often as the others, in a shuffled order.'''
    places = rng.permutation(np.arange(CASES) % len(levels))
    return [levels[i] for i in places]

def design(rng):
    factors = [HIDDEN, OUTPUTS, OPTIMIZERS, EXTRAS, RATES, NORMALIZATION, DROPOUT, WEIGHTS, BATCHES]
    columns = [column(rng, levels) for levels in (*factors, [1, 2, 3, 4])]
    for *case, depth in zip(*columns, strict=True):
        yield [int(rng.choice(WIDTHS)) for _ in range(depth + 1)], *case

def targets(rng, rows, outputs, loss, weights):
    if loss == "cross_entropy" and (rng.integers(2) or weights == "balanced"):
        return rng.integers(0, outputs, rows)
    return rng.random((rows, outputs))

def cases(dtype):
    rng = np.random.default_rng(12)
    for i, (layers, hidden, (output, loss), optimizer, more, rate, *rest) in enumerate(design(rng)):
        normalization, dropout, weights, batch_size = rest
        if batch_size == 1 and normalization == "batch":  # refused
            normalization = "layer"
        net = fm.Network(layers, hidden, output, loss, seed=i, dtype=dtype,
                         normalization=normalization, dropout=dropout)
        rows = 4 * batch_size - batch_size // 2
        X = rng.standard_normal((rows, layers[0])).astype(dtype)
        y = targets(rng, rows, layers[-1], net.loss, weights)
        given = {}
        if weights == "samples":
            given["sample_weight"] = rng.uniform(0.1, 2, rows) * (rng.random(rows) < 0.7)
            given["sample_weight"][:2] = 1
        if weights == "balanced" and y.ndim == 1:
            given["class_weight"] = "balanced"
        yield net, X, y, batch_size, optimizer(rate(0.004), more), given

def digest(*arrays):
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in arrays)).hexdigest()[:16]

def second_order(net, X, y, weight):
    if all(layer.normalization is None for layer in net.layers):
        f = net.objective(X, y, sample_weight=weight)
        yield f.hvp(np.linspace(-1, 1, net.n_parameters))
        yield f(net.parameters.copy())[1]

threads = int(sys.argv[1])
fm.set_num_threads(threads)
count = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else None
before, digests = count(), {}
for dtype in ("float32", "float64"):
    for i, (net, X, y, batch_size, optimizer, given) in enumerate(cases(dtype)):
"""

TRAIN = """
        history = net.fit(X, y, 3, batch_size, optimizer, n_threads=threads,
                          validation_data=(X, y), **given)
        assert np.isfinite(net.parameters).all(), net
        loss, _ = net.evaluate(X, y, n_threads=threads)
        digests[f"{i} {dtype} {batch_size} {optimizer.__class__.__name__} {net!r}"] = digest(
            net.parameters, net.statistics, *net.optimizer_state.values(), history.loss,
            history.validation_loss, history.learning_rate, loss, net.predict(X, n_threads=threads),
            net.jacobian(X[:9], n_threads=threads), net.input_gradient(X, y, n_threads=threads),
            *second_order(net, X, y, given.get("sample_weight")),
        )
started = None if before is None else count() - before
print(json.dumps({"isa": _core.isa(), "started": started, "digests": digests}))
"""

INFER = """
        net.fit(X, y, 1, batch_size, optimizer, **given)  # scales, shifts and averages of their own
        X = np.random.default_rng(i).standard_normal((140, X.shape[1])).astype(dtype)
        rows = b"".join(net.predict(x[None], n_threads=1).tobytes() for x in X)
        size = len(rows) // len(X)
        for part in (2, 3, 7, 8, 9, 16, 17, 64, 65, 127, 128, 129, 140):
            got = net.predict(X[:part], n_threads=threads).tobytes()
            assert got == rows[: part * size], (net, dtype, part)
            assert net.predict(X[-part:], n_threads=threads).tobytes() == rows[-part * size :]
print(_core.isa())
"""


@pytest.fixture
def printed(run_python):
    """Run the design, and some code for each case, in a separate Python process."""

    def run(code, threads, isa):
        environment = {"FASTMLP_EXACT_THREADS": "1", "FASTMLP_ISA": isa}
        done = run_python(DESIGN + code, str(threads), timeout=120, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def expected():
    """The result of one thread on the usual instruction set, once computed."""
    return {}


def compare(printed, expected, isa, usual, threads):
    if not expected:
        expected.update(json.loads(printed(TRAIN, 1, usual)))
    got = json.loads(printed(TRAIN, threads, isa))
    assert got["isa"] == isa
    assert got["started"] in {threads - 1, None}
    assert len(got["digests"]) == len(set(got["digests"].values())) == 2 * 48
    assert got["digests"] == expected["digests"]


@pytest.mark.parametrize("threads", [1, 3])
def test_every_instruction_set(printed, expected, any_isa, isa, threads):
    compare(printed, expected, any_isa, isa, threads)


@pytest.mark.parametrize("threads", [2, 5, 8, 16])
def test_any_number_of_threads(printed, expected, isa, threads):
    compare(printed, expected, isa, isa, threads)


def test_a_row_has_the_same_bits_in_any_batch(printed, any_isa):
    assert printed(INFER, 3, any_isa) == f"{any_isa}\n"
