"""`Heads`: outputs of several kinds, each with an activation and a loss of its own.

Over 400 lines, as all tests use the same network of two heads and its samples.
"""

import json
import pickle
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

KINDS = [
    ("softmax", "cross_entropy", 3),
    ("softmax", "smoothed", 3),
    ("sigmoid", "binary_cross_entropy", 2),
    ("exp", "poisson", 1),
    ("identity", "mean_squared_error", 2),
    ("gelu", "mean_squared_error", 2),
    ("tanh", "huber", 1),
    ("silu", "quantile", 1),
    ("relu", "mean_absolute_error", 1),
]  # 16 outputs: sums of more are in another order


def loss_of(library, name):
    return library.CrossEntropy(label_smoothing=0.2) if name == "smoothed" else name


def actor_critic(**options):
    heads = fm.Heads(policy=fm.Head(3, "softmax"), value=fm.Head(1, "identity", weight=0.5))
    return fm.Network([4, 24, heads], seed=1, **options)


@pytest.fixture
def samples(rng):
    """Features (60, 4), labels and numbers."""
    X = rng.standard_normal((60, 4)).astype(np.float32)
    return X, (rng.integers(0, 3, 60), rng.standard_normal(60).astype(np.float32))


def targets_of(rng, activation, nodes, rows):
    """Return targets that go with any loss of the activation."""
    if activation == "softmax":
        return rng.integers(0, nodes, rows)
    return rng.random((rows, nodes)).astype(np.float32)


@pytest.mark.parametrize("library", [fm, reference], ids=["fastmlp", "reference"])
@pytest.mark.parametrize("order", [1, -1])
def test_without_hidden_layers_heads_are_networks_of_their_own(library, order, rng, dtype):
    """No sum has terms of two heads then: the bits are those of a network for each."""
    X = rng.standard_normal((12, 5)).astype(dtype)
    kinds = KINDS[::order]
    y = [targets_of(rng, activation, nodes, 12) for activation, _, nodes in kinds]
    made = {
        f"head {i}": library.Head(nodes, activation, loss_of(library, loss))
        for i, (activation, loss, nodes) in enumerate(kinds)
    }
    net = library.Network([5, library.Heads(**made)], seed=2, dtype=dtype)
    net.parameters = [value / 4 for value in net.parameters]
    ends = np.cumsum([nodes for _, _, nodes in kinds])
    twins = []
    for (activation, loss, nodes), end in zip(kinds, ends, strict=True):
        columns = slice(int(end) - nodes, int(end))
        twin = library.Network([5, nodes], "relu", activation, loss_of(library, loss), 2, dtype)
        twin.weights[0][:] = [list(row[columns]) for row in net.weights[0]]
        twins.append((twin, columns))
    sgd = library.SGD(0.05)
    history = net.fit(X, tuple(y), 3, 4, sgd)
    evaluation = net.evaluate(X, tuple(y))
    total = np.zeros(3)
    for (name, of_head), (twin, columns), own in zip(
        evaluation.heads.items(), twins, y, strict=True
    ):
        own_history = twin.fit(X, own, 3, 4, sgd)
        assert history.head_losses[f"{name}_loss"] == own_history.loss
        assert of_head == twin.evaluate(X, own)
        assert [list(row[columns]) for row in net.weights[0]] == [*map(list, twin.weights[0])]
        got = [list(row[columns]) for row in net.predict(X)]
        assert got == [*map(list, twin.predict(X))]
        total += own_history.loss
    u = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(history.loss, total, rtol=u * len(kinds))  # one rounding each


def test_wide_heads_keep_their_neighbours(rng, dtype):
    """Kernels write whole vectors; heads begin and end anywhere."""
    widths = [1, 15, 16, 17, 2, 33]
    heads = {f"h{i}": fm.Head(n, "sigmoid") for i, n in enumerate(widths)}
    net = fm.Network([6, fm.Heads(**heads)], seed=3, dtype=dtype)
    whole = fm.Network([6, sum(widths)], output="sigmoid", seed=3, dtype=dtype)
    X = rng.standard_normal((37, 6)).astype(dtype)
    assert net.predict(X).tobytes() == whole.predict(X).tobytes()
    parts = net.split(net.predict(X))
    assert [part.shape for part in parts] == [(37, n) for n in widths]
    assert np.concatenate(parts, axis=1).tobytes() == whole.predict(X).tobytes()


@pytest.mark.parametrize("batch_size", [1, 7, 32])
@pytest.mark.parametrize("as_numbers", [False, True])
def test_steps_by_hand_and_in_fit_are_the_same(samples, batch_size, as_numbers, dtype):
    X, (labels, numbers) = samples
    y = (np.eye(3)[labels] if as_numbers else labels, numbers)
    nets = [actor_critic(dtype=dtype) for _ in range(4)]
    history = nets[0].fit(X, y, 1, batch_size, fm.SGD(0.02), shuffle=False)
    watched = nets[1].fit(X, y, 1, batch_size, fm.SGD(0.02), shuffle=False, callbacks=Quiet())
    for first in range(0, 60, batch_size):
        rows = slice(first, first + batch_size)
        part = {"value": y[1][rows], "policy": y[0][rows]}
        nets[2].forward(X[rows])
        loss = nets[2].backward(part)
        nets[2].update(0.02)
        assert nets[3].train_on_batch(X[rows], part, fm.SGD(0.02)) == loss
    for net in nets[1:]:
        assert net.parameters.tobytes() == nets[0].parameters.tobytes()
    assert history.head_losses == watched.head_losses
    policy, value = (history[f"{name}_loss"][0] for name in ("policy", "value"))
    u = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(history.loss[0], policy + 0.5 * value, rtol=2 * u)


class Quiet(fm.Callback):
    def on_batch_end(self, network, step, loss):
        pass


@pytest.mark.parametrize("n_threads", [1, 2])
def test_arrays_streams_and_batches_train_the_same(samples, n_threads):
    X, y = samples

    class Pairs(fm.Stream):
        n_features, block_rows = 4, (20, 20, 20)

        def read(self, start, stop):
            return X[start:stop], tuple(part[start:stop] for part in y)

    nets = [actor_critic() for _ in range(3)]
    stream = Pairs()
    histories = [
        nets[0].fit(X, y, 2, 8, n_threads=n_threads),
        nets[1].fit(stream, epochs=2, batch_size=8, n_threads=n_threads),
    ]
    order = stream.order(1, 0)
    batches = [(X[rows], [part[rows] for part in y]) for rows in np.split(order, [11, 30])]
    nets[2].fit(batches, epochs=1, batch_size=8)
    twin = actor_critic()
    twin.fit(X, y, 1, 8)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert histories[0].head_losses == histories[1].head_losses
    assert nets[2].parameters.tobytes() == twin.parameters.tobytes()
    evaluations = [twin.evaluate(X, y), twin.evaluate(stream), twin.evaluate(batches)]
    for name in ("policy", "value"):
        of_head = [evaluation.heads[name] for evaluation in evaluations]
        np.testing.assert_allclose([e.loss for e in of_head], of_head[0].loss, rtol=1e-6)
        assert len({e.accuracy for e in of_head}) == 1


@pytest.mark.parametrize("form", ["tuple", "dict", "files"])
def test_streams_of_arrays_have_targets_of_heads(form, samples, tmp_path):
    X, y = samples
    targets = y
    if form == "dict":
        targets = {"value": y[1], "policy": y[0]}
    if form == "files":
        targets = tuple(tmp_path / f"{i}.npy" for i in range(2))
        for file, part in zip(targets, y, strict=True):
            np.save(file, part)
    stream = fm.ArrayStream(X, targets, block_rows=20)
    net, twin = actor_critic(), actor_critic()
    net.fit(stream, epochs=2)
    twin.fit(X, y, 2)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    assert net.evaluate(stream) == twin.evaluate(X, y)


def test_targets_of_heads_that_a_stream_of_arrays_refuses(samples):
    X, (labels, numbers) = samples
    with pytest.raises(ValueError, match=r"y\[0\] must have one row for each of the 60 of X"):
        fm.ArrayStream(X, (labels[:5], numbers))
    with pytest.raises(TypeError, match=r"y\['value'\] must be an array or a path, got 3"):
        fm.ArrayStream(X, {"policy": labels, "value": 3})
    with pytest.raises(ValueError, match="at least one head"):
        fm.ArrayStream(X, {})
    numbers[7] = np.nan
    with pytest.raises(fm.DataError, match=r"y\[1\] \(value\) contains NaN at row 7"):
        actor_critic().fit(fm.ArrayStream(X, (labels, numbers)), epochs=1)


def test_threads_and_sizes_of_batches_change_no_bit(rng):
    heads = fm.Heads(a=fm.Head(5, "softmax"), b=fm.Head(20, "gelu", loss="huber", weight=0.1))
    X = rng.standard_normal((256, 64)).astype(np.float32)
    y = rng.integers(0, 5, 256), rng.standard_normal((256, 20)).astype(np.float32)
    nets = [fm.Network([64, 128, 128, heads], "tanh", seed=1) for _ in range(2)]
    for net, threads in zip(nets, (1, 2), strict=True):
        net.fit(X, y, 2, 128, n_threads=threads, optimizer="adam")
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    outputs = nets[0].predict(X)
    rows = np.concatenate([nets[0].predict(X[i : i + 1]) for i in range(256)])
    assert outputs.tobytes() == rows.tobytes()
    nets[0].forward(X, training=False)
    assert nets[0].nodes[-1].tobytes() == outputs.tobytes()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_large_batches_count_all_their_rows(rng, n_threads):
    """A batch that does not fit into the cache is divided into blocks."""
    X = rng.standard_normal((30_000, 4)).astype(np.float32)
    y = rng.integers(0, 3, 30_000), rng.standard_normal(30_000)
    net = actor_critic()
    before = net.evaluate(X, y)
    history = net.fit(X, y, 1, batch_size=None, shuffle=False, n_threads=n_threads)
    assert history.loss == [before.loss]
    assert history["policy_loss"] == [before.heads["policy"].loss]
    assert history["value_loss"] == [before.heads["value"].loss]


def test_weighted_samples(samples):
    X, y = samples
    weight = np.arange(60) % 3
    kept = weight > 0
    net, twin = actor_critic(), actor_critic()
    net.fit(X, y, 2, 60, sample_weight=np.minimum(weight, 1), shuffle=False)
    rest = tuple(part[kept] for part in y)
    twin.fit(X[kept], rest, 2, 60, shuffle=False)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    weighted = net.evaluate(X, y, sample_weight=weight)
    right = net.predict_classes(X) == y[0]
    assert weighted.heads["policy"].accuracy == pytest.approx(np.average(right, weights=weight))
    errors = (net.split(net.predict(X))[1][:, 0].astype(float) - y[1]) ** 2
    u = float(np.finfo(np.float32).eps)
    mean = np.average(errors, weights=weight)
    assert weighted.heads["value"].loss == pytest.approx(mean, rel=4 * u)


def test_the_gradient_in_the_place_of_targets(samples):
    """Passed through the heads' activations, as the losses' own derivatives are."""
    X, (labels, numbers) = samples
    nets = [actor_critic(dtype="float64") for _ in range(2)]
    for net in nets:
        net.forward(X)
    nets[0].backward((labels, numbers))
    gradient = np.zeros((60, 4))
    policy, value = nets[1].split(gradient)  # views
    chances, values = nets[1].split(nets[1].nodes[-1])
    policy[np.arange(60), labels] = -1 / chances[np.arange(60), labels] / 60
    value[:, 0] = (values[:, 0] - numbers) / 60
    nets[1].backward(gradient=gradient)
    np.testing.assert_allclose(nets[1].gradients, nets[0].gradients, rtol=1e-9, atol=1e-12)


def test_history_early_stopping_and_callbacks_know_the_heads(samples):
    X, y = samples
    net, reports = actor_critic(), []
    stopping = fm.EarlyStopping(monitor="validation_value_loss", patience=2)
    history = net.fit(
        X,
        y,
        50,
        optimizer=fm.Adam(0.05),
        validation_fraction=0.3,
        early_stopping=stopping,
        callbacks=lambda net, report: reports.append(report) and None,
    )
    assert history.stopped_by == "early_stopping"
    losses = history["validation_value_loss"]
    assert history.best_epoch == 1 + losses.index(min(losses))
    names = ["policy_loss", "value_loss", "validation_policy_loss", "validation_policy_accuracy"]
    for name in names:
        assert [report.value(name) for report in reports] == history[name]
    assert "validation_accuracy" not in history.metrics
    again = pickle.loads(pickle.dumps(history))
    assert again.head_losses == history.head_losses
    del history.__dict__["head_losses"]  # as of an older version
    assert pickle.loads(pickle.dumps(history)).head_losses == {}


def error(y, outputs, sample_weight=None):
    """A metric of the user."""
    return np.average(np.abs(outputs[:, 0] - y[:, 0]), weights=sample_weight)


METRICS = {
    "by name": (
        {"value": ["r2", error], "policy": ("f1", "accuracy", "top_2_accuracy")},
        {"value_r2", "value_error", "policy_f1", "policy_top_2_accuracy"},
    ),
    "one head": ({"policy": "auc"}, {"policy_auc"}),
    "the same of all": ([lambda y, outputs: 2.0], {"policy_<lambda>", "value_<lambda>"}),
}


@pytest.mark.parametrize(("metrics", "names"), METRICS.values(), ids=METRICS.keys())
@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_of_heads(metrics, names, weighted, samples, tmp_path):
    """Those of `fastmlp.metrics` for the outputs of a head alone, also of a stream and resumed."""
    X, (labels, numbers) = samples
    y = np.eye(3)[labels], numbers
    weight = (np.arange(60) % 3).astype(np.float32)
    data = (X, y, weight) if weighted else (X, y)
    net, other = actor_critic(), actor_critic()
    asked = metrics if isinstance(metrics, dict) else iter(metrics)
    history = net.fit(X, y, 2, validation_data=data, metrics=asked)
    always = {f"{name}_loss" for name in ("policy", "value")} | {"policy_accuracy"}
    assert set(history.validation_metrics) == {f"validation_{name}" for name in names | always}
    rows = weight > 0 if weighted else np.arange(60)
    given = {"sample_weight": weight[rows]} if weighted else {}
    policy, value = net.split(net.predict(X[rows]))
    heads = {"policy": (labels[rows], policy), "value": (numbers[rows, None], value)}
    for name in names:
        head, metric = name.split("_", 1)
        own = {
            "<lambda>": lambda *_, **__: 2.0,
            "error": error,
            "top_2_accuracy": partial(fm.metrics.top_k_accuracy, k=2),
        }
        f = own.get(metric) or getattr(fm.metrics, metric)
        expected = f(*heads[head], **given)
        assert history[f"validation_{name}"][-1] == expected
    save = {"validation_data": data, "metrics": metrics, "checkpoint": tmp_path / "fit"}
    other.fit(X, y, 1, **save)
    assert actor_critic().fit(X, y, 2, **save).metrics == history.metrics
    stream = Triples(X, y, weight if weighted else np.ones(60, np.float32))
    streamed = actor_critic().fit(X, y, 2, validation_data=stream, metrics=metrics)
    for name in names:
        expected = history[f"validation_{name}"]
        assert streamed[f"validation_{name}"] == (expected if weighted else pytest.approx(expected))


class Triples(fm.Stream):
    """A stream of arrays in two blocks, with weights."""

    n_features, block_rows = 4, (40, 20)

    def __init__(self, X, y, weight):
        self._arrays = X, y, weight

    def read(self, start, stop):
        X, y, weight = self._arrays
        return X[start:stop], tuple(part[start:stop] for part in y), weight[start:stop]


class Pieces(Triples):
    """A stream of two blocks, of which the second one is of another kind."""

    def read(self, start, stop):
        X, y, weight = super().read(start, stop)
        if start > 0:
            return X, y, weight
        return (X, y) if self.drops_weight else (X, (np.eye(3)[y[0]], y[1]), weight)


@pytest.mark.parametrize("drops_weight", [False, True])
def test_blocks_of_different_kinds_are_refused(samples, drops_weight):
    """With weights for some rows only, metrics would take those of other rows."""
    X, y = samples
    stream = Pieces(X, y, np.ones(60, np.float32))
    stream.drops_weight = drops_weight
    batches = [stream.read(0, 40), stream.read(40, 60)]
    message = "weights and others have none" if drops_weight else r"\(n, 4\), and now .* \(n, 2\)"
    for call in (
        lambda net: net.fit(X, y, 1, validation_data=stream, metrics={"policy": "f1"}),
        lambda net: net.fit(stream, epochs=1),
        lambda net: net.fit(batches, epochs=1, batch_size=32),
    ):
        with pytest.raises(fm.DataError, match=message):
            call(actor_critic())


def test_metrics_of_heads_are_watched(samples):
    """Better is what is better for the metric, whatever the head is called."""
    X, (labels, numbers) = samples
    heads = fm.Heads(mse=fm.Head(1, "identity"), r2=fm.Head(3, "softmax"))
    for metric, best in (("mse_r2", max), ("mse_rmse", min), ("r2_f1", max), ("r2_log_loss", min)):
        head, name = metric.split("_", 1)
        net = fm.Network([4, 8, heads], seed=1)
        seen = []
        history = net.fit(
            X,
            (numbers, labels),
            8,
            optimizer=fm.Adam(fm.Plateau(0.2, 0.5, 1, monitor=f"validation_{metric}")),
            validation_fraction=0.3,
            metrics={head: name},
            early_stopping=fm.EarlyStopping(f"validation_{metric}", patience=8),
            callbacks=lambda net, report, seen=seen, metric=metric: seen.append(
                report.value(f"validation_{metric}")
            ),
        )
        values = history[f"validation_{metric}"]
        assert seen == values
        assert history.best_epoch == 1 + values.index(best(values))
        waited, factor, so_far = 0, 1.0, values[0]  # of the plateau
        for value, rate in zip(values[1:], history.learning_rate[2:], strict=False):
            gain = value - so_far if best is max else so_far - value
            waited, so_far = (0, value) if gain > 1e-4 else (waited + 1, so_far)
            if waited > 1:
                factor, waited = factor / 2, 0
            assert rate == 0.2 * factor


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"metrics": "f1"}, ValueError, r"metrics of head 'value' must be 'mse'.*; a dict has"),
        ({"metrics": "r2"}, ValueError, r"metrics of head 'policy' must be .*'f1'"),
        ({"metrics": {"policyy": "f1"}}, ValueError, "did you mean 'policy'"),
        ({"metrics": {0: "f1"}}, TypeError, "a name in metrics must be 'policy' or 'value'"),
        ({"metrics": {"value": "f1"}}, ValueError, r"metrics\['value'\] must be 'mse'"),
        ({"metrics": {"value": 3}}, TypeError, r"metrics\['value'\] must be names"),
        ({"metrics": {"value": {"r2": 1}}}, TypeError, r"metrics\['value'\] must be names"),
        ({"metrics": {"value": ["r2", "r2"]}}, ValueError, "'r2' twice"),
        (
            {"early_stopping": fm.EarlyStopping("validation_value_r2")},
            ValueError,
            r"which needs metrics=\{'value': 'r2'\}",
        ),
        (
            {"early_stopping": fm.EarlyStopping("validation_policy_r2")},
            ValueError,
            "monitor must be 'loss', 'policy_loss'",
        ),
        ({"metrics": 5}, TypeError, "metrics of head 'policy' must be names"),
        ({"class_weight": "balanced"}, TypeError, r"such as \{'policy': 'balanced'\}"),
        ({"class_weight": {0: 2.0}}, TypeError, "a name in class_weight must be 'policy' or"),
        ({"class_weight": {"policyy": {0: 2.0}}}, ValueError, "did you mean 'policy'"),
        ({"class_weight": {"policy": 2.0}}, TypeError, r"class_weight\['policy'\] must be a dict"),
        (
            {"class_weight": {"policy": "even"}},
            ValueError,
            r"class_weight\['policy'\] must be 'bal",
        ),
        (
            {"class_weight": {"policy": {3: 2.0}}},
            ValueError,
            "has the label 3, but labels are 0 to 2",
        ),
        ({"class_weight": {"policy": {0: -1.0}}}, ValueError, r"class_weight\['policy'\]\[0\]"),
        ({"class_weight": {"value": "balanced"}}, ValueError, "targets of head 'value' of shape"),
        (
            {"class_weight": {"policy": {0: 0, 1: 0, 2: 0}}},
            ValueError,
            "weights of head 'policy' all 0",
        ),
    ],
)
def test_metrics_and_class_weights_that_do_not_fit(
    samples, options, error, message, assert_unchanged
):
    X, y = samples
    net = actor_critic()
    with assert_unchanged(net), pytest.raises(error, match=message):
        net.fit(X, y, validation_data=(X, y), **options)


def test_metrics_with_names_of_other_measurements(samples):
    X, (_, numbers) = samples

    def b_loss(y, outputs):
        return 0.0

    heads = fm.Heads(a=fm.Head(1, "identity"), a_b=fm.Head(1, "identity"))
    net = fm.Network([4, heads])
    with pytest.raises(ValueError, match="'a_b_loss' is measured for another head"):
        net.fit(X, (numbers, numbers), validation_data=(X, (numbers, numbers)), metrics=[b_loss])
    with pytest.raises(ValueError, match="mode='auto' does not know"):  # nor from its last word
        net.fit(
            X,
            (numbers, numbers),
            validation_data=(X, (numbers, numbers)),
            metrics={"a_b": [b_loss]},
            early_stopping=fm.EarlyStopping("validation_a_b_b_loss"),
        )


@pytest.mark.parametrize("as_numbers", [False, True])
def test_class_weights_of_a_head_weigh_its_loss_only(samples, as_numbers, tmp_path):
    """Each head has the losses and gradients of a network of its own with those sample weights."""
    X, (labels, _) = samples
    flags = (X[:, 0] > 0.8).astype(np.float32)
    heads = fm.Heads(kind=fm.Head(3, "softmax"), flag=fm.Head(1, "sigmoid", weight=0.5))
    y = {"kind": np.eye(3)[labels] if as_numbers else labels, "flag": flags}
    own = (0.5 + np.arange(60) % 4 / 4).astype(np.float32)
    by_flag, by_kind = np.array([1.0, 5.0]), np.array([0.5, 1.0, 3.0])
    counts = np.bincount(labels, weights=own, minlength=3)
    balanced = np.add.accumulate(counts)[-1] / (3 * counts)
    ones = np.ones(60)
    for class_weight, of_kind, of_flag in [
        ({"flag": {1: 5.0}}, ones, by_flag[flags.astype(int)]),
        (
            {"flag": {1: 5.0}, "kind": {0: 0.5, 2: 3.0}},
            by_kind[labels],
            by_flag[flags.astype(int)],
        ),
        ({"kind": "balanced"}, balanced[labels], ones),
        ({"kind": {0: 0}}, np.array([0, 1, 1])[labels], ones),
    ]:
        net = fm.Network([4, heads], seed=1, dtype="float64")
        W, h = net.weights[0].copy(), net.predict(X)
        history = net.fit(X, y, 1, None, fm.SGD(0.1), sample_weight=own, class_weight=class_weight)
        w_kind, w_flag = own * of_kind, own * of_flag
        delta = np.column_stack(
            [w_kind[:, None] * (h[:, :3] - np.eye(3)[labels]), 0.5 * w_flag * (h[:, 3] - flags)]
        )
        gradient = X.astype(np.float64).T @ delta / own.sum()
        np.testing.assert_allclose(net.weights[0], W - 0.1 * gradient, rtol=1e-12, atol=1e-14)
        of_sample = -np.log(h[np.arange(60), labels])
        of_flags = -np.log(np.where(flags == 1, h[:, 3], 1 - h[:, 3]))
        expected = [(w_kind * of_sample).sum(), (w_flag * of_flags).sum()] / own.sum()
        got = [history["kind_loss"][0], history["flag_loss"][0]]
        np.testing.assert_allclose(got, expected, rtol=1e-12)
        np.testing.assert_allclose(history.loss[0], expected @ [1, 0.5], rtol=1e-12)
    save = {"class_weight": {"flag": {1: 5.0}}, "checkpoint": tmp_path / "fit"}
    other = save | {"class_weight": {"flag": {1: 4.0}}}
    fm.Network([4, 8, heads], seed=1).fit(X, y, 1, **save)
    fm.Network([4, 8, heads], seed=1).fit(X, y, 2, **save)
    with pytest.raises(ValueError, match="another fit: class_weight was flag: of shape"):
        fm.Network([4, 8, heads], seed=1).fit(X, y, 3, **other)


def test_class_weights_of_heads_in_streams_and_lbfgs(samples):
    X, (labels, _) = samples
    flags = (X[:, 0] > 0.8).astype(np.float32)
    heads = fm.Heads(kind=fm.Head(3, "softmax"), flag=fm.Head(1, "sigmoid"))
    options = {"class_weight": {"flag": {1: 5.0}, "kind": {0: 0.5}}, "shuffle": False}
    stream, twin = (fm.Network([4, 8, heads], seed=1) for _ in range(2))
    data = Triples(X, (labels, flags), np.ones(60, np.float32))
    stream.fit(data, epochs=1, **options)
    twin.fit(X, (labels, flags), 1, **options)
    assert stream.parameters.tobytes() == twin.parameters.tobytes()
    with pytest.raises(ValueError, match="would have to count the classes"):
        stream.fit(data, epochs=1, class_weight={"kind": "balanced"})
    twice = fm.Heads(kind=heads.heads["kind"], flag=fm.Head(1, "sigmoid", weight=2.0))
    net, twin = fm.Network([4, 8, heads], seed=1), fm.Network([4, 8, twice], seed=1)
    settings = {"batch_size": None, "optimizer": fm.LBFGS(5)}
    with pytest.warns(fm.ConvergenceWarning):
        net.fit(X, (labels, flags), class_weight={"flag": {0: 2, 1: 2}}, **settings)
    with pytest.warns(fm.ConvergenceWarning):
        twin.fit(X, (labels, flags), **settings)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_a_fraction_held_out_keeps_the_classes_of_all_heads(rng):
    X = rng.random((200, 4))
    kinds, flags = np.repeat([0, 1, 2], [150, 40, 10]), np.tile([0, 0, 0, 1], 50)
    numbers = rng.random(200)
    heads = fm.Heads(
        kind=fm.Head(3, "softmax"), flag=fm.Head(1, "sigmoid"), size=fm.Head(1, "identity")
    )
    seen = []

    def count(y, outputs):
        seen.append(np.asarray(y).ravel().astype(int))
        return 0.0

    net = fm.Network([4, heads], seed=1)
    net.fit(X, (kinds, flags, numbers), 1, validation_fraction=0.2, metrics={"kind": [count]})
    net = fm.Network([4, heads], seed=1)
    net.fit(X, (kinds, flags, numbers), 1, validation_fraction=0.2, metrics={"flag": [count]})
    pairs = np.bincount(seen[0] * 2 + seen[1], minlength=6)
    exact = 0.2 * np.bincount(kinds * 2 + flags, minlength=6)
    assert (np.abs(pairs - exact) < 1).all()
    assert pairs.sum() == 40
    labels = np.arange(200)  # combinations of one sample are no reason to hold out fewer
    wide = fm.Network([4, fm.Heads(a=fm.Head(200, "softmax"), b=fm.Head(2, "softmax"))], seed=1)
    seen.clear()
    wide.fit(X, (labels, flags), 1, validation_fraction=0.2, metrics={"b": [count]})
    assert len(seen[0]) == 40


def test_a_checkpoint_resumes(samples, tmp_path):
    X, y = samples
    whole, first, rest = (actor_critic() for _ in range(3))
    expected = whole.fit(X, y, 6, optimizer="adam", validation_data=(X, y))
    file = tmp_path / "fit.ckpt"
    first.fit(X, y, 2, optimizer="adam", validation_data=(X, y), checkpoint=file)
    resumed = rest.fit(X, y, 6, optimizer="adam", validation_data=(X, y), checkpoint=file)
    assert rest.parameters.tobytes() == whole.parameters.tobytes()
    assert resumed.metrics == expected.metrics
    other = fm.Heads(policy=fm.Head(3, "softmax"), value=fm.Head(1, "identity", weight=0.25))
    with pytest.raises(ValueError, match="head 'value' was 1 identity"):
        fm.Network([4, 24, other], seed=1).fit(X, y, 6, optimizer="adam", checkpoint=file)


@pytest.mark.filterwarnings("ignore:L-BFGS has not converged")
@pytest.mark.parametrize("standardize", [False, True])
def test_lbfgs_knows_the_losses_of_the_heads(samples, standardize):
    pytest.importorskip("scipy")
    X, y = samples
    net, seen = actor_critic(), []
    stop = fm.EarlyStopping("policy_loss", patience=50, restore_best=False)
    history = net.fit(
        X, y, optimizer=fm.LBFGS(4), standardize=standardize, early_stopping=stop,
        callbacks=lambda _, report: seen.append(report.metrics["value_loss"]) and False,
    )  # fmt: skip
    assert history.head_losses["value_loss"] == seen
    assert len(seen) == len(history.loss) == 4
    for name, evaluation in net.evaluate(X, y).heads.items():
        assert history[f"{name}_loss"][-1] == evaluation.loss


def test_many_networks_and_lbfgs(samples):
    X, y = samples
    nets, twin = [actor_critic(), actor_critic()], actor_critic()
    history = fm.train_many(nets, X, y, epochs=2)[0]
    assert history.head_losses == twin.fit(X, y, epochs=2).head_losses
    assert nets[1].parameters.tobytes() == twin.parameters.tobytes()
    net = actor_critic(dtype="float64")
    f = net.objective(X, y)
    theta = net.parameters.copy()
    _, gradient = f(theta)
    step = 1e-5  # the error of the difference is of the order of its square
    for i in (0, 50, -1):
        up, down = (f(theta + step * sign * np.eye(len(theta))[i])[0] for sign in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / (2 * step), abs=1e-7)
    pytest.importorskip("scipy")
    before = net.evaluate(X, y).loss
    with pytest.warns(fm.ConvergenceWarning):
        net.fit(X, y, optimizer=fm.LBFGS(max_iterations=5))
    assert net.evaluate(X, y).loss < before


def test_copies_pickles_and_files(samples, tmp_path, dtype):
    X, y = samples
    heads = fm.Heads(
        **{
            "größe": fm.Head(2, fm.LeakyReLU(0.2), fm.Quantile(0.9)),
            "trainable?": fm.Head(1, "exp"),
        },
        art=fm.Head(3, "softmax", fm.CrossEntropy(0.1), weight=2.5),
        rate_factor=0.5,
    )
    net = fm.Network([4, 5, heads], seed=1, dtype=dtype)
    both = np.stack([y[1], y[1]], axis=1)
    net.fit(X, (both, np.exp(y[1]), y[0]), 2)
    net.save(tmp_path / "net")
    again = [net.copy(), pickle.loads(pickle.dumps(net)), fm.load(tmp_path / "net")]
    for other in again:
        assert other.heads == net.heads
        assert other.layers == net.layers
        assert (other.loss, other.loss.heads) == (net.loss, net.loss.heads)
        assert other.predict(X).tobytes() == net.predict(X).tobytes()
        assert repr(other) == repr(net)
        other.save(tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == (tmp_path / "net").read_bytes()
        other.fit(X, (both, np.exp(y[1]), y[0]), 1)
    assert len({other.parameters.tobytes() for other in again}) == 1
    _, metadata = fm.files.read_archive(tmp_path / "net")
    assert '"loss":{"kind":"quantile"' in metadata["network"]
    text = str(net.summary())
    assert (
        "größe: 2 LeakyReLU(negative_slope=0.2), quantile(0.9); trainable?: 1 exp, poisson" in text
    )
    assert "art: 3 softmax, cross_entropy(0.1) x 2.5; rate x 0.5" in text


def test_names_that_are_arguments_come_back_from_files(tmp_path):
    """A file, as written by C++, may have any name."""
    heads = [
        ("trainable", 1, "identity", ("huber", 1.0), 1.0),
        ("self", 1, "exp", ("poisson", 0.0), 1.0),
    ]
    layers = [(2, "identity", "none", 0.0)]
    core = fm._core.Network32(2, layers, ("heads", 0.0), 1, heads=heads)
    core.save(str(tmp_path / "net"), False)
    net = fm.load(tmp_path / "net")
    assert list(net.heads) == ["trainable", "self"]
    net.trainable = False
    assert list(net.heads) == ["trainable", "self"]
    assert not net.layers[-1].trainable


WRONG_HEADS = {
    "no name": ({"name": ""}, "not empty"),
    "name of a measurement": ({"name": "validation"}, "validation"),
    "no nodes": ({"nodes": 0}, "at least one node"),
    "too many nodes": ({"nodes": 2**64 - 1}, "no more than the last layer"),
    "other nodes": ({"nodes": 2}, "as many nodes as the heads"),
    "softmax of one": ({"activation": "softmax"}, "two nodes"),
    "loss of another": ({"loss": {"kind": "cross_entropy", "parameter": 0}}, "does not go"),
    "custom": ({"loss": {"kind": "custom", "parameter": 0}}, "custom"),
    "heads": ({"loss": {"kind": "heads", "parameter": 0}}, "no loss of its own"),
    "no weight": ({"weight": 0}, "weight"),
    "unknown member": ({"colour": 1}, "'colour' is unknown"),
    "parameter of another": ({"alpha": 0.5}, "'alpha' is of another"),
    "twice": ({"name": "b"}, "twice"),
}


@pytest.mark.parametrize(("change", "message"), WRONG_HEADS.values(), ids=WRONG_HEADS.keys())
def test_files_with_heads_that_make_no_sense(change, message, tmp_path):
    net = fm.Network([2, fm.Heads(a=fm.Head(1, "identity"), b=fm.Head(1, "exp"))], seed=1)
    net.save(tmp_path / "net")
    tensors, metadata = fm.files.read_archive(tmp_path / "net")
    network = json.loads(metadata["network"])
    network["heads"][0] |= change
    metadata["network"] = json.dumps(network, separators=(",", ":"))
    fm.files.write_archive(tmp_path / "wrong", tensors, metadata)
    with pytest.raises(fm.ModelFormatError, match=message):
        fm.load(tmp_path / "wrong")


@pytest.mark.parametrize("both", [True, False])
def test_files_have_either_a_loss_or_heads(both, tmp_path):
    net = fm.Network([2, fm.Heads(a=fm.Head(1, "identity"))], seed=1)
    net.save(tmp_path / "net")
    tensors, metadata = fm.files.read_archive(tmp_path / "net")
    network = json.loads(metadata["network"])
    if both:
        network["loss"] = {"kind": "huber", "parameter": 1}
    else:
        del network["heads"]
    metadata["network"] = json.dumps(network, separators=(",", ":"))
    fm.files.write_archive(tmp_path / "wrong", tensors, metadata)
    with pytest.raises(fm.ModelFormatError, match="either 'loss' or 'heads'"):
        fm.load(tmp_path / "wrong")


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.zeros((60, 4), np.float32), TypeError, "tuple of one array for each head"),
        ((np.zeros(60, int),), ValueError, "got 1 items"),
        ({"policy": np.zeros(60, int)}, ValueError, "'policy' and 'value'"),
        ((np.full(60, 3), np.zeros(60)), ValueError, r"y\[0\] \(policy\) contains label 3"),
        ((np.zeros(60), np.zeros(60)), ValueError, "integer labels"),
        (
            (np.zeros(60, int), np.zeros((60, 2))),
            ValueError,
            r"y\[1\] \(value\) must have the shape",
        ),
        ((np.zeros(60, int), np.zeros(59)), ValueError, "59"),
        ((np.zeros(60, int), np.full(60, np.nan)), ValueError, "NaN"),
        ({"policy": np.zeros(60, int), "value": np.full(60, np.inf)}, ValueError, "y\\['value'\\]"),
    ],
)
def test_targets_that_do_not_fit(samples, y, error, message, assert_unchanged):
    net = actor_critic()
    X, _ = samples
    net.forward(X)
    with assert_unchanged(net):
        for call in (net.fit, net.evaluate, net.input_gradient, net.objective):
            with pytest.raises(error, match=message):
                call(X, y)
        with pytest.raises(error, match=message):
            net.backward(y)
        with pytest.raises(error, match=message):
            net.train_on_batch(X, y, "adam")


@pytest.mark.parametrize("kind", [tuple, dict])
def test_gradients_of_heads_are_one_array(kind):
    net, parts = actor_critic(), {"policy": np.zeros((3, 2)), "value": np.zeros((3, 1))}
    given = parts if kind is dict else tuple(parts.values())
    X = np.zeros((3, net.features))
    with pytest.raises(TypeError, match=r"gradient must be one array \(3, .*net.split\(gradient\)"):
        net.train_on_batch(X, None, "sgd", gradient=given)


def test_what_heads_do_not_support_is_refused_by_name(assert_unchanged):
    net = actor_critic()
    with assert_unchanged(net):
        with pytest.raises(ValueError, match="class_names are those of one output layer"):
            net.class_names = ["a", "b", "c"]
        with pytest.raises(ValueError, match="to_sklearn does not support networks with heads"):
            net.to_sklearn()


def test_layers_that_make_no_sense():
    head = fm.Head(2, "softmax")
    for library in (fm, reference):
        with pytest.raises(ValueError, match="at least one head"):
            library.Heads()
        with pytest.raises(TypeError, match="must be a Head"):
            library.Heads(policy=2)
        with pytest.raises(ValueError, match="validation"):
            library.Heads(validation_a=library.Head(1, "identity"))
        with pytest.raises(ValueError, match="last layer"):
            library.Network([2, library.Heads(a=library.Head(1, "identity")), 2])
        with pytest.raises(ValueError, match="each of them has its own"):
            library.Network([2, library.Heads(a=library.Head(1, "identity"))], loss="huber")
        with pytest.raises(ValueError, match="one node"):
            library.Head(1, "softmax")
        with pytest.raises(ValueError, match="is a function"):
            library.Head(1, "identity", loss=lambda outputs, y, gradient: 0)
        with pytest.raises(ValueError, match="cross_entropy"):
            library.Head(1, "identity", loss="cross_entropy")
        with pytest.raises((TypeError, ValueError), match="weight"):
            library.Head(1, "identity", weight=0)
    with pytest.raises(ValueError, match="empty"):
        fm.Heads(**{"": head})
    with pytest.raises(ValueError, match="got 'heads'"):
        fm.Network([2, 3], loss=actor_critic().loss)


def test_split_and_classes(samples):
    X, _ = samples
    net = actor_critic()
    policy, value = net.split(net.predict(X))
    assert (policy.shape, value.shape) == ((60, 3), (60, 1))
    assert (net.predict_classes(X) == policy.argmax(axis=1)).all()
    outputs = net.predict(X)
    assert all(np.may_share_memory(part, outputs) for part in net.split(outputs))
    with pytest.raises(ValueError, match="4 columns"):
        net.split(outputs[:, :3])
    with pytest.raises(TypeError, match="array"):
        net.split(outputs.tolist())
    plain = fm.Network([4, 3])
    assert plain.heads == {}
    with pytest.raises(ValueError, match="with heads"):
        plain.split(outputs)
    two = fm.Heads(a=fm.Head(2, "softmax"), b=fm.Head(3, "softmax"))
    with pytest.raises(ValueError, match="one head of softmax"):
        fm.Network([4, two]).predict_classes(X)
    twin = reference.Network([4, reference.Heads(a=reference.Head(2, "softmax"))], seed=1)
    assert twin.predict_classes(X[:3]) == [
        row.index(max(row)) for row in twin.split(twin.predict(X[:3]))[0]
    ]


def test_heads_are_equal_by_what_they_are():
    def made(weight):
        return fm.Heads(a=fm.Head(1, "identity", weight=weight), b=fm.Head(1, "exp"))

    assert made(1) == made(1.0)
    assert hash(made(1)) == hash(made(1.0))
    different = [made(1), made(2), fm.Dense(2, "identity"), fm.Heads(b=fm.Head(2, "exp"))]
    assert all(a != b for a, b in pairwise(different))
    assert eval(repr(made(2)), vars(fm)) == made(2)


def test_soft_updates_and_copies_are_of_the_same_heads(samples):
    net, source = actor_critic(), actor_critic()
    source.fit(*samples, 1)
    net.soft_update(source, 1.0)
    assert net.parameters.tobytes() == source.parameters.tobytes()
    changes = [
        (fm.Head(3, "softmax", fm.CrossEntropy(0.1)), fm.Head(1, "identity", weight=0.5)),
        (fm.Head(3, "softmax"), fm.Head(1, "tanh", weight=0.5)),
        (fm.Head(3, "softmax"), fm.Head(1, "identity")),
    ]
    for (policy, value), what in zip(
        changes, ("label_smoothing", "activation", "weight"), strict=True
    ):
        other = fm.Network([4, 24, fm.Heads(policy=policy, value=value)], seed=1)
        with pytest.raises(ValueError, match=f"the {what} .* of head '"):
            net.soft_update(other, 0.5)
    plain = fm.Network([4, 24, 4], output="identity", seed=1)
    with pytest.raises(ValueError, match="loss"):
        net.soft_update(plain, 0.5)


def test_the_reference_measures_and_weighs_alike(samples):
    X, y = samples
    histories = []
    for library in (fm, reference):
        heads = library.Heads(
            policy=library.Head(3, "softmax"), value=library.Head(1, "identity", weight=0.5)
        )
        net = library.Network([4, 6, heads], seed=1, dtype="float64")
        histories.append(
            net.fit(
                X,
                y,
                3,
                class_weight={"policy": {0: 0.5, 2: 3.0}},
                validation_data=(X, y),
                metrics={"policy": ["f1", "auc"], "value": "r2"},
                early_stopping=library.EarlyStopping("validation_value_r2"),
            )
        )
    assert histories[0].best_epoch == histories[1].best_epoch
    assert set(histories[0].validation_metrics) == set(histories[1].validation_metrics)
    for name, values in histories[0].validation_metrics.items():
        np.testing.assert_allclose(histories[1].validation_metrics[name], values, rtol=1e-9)
    np.testing.assert_allclose(histories[1].loss, histories[0].loss, rtol=1e-9)
    for options in ({"metrics": {"p": "f1"}}, {"class_weight": {"p": {0: 1.0}}}):
        with pytest.raises(ValueError, match="a name in"):
            net.fit(X, y, 1, validation_data=(X, y), **options)
    with pytest.raises(TypeError, match="dict by name"):
        net.fit(X, y, 1, class_weight="balanced")


def test_heads_by_name_are_read_only(samples):
    net = actor_critic()
    for heads in (net.heads, net.layers[-1].heads):
        assert list(heads) == ["policy", "value"]
        with pytest.raises(TypeError, match="item assignment"):
            heads["policy"] = 3
    with pytest.raises(ValueError, match="names of the heads, 'policy' and 'value', got"):
        net.fit(samples[0], {"policy": samples[1][0]}, 1)
