"""Scaling and names are exported to other libraries and imported from them.

Over 400 lines, as each library has an adapter and tests of its own.
"""

import importlib
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import fastmlp as fm

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras, about NumPy

RNG = np.random.default_rng(7)
# Degrees, a small number, seconds since 1970 within a month, and a constant.
X = np.column_stack([RNG.normal([20.0, -3.0, 1.7e9], [5.0, 0.1, 1e6], (60, 3)), np.full(60, 7.0)])
Y = np.column_stack([100 * X[:, 0] + X[:, 2] / 1e4, X[:, 1] - X[:, 0] / 10, np.full(60, 2.5)])
LABELS = (X[:, 0] > 20).astype(int) + (X[:, 1] > -3)
SCALING = ("input_scale", "input_offset", "output_scale", "output_offset")


def network(kind: str, dtype: str) -> fm.Network:
    """Return a network that scales its features, and numbers that it predicts."""
    output = {"numbers": "identity", "classes": "softmax"}[kind]
    net = fm.Network([4, 8, fm.Dense(3, output)], "tanh", seed=1, dtype=dtype)
    net.feature_names = ["degrees", "number", "time", "7"]
    if kind == "classes":
        net.class_names = ["few", "more", "most"]
    net.fit(X, Y if kind == "numbers" else LABELS, 5, standardize=True)
    return net


def assert_same(again: fm.Network, net: fm.Network) -> None:
    for name in SCALING:
        np.testing.assert_array_equal(getattr(again, name), getattr(net, name), strict=True)
    np.testing.assert_array_equal(again.parameters, net.parameters, strict=True)


class Torch:
    """What PyTorch predicts."""

    needs, names = "torch", False
    share = False

    def __init__(self, net: fm.Network, _: Any) -> None:
        self.model = net.to_torch(share=self.share)

    def predict(self, x: np.ndarray) -> np.ndarray:
        torch = importlib.import_module("torch")
        with torch.no_grad():
            return np.asarray(self.model(torch.from_numpy(x)))

    def back(self) -> fm.Network:
        return fm.from_torch(self.model)


class SharedTorch(Torch):
    """The same with shared memory."""

    share = True


class Keras:
    """What Keras predicts."""

    needs, names = "keras", False

    def __init__(self, net: fm.Network, _: Any) -> None:
        self.model = net.to_keras()

    def predict(self, x: np.ndarray) -> np.ndarray:
        keras = importlib.import_module("keras")
        return np.asarray(keras.ops.convert_to_numpy(self.model(x)))

    def back(self) -> fm.Network:
        return fm.from_keras(self.model)


class Sklearn:
    """What scikit-learn predicts."""

    needs, names = "sklearn", True

    def __init__(self, net: fm.Network, _: Any) -> None:
        self.model = pickle.loads(pickle.dumps(net.to_sklearn()))

    def predict(self, x: np.ndarray) -> np.ndarray:
        predict = getattr(self.model, "predict_proba", self.model.predict)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            return np.asarray(predict(x))

    def back(self) -> fm.Network:
        return fm.from_sklearn(self.model)


class Onnx:
    """What ONNX Runtime predicts, of the types of its network only."""

    needs, names = "onnxruntime", True

    def __init__(self, net: fm.Network, folder: Any) -> None:
        pytest.importorskip("onnx")
        self.path = folder / "net.onnx"
        net.to_onnx(self.path)

    def predict(self, x: np.ndarray) -> np.ndarray:
        runtime = importlib.import_module("onnxruntime")
        session = runtime.InferenceSession(self.path, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {"X": x})[0])

    def back(self) -> fm.Network:
        return fm.from_onnx(self.path)


LIBRARIES = [Torch, SharedTorch, Keras, Sklearn, Onnx]


@pytest.mark.parametrize("kind", ["numbers", "classes"])
@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_raw_rows_are_predicted_alike(library, kind, dtype, tmp_path, rounding_bound):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(library.needs)
    net = network(kind, dtype)
    other = library(net, tmp_path)
    bound = rounding_bound
    if library is Keras:  # which multiplies matrices in float32, of any dtype

        def bound(net: fm.Network, x: np.ndarray) -> np.ndarray:
            single = fm.Network([4, *net.layers])
            single.parameters = net.parameters
            for name in SCALING:
                setattr(single, name, getattr(net, name))
            return 2 * rounding_bound(single, x)

    sources = {Onnx: [dtype], Sklearn: [dtype, "int64"]}.get(
        library, ["float32", "float64", "int64"]
    )
    for source in sources:
        x = X.astype(source)
        expected = net.predict(x)
        assert (np.abs(other.predict(x) - expected) <= bound(net, x)).all(), source
        assert np.ptp(expected[:, 0]) > 100 * bound(net, x)[:, 0].max()
    again = other.back()
    assert_same(again, net)
    assert again.layers == net.layers
    if library.names:
        assert (again.feature_names, again.class_names) == (net.feature_names, net.class_names)


def test_shared_scales_are_one_memory():
    torch = pytest.importorskip("torch")
    net = network("numbers", "float32")
    model = net.to_torch(share=True)
    net.input_scale = net.input_scale / 2
    assert np.array_equal(model[0].scale.numpy(), net.input_scale)
    copied = net.to_torch()
    net.output_offset = 0
    assert copied[-1].offset.any()
    assert not model[-1].offset.any()
    assert model[1].weight.shape == (8, 4)  # a scale is no parameter
    assert torch.equal(model.state_dict()["0.scale"], model[0].scale)


def test_a_module_that_stands_twice_is_read_twice():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    block, act = nn.Sequential(nn.Linear(5, 5), nn.Tanh()), nn.ReLU()
    model = nn.Sequential(block, block, nn.Linear(5, 4), act, nn.Linear(4, 4), act, nn.Linear(4, 2))
    net = fm.from_torch(model)
    assert [layer.activation for layer in net.layers] == [
        "tanh",
        "tanh",
        "relu",
        "relu",
        "identity",
    ]
    x = RNG.standard_normal((9, 5)).astype(np.float32)
    theirs = model(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(net.predict(x), theirs, rtol=0, atol=1e-6)  # of the size of 1


def fitted(model: Any, y: np.ndarray, x: Any = X) -> Any:
    exceptions = importlib.import_module("sklearn.exceptions")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        return model.fit(x, y)


def perceptron(kind: str, module: str = "sklearn.neural_network") -> Any:
    theirs = getattr(pytest.importorskip(module), f"MLP{kind}")
    return theirs(hidden_layer_sizes=(7,), activation="tanh", max_iter=3, random_state=1)


SCALERS = {
    "StandardScaler": {},
    "RobustScaler": {},
    "MinMaxScaler": {"feature_range": (-1, 1)},
    "MaxAbsScaler": {},
    "StandardScaler without a mean": {"with_mean": False},
    "StandardScaler without a deviation": {"with_std": False},
    "RobustScaler without a centre": {"with_centering": False},
}


def scaler(name: str) -> Any:
    module = pytest.importorskip("sklearn.preprocessing")
    return getattr(module, name.split(maxsplit=1)[0])(**SCALERS[name])


@pytest.mark.parametrize("module", ["sklearn.neural_network", "fastmlp.sklearn"])
@pytest.mark.parametrize("name", SCALERS)
def test_scalers_of_scikit_learn(name, module, rounding_bound):
    pipeline = pytest.importorskip("sklearn.pipeline")
    model = fitted(pipeline.make_pipeline(scaler(name), perceptron("Classifier", module)), LABELS)
    net = fm.from_sklearn(model)
    plain = fm.from_sklearn(model[-1])
    np.testing.assert_array_equal(net.parameters, plain.parameters)
    z = X * net.input_scale + net.input_offset
    size = np.abs(X * net.input_scale) + np.abs(net.input_offset)
    assert (np.abs(z - model[0].transform(X)) <= 8 * np.finfo(float).eps * size).all()
    assert (np.abs(net.predict(X) - model.predict_proba(X)) <= rounding_bound(net, X)).all()


@pytest.mark.parametrize("name", ["StandardScaler", "RobustScaler", "MinMaxScaler", "MaxAbsScaler"])
def test_scaled_targets_of_scikit_learn(name, rounding_bound):
    compose = pytest.importorskip("sklearn.compose")
    pipeline = pytest.importorskip("sklearn.pipeline")
    for y in (Y[:, :2], Y[:, 0]):
        regressor = pipeline.make_pipeline(scaler("StandardScaler"), perceptron("Regressor"))
        model = compose.TransformedTargetRegressor(regressor, transformer=scaler(name))
        net = fm.from_sklearn(fitted(model, y))
        theirs = model.predict(X).reshape(60, -1)
        assert (np.abs(net.predict(X) - theirs) <= rounding_bound(net, X)).all()
        again = net.to_sklearn()
        assert again.predict(X).shape == y.shape
        assert_same(fm.from_sklearn(again), net)
    unscaled = fitted(compose.TransformedTargetRegressor(perceptron("Regressor")), Y)
    assert fm.from_sklearn(unscaled).output_scale is None


def test_names_of_scikit_learn():
    pandas = pytest.importorskip("pandas")
    pipeline = pytest.importorskip("sklearn.pipeline")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    model = pipeline.make_pipeline(scaler("StandardScaler"), perceptron("Classifier"))
    net = fm.from_sklearn(fitted(model, np.array(["cold", "fair", "warm"])[LABELS], frame))
    assert net.feature_names == ("a", "b", "c", "d")
    assert net.class_names == ("cold", "fair", "warm")
    assert net.predict_classes(frame).tolist() == model.predict(frame).tolist()
    again = net.to_sklearn()
    assert again.predict(frame).tolist() == model.predict(frame).tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        again.predict(frame[["b", "a", "c", "d"]])
    net.class_names = ["warm", "cold", "fair"]  # scikit-learn sorts classes
    assert net.to_sklearn().classes_.tolist() == [0, 1, 2]


def test_scikit_learn_scales_sparse_features():
    sparse = pytest.importorskip("scipy.sparse")
    pytest.importorskip("sklearn")
    x = sparse.csr_matrix(X * (RNG.random(X.shape) < 0.5))
    net = fm.Network([4, 8, 1], "tanh", "identity", seed=1, dtype="float64")
    net.adapt(x, Y[:, :1])
    model = net.to_sklearn()
    np.testing.assert_allclose(model.predict(x), net.predict(x)[:, 0], rtol=1e-13)
    again = fm.from_sklearn(model)
    assert not again.input_offset.any()
    np.testing.assert_allclose(again.predict(x), net.predict(x), rtol=1e-13)
    net.input_offset = 1
    assert fm.from_sklearn(net.to_sklearn()).input_offset.all()
    with pytest.raises(ValueError, match="X is sparse, and the network adds an offset"):
        fm.from_sklearn(net.to_sklearn()).predict(x)


def test_pipelines_that_no_network_can_be_are_refused():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    pipeline = pytest.importorskip("sklearn.pipeline")
    compose = pytest.importorskip("sklearn.compose")
    model = fitted(perceptron("Classifier"), LABELS)
    clipped = fitted(preprocessing.MinMaxScaler(clip=True), LABELS)
    squared = compose.TransformedTargetRegressor(
        perceptron("Regressor"), func=np.sqrt, inverse_func=np.square
    )
    for wrong, message in {
        pipeline.make_pipeline(
            preprocessing.StandardScaler(), model
        ): r"fitted.*\(StandardScaler\)",
        pipeline.make_pipeline(clipped, model): "step 'minmaxscaler'.*without clipping",
        pipeline.make_pipeline(preprocessing.Normalizer(), model): "step 'normalizer': 'Normalizer",
        fitted(squared, X[:, 0]): "the transformer of the targets",
    }.items():
        with pytest.raises(ValueError, match=message):
            fm.from_sklearn(wrong)
    with pytest.raises(TypeError, match="got StandardScaler"):
        fm.from_sklearn(pipeline.make_pipeline(preprocessing.StandardScaler()).fit(X))


def test_preprocessing_of_keras(rounding_bound):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras")
    layers = keras.layers
    x = X[:, [0, 1, 3]].astype(np.float32)
    normalization = layers.Normalization()
    normalization.adapt(x)
    model = keras.Sequential(
        [layers.Input((3,)), normalization, layers.Dense(5, "tanh"), layers.Dense(2),
         layers.Rescaling(3.0, offset=[1.0, -1.0])]
    )  # fmt: skip
    net = fm.from_keras(model)
    np.testing.assert_allclose(net.input_scale[:2], 1 / x[:, :2].std(axis=0), rtol=1e-5)
    assert (net.input_scale[2], net.input_offset[2]) == (0, 0)
    assert net.output_scale.tolist() == [3, 3]
    assert net.output_offset.tolist() == [1, -1]
    assert np.array_equal(net.weights[1], keras.ops.convert_to_numpy(model.layers[2].kernel))
    theirs = keras.ops.convert_to_numpy(model(x))
    start = layers.Input((3,))
    other = keras.Model(start, layers.Dense(2)(normalization(start)))  # which shares a layer
    assert np.array_equal(fm.from_keras(other).input_scale, net.input_scale)
    inverse = layers.Normalization(mean=5.0, variance=4.0, invert=True)
    denormalized = keras.Sequential([layers.Input((3,)), layers.Dense(1), inverse])
    assert fm.from_keras(denormalized).output_scale == 2
    assert fm.from_keras(denormalized).output_offset == 5
    # Keras subtracts a mean that is rounded, and so is our offset.
    assert (np.abs(net.predict(x) - theirs) <= 2 * rounding_bound(net, x)).all()


def test_scales_of_onnx():
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    weights = np.float32([[0.5, -1.0], [1.5, 0.25], [-0.5, 0.75]])
    constants = {
        "W": weights, "B": np.float32([0.5, -0.25]), "two": np.float32([2, 4]),
        "one": np.float32([1, 3]), "minus": np.float32([-1, 1]),
    }  # fmt: skip

    def read(*nodes: tuple[Any, ...], output: str | None = None) -> fm.Network:
        at, made = "x", []
        for i, (operator, others, *attributes) in enumerate(nodes):
            to = "y" if i + 1 == len(nodes) else f"t{i}"
            domain = {"domain": "ai.onnx.ml"} if operator == "Scaler" else {}
            named = attributes[0] if attributes else {}
            made.append(helper.make_node(operator, [at, *others], [to], **named, **domain))
            at = to
        kind = onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            made, "g", [helper.make_tensor_value_info("x", kind, ["batch", 3])],
            [helper.make_tensor_value_info("y", kind, None)],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )  # fmt: skip
        return fm.from_onnx(helper.make_model(graph), output=output)

    gemm = ("Gemm", ["W", "B"])
    net = read(("Scaler", [], {"offset": [1.0, 2.0, 4.0], "scale": [0.5]}), gemm)
    assert net.input_scale.tolist() == [0.5, 0.5, 0.5]
    assert net.input_offset.tolist() == [-0.5, -1, -2]
    assert np.array_equal(net.weights[0], weights)
    assert read(("Scaler", [], {"scale": [0.5]}), gemm).input_offset.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="as many offsets as scales"):
        read(("Scaler", [], {"offset": [1.0, 2.0], "scale": [0.5] * 3}), gemm)
    with pytest.raises(ValueError, match="takes 2 nodes, but gets 3"):
        read(("Scaler", [], {"offset": [1.0, 2.0], "scale": [0.5] * 2}), gemm)

    net = read(gemm, ("Mul", ["two"]), ("Add", ["one"]))
    assert (net.output_scale.tolist(), net.output_offset.tolist()) == ([2, 4], [1, 3])
    assert np.array_equal(net.weights[0], weights)
    net = read(("MatMul", ["W"]), ("Add", ["B"]), ("Mul", ["two"]))
    assert (net.output_scale.tolist(), net.output_offset.tolist()) == ([2, 4], [0, 0])
    assert net.biases[0].tolist() == [0.5, -0.25]
    net = read(("MatMul", ["W"]), ("Add", ["B"]))
    assert net.output_scale is None
    for folded in (
        read(gemm, ("Mul", ["two"]), ("Add", ["one"]), output="softmax"),
        read(gemm, ("Mul", ["two"]), ("Add", ["one"]), ("Tanh", [])),
    ):
        assert folded.output_scale is None
        assert np.array_equal(folded.weights[0], weights * constants["two"])
        assert folded.biases[0].tolist() == [2, 2]
    net = read(gemm, ("Mul", ["minus"]))  # a scale of outputs is at least 0
    assert np.array_equal(net.weights[0], weights * constants["minus"])


@pytest.mark.parametrize("zipmap", [True, False])
def test_labels_of_skl2onnx_are_class_names(zipmap):
    skl2onnx = pytest.importorskip("skl2onnx")
    pipeline = pytest.importorskip("sklearn.pipeline")
    for classes in (["cold", "fair", "warm"], ["dry", "wet"]):
        y = np.array(classes)[LABELS % len(classes)]
        x = X[:, :2].astype(np.float32)
        model = pipeline.make_pipeline(scaler("StandardScaler"), perceptron("Classifier"))
        fitted(model, y, x)
        net = fm.from_onnx(skl2onnx.to_onnx(model, x[:1], options={"zipmap": zipmap}))
        assert net.class_names == tuple(classes)
        np.testing.assert_allclose(net.input_scale, 1 / model[0].scale_, rtol=1e-6)
        assert (net.predict_classes(x) == model.predict(x)).all()


def test_names_in_onnx_are_not_trusted(tmp_path):
    onnx = pytest.importorskip("onnx")
    net = network("classes", "float32")
    net.to_onnx(tmp_path / "net.onnx")
    for text in ("{", "[" * 100_000, "{}", "[1, 2, 3]", '["a", "b"]', '["a", "a", "b"]'):
        model = onnx.load(tmp_path / "net.onnx")
        for entry in model.metadata_props:
            entry.value = text
        again = fm.from_onnx(model)
        assert (again.feature_names, again.class_names) == (None, None)


def test_a_mean_that_no_offset_can_remove_is_refused():
    torch = pytest.importorskip("torch")
    net = fm.Network([2, 3, 1], output="identity", seed=1, dtype="float64")
    net.input_scale, net.input_offset = [1e9, 1], [-1.7e18 - 1e3, 0]
    model = net.to_torch()
    assert fm.from_torch(model).input_offset[0] == net.input_offset[0]

    class Single(torch.nn.Module):
        def forward(self, x):
            return x.float()

    model = torch.nn.Sequential(model[0], Single(), *(module.float() for module in model[1:]))
    with pytest.raises(
        ValueError, match="vary too little around their mean to be scaled in float32"
    ):
        fm.from_torch(model)
    model[0].scale[0] = np.inf
    with pytest.raises(ValueError, match="input_scale must be finite"):
        fm.from_torch(model)
