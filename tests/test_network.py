"""The network: construction, prediction, evaluation, the three steps, copies."""

import doctest
import importlib
import pickle
import threading

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference
from fastmlp.model.model import Model
from fastmlp.network import network_of

X = np.random.default_rng(5).standard_normal((23, 6))
LABELS = np.arange(23) % 3


def test_a_network_is_one_class_in_one_file():
    """Without base classes, so that a method is found where it is looked for."""
    assert fm.Network.__bases__ == (object,)
    assert {f.__module__ for f in vars(fm.Network).values() if callable(f)} == {"fastmlp.network"}


class TestConstruction:
    def test_defaults(self):
        net = fm.Network([64, 64, 10])
        assert net.features == 64
        assert net.layers == (fm.Dense(64, "relu"), fm.Dense(10, "softmax"))
        assert (net.loss, net.dtype, net.epoch) == ("cross_entropy", np.float32, 0)
        assert net.n_parameters == 64 * 64 + 64 + 64 * 10 + 10
        assert 0 <= net.seed < 2**64

    def test_numbers_and_layers_mix(self):
        layers = (np.int32(6), fm.Dense(5, "tanh"), 4, fm.Dense(3, "identity"))
        net = fm.Network(layers, activation="sigmoid", output="softmax", dtype=np.float64)
        assert [layer.activation for layer in net.layers] == ["tanh", "sigmoid", "identity"]
        assert [layer.nodes for layer in net.layers] == [5, 4, 3]
        assert (net.loss, net.dtype) == ("mean_squared_error", np.float64)

    @pytest.mark.parametrize(
        ("output", "loss"),
        [
            ("softmax", "cross_entropy"),
            ("sigmoid", "binary_cross_entropy"),
            ("identity", "mean_squared_error"),
            ("tanh", "mean_squared_error"),
            ("relu", "mean_squared_error"),
        ],
    )
    def test_the_output_chooses_the_loss(self, output, loss):
        assert fm.Network([2, 2], output=output).loss == loss
        assert fm.Network([2, 2], output=output, loss=loss).loss == loss

    def test_the_seed_decides_the_weights(self):
        one, same, two, drawn, other = (
            fm.Network([6, 5, 3], seed=seed) for seed in (1, np.uint64(1), 2, None, None)
        )
        assert one.parameters.tobytes() == same.parameters.tobytes()
        assert one.parameters.tobytes() != two.parameters.tobytes()
        assert drawn.seed != other.seed
        again = fm.Network([6, 5, 3], seed=drawn.seed)
        assert drawn.parameters.tobytes() == again.parameters.tobytes()
        assert fm.Network([6, 3], seed=2**64 - 1).seed == 2**64 - 1

    def test_initial_weights_are_he_and_glorot(self, dtype):
        net = fm.Network([200, fm.Dense(100, "relu"), fm.Dense(50, "tanh")], seed=4, dtype=dtype)
        for weights, limit in zip(net.weights, (np.sqrt(6 / 200), np.sqrt(6 / 150)), strict=True):
            assert np.abs(weights).max() <= limit * (1 + np.finfo(dtype).eps)
            # n uniform draws: the greatest falls short of the limit by more than 20 / n of it
            # once in e^10; their variance limit^2 / 3 has a standard error of sqrt(4 / 5n) of it.
            assert np.abs(weights).max() > limit * (1 - 20 / weights.size)
            assert weights.var() == pytest.approx(limit**2 / 3, rel=5 * np.sqrt(0.8 / weights.size))
        assert not any(biases.any() for biases in net.biases)

    def test_float32_weights_are_the_rounded_float64_ones(self):
        single, double = (fm.Network([6, 5, 3], seed=9, dtype=t) for t in ("float32", "float64"))
        np.testing.assert_array_equal(single.parameters, double.parameters.astype(np.float32))

    def test_repr_is_a_table(self):
        assert repr(fm.Network([64, fm.Dense(32, "tanh"), 10], seed=7)) == (
            "Network: 64 features, cross_entropy, float32, 2,410 parameters\n"
            "  layer 0  64 -> 32  tanh     2,080 parameters\n"
            "  layer 1  32 -> 10  softmax    330 parameters"
        )

    def test_attributes_cannot_be_replaced(self):
        net = fm.Network([2, 2])
        for name in ("seed", "epoch", "dtype", "loss", "layers", "features", "weights", "nodes"):
            with pytest.raises(AttributeError):
                setattr(net, name, None)


class TestPredict:
    def test_agrees_with_the_equations(self, dtype):
        net = fm.Network([6, fm.Dense(20, "tanh"), fm.Dense(3, "identity")], seed=1, dtype=dtype)
        inputs = X.astype(dtype)
        h = np.float64(inputs)
        for layer, w, b in zip(net.layers, net.weights, net.biases, strict=True):
            z = h @ np.float64(w) + b
            h = np.tanh(z) if layer.activation == "tanh" else z
        # At most 6 + 20 products and 4 more roundings, on sums of terms below 2.
        scale = 2 * sum(np.abs(np.float64(w)).sum(axis=0).max() for w in net.weights)
        np.testing.assert_allclose(
            net.predict(inputs), h, rtol=0, atol=30 * np.finfo(dtype).eps * scale
        )

    def test_a_row_has_the_same_bits_in_any_batch(self, dtype):
        net = fm.Network([6, 33, 3], seed=1, dtype=dtype)
        whole = net.predict(X.astype(dtype))
        for i in range(len(X)):
            row = net.predict(X[i : i + 1].astype(dtype))
            assert row.tobytes() == whole[i : i + 1].tobytes()

    def test_out_is_written_and_returned(self, dtype):
        net = fm.Network([6, 5, 3], seed=1, dtype=dtype)
        out = np.full((23, 3), np.nan, dtype)
        for inputs in (X.astype(dtype), X.tolist()):
            assert net.predict(inputs, out=out) is out
            np.testing.assert_array_equal(out, net.predict(inputs))
            out[:] = np.nan

    def test_no_rows(self, dtype):
        net = fm.Network([6, 5, 3], seed=1, dtype=dtype)
        for empty in (np.empty((0, 6), dtype), np.empty((0, 6), int)):
            result = net.predict(empty)
            assert (result.shape, result.dtype) == ((0, 3), dtype)

    def test_many_threads_at_once(self):
        net = fm.Network([6, 64, 3], seed=1)
        inputs = np.tile(X.astype(np.float32), (100, 1))
        expected = net.predict(inputs).tobytes()
        wrong = []

        def work(n_threads):
            results = (net.predict(inputs, n_threads=n_threads).tobytes() for _ in range(20))
            wrong.extend(result for result in results if result != expected)

        threads = [threading.Thread(target=work, args=(n,)) for n in (None, 1, 2, 1000) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong

    def test_leaves_no_trace(self, assert_unchanged):
        net = fm.Network([6, 5, 3], seed=1)
        inputs = X.astype(np.float32)
        with assert_unchanged(net, inputs):
            net.predict(inputs)
            net.evaluate(inputs, LABELS)

    def test_a_network_without_init_does_not_crash(self):
        with pytest.raises(AttributeError):
            fm.Network.__new__(fm.Network).predict(X)


class TestEvaluate:
    def test_softmax(self, dtype, eps):
        net = fm.Network([6, 5, 3], seed=1, dtype=dtype)
        p = np.float64(net.predict(X))
        loss, accuracy = net.evaluate(X, LABELS)
        # p and the loss carry at most 40 roundings each.
        tolerance = 80 * eps
        assert loss == pytest.approx(-np.log(p[range(23), LABELS]).mean(), rel=tolerance)
        assert accuracy == (p.argmax(axis=1) == LABELS).mean()
        one_hot = net.evaluate(X, np.eye(3)[LABELS])
        assert one_hot.loss == pytest.approx(loss, rel=tolerance)
        assert one_hot.accuracy == accuracy

    def test_sigmoid(self, dtype, eps):
        net = fm.Network([6, 5, 2], output="sigmoid", seed=1, dtype=dtype)
        y = (X[:, :2] > 0).astype(int)
        p = np.float64(net.predict(X))
        loss, accuracy = net.evaluate(X, y)
        expected = -np.where(y, np.log(p), np.log(1 - p)).mean()
        assert loss == pytest.approx(expected, rel=80 * eps)
        assert accuracy == ((p > 0.5) == y).mean()

    def test_squared_error_has_no_accuracy(self, dtype, eps):
        net = fm.Network([6, 5, 2], output="identity", seed=1, dtype=dtype)
        result = net.evaluate(X, X[:, :2])
        expected = np.square(net.predict(X) - X[:, :2]).mean()
        assert result.loss == pytest.approx(expected, rel=80 * eps)
        assert result.accuracy is None

    def test_losses_are_added_in_float64_in_the_order_of_the_samples(self, dtype):
        net = fm.Network([6, 5, 3], seed=1, dtype=dtype)
        total = 0.0
        for i in range(23):
            total += net.evaluate(X[i : i + 1], LABELS[i : i + 1]).loss
        assert net.evaluate(X, LABELS).loss == total / 23

    def test_one_output_takes_a_flat_y(self):
        net = fm.Network([6, 5, 1], output="identity", seed=1)
        assert net.evaluate(X, X[:, 0]) == net.evaluate(X, X[:, :1])


class TestSteps:
    def test_gradients_agree_with_differences(self):
        net = fm.Network([6, fm.Dense(5, "tanh"), 3], seed=1, dtype="float64")
        net.forward(X)
        assert net.backward(LABELS) == net.evaluate(X, LABELS).loss
        gradient, start = net.gradients.copy(), net.parameters.copy()
        h = np.finfo(np.float64).eps ** (1 / 3)
        for i in range(net.n_parameters):
            net.parameters[i] = start[i] + h
            above = net.evaluate(X, LABELS).loss
            net.parameters[i] = start[i] - h
            below = net.evaluate(X, LABELS).loss
            net.parameters[i] = start[i]
            # Truncation h^2 and rounding eps / h, both about 4e-11.
            assert gradient[i] == pytest.approx((above - below) / (2 * h), abs=100 * h**2)

    def test_gradients_are_the_mean_of_nodes_times_deltas(self, dtype):
        net = fm.Network([6, 5, 3], seed=1, dtype=dtype)
        net.forward(X)
        net.backward(LABELS)
        for i in range(2):
            nodes, delta = np.float64(net.nodes[i]), np.float64(net.deltas[i])
            bound = 25 * np.finfo(dtype).eps
            for gradient, left in (
                (net.weight_gradients[i], nodes),
                (net.bias_gradients[i], np.ones((23, 1))),
            ):
                expected = left.T @ delta / 23
                slack = bound * (np.abs(left).T @ np.abs(delta) / 23)
                assert (np.abs(gradient - expected.reshape(gradient.shape)).reshape(slack.shape)
                        <= slack).all()  # fmt: skip

    def test_update_reads_the_gradient_buffer(self, dtype):
        net = fm.Network([6, 5, 3], seed=1, dtype=dtype)
        before = net.parameters.copy()
        net.update(0.5)
        np.testing.assert_array_equal(net.parameters, before)  # zero before the first backward
        net.gradients[:] = 1
        net.update(0.5)
        np.testing.assert_array_equal(net.parameters, before - net.dtype.type(0.5))

    def test_backward_needs_a_forward(self, assert_unchanged):
        net = fm.Network([6, 3], seed=1)
        with assert_unchanged(net), pytest.raises(RuntimeError, match="forward"):
            net.backward(LABELS)


EXAMPLES = [
    *("layers.activations", "layers.dense", "layers.normalizations"),
    *("network", "many.train_many", "data.rescaled"),
    *("fitting.callbacks", "fitting.early_stopping"),
    *("reference", "sklearn.classifier", "sklearn.regressor"),
    *("sklearn.ensembles", "sklearn.searches", "many.ensemble"),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_the_docstrings(name):
    if name.startswith("sklearn"):
        pytest.importorskip("sklearn", minversion="1.6")
    module = importlib.import_module(f"fastmlp.{name}")
    result = doctest.testmod(module, extraglobs={"Dense": fm.Dense, "Network": fm.Network})
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("library", [fm, reference])
@pytest.mark.parametrize("layers", [[4, 1], [4, 3, 1], [4, fm.Dense(1, "softmax")]])
def test_a_softmax_of_one_node_is_refused(library, layers):
    layers = [4, library.Dense(1, "softmax")] if isinstance(layers[1], fm.Dense) else layers
    with pytest.raises(ValueError, match="one node with output='sigmoid', or two nodes") as caught:
        library.Network(layers)
    assert "output='identity'" in str(caught.value)


def test_a_softmax_of_one_node_that_exists_is_loaded(tmp_path):
    net = network_of(Model.of_layers(4, [fm.Dense(1, "softmax")], None, 1, "float32"))
    X = np.ones((3, 4), np.float32)
    net.save(tmp_path / "net.safetensors")
    for again in (fm.load(tmp_path / "net.safetensors"), pickle.loads(pickle.dumps(net))):
        assert again.predict(X).tolist() == [[1.0]] * 3
        assert again.layers == net.layers
