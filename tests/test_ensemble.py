"""`Ensemble`: means and error bars of several networks, and their files."""

import copy
import pickle

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.many.bootstraps import bootstrap
from fastmlp.model.model_files import write_model
from fastmlp.network import model_of


def members(count=4, dtype="float32", **settings):
    return [fm.Network([4, 5 + i % 2, 3], seed=i, dtype=dtype, **settings) for i in range(count)]


@pytest.fixture
def trained(blobs):
    ensemble = fm.Ensemble(members())
    ensemble.fit(*blobs, epochs=3, bootstrap=True)
    return ensemble


def test_fit_by_seeds_is_that_of_each(blobs):
    X, y = blobs
    ensemble = fm.Ensemble(members())
    histories = ensemble.fit(X, y, 3, 16, optimizer="adam")
    for net, twin, history in zip(ensemble, members(), histories, strict=True):
        expected = twin.fit(X, y, 3, 16, optimizer="adam")
        assert np.array_equal(net.parameters, twin.parameters)
        assert history.loss == expected.loss


def test_fit_by_bootstraps_is_that_of_each_on_its_rows(blobs):
    X, y = blobs
    ensemble = fm.Ensemble(members())
    rows = ensemble.bootstrap_rows(y)
    ensemble.fit(X, y, 3, bootstrap=True)
    for net, twin, own in zip(ensemble, members(), rows, strict=True):
        twin.fit(X[own], y[own], 3)
        assert np.array_equal(net.parameters, twin.parameters)


def test_bootstraps_keep_the_classes(blobs):
    _, y = blobs
    rows = fm.Ensemble(members()).bootstrap_rows(y)
    assert all(np.array_equal(y[own], y) for own in rows)
    assert len({own.tobytes() for own in rows}) == len(rows)
    assert all(0.5 < len(np.unique(own)) / len(y) < 0.75 for own in rows)


def test_bootstraps_of_heads(blobs):
    X, y = blobs
    heads = fm.Heads(label=fm.Head(3, "softmax"), number=fm.Head(1, "identity"))
    by_name, in_order = (
        fm.Ensemble(fm.Network([4, 5, heads], seed=seed) for seed in range(2)) for _ in range(2)
    )
    by_name.fit(X, {"number": X[:, 0], "label": y}, 2, bootstrap=True)
    in_order.fit(X, (y, X[:, 0]), 2, bootstrap=True)
    for ours, theirs in zip(by_name, in_order, strict=True):
        assert np.array_equal(ours.parameters, theirs.parameters)


def test_bootstraps_of_numbers_and_the_words_of_philox():
    net = fm.Network([2, 1], output="identity", seed=7)
    rows = fm.Ensemble([net]).bootstrap_rows(np.arange(5.0))[0]
    words = np.random.Philox(key=np.array([7, 2], np.uint64)).random_raw(5)
    assert rows.tolist() == [(int(word) >> 32) * 5 >> 32 for word in words]
    one = bootstrap(np.array([0, 1, 1, 2]), 3)
    assert one[[0, 3]].tolist() == [0, 3]
    with pytest.raises(ValueError, match="y has 0 samples, but a bootstrap needs at least 1"):
        fm.Ensemble([net]).bootstrap_rows([])


def test_predictions(trained, blobs):
    X, _ = blobs
    outputs = np.stack([net.predict(X) for net in trained]).astype(np.float64)
    mean, std = trained.predict(X, return_std=True)
    atol = 8 * np.finfo(float).eps  # of means of four numbers up to 1, and of their squares
    np.testing.assert_allclose(mean, outputs.mean(axis=0), rtol=0, atol=atol)
    np.testing.assert_allclose(std**2, outputs.var(axis=0), rtol=0, atol=atol)
    assert np.array_equal(trained.predict(X), mean)
    assert np.array_equal(trained.members(X), outputs.astype(np.float32))
    assert np.array_equal(trained.quantiles(X, 0.5), np.median(outputs, axis=0))
    assert trained.quantiles(X, [0.1, 0.5, 0.9]).shape == (3, 90, 3)
    assert np.array_equal(trained.predict_classes(X), mean.argmax(axis=1))


def test_it_is_a_sequence(trained):
    assert len(trained) == 4
    assert trained[1] is trained.networks[1]
    assert trained[-1] in trained
    assert isinstance(trained[:2], fm.Ensemble)
    assert trained[:2].networks == trained.networks[:2]
    assert "4 networks: 4 features, 3 outputs, cross_entropy, float32" in repr(trained)
    with pytest.raises(ValueError, match="at least one"):
        trained[4:]


def test_files(trained, blobs, tmp_path):
    X, y = blobs
    path = tmp_path / "ensemble.safetensors"
    trained.save(path)
    for read in (fm.load(path), fm.Ensemble.load(path), pickle.loads(pickle.dumps(trained))):
        assert isinstance(read, fm.Ensemble)
        assert np.array_equal(read.predict(X), trained.predict(X))
        again = copy.deepcopy(trained)
        again.fit(X, y, 2)
        read.fit(X, y, 2)  # continues with the same bits
        assert np.array_equal(read.members(X), again.members(X))


def test_an_ensemble_of_one(blobs, tmp_path):
    X, _ = blobs
    ensemble = fm.Ensemble([fm.Network([4, 3], seed=1)])
    path = tmp_path / "one.safetensors"
    ensemble.save(path)
    assert isinstance(fm.load(path), fm.Network)
    assert np.array_equal(fm.Ensemble.load(path).predict(X), ensemble.predict(X))
    assert not ensemble.predict(X, return_std=True)[1].any()


def test_files_of_other_networks_are_no_ensemble(tmp_path):
    path = tmp_path / "other.safetensors"
    write_model(path, [model_of(fm.Network([n, 3])) for n in (2, 4)])
    with pytest.raises(fm.ModelFormatError, match="same number of features"):
        fm.load(path)


def test_diverse_members_share_a_file(blobs, tmp_path):
    X, _ = blobs
    nets = [fm.Network([4, *hidden, 3], seed=1) for hidden in ((), (5,), (5,), (6, 7))]
    ensemble = fm.Ensemble(nets)
    ensemble.save(tmp_path / "e")
    assert np.array_equal(fm.load(tmp_path / "e").members(X), ensemble.members(X))


@pytest.mark.parametrize(
    ("networks", "error", "message"),
    [
        ([], ValueError, "at least one network"),
        (3, TypeError, "sequence of networks"),
        ([3], TypeError, r"networks\[0\] must be a Network"),
        ([fm.Network([4, 3]), fm.Network([5, 3])], ValueError, "number of features, but .* 4 and"),
        ([fm.Network([4, 3]), fm.Network([4, 2])], ValueError, "number of outputs"),
        ([fm.Network([4, 3]), fm.Network([4, 3], dtype="float64")], ValueError, "dtype"),
        (
            [fm.Network([4, 1], output="identity"), fm.Network([4, 1], output="sigmoid")],
            ValueError,
            "same (loss|last activation)",
        ),
        ([fm.Network([4, 3])] * 2, ValueError, "one occurs twice"),
    ],
)
def test_bad_networks(networks, error, message):
    with pytest.raises(error, match=message):
        fm.Ensemble(networks)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda e, X, y: e.fit(X, y, bootstrap=True, rows=[[0]]), ValueError, "not both"),
        (lambda e, X, y: e.fit(X, y, comm=1), TypeError, r"an ensemble takes no comm: .*dask"),
        (lambda e, X, y: e.fit(X, y, bootstrap=2), ValueError, "bootstrap must be"),
        (lambda e, X, y: e.fit(X, y, early_stoping=True), TypeError, "early_stoping"),
        (lambda e, X, y: e.fit(X, y[:5], bootstrap=True), ValueError, "y"),
        (lambda e, X, y: e.quantiles(X, 1.5), ValueError, "q must be from 0 to 1"),
        (lambda e, X, y: e.quantiles(X, "x"), TypeError, "q must be a number"),
        (lambda e, X, y: e.quantiles(X, []), ValueError, "q must be"),
        (lambda e, X, y: e.predict(X[:, :2]), ValueError, "2 features"),
        (lambda e, X, y: e.predict(X, return_std="yes"), TypeError, "return_std"),
    ],
)
def test_bad_arguments(blobs, assert_unchanged, call, error, message):
    ensemble = fm.Ensemble(members())
    with assert_unchanged(ensemble[0], blobs[0]), pytest.raises(error, match=message):
        call(ensemble, *blobs)


def test_onnx(trained, blobs, tmp_path):
    pytest.importorskip("onnx")
    evaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator
    X, _ = blobs
    trained.to_onnx(tmp_path / "e.onnx")
    (outputs,) = evaluator(str(tmp_path / "e.onnx")).run(None, {"X": X.astype(np.float32)})
    # As for single networks: sums of at most 7 terms in another order, then rounded.
    np.testing.assert_allclose(outputs, trained.predict(X), rtol=1e-4, atol=1e-5)
    assert outputs.dtype == np.float32
    with pytest.raises(ValueError, match=r"mean of several networks.*: fm.load reads an ensemble"):
        fm.from_onnx(tmp_path / "e.onnx")


def test_members_that_have_come_apart_are_not_saved(tmp_path):
    pandas = pytest.importorskip("pandas")
    ensemble = fm.Ensemble(fm.Network([2, 3], seed=seed) for seed in range(2))
    frame = pandas.DataFrame(np.eye(2), columns=["a", "b"])
    ensemble[0].fit(frame, [0, 1], 1)
    with pytest.raises(ValueError, match="networks must have the same"):
        ensemble.save(tmp_path / "ensemble.safetensors")


def test_onnx_has_the_names_of_features_and_classes(tmp_path):
    """As that of a network: both are written by one function."""
    onnx = pytest.importorskip("onnx")
    nets = [fm.Network([2, 3], seed=seed) for seed in range(2)]
    for net in nets:
        net.feature_names, net.class_names = ["width", "height"], ["ash", "beech", "cedar"]
    metadata = []
    for name, model in (("one", nets[0]), ("both", fm.Ensemble(nets))):
        model.to_onnx(tmp_path / name)
        props = onnx.load(tmp_path / name).metadata_props
        metadata.append({each.key: each.value for each in props})
    assert metadata[0]
    assert metadata[0] == metadata[1]


def numbers_and_labels(rng, dtype):
    X = rng.standard_normal((40, 4)).astype(dtype)
    return X, np.abs(rng.standard_normal((40, 3))), rng.integers(0, 3, 40)


LOSSES = {
    "cross_entropy": ("softmax", "labels"),
    "targets": ("softmax", "shares"),
    "smoothed": ("softmax", "labels"),
    "smoothed targets": ("softmax", "shares"),
    "binary_cross_entropy": ("sigmoid", "shares"),
    "poisson": ("exp", "numbers"),
    "mean_squared_error": ("identity", "numbers"),
    "mean_absolute_error": ("tanh", "numbers"),
    "huber": ("identity", "numbers"),
    "quantile": ("identity", "numbers"),
    "custom": ("identity", "numbers"),
}


def squared(outputs, y, gradient):
    gradient[...] = 2 * (outputs - y)
    return ((outputs - y) ** 2).sum(axis=1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_one_member_is_evaluated_as_its_network(rng, dtype, name, weighted):
    X, y, labels = numbers_and_labels(rng, dtype)
    output, kind = LOSSES[name]
    loss = {
        "targets": None,
        "smoothed": fm.CrossEntropy(0.2),
        "smoothed targets": fm.CrossEntropy(0.2),
        "huber": fm.Huber(0.3),
        "quantile": fm.Quantile(0.2),
        "custom": squared,
    }.get(name, name)
    net = fm.Network([4, 6, 3], output=output, loss=loss, dtype=dtype, seed=1)
    if weighted and output != "softmax" and name != "custom":
        net.loss_weights = [1, 0, 3]
    y = {"labels": labels, "shares": y / y.sum(axis=1, keepdims=True), "numbers": y}[kind]
    weight = np.arange(40) % 3 if weighted else None
    got = fm.Ensemble([net]).evaluate(X, y, sample_weight=weight)
    expected = net.evaluate(X, y, sample_weight=weight)
    assert got.loss == pytest.approx(expected.loss, rel=100 * float(np.finfo(dtype).eps))
    assert (got.accuracy is None) == (expected.accuracy is None)
    if got.accuracy is not None:
        assert got.accuracy == pytest.approx(expected.accuracy, rel=1e-6)


def test_members_with_heads_are_evaluated_by_each(rng, dtype):
    X, y, labels = numbers_and_labels(rng, dtype)
    heads = fm.Heads(
        kind=fm.Head(3, "softmax"), size=fm.Head(3, "identity", loss="huber", weight=0.5)
    )
    net = fm.Network([4, 6, heads], dtype=dtype, seed=1)
    got = fm.Ensemble([net]).evaluate(X, {"kind": labels, "size": y})
    expected = net.evaluate(X, {"kind": labels, "size": y})
    assert got.loss == pytest.approx(expected.loss, rel=1e-4)
    assert list(got.heads) == ["kind", "size"]
    for name, each in got.heads.items():
        assert each.loss == pytest.approx(expected.heads[name].loss, rel=1e-4)
    assert got.heads["kind"].accuracy == pytest.approx(expected.heads["kind"].accuracy)
    assert got.heads["size"].accuracy is None


def test_an_ensemble_is_evaluated_by_the_mean(trained, blobs):
    X, y = blobs
    mean = trained.predict(X)
    got = trained.evaluate(X, y, n_threads=1)
    assert isinstance(got, fm.Evaluation)
    assert got.loss == pytest.approx(fm.metrics.log_loss(y, mean), rel=1e-12)
    assert got.accuracy == np.mean(trained.predict_classes(X) == y)
    apart = [net.evaluate(X, y).loss for net in trained]
    assert got.loss < np.mean(apart)  # the loss is convex
    scaled = fm.Ensemble(fm.Network([4, 5, 1], output="identity", seed=i) for i in range(3))
    scaled.fit(X.astype(float), X[:, :1] * 100, 2, bootstrap=True, standardize=True)
    error = np.mean((scaled.predict(X.astype(float)) - X[:, :1] * 100) ** 2)
    assert scaled.evaluate(X.astype(float), X[:, :1] * 100).loss == pytest.approx(error, rel=1e-6)


def test_certain_members_have_a_finite_loss(rng):
    X = np.array([[1.0], [-1.0]])
    net = fm.Network([1, 2], dtype="float64")
    net.parameters[:] = 0
    net.parameters[:2] = [1000, -1000]
    assert 30 < fm.Ensemble([net]).evaluate(X, [1, 0]).loss < 40
    assert fm.Ensemble([net]).evaluate(X, [0, 1]) == pytest.approx((0, 1))


def test_wrong_data_for_evaluation(trained, blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="y has 89"):
        trained.evaluate(X, y[:-1])
    with pytest.raises(ValueError, match="X has 3 features"):
        trained.evaluate(X[:, :3], y)
    with pytest.raises(ValueError, match="sample_weight"):
        trained.evaluate(X, y, sample_weight=-np.ones(90))
    with pytest.raises(TypeError, match="X must be"):
        trained.evaluate(fm.ArrayStream(X, y), None)
