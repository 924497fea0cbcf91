"""Layer and batch normalisation in a network: PyTorch's trajectories, the reference, the bits.

Over 400 lines, as batches of one row, in a class below, use the same data and bounds.
"""

import copy
import pickle

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

LAYERS = [20, 33, 16, 24, 5]
RATE, EPOCHS, BATCH = 0.1, 5, 16
STEPS = EPOCHS * 5  # 70 rows, the last batch of 6
LAMBDA = 5  # the confidence of the bound, as in test_against_reference.py


def data(dtype: str, rows: int = 70) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, LAYERS[0])).astype(dtype), rng.integers(0, 5, rows)


def bound(eps: float, steps: int = STEPS) -> float:
    """Roundings of `steps` steps, as derived in test_against_reference.py; growth at most 30.

    A normalised layer adds about 16 roundings each way to a layer's.
    """
    depth = len(LAYERS) - 1
    return LAMBDA * float(np.sqrt(2 * steps * depth * (max(LAYERS) + 24))) * eps / 2 * 30


def torch_twin(torch, net):
    """A torch.nn.Sequential of the same weights."""
    kind = {"layer": torch.nn.LayerNorm, "batch": torch.nn.BatchNorm1d}
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}
    dtype = getattr(torch, str(net.dtype))
    modules = []
    for i, layer in enumerate(net.layers):
        linear = torch.nn.Linear(*net.weights[i].shape, dtype=dtype)
        with torch.no_grad():
            linear.weight[:] = torch.tensor(net.weights[i].T.copy())
            linear.bias.zero_()
        modules.append(linear)
        if layer.normalization:
            modules.append(kind[layer.normalization](layer.nodes, dtype=dtype))
        if i + 1 < len(net.layers):
            modules.append(activation[layer.activation]())
    return torch.nn.Sequential(*modules)


@pytest.mark.parametrize("kind", ["layer", "batch"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_trajectory_of_torch(dtype, eps, kind, activation):
    torch = pytest.importorskip("torch")
    net = fm.Network(LAYERS, activation, seed=3, normalization=kind, dtype=dtype)
    model = torch_twin(torch, net)
    X, y = data(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for first in range(0, len(X), BATCH):
            optimizer.zero_grad()
            outputs = model(torch.tensor(X[first : first + BATCH]))
            loss = torch.nn.functional.cross_entropy(
                outputs, torch.tensor(y[first : first + BATCH])
            )
            loss.backward()
            optimizer.step()
    net.fit(X, y, EPOCHS, BATCH, fm.SGD(RATE), shuffle=False)
    theirs = np.concatenate([p.detach().numpy().T.ravel() for p in model.parameters()])
    assert np.abs(net.parameters - theirs).max() <= bound(eps)
    model.eval()
    outputs = torch.softmax(model(torch.tensor(X)), 1).detach().numpy()
    assert np.abs(net.predict(X) - outputs).max() <= bound(eps)
    for i in net.running_means:
        norm = model[3 * i + 1]
        assert np.abs(net.running_means[i] - norm.running_mean.numpy()).max() <= bound(eps)
        error = np.abs(net.running_variances[i] / norm.running_var.numpy() - 1)
        assert error.max() <= bound(eps)


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_trajectory_of_the_reference(dtype, eps, kind):
    layers = [4, fm.Dense(7, "tanh", kind, 0.2), fm.Dense(5, "relu", kind), 3]
    twin_layers = [
        4,
        reference.Dense(7, "tanh", kind, 0.2),
        reference.Dense(5, "relu", kind),
        3,
    ]
    net, twin = fm.Network(layers, seed=1, dtype=dtype), reference.Network(twin_layers, seed=1)
    twin.parameters = net.parameters.tolist()
    X, y = data(dtype, 20)
    X, y = X[:, :4].copy(), y % 3
    for network in (net, twin):
        network.fit(X, y, 3, 6, shuffle=True)
    assert np.abs(net.parameters - twin.parameters).max() <= bound(eps, 12)
    for i in net.running_means:
        assert np.abs(net.running_means[i] - twin.running_means[i]).max() <= bound(eps, 12)
        assert np.abs(net.running_variances[i] - twin.running_variances[i]).max() <= bound(eps, 12)
    assert np.abs(net.predict(X) - twin.predict(X)).max() <= bound(eps, 12)
    net.forward(X, training=False)
    twin.forward(X, training=False)
    net.backward(y), twin.backward(y)
    assert np.abs(net.gradients - twin.gradients).max() <= bound(eps, 13)
    assert net.scale_gradients[0].any()
    assert net.shift_gradients[1].any()


@pytest.mark.parametrize("kind", ["layer", "batch"])
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_finite_differences(kind, training):
    net = fm.Network([5, 18, 7, 3], "tanh", seed=2, normalization=kind, dtype="float64")
    X, y = data("float64", 11)
    X, y = X[:, :5].copy(), y % 3
    rng = np.random.default_rng(1)
    net.parameters += 0.1 * rng.standard_normal(net.n_parameters)
    net.forward(X, training=training)
    net.backward(y)
    gradient, theta, step = net.gradients.copy(), net.parameters.copy(), 1e-6

    def loss(change):
        net.parameters = theta + change
        net.forward(X, training=training)
        return net.backward(y)

    for i in range(net.n_parameters):
        change = np.zeros_like(theta)
        change[i] = step
        difference = (loss(change) - loss(-change)) / (2 * step)
        # A third derivative of about 1 times step^2, and the losses' roundings over step.
        assert abs(difference - gradient[i]) <= 1e-8


def test_initial_state():
    net = fm.Network([4, 6, fm.Dense(5, "tanh", "layer"), 3], normalization="batch", seed=1)
    assert list(net.scales) == list(net.shifts) == [0, 1]
    assert list(net.running_means) == [0]
    assert (net.scales[0] == 1).all()
    assert (net.shifts[1] == 0).all()
    assert (net.running_means[0] == 0).all()
    assert (net.running_variances[0] == 1).all()
    assert net.n_parameters == 4 * 6 + 18 + 6 * 5 + 15 + 5 * 3 + 3
    assert net.parameters[24:42].tolist() == [0.0] * 6 + [1.0] * 6 + [0.0] * 6
    assert "batch norm" in repr(net)
    assert net.layers[1] == fm.Dense(5, "tanh", normalization="layer")


def test_running_averages_have_the_documented_bits(dtype, fma, rng):
    """docs/arithmetic.md: of z = x, behind weights that are the identity."""
    T, rows = np.dtype(dtype).type, 13
    net = fm.Network([20, 20, 3], normalization="batch", seed=1, dtype=dtype)
    net.weights[0][:] = np.eye(20)
    X = rng.standard_normal((rows, 20)).astype(dtype)
    mean, variance = np.zeros(20, dtype), np.zeros(20, dtype)
    for z in X:
        mean = mean + z
    mean = mean / T(rows)
    for z in X:
        variance = fma(z - mean, z - mean, variance)
    variance = variance / T(rows) * T(rows / (rows - 1))
    m = T(0.1)
    net.running_means[0][:] = rng.standard_normal(20)
    before = net.statistics.copy()
    net.forward(X)
    expected = (1 - m) * before + m * np.concatenate([mean, variance])
    assert net.statistics.tobytes() == expected.tobytes()


def test_views_are_live_and_checked():
    net = fm.Network([4, 6, 3], normalization="batch", seed=1)
    net.scales[0] = np.arange(6)
    net.running_means[0][:] = 7
    assert net.parameters[30:36].tolist() == [0, 1, 2, 3, 4, 5]
    assert net.statistics.tolist() == [7.0] * 6 + [1.0] * 6
    with pytest.raises(KeyError, match="layer 1 has none; layers that do: 0"):
        net.scales[1]
    with pytest.raises(ValueError, match=r"scales\[0\] has shape \(6,\), got shape \(5,\)"):
        net.scales[0] = np.ones(5)
    assert repr(net.scales) == "<scales: 0: (6,)>"
    assert repr(fm.Network([4, 6, 3]).scales) == "<scales: none>"


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_copies_are_equal_and_go_on_equally(kind):
    net = fm.Network([20, 6, 3], normalization=kind, dropout=0.5, seed=1)
    X, y = data("float32")
    net.fit(X, y % 3, 2)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other.layers == net.layers
        assert other.predict(X).tobytes() == net.predict(X).tobytes()
        other.fit(X, y % 3, 1)
        again = copy.deepcopy(net)
        again.fit(X, y % 3, 1)
        assert other.parameters.tobytes() == again.parameters.tobytes()
        assert other.statistics.tobytes() == again.statistics.tobytes()


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_fit_is_the_three_calls(dtype, kind):
    X, y = data(dtype)
    for batch_size in (1 if kind == "layer" else 69, 7, 16, 70):  # 69 leaves a batch of one
        fused, stepped = (
            fm.Network(LAYERS, "tanh", seed=3, normalization=kind, dropout=0.3, dtype=dtype)
            for _ in range(2)
        )
        fused.fit(X, y, 1, batch_size, fm.SGD(RATE), shuffle=False)
        for first in range(0, len(X), batch_size):
            stepped.forward(X[first : first + batch_size])
            stepped.backward(y[first : first + batch_size])
            stepped.update(RATE)
        assert fused.parameters.tobytes() == stepped.parameters.tobytes()
        assert fused.statistics.tobytes() == stepped.statistics.tobytes()


WITHOUT_ROWS = """
import sys
import numpy as np
import fastmlp as fm

X, y = np.random.default_rng(0).standard_normal((65, 9)), np.arange(65) % 3
nets = [fm.Network([9, 20, 3], normalization=sys.argv[1], seed=1, dtype="float64") for _ in "ab"]
for net, threads in zip(nets, (1, 3), strict=True):
    net.fit(X, y, epochs=2, batch_size=8, n_threads=threads)
assert np.array_equal(nets[0].parameters, nets[1].parameters)
assert np.array_equal(nets[0].statistics, nets[1].statistics)
"""


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_threads_without_rows(run_python, kind):
    """The last batch is one row: other threads have none, and are met all the same."""
    done = run_python(WITHOUT_ROWS, kind, timeout=60, FASTMLP_EXACT_THREADS="1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_behind_a_hidden_layer_of_few_inputs(kind):
    """Some layers compute blocks of rows; one that needs the whole batch must not."""
    X = np.random.default_rng(0).standard_normal((96, 4))
    networks = []
    for library in (fm, reference):
        hidden = [library.Dense(400, "relu"), library.Dense(2, "relu")]
        layers = [4, *hidden, library.Dense(5, "relu", normalization=kind), 1]
        net = library.Network(layers, output="identity", seed=1, dtype="float64")
        net.fit(X.tolist(), X[:, :1].tolist(), 2, 48)
        networks.append(net)
    core, twin = (np.array(net.parameters) for net in networks)
    np.testing.assert_allclose(core, twin, rtol=0, atol=bound(2.0**-52, 4))


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_a_row_has_the_same_bits_in_any_batch(dtype, kind):
    net = fm.Network(LAYERS, seed=3, normalization=kind, dtype=dtype)
    X, y = data(dtype, 300)
    net.fit(X, y, 2)
    before = (net.parameters.copy(), net.statistics.copy())
    rows = np.concatenate([net.predict(X[i : i + 1]) for i in range(len(X))])
    for count in (2, 7, 8, 17, 128, 129, 300):
        assert net.predict(X[:count]).tobytes() == rows[:count].tobytes()
    assert net.forward(X, training=False).tobytes() == rows.tobytes()
    assert net.parameters.tobytes() == before[0].tobytes()
    assert net.statistics.tobytes() == before[1].tobytes()


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_every_optimizer_moves_scales_and_shifts(kind):
    """The rules are those of biases, whatever the position of the parameter."""
    X, y = data("float64")
    for optimizer in (fm.SGD(0.1, momentum=0.9), fm.Adam(), fm.RMSprop(), fm.SGD(0.1, clip_norm=1)):
        net = fm.Network([20, 6, 3], normalization=kind, seed=1, dtype="float64")
        net.fit(X, y % 3, 2, optimizer=optimizer)
        assert (net.scales[0] != 1).all()
        assert (net.shifts[0] != 0).all()


def test_divergence_brings_the_statistics_back():
    net = fm.Network([4, 6, 3], "relu", "identity", normalization="batch", seed=1)
    before = net.statistics.copy()
    X = 1e25 * np.random.default_rng(1).standard_normal((8, 4))  # whose variance overflows
    with pytest.raises(fm.DivergenceError):
        net.fit(X, np.zeros((8, 3)), 3, 4)
    assert net.statistics.tobytes() == before.tobytes()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"normalization": "bach"}, ValueError, "did you mean 'batch'"),
        ({"normalization": 1}, TypeError, "normalization must be 'batch' or 'layer'"),
        ({"dropout": 1.0}, ValueError, "dropout must be at least 0 and below 1, got 1.0"),
        ({"dropout": -0.1}, ValueError, "dropout must be at least 0 and below 1"),
        ({"dropout": float("nan")}, ValueError, "dropout must be"),
        ({"dropout": "0.5"}, TypeError, "dropout must be a real number"),
        ({"dropout": True}, TypeError, "dropout must be a real number"),
    ],
)
def test_bad_values(arguments, error, message):
    with pytest.raises(error, match=message):
        fm.Network([4, 5, 3], **arguments)
    with pytest.raises(error, match=message):
        fm.Dense(4, "relu", **arguments)
    with pytest.raises(error):
        reference.Dense(4, "relu", **arguments)


@pytest.mark.parametrize("last", [{"normalization": "layer"}, {"dropout": 0.5}], ids=str)
def test_not_at_the_output(last):
    with pytest.raises(ValueError, match=r"layers\[2\] is the output layer, which takes no"):
        fm.Network([4, 5, fm.Dense(3, "softmax", **last)])
    with pytest.raises(ValueError, match="the output layer takes no normalization"):
        reference.Network([4, 5, reference.Dense(3, "softmax", **last)])


class TestBatchesOfOneRow:
    """They have no variance: the running averages stay, and a fit of nothing else is refused."""

    @pytest.fixture
    def net(self, dtype):
        return fm.Network(LAYERS, seed=3, normalization="batch", dtype=dtype)

    def test_a_last_batch_of_one(self, net, dtype):
        """Five batches of 16 and one of 1: it trains, and the averages are those of the five."""
        X, y = data(dtype, 81)
        twin = copy.deepcopy(net)
        net.fit(X, y, 1, BATCH, shuffle=False)
        twin.fit(X[:80], y[:80], 1, BATCH, shuffle=False)
        assert net.statistics.tobytes() == twin.statistics.tobytes()
        assert net.parameters.tobytes() != twin.parameters.tobytes()

    def test_every_path_is_the_same(self, net, dtype):
        X, y = data(dtype, 49)
        batches = [(X[:20], y[:20]), (X[20:], y[20:])]
        stepped, iterated, streamed, many = (copy.deepcopy(net) for _ in range(4))
        net.fit(X, y, 1, BATCH, fm.SGD(RATE), shuffle=False)
        iterated.fit(iter(batches), epochs=1, batch_size=BATCH, optimizer=fm.SGD(RATE))
        stream = fm.ArrayStream(X, y)
        streamed.fit(stream, epochs=1, batch_size=BATCH, optimizer=fm.SGD(RATE), shuffle=False)
        fm.train_many([many], X, y, 1, BATCH, fm.SGD(RATE), shuffle=False)
        for first in range(0, 49, BATCH):
            stepped.forward(X[first : first + BATCH])
            stepped.backward(y[first : first + BATCH])
            stepped.update(RATE)
        for other in (iterated, streamed, many, stepped):
            assert other.parameters.tobytes() == net.parameters.tobytes()
            assert other.statistics.tobytes() == net.statistics.tobytes()

    def test_one_row_that_counts(self, net, dtype):
        X, y = data(dtype, 32)
        weight = np.arange(32) < BATCH + 1.0  # the second batch has one
        twin = copy.deepcopy(net)
        net.fit(X, y, 1, BATCH, shuffle=False, sample_weight=weight)
        twin.fit(X[:BATCH], y[:BATCH], 1, BATCH, shuffle=False)
        assert net.statistics.tobytes() == twin.statistics.tobytes()

    def test_forward_of_one_row(self, net, dtype):
        before = net.statistics.copy()
        net.forward(data(dtype, 1)[0])
        assert net.statistics.tobytes() == before.tobytes()
        net.forward(data(dtype, 2)[0])
        assert net.statistics.tobytes() != before.tobytes()

    def test_the_reference(self):
        X, y = data("float64", 9)
        nets = [
            library.Network([20, 4, 5], seed=3, normalization="batch", dtype="float64")
            for library in (fm, reference)
        ]
        for net in nets:
            net.fit(X.tolist(), y.tolist(), 1, 4)
        statistics = [*nets[1].running_means[0], *nets[1].running_variances[0]]
        # Three steps through two layers.
        np.testing.assert_allclose(
            nets[0].statistics, statistics, atol=bound(np.finfo(np.float64).eps, 3), rtol=0
        )
        for arguments in ({"batch_size": 1}, {"sample_weight": [1.0] + 8 * [0.0]}):
            with pytest.raises(ValueError, match="batch_size"):
                nets[1].fit(X.tolist(), y.tolist(), **arguments)
        with pytest.raises(ValueError, match="batch_size"):
            reference.train_many(nets[1:], X.tolist(), y.tolist(), batch_size=1)

    @pytest.mark.parametrize(
        ("rows", "arguments"),
        [
            (70, {"batch_size": 1}),
            (1, {}),
            (1, {"batch_size": None}),
            (70, {"sample_weight": np.arange(70) == 3}),
            (70, {"sample_weight": np.arange(70) % 2, "batch_size": 2, "shuffle": False}),
            (
                70,
                {"sample_weight": np.arange(70) < 2, "batch_size": 2, "shuffle": np.r_[0, 2:70, 1]},
            ),
        ],
    )
    def test_nothing_else_is_refused(self, dtype, assert_unchanged, rows, arguments):
        X, y = data(dtype, rows)
        net, plain = (
            fm.Network(LAYERS, seed=3, normalization=kind, dtype=dtype) for kind in ("batch", None)
        )
        called = []

        class Begun(fm.Callback):
            def on_fit_begin(self, network):
                called.append(network)

        message = r"batch_size must .* at least 2 rows"
        with assert_unchanged(net, X, y), pytest.raises(ValueError, match=message):
            net.fit(X, y, callbacks=Begun(), **arguments)
        assert not called
        plain.fit(X, y, 1, **arguments)
        if not isinstance(arguments.get("shuffle", True), np.ndarray):
            with assert_unchanged(net), pytest.raises(ValueError, match=message):
                fm.train_many([plain, net], X, y, **arguments)

    def test_batches_and_streams(self, net, dtype, assert_unchanged):
        X, y = data(dtype)
        one, every_other = [(X[:1], y[:1])], np.arange(70) % 2
        with assert_unchanged(net), pytest.raises(ValueError, match="batch_size"):
            net.fit(iter([(X, y)]), epochs=1, batch_size=1)
        for kwargs in ({"batch_size": 1}, {}):
            stream = fm.ArrayStream(X[: 1 if not kwargs else 70], y[: 1 if not kwargs else 70])
            with assert_unchanged(net), pytest.raises(ValueError, match="batch_size"):
                net.fit(stream, **kwargs)
        # Known only at the end of the epoch.
        with assert_unchanged(net), pytest.raises(fm.DataError, match="at least 2 rows"):
            net.fit(one, epochs=2)
        for given in ([(X, y, every_other)], fm.ArrayStream(X, y, every_other)):
            with assert_unchanged(net), pytest.raises(fm.DataError, match="batch_size=2"):
                net.fit(given, epochs=2, batch_size=2, shuffle=False)
        net.fit([*one, (X[:1], y[:1])], epochs=2, batch_size=2)
