"""Fits of arrays with nothing around the epochs take a shorter way, to the same results."""

import pickle

import numpy as np
import pytest

import fastmlp as fm

ROWS, FEATURES = 21, 5

KINDS = {
    "classes": ("softmax", "cross_entropy"),
    "two classes": ("sigmoid", "binary_cross_entropy"),
    "numbers": ("identity", "mean_squared_error"),
}


def network(kind="classes", dtype="float32", **options):
    output, loss = KINDS[kind]
    nodes = 3 if output == "softmax" else 1
    layers = [FEATURES, 6, nodes]
    return fm.Network(layers, output=output, loss=loss, seed=4, dtype=dtype, **options)


def samples_of(rng, kind="classes", dtype="float32"):
    X = rng.standard_normal((ROWS, FEATURES)).astype(dtype)
    if kind == "classes":
        return X, rng.integers(0, 3, ROWS)
    y = X[:, 0] if kind == "numbers" else (X[:, 0] > 0).astype(dtype)
    return X, y.astype(dtype)


def watched(net, X, y, **arguments):
    """Fit with a callback, which makes the fit no plain one."""
    return net.fit(X, y, callbacks=lambda *_: False, **arguments)


def is_short(monkeypatch, net, X, y, **arguments):
    """Fit, and return whether that took the shorter way."""
    ended = []
    fit_plain = fm.fitting.fit.fit_plain

    def watching(*given):
        ended.append(fit_plain(*given))
        return ended[-1]

    with monkeypatch.context() as patch:
        patch.setattr(fm.fitting.fit, "fit_plain", watching)
        net.fit(X, y, **arguments)
    return any(history is not None for history in ended)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"batch_size": 4, "n_threads": 1},
        {"batch_size": None, "shuffle": False, "epochs": 1},
        {"optimizer": fm.Adam(fm.CosineDecay(0.01)), "ema": 0.9},
    ],
)
def test_the_bits_and_the_history_are_those_of_any_fit(monkeypatch, rng, kind, dtype, arguments):
    X, y = samples_of(rng, kind, dtype)
    net, expected = network(kind, dtype), network(kind, dtype)
    assert is_short(monkeypatch, net, X, y, **arguments)
    watched(expected, X, y, **arguments)
    assert net.fit(X, y, **arguments) == watched(expected, X, y, **arguments)
    assert net.parameters.tobytes() == expected.parameters.tobytes()


@pytest.mark.parametrize("kind", ["features", "targets"])
def test_views_of_the_weights_are_copied_first(kind):
    """Rows that changed during the training would give other weights."""

    def trained(copied):
        net = fm.Network([4, 4], output="identity", loss="mean_squared_error", seed=1)
        views = net.weights[0].copy() if copied else net.weights[0]
        other = np.eye(4, dtype=np.float32)
        net.fit(*((views, other) if kind == "features" else (other, views)), batch_size=2)
        return net.parameters.tobytes()

    assert trained(copied=False) == trained(copied=True)


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        (lambda X, y: (X.tolist(), y), {}),
        (lambda X, y: (X.astype(np.float64), y), {}),
        (lambda X, y: (X, y.tolist()), {}),
        (lambda X, y: (X, y), {"sample_weight": np.ones(ROWS)}),
        (lambda X, y: (X, y), {"class_weight": {0: 2.0}}),
        (lambda X, y: (X, y), {"validation_fraction": 0.2}),
        (lambda X, y: (X, y), {"standardize": True}),
        (lambda X, y: (X, y), {"shuffle": np.arange(ROWS)}),
        (lambda X, y: (X, y), {"optimizer": fm.SGD(fm.Plateau(0.1))}),
        (lambda X, y: (X, y), {"optimizer": fm.SGD(lambda step: 0.1 / (step + 1))}),
    ],
)
def test_all_else_takes_the_longer_way(monkeypatch, rng, change, arguments):
    X, y = samples_of(rng)
    assert not is_short(monkeypatch, network(), *change(X, y), **arguments)


def test_checkpoints_are_written(monkeypatch, rng, tmp_path):
    path = tmp_path / "fit.fmlp"
    assert not is_short(monkeypatch, network(), *samples_of(rng), checkpoint=path)
    assert path.exists()


def test_callbacks_are_called(rng):
    epochs = []
    network().fit(*samples_of(rng), epochs=2, callbacks=lambda _, report: epochs.append(report))
    assert len(epochs) == 2


def test_networks_that_know_names_compare_them(monkeypatch, rng):
    X, y = samples_of(rng)
    net = network()
    net.feature_names = list("abcde")
    assert not is_short(monkeypatch, net, X, y)
    assert net.feature_names == tuple("abcde")


def test_errors_are_those_of_any_fit(rng):
    X, y = samples_of(rng)
    for bad in (X * np.float32(np.nan), X[:, :2], X[:4]):
        messages = []
        for fit in (fm.Network.fit, watched):
            with pytest.raises(ValueError, match=r"X|samples") as caught:
                fit(network(), bad, y)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


def trained_once(X, y, sizes, scaled):
    net = fm.Network(sizes, seed=3)
    if scaled:
        net.adapt(X)
    net.fit(X, y, epochs=1, batch_size=64, optimizer=fm.Adam(0.01), ema=0.9)
    net.forward(X[:4])
    net.backward(y[:4])
    return net


def everything(net):
    """Return all that a fit may change."""
    deltas = [each.tobytes() for each in net.deltas]
    return deltas, pickle.dumps(net)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("features", [300, 1024])
@pytest.mark.parametrize("place", [0, 0.1, 0.5, 0.9, 1])
def test_features_that_are_not_finite_are_found_by_any_thread(rng, features, place, scaled):
    """Several MB, of which each thread searches a part; 1024 columns are copied first."""
    X = rng.standard_normal((3000, features), dtype=np.float32)
    y = rng.integers(0, 3, len(X))
    net = trained_once(X, y, [features, 512, 3], scaled)
    bad = X.copy()
    row, column = round(place * (len(X) - 1)), round(place * (features - 1))
    bad[row, column] = np.inf if scaled else np.nan
    before = everything(net)
    for threads in (1, 2):
        with pytest.raises(ValueError, match=f"row {row}, column {column}"):
            net.fit(bad, y, batch_size=64, n_threads=threads)
        assert everything(net) == before


def test_features_that_overflow_once_they_are_scaled_are_refused(rng):
    X = rng.standard_normal((2000, 40), dtype=np.float32) * np.float32(1e-30)
    y = rng.integers(0, 3, len(X))
    net = trained_once(X, y, [40, 256, 3], scaled=True)
    X[1999, 39] = 1e20
    before = everything(net)
    with pytest.raises(ValueError, match="1999"):
        net.fit(X, y, batch_size=256, n_threads=2)
    assert everything(net) == before


def test_a_fit_that_diverges_says_so(rng):
    X, y = samples_of(rng, "numbers")
    net, expected = network("numbers"), network("numbers")
    errors = []
    for fit, each in ((fm.Network.fit, net), (watched, expected)):
        with pytest.raises(fm.DivergenceError) as caught:
            fit(each, X * 1e18, y, optimizer=fm.SGD(1e9))
        errors.append(str(caught.value))
    assert errors[0] == errors[1]
    assert net.parameters.tobytes() == expected.parameters.tobytes()


def test_parameters_that_are_not_finite_before_the_fit_are_told(rng):
    net = network()
    net.parameters[0] = np.nan
    with pytest.raises(ValueError, match="had them before the fit"):
        net.fit(*samples_of(rng))


def test_the_history_has_the_threads(rng):
    X, y = rng.standard_normal((512, 256), dtype=np.float32), rng.integers(0, 3, 512)
    nets = [fm.Network([256, 256, 3], seed=0) for _ in range(2)]
    for threads in (1, None):
        arguments = {"epochs": 1, "batch_size": None, "n_threads": threads}
        assert nets[0].fit(X, y, **arguments) == watched(nets[1], X, y, **arguments)


def test_batch_normalization_needs_two_rows(rng):
    X, y = samples_of(rng)
    net = fm.Network([FEATURES, fm.Dense(4, "relu", normalization="batch"), 3], seed=0)
    with pytest.raises(ValueError, match="batch"):
        net.fit(X, y, batch_size=1)
