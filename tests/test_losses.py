"""The losses against PyTorch's own, value and gradient; what they refuse; what they decide."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.losses import Loss

CASES = {
    "cross_entropy": ("softmax", "CrossEntropyLoss", {}),
    "label_smoothing": ("softmax", "CrossEntropyLoss", {"label_smoothing": 0.1}),
    "binary_cross_entropy": ("sigmoid", "BCEWithLogitsLoss", {}),
    "poisson": ("exp", "PoissonNLLLoss", {"log_input": True, "full": False}),
    "mean_squared_error": ("identity", "MSELoss", {}),
    "mean_absolute_error": ("identity", "L1Loss", {}),
    "huber": ("identity", "HuberLoss", {"delta": 0.4}),
}
GIVEN = {"label_smoothing": fm.CrossEntropy(label_smoothing=0.1), "huber": fm.Huber(delta=0.4)}


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def batch(rng, outputs, labels):
    X = rng.standard_normal((13, 4))
    y = rng.integers(0, outputs, 13) if labels else rng.random((13, outputs))
    return X, y


@pytest.mark.parametrize("outputs", [1, 3, 16, 17, 40])
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_are_torchs(torch, rng, case, outputs):
    """In float64, where both sum a few dozen terms: 1e-12 is some thousand roundings."""
    output, name, settings = CASES[case]
    if output == "softmax" and outputs == 1:
        outputs = 2  # one is refused
    for labels in (True, False) if output == "softmax" else (False,):
        net = fm.Network(
            [4, outputs], output=output, loss=GIVEN.get(case, case), seed=1, dtype="float64"
        )
        X, y = batch(rng, outputs, labels)
        net.forward(X)
        loss = net.backward(y)
        z = torch.tensor(X @ net.weights[0] + net.biases[0], requires_grad=True)
        expected = getattr(torch.nn, name)(**settings)(z, torch.tensor(y))
        expected.backward()
        assert loss == pytest.approx(expected.item(), rel=1e-12)
        assert net.evaluate(X, y).loss == pytest.approx(loss, rel=1e-15)
        delta = np.asarray(net.deltas[0]) / len(X)
        np.testing.assert_allclose(delta, z.grad.numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantile(rng, quantile):
    """max(q (y - h), (q - 1) (y - h)), and the bias that is least is that quantile of y."""
    net = fm.Network([1, 1], output="identity", loss=fm.Quantile(quantile), seed=1, dtype="float64")
    X, y = np.zeros((1001, 1)), rng.standard_normal((1001, 1))
    over = y - net.predict(X)
    wanted = np.maximum(quantile * over, (quantile - 1) * over).mean()
    assert net.evaluate(X, y).loss == pytest.approx(wanted, rel=1e-12)
    net.fit(X, y, epochs=300, batch_size=1001, optimizer=fm.SGD(0.1))
    share = (y < net.biases[0]).mean()
    assert share == pytest.approx(quantile, abs=0.02)


@pytest.mark.parametrize("loss", ["mean_absolute_error", "huber", "quantile"])
def test_no_slope_where_output_and_target_are_equal(loss, dtype):
    net = fm.Network([2, 3], output="identity", loss=loss, seed=1, dtype=dtype)
    X = np.ones((2, 2), dtype)
    y = net.predict(X)
    net.forward(X)
    assert net.backward(y) == 0.0
    assert not np.asarray(net.deltas[0]).any()


TORCH_ACTIVATIONS = {
    "relu": "relu",
    "leaky_relu": "leaky_relu",
    "elu": "elu",
    "gelu": "gelu",
    "silu": "silu",
    "selu": "selu",
    "mish": "mish",
    "relu6": "relu6",
    "hardswish": "hardswish",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softplus": "softplus",
}


@pytest.mark.parametrize("activation", TORCH_ACTIVATIONS)
def test_activations_are_torchs(torch, rng, activation):
    net = fm.Network([3, 20, 2], activation, "identity", seed=2, dtype="float64")
    X, y = 2 * rng.standard_normal((9, 3)), rng.standard_normal((9, 2))
    net.forward(X)
    net.backward(y)
    w = [torch.tensor(np.array(weights), requires_grad=True) for weights in net.weights]
    function = getattr(torch.nn.functional, activation)
    h = function(torch.tensor(X) @ w[0] + torch.tensor(np.array(net.biases[0])))
    out = h @ w[1] + torch.tensor(np.array(net.biases[1]))
    torch.nn.functional.mse_loss(out, torch.tensor(y)).backward()
    np.testing.assert_allclose(net.nodes[1], h.detach().numpy(), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(net.weight_gradients[0], w[0].grad.numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fm.CrossEntropy(1.5), ValueError, "label_smoothing"),
        (lambda: fm.CrossEntropy(-0.1), ValueError, "label_smoothing"),
        (lambda: fm.CrossEntropy("much"), TypeError, "label_smoothing"),
        (lambda: fm.Huber(0), ValueError, "delta must be finite and above 0"),
        (lambda: fm.Huber(float("nan")), ValueError, "delta"),
        (lambda: fm.Quantile(0), ValueError, "quantile"),
        (lambda: fm.Quantile(1), ValueError, "quantile"),
        (lambda: fm.Network([2, 3], loss="hubert"), ValueError, "did you mean 'huber'"),
        (lambda: fm.Network([2, 3], output="identity", loss=fm.Huber), TypeError, r"Huber\(\)"),
        (lambda: fm.Network([2, 3], loss=fm.Huber()), ValueError, "needs an output of"),
        (lambda: fm.Network([2, 1], output="relu", loss="poisson"), ValueError, "of 'exp'"),
        (lambda: fm.Network([2, 1], output="geluu"), ValueError, "did you mean 'gelu'"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_poisson_refuses_negative_counts(assert_unchanged):
    net = fm.Network([2, 1], output="exp", seed=1)
    assert net.loss == "poisson"
    with assert_unchanged(net), pytest.raises(ValueError, match=r"at least 0 for poisson.*row 1"):
        net.fit([[0.0, 1.0], [1.0, 0.0]], [1.0, -1.0])


def test_cross_entropy_refuses_negative_targets(assert_unchanged):
    """Its loss has no minimum then: that of pairs of -1 and 1 fell without an end."""
    net = fm.Network([2, 2], seed=1)
    headed = fm.Network([2, fm.Heads(a=fm.Head(2, "softmax"), b=fm.Head(1, "identity"))], seed=1)
    X, y = [[0.0, 1.0], [1.0, 0.0]], np.array([[0.5, 0.5], [-1.0, 1.0]])
    net.forward(X)
    for call in (
        lambda: net.fit(X, y),
        lambda: net.fit(X, [0, 1], validation_data=(X, y)),
        lambda: net.fit(fm.Rescaled(X), y),
        lambda: net.fit(iter([(np.array(X), y)]), epochs=1),
        lambda: net.train_on_batch(X, y, fm.SGD()),
        lambda: net.evaluate(X, y),
        lambda: net.objective(X, y),
        lambda: net.backward(y),
        lambda: fm.train_many([net], X, y),
        lambda: headed.fit(X, (y, [0.0, 1.0])),
    ):
        with (
            assert_unchanged(net),
            pytest.raises(ValueError, match=r"at least 0 for cross_entropy, got -1\.0 at row 1"),
        ):
            call()


def test_rows_of_cross_entropy_count_by_their_sums():
    net = fm.Network([2, 3], seed=1, dtype="float64")
    X = [[0.0, 1.0], [1.0, 0.0]]
    loss, gradient = net.objective(X, [[0, 2, 0], [0, 0, 0]])(net.parameters.copy())
    alone = net.objective(X[:1], [1])(net.parameters.copy())
    assert loss == alone[0]
    np.testing.assert_allclose(gradient, alone[1], rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("loss", ["mean_absolute_error", fm.Huber(2.0), fm.Quantile(0.3)])
def test_losses_without_decisions_have_no_accuracy(loss):
    net = fm.Network([2, 3], output="identity", loss=loss, seed=1)
    assert net.evaluate(np.ones((4, 2)), np.ones((4, 3))).accuracy is None


def test_the_parameter_shows_and_survives(tmp_path):
    import pickle  # noqa: PLC0415

    net = fm.Network([2, 3], output="identity", loss=fm.Huber(2.0), seed=1)
    assert "huber(2)" in repr(net)
    net.save(tmp_path / "net")
    X, y = np.full((4, 2), 9.0), np.zeros((4, 3))
    for other in (pickle.loads(pickle.dumps(net)), fm.load(tmp_path / "net")):
        assert repr(other) == repr(net)
        assert other.evaluate(X, y) == net.evaluate(X, y)


def test_the_loss_of_a_network_is_its_name_with_its_parameter():
    net = fm.Network([3, 1], output="identity", loss=fm.Huber(2.0), seed=1)
    assert net.loss == "huber"
    assert net.loss.parameter == 2.0
    assert repr(net.loss) == "'huber'"
    twin = fm.Network([3, 1], output="identity", loss=net.loss, seed=1)
    assert twin.loss.parameter == 2.0
    assert twin.evaluate([[1, 2, 3]], [9.0]) == net.evaluate([[1, 2, 3]], [9.0])
    plain = fm.Network([3, 1], output="identity", loss="huber", seed=1)
    assert plain.loss.parameter == 1.0


def test_a_custom_loss_of_a_network_goes_to_another():
    def squares(outputs, y, gradient):
        gradient[:] = 2 * (outputs - y)
        return np.square(outputs - y).sum(axis=1)

    net = fm.Network([3, 1], output="identity", loss=squares, seed=1)
    twin = fm.Network([3, 1], output="identity", loss=net.loss, seed=1)
    assert twin.loss_function is squares
    with pytest.raises(ValueError, match="loss must be"):
        fm.Network([3, 1], output="identity", loss=Loss("custom"), seed=1)
