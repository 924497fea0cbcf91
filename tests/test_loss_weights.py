"""A weight for each output in the loss: `loss_weights`."""

import copy
import pickle

import numpy as np
import pytest
from step_ways import WAYS
from trajectories import bound

import fastmlp as fm
from fastmlp import files, reference

RNG = np.random.default_rng(8)
X = RNG.standard_normal((21, 4))
LOSSES = [
    ("identity", "mean_squared_error"),
    ("gelu", "mean_squared_error"),
    ("identity", "mean_absolute_error"),
    ("tanh", "huber"),
    ("identity", "quantile"),
    ("sigmoid", "binary_cross_entropy"),
    ("exp", "poisson"),
]
WEIGHTS = {3: [0.5, 0.0, 2.5], 20: [0.0, *np.linspace(0.1, 2, 18), 7.0]}


def targets(outputs, rows=21):
    return np.random.default_rng(outputs).random((rows, outputs))


def network(output, loss, outputs=3, dtype="float64", of=fm, weights="some"):
    weights = WEIGHTS[outputs] if isinstance(weights, str) else weights
    layers = [4, 7, outputs]
    return of.Network(layers, "tanh", output, loss, seed=3, dtype=dtype, loss_weights=weights)


def terms(net, Y):
    """The loss of each output of each sample, as the loss itself gives it."""
    h = net.predict(X).astype(float)
    if net.loss == "binary_cross_entropy":
        return -Y * np.log(h) - (1 - Y) * np.log1p(-h)
    if net.loss == "poisson":
        return h - Y * np.log(h)
    e = h - Y
    return {
        "mean_squared_error": e**2,
        "mean_absolute_error": abs(e),
        "huber": np.where(abs(e) <= 1, e**2 / 2, abs(e) - 0.5),
        "quantile": 0.5 * abs(e),
    }[str(net.loss)]


def all_bits(net, *values):
    arrays = (net.parameters, *net.optimizer_state.values(), *values)
    return b"".join(np.asarray(array).tobytes() for array in arrays)


@pytest.mark.parametrize("outputs", WEIGHTS)
@pytest.mark.parametrize(("output", "loss"), LOSSES)
def test_the_loss_is_the_weighted_mean(output, loss, outputs):
    net, Y = network(output, loss, outputs), targets(outputs)
    expected = (terms(net, Y) * WEIGHTS[outputs]).sum(axis=1) / outputs
    found = net.evaluate(X, Y).loss
    # Float64: what is left is the rounding of some 2 * outputs terms per sample.
    np.testing.assert_allclose(found, expected.mean(), rtol=1e-13)
    net.forward(X)
    assert net.backward(Y) == pytest.approx(expected.mean(), rel=1e-13)
    metrics = [] if loss == "binary_cross_entropy" else ["r2"]
    history = net.fit(X, Y, 1, 5, fm.SGD(1e-300), validation_data=(X, Y), metrics=metrics)
    assert history.loss[0] == pytest.approx(expected.mean(), rel=1e-13)
    assert history.validation_loss[0] == found
    for name in metrics:
        assert history["validation_" + name][0] == fm.metrics.r2(Y, net.predict(X))


@pytest.mark.parametrize("outputs", WEIGHTS)
@pytest.mark.parametrize(("output", "loss"), LOSSES)
def test_deltas_are_those_without_times_the_weight(output, loss, outputs, dtype):
    net, plain = (network(output, loss, outputs, dtype, weights=w) for w in ("some", None))
    Y, sample_weight = targets(outputs), RNG.integers(1, 3, 21)  # powers of 2, so in any order
    for each in (net, plain):
        each.forward(X)
        each.backward(Y, sample_weight=sample_weight)
    weights = np.array(WEIGHTS[outputs], dtype)
    assert np.array_equal(net.deltas[-1], plain.deltas[-1] * weights)
    gradient = RNG.standard_normal((21, outputs))
    for each in (net, plain):
        each.forward(X)
        each.backward(gradient=gradient)
    assert net.gradients.tobytes() == plain.gradients.tobytes()  # no loss, no weights


@pytest.mark.parametrize("outputs", WEIGHTS)
@pytest.mark.parametrize(("output", "loss"), LOSSES)
def test_weights_of_1_change_no_bit(output, loss, outputs, dtype):
    Y, results = targets(outputs), []
    for weights in (None, np.ones(outputs)):
        net = network(output, loss, outputs, dtype, weights=weights)
        history = net.fit(X, Y, 2, 4, fm.Adam(0.01), validation_data=(X, Y))
        results.append(all_bits(net, history.loss, history.validation_loss))
    assert results[0] == results[1]


@pytest.mark.parametrize("outputs", WEIGHTS)
@pytest.mark.parametrize(("output", "loss"), LOSSES)
def test_targets_of_weight_0_change_no_bit(output, loss, outputs, dtype):
    column, results = WEIGHTS[outputs].index(0.0), []
    for fill in (0.0, 1.0) if loss == "binary_cross_entropy" else (0.0, 3e38):
        net, Y = network(output, loss, outputs, dtype), targets(outputs)
        Y[:, column] = fill
        before = net.weights[-1][:, column].copy()
        history = net.fit(X, Y, 2, 4, fm.Adam(0.01), validation_data=(X, Y))
        assert np.array_equal(net.weights[-1][:, column], before)
        derivatives = net.input_gradient(X, Y), net.objective(X, Y).hvp(net.parameters)
        loss_at = net.objective(X, Y)(net.parameters)[0]
        values = history.loss, history.validation_loss, *derivatives, loss_at
        assert all(np.isfinite(value).all() for value in values)
        results.append(all_bits(net, *values))
    assert results[0] == results[1]


def test_an_output_of_weight_0_may_overflow():
    net = network("exp", "mean_squared_error", dtype="float32")
    net.biases[-1][1] = 1e4  # exp of it is infinite, and 0 times that NaN
    net.fit(X, targets(3), 2, 4)
    assert np.isfinite(net.parameters).all()


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(("output", "loss"), LOSSES)
def test_it_agrees_with_the_reference(output, loss, scaled):
    if scaled and (output != "identity" or loss == "quantile"):
        pytest.skip("only outputs of identity are scaled")
    Y, epochs = 10 * targets(3) if scaled else targets(3), 3

    def results(of, disturb):
        net = network(output, loss, of=of)
        if scaled:
            net.output_scale, net.output_offset = [3.0, 2.0, 0.5], [1.0, 5.0, 2.0]
        if disturb is not None:
            disturb(net)
        weight = np.linspace(0, 2, 21)
        options = {"sample_weight": weight, "validation_data": (X, Y)}
        history = net.fit(X, Y, epochs, 4, of.Adam(0.01), **options)
        objective = net.objective(X, Y, sample_weight=weight)
        products = objective.hvp(list(np.linspace(-1, 1, net.n_parameters)))
        value, gradient = objective(net.parameters)
        values = [history.loss, history.validation_loss, products, [value], gradient]
        values += [*net.input_gradient(X, Y), net.parameters]
        return np.concatenate([np.ravel(part) for part in values])

    steps = epochs * 6
    # Per step: the sums over 4 rows and 7 nodes, four passes and Adam's own operations.
    limit = bound(lambda disturb: results(reference, disturb), steps * 100)
    np.testing.assert_allclose(results(fm, None), results(reference, None), rtol=0, atol=limit)


def weighted_squares(weights):
    def loss(outputs, y, gradient):
        n = np.array(outputs.shape[1], outputs.dtype)
        own = weights.astype(outputs.dtype)
        error = outputs - y
        gradient[...] = outputs.dtype.type(2) / n * error * own
        return (own * error * error).sum(axis=1) / n

    return loss


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_way_of_a_step_has_them(way):
    """Each gives the bits of a custom loss that weighs its outputs, which takes other ways."""
    weights = np.linspace(0.3, 1.7, way.layers[-1])
    net, own = (way.new_network(loss) for loss in ("mean_squared_error", weighted_squares(weights)))
    net.loss_weights = weights
    history, other = way.fit(net, 3), way.fit(own, 3)
    assert net.parameters.tobytes() == own.parameters.tobytes()
    np.testing.assert_allclose(history.loss, other.loss, rtol=1e-5)


PROCESS = """
import sys
import numpy as np
import fastmlp as fm

rng = np.random.default_rng(2)
for dtype in ("float32", "float64"):
    for output, loss in {losses}:
        for outputs in (3, 17):
            weights = rng.random(outputs) * (np.arange(outputs) != 1)
            net = fm.Network([5, 9, outputs], output=output, loss=loss, seed=1, dtype=dtype,
                             loss_weights=weights)
            X, Y = rng.standard_normal((23, 5)), rng.random((23, outputs))
            if output == "identity" and loss != "poisson":
                net.output_scale = np.linspace(1, 2, outputs)
            history = net.fit(X, Y, 2, 7, fm.Adam(0.01), validation_data=(X, Y))
            net.forward(X)
            mean = net.backward(Y)
            product = net.objective(X, Y).hvp(net.parameters)
            print(net.parameters.tobytes().hex(), history.loss, history.validation_loss, mean,
                  net.gradients.tobytes().hex(), product.tobytes().hex())
"""


@pytest.fixture(scope="module")
def printed():
    """What the process prints, by instruction set."""
    return {}


@pytest.mark.shares_cores
def test_the_bits_are_those_of_scalar_code(run_python, any_isa, printed):
    code = PROCESS.format(losses=LOSSES)
    for isa, threads in (("scalar", "1"), (any_isa, "2")):
        if (isa, threads) not in printed:
            more = {"FASTMLP_NUM_THREADS": threads, "FASTMLP_EXACT_THREADS": "1"}
            done = run_python(code, FASTMLP_ISA=isa, **more)
            assert done.returncode == 0, done.stderr
            printed[isa, threads] = done.stdout
        assert printed[isa, threads] == printed["scalar", "1"]


def test_fit_steps_streams_and_train_many_agree(dtype):
    Y = targets(3)
    nets = [network("identity", "huber", dtype=dtype) for _ in range(6)]
    options = {"epochs": 2, "batch_size": 21, "optimizer": fm.Adam(0.01), "shuffle": False}
    nets[0].fit(X, Y, **options)
    for _ in range(2):
        nets[1].forward(X)
        nets[1].backward(Y)
        nets[1].update(fm.Adam(0.01))
        nets[2].train_on_batch(X, Y, fm.Adam(0.01))
    nets[3].fit(fm.ArrayStream(X, Y), **options)
    fm.train_many(nets[4:5], X, Y, **options)
    half = options | {"epochs": 1}
    nets[5].fit(X, Y, **half)
    pickle.loads(pickle.dumps(nets[5])).fit(X, Y, **half)
    nets[5].fit(X, Y, **half)
    assert len({net.parameters.tobytes() for net in nets}) == 1


def test_train_on_batch_sees_that_they_change():
    net, Y = network("identity", "mean_squared_error", weights=None), targets(3)
    for weights in (None, [1, 0, 2], [0, 0, 1], None):
        net.loss_weights = weights
        twin = net.copy()
        losses = [each.train_on_batch(X, Y, fm.SGD(0.1)) for each in (net, twin)]
        assert losses[0] == losses[1]
        assert all_bits(net) == all_bits(twin)
    net.loss_weights = [1, 1, 1]
    net.loss_weights[2] = 4  # live
    assert net.copy().loss_weights.tolist() == [1, 1, 4]
    loss = net.evaluate(X, Y).loss
    net.loss_weights = [1, 1, 4]
    assert net.evaluate(X, Y).loss == loss


def test_lbfgs_and_early_stopping_use_them():
    net, Y = network("identity", "mean_squared_error"), targets(3)
    with pytest.warns(fm.ConvergenceWarning):
        net.fit(X, Y, optimizer=fm.LBFGS(20))
    error = (net.predict(X) - Y).std(axis=0)
    assert error[2] < 0.5 * error[1]
    stopping = fm.EarlyStopping(patience=1)
    net.fit(X, Y, 3, validation_data=(X, Y), early_stopping=stopping)
    assert stopping.best == net.evaluate(X, Y).loss


def test_copies_pickles_files_and_checkpoints_keep_them(dtype, tmp_path):
    net = network("identity", "huber", dtype=dtype)
    net.save(tmp_path / "net")
    net.save_checkpoint(tmp_path / "checkpoint")
    loaded = fm.load(tmp_path / "net"), fm.load_checkpoint(tmp_path / "checkpoint")
    copies = net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))
    for again in (*loaded, *copies):
        assert again.loss_weights.tolist() == net.loss_weights.tolist()
        again.loss_weights[0] = 9
    assert net.loss_weights[0] == 0.5
    loaded[0].loss_weights = net.loss_weights
    loaded[0].save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "net").read_bytes()
    net.loss_weights = None
    net.save(tmp_path / "without")
    network("identity", "huber", dtype=dtype, weights=None).save(tmp_path / "never")
    assert (tmp_path / "without").read_bytes() == (tmp_path / "never").read_bytes()


@pytest.mark.parametrize(
    ("values", "loss", "message"),
    [
        ([-1.0, 0.0, 1.0], "huber", None),
        ([1.0, 1.0, 1.0], "cross_entropy", "cannot be of cross_entropy"),
        ([1.0, np.inf, 1.0], "huber", "not finite"),
        ([1.0, 1.0], "huber", r"of shape \[3\]"),
    ],
)
def test_files_that_make_no_sense(values, loss, message, tmp_path):
    network("identity", "huber").save(tmp_path / "net")
    tensors, metadata = files.read_archive(tmp_path / "net")
    tensors["loss_weights"] = np.array(values)
    metadata["network"] = metadata["network"].replace(
        '"kind":"huber","parameter":1', f'"kind":"{loss}","parameter":{int(loss == "huber")}'
    )
    if loss == "cross_entropy":
        metadata["network"] = metadata["network"].replace('"identity"', '"softmax"')
    files.write_archive(tmp_path / "other", tensors, metadata)
    if message is None:  # found as soon as it matters, like other numbers
        net = fm.load(tmp_path / "other")
        with pytest.raises(ValueError, match="loss_weights must be at least 0"):
            net.fit(X, targets(3))
        return
    with pytest.raises(files.ModelFormatError, match=message):
        fm.load(tmp_path / "other")


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([1, 2], ValueError, r"must have shape \(3,\), a weight for each output, got \(2,\)"),
        (2.0, ValueError, r"must have shape \(3,\)"),
        ([1, -1, 2], ValueError, "must be 0, or above 0 and finite in float32"),
        ([1, np.nan, 2], ValueError, "finite in float32"),
        ([1, 1e300, 2], ValueError, "finite in float32"),
        ([1, 1e-300, 2], ValueError, "above 0 and finite in float32"),
        ([0, 0, 0], ValueError, "are all 0"),
        (["a", "b", "c"], ValueError, "loss_weights holds text"),
        ([1, 1e38, 1], ValueError, r"at most 2e\+19 in float32, or losses would overflow"),
        ({"a": 1}, TypeError, "loss_weights"),
    ],
)
def test_what_no_weights_are(value, error, message):
    net = network("identity", "huber", dtype="float32")
    with pytest.raises(error, match=message):
        net.loss_weights = value
    assert net.loss_weights.tolist() == WEIGHTS[3]


@pytest.mark.parametrize(
    "value", [[1, 2], 2.0, [1, -1, 2], [1, np.nan, 2], [0, 0, 0], [1, 1, 1e300]]
)
def test_what_the_reference_refuses(value):
    net = network("identity", "huber", of=reference)
    with pytest.raises(ValueError, match="loss_weights"):
        net.loss_weights = value
    assert net.loss_weights == WEIGHTS[3]


def custom(outputs, y, gradient):
    gradient[...] = outputs
    return outputs.sum(axis=1)


@pytest.mark.parametrize(
    ("output", "loss", "message"),
    [
        ("softmax", None, "class_weight"),
        ("identity", custom, "weighs its outputs itself"),
        (fm.Heads(a=fm.Head(3, "identity")), None, "Head.*weight"),
    ],
)
def test_losses_that_take_none(output, loss, message):
    layers = [4, output] if isinstance(output, fm.Heads) else [4, 3]
    output = "softmax" if isinstance(output, fm.Heads) else output
    with pytest.raises(ValueError, match=message):
        fm.Network(layers, output=output, loss=loss, loss_weights=[1, 1, 1])
    assert fm.Network(layers, output=output, loss=loss).loss_weights is None


def test_what_does_not_match_is_refused(tmp_path):
    net, other = (network("identity", "huber", weights=w) for w in ("some", None))
    for source, wanted in ((other, "loss_weights, got none"), (net, "no loss_weights, got some")):
        with pytest.raises(ValueError, match=f"source must have {wanted}"):
            (net if source is other else other).soft_update(source, 0.5)
    other.loss_weights = [1, 2, 3]
    with pytest.raises(ValueError, match="the same loss_weights"):
        net.soft_update(other, 0.5)
    Y = targets(3)
    net.fit(X, Y, 2, checkpoint=fm.Checkpoint(tmp_path / "c"))
    with pytest.raises(ValueError, match="loss_weights"):
        other.fit(X, Y, 3, checkpoint=fm.Checkpoint(tmp_path / "c"))
    with pytest.raises(ValueError, match="without loss_weights"):
        net.export_c(tmp_path / "net.h", training=True)


def test_they_are_shown():
    net = network("identity", "huber")
    assert "huber of weighted outputs, float64" in repr(net)
    assert "weights of the outputs in the loss: 0.5, 0, 2.5" in repr(net.summary())
    assert "and 12 more" in repr(network("identity", "huber", 20).summary())
