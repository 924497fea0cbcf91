"""`from_onnx`: the graphs other libraries write, and other contents of files.

Over 400 lines, as most of them are graphs as other programs write them.
"""

import contextlib
import importlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp as fm

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from fastmlp.exchange.onnx import evaluation, operators  # noqa: E402

W = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], np.float32)
B = np.array([0.125, -0.5, 1.0], np.float32)
X = np.array([[0.5, -2.0], [1.0, 0.25], [-3.0, 0.5]], np.float32)


def graph(nodes: list[Any], outputs: tuple[str, ...] = ("y",), **constants: Any) -> Any:
    """Return a model of input x (batch, 2) and the constants W, B and those given."""
    initializers = {"W": W, "B": B, **constants}
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    return helper.make_model(
        helper.make_graph(
            [helper.make_node(op, inputs, outs, **attrs) for op, inputs, outs, attrs in nodes],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
            info,
            [numpy_helper.from_array(np.asarray(a), name) for name, a in initializers.items()],
        )
    )


def chain(*steps: tuple[Any, ...], **constants: Any) -> Any:
    """Return a graph of nodes one after the other: (operator, more inputs..., attributes)."""
    nodes, at = [], "x"
    for i, (op, *others) in enumerate(steps):
        attributes = others.pop() if others and isinstance(others[-1], dict) else {}
        to = "y" if i + 1 == len(steps) else f"t{i}"
        nodes.append((op, [at, *others], [to], attributes))
        at = to
    return graph(nodes, **constants)


LINEAR = X.astype(np.float64) @ W.astype(np.float64) + B


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def hardswish(z: np.ndarray) -> np.ndarray:
    return z * np.clip(z + 3, 0, 6) / 6


CASES = {
    "torch: Gemm of transposed weights": (
        chain(("Gemm", "V", "B", {"transB": 1}), ("Relu",), V=W.T.copy()),
        np.maximum(LINEAR, 0),
    ),
    "factors of Gemm": (
        chain(("Gemm", "W", "B", {"alpha": 2.0, "beta": 0.5})),
        2 * (LINEAR - B) + 0.5 * B,
    ),
    "no bias": (chain(("MatMul", "W"), ("Tanh",)), np.tanh(LINEAR - B)),
    "tf2onnx: MatMul and Add, reshaped": (
        chain(("Reshape", "shape"), ("MatMul", "W"), ("Add", "B"), ("Sigmoid",), shape=[-1, 2]),
        sigmoid(LINEAR),
    ),
    "bias (1, N) and casts": (
        chain(("Cast", {"to": 1}), ("MatMul", "W"), ("Cast", {"to": 1}), ("Add", "C"), C=B[None]),
        LINEAR,
    ),
    "nothing but names": (
        chain(("Flatten",), ("Identity",), ("Dropout",), ("Gemm", "W", "B"), ("Dropout",)),
        LINEAR,
    ),
    "standardised features": (
        chain(("Sub", "m"), ("Div", "s"), ("Gemm", "W", "B"), m=[1.0, 2.0], s=[2.0, 4.0]),
        (X - [1, 2]) / [2, 4] @ W + B,
    ),
    "batch normalization after the activation": (
        chain(
            ("Gemm", "W", "B"),
            ("Relu",),
            ("BatchNormalization", "s", "t", "m", "v", {"epsilon": 0.0}),
            ("Gemm", "V", "C"),
            s=np.float32([1, 2, 3]),
            t=np.float32([0, 1, 0]),
            m=np.float32([1, 0, 2]),
            v=np.float32([4, 1, 9]),
            V=np.eye(3, dtype=np.float32),
            C=np.zeros(3, np.float32),
        ),
        (np.maximum(LINEAR, 0) - [1, 0, 2]) / [2, 1, 3] * [1, 2, 3] + [0, 1, 0],
    ),
    "temperature of a softmax": (
        chain(("Gemm", "W", "B"), ("Div", "two"), ("Softmax",), two=np.float32(2.0)),
        np.exp(LINEAR / 2) / np.exp(LINEAR / 2).sum(axis=1, keepdims=True),
    ),
    "relu6 of torch, and its attributes before opset 11": (
        chain(("Gemm", "W", "B"), ("Clip", {"min": 0.0, "max": 6.0})),
        np.clip(LINEAR, 0, 6),
    ),
    "relu6 of tf2onnx": (
        chain(("Gemm", "W", "B"), ("Relu",), ("Min", "six"), six=np.float32(6)),
        np.clip(LINEAR, 0, 6),
    ),
    "relu6 of scaled nodes": (
        chain(
            *(("Gemm", "W", "B"), ("Mul", "two"), ("Add", "three"), ("Clip", "zero", "six")),
            two=np.float32(2),
            three=np.float32(3),
            zero=np.float32(0),
            six=np.float32(6),
        ),
        np.clip(2 * LINEAR + 3, 0, 6),
    ),
    "torch: Softplus with its threshold": (
        graph(
            [
                ("Gemm", ["x", "W", "B"], ["z"], {}),
                ("Softplus", ["z"], ["s"], {}),
                ("Greater", ["z", "threshold"], ["large"], {}),
                ("Where", ["large", "z", "s"], ["y"], {}),
            ],
            threshold=np.float32(20),
        ),
        np.log1p(np.exp(LINEAR)),
    ),
    "torch: HardSwish": (chain(("Gemm", "W", "B"), ("HardSwish",)), hardswish(LINEAR)),
    "hardswish of HardSigmoid": (
        graph(
            [
                ("Gemm", ["x", "W", "B"], ["z"], {}),
                ("HardSigmoid", ["z"], ["gate"], {"alpha": 1 / 6}),
                ("Mul", ["gate", "z"], ["y"], {}),
            ]
        ),
        hardswish(LINEAR),
    ),
    "torch: Mish": (
        chain(("Gemm", "W", "B"), ("Mish",)),
        LINEAR * np.tanh(np.log1p(np.exp(LINEAR))),
    ),
    "torch: Selu": (
        chain(("Gemm", "W", "B"), ("Selu",)),
        np.where(LINEAR > 0, 1.0507009873554805 * LINEAR, 1.7580993408473766 * np.expm1(LINEAR)),
    ),
    "clipped at 0": (
        chain(("Gemm", "W", "B"), ("Clip", "zero"), zero=np.float32(0)),
        np.maximum(LINEAR, 0),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_graphs_of_other_exporters(name):
    model, expected = CASES[name]
    net = fm.from_onnx(model)
    assert np.allclose(net.predict(X), expected, rtol=0, atol=20 * np.finfo(np.float32).eps)


def test_a_hidden_layer_of_one_node():
    model = chain(("MatMul", "w"), ("Add", "b"), ("Relu",), w=W[:, :1], b=B[None, :1])
    net = fm.from_onnx(model)
    assert net.layers == (fm.Dense(1, "relu"),)
    assert np.array_equal(net.biases[0], B[:1])


SOFTMAX = np.exp(LINEAR) / np.exp(LINEAR).sum(axis=1, keepdims=True)
HEADS = {
    "two dense layers, joined": (
        graph(
            [
                ("Gemm", ["x", "W", "B"], ["b"], {}),
                ("Softmax", ["b"], ["p"], {"axis": -1}),
                ("MatMul", ["x", "U"], ["v"], {}),
                ("Concat", ["p", "v"], ["y"], {"axis": -1}),
            ],
            U=W[:, :1],
        ),
        {"head_0": SOFTMAX, "head_1": (LINEAR - B)[:, :1]},
    ),
    "two outputs of hidden nodes": (
        graph(
            [
                ("Gemm", ["x", "W", "B"], ["h"], {}),
                ("Relu", ["h"], ["r"], {}),
                ("MatMul", ["r", "V"], ["m"], {}),
                ("Add", ["m", "B"], ["b"], {}),
                ("Sigmoid", ["b"], ["yes"], {}),
                ("Gemm", ["r", "U"], ["v"], {}),
            ],
            ("v", "yes"),
            V=np.eye(3, dtype=np.float32),
            U=np.ones((3, 1), np.float32),
        ),
        {
            "v": np.maximum(LINEAR, 0).sum(axis=1, keepdims=True),
            "yes": sigmoid(np.maximum(LINEAR, 0) + B),
        },
    ),
    "columns of Split": (
        graph(
            [
                ("MatMul", ["x", "W"], ["m"], {}),
                ("Add", ["m", "B"], ["b"], {}),
                ("Split", ["b", "sizes"], ["c", "v"], {"axis": 1}),
                ("Tanh", ["c"], ["p"], {}),
            ],
            ("p", "v"),
            sizes=[2, 1],
        ),
        {"p": np.tanh(LINEAR[:, :2]), "v": LINEAR[:, 2:]},
    ),
    "columns from the end": (
        graph(
            [
                ("Gemm", ["x", "W", "B"], ["b"], {}),
                ("Slice", ["b", "last", "end", "one"], ["v"], {}),
                ("Slice", ["b", "one", "last", "one"], ["c"], {}),
                ("Exp", ["c"], ["p"], {}),
            ],
            ("v", "p"),
            last=[-1],
            end=[2**62],
            one=[1],
        ),
        {"v": LINEAR[:, 2:], "p": np.exp(LINEAR[:, 1:2])},
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_heads(name):
    model, expected = HEADS[name]
    net = fm.from_onnx(model.SerializeToString())
    assert list(net.heads) == list(expected)
    for part, theirs in zip(net.split(net.predict(X)), expected.values(), strict=True):
        np.testing.assert_allclose(part, theirs, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "outputs", "message"),
    [
        (
            [("Gemm", ["x", "W", "B"], ["b"], {}), ("Tanh", ["b"], ["y"], {})],
            ("b", "y"),
            "a head is one dense layer|no dense layer",
        ),
        (
            [
                ("Gemm", ["x", "W", "B"], ["b"], {}),
                ("Tanh", ["b"], ["t"], {}),
                ("Slice", ["t", "one", "two", "one"], ["y"], {}),
            ],
            ("y",),
            "only columns of a dense layer",
        ),
        (
            [
                ("Gemm", ["x", "W", "B"], ["b"], {}),
                ("Slice", ["b", "two", "one", "one"], ["y"], {}),
            ],
            ("y",),
            "has none of the 3 nodes",
        ),
        (
            [
                ("Gemm", ["x", "W", "B"], ["b"], {}),
                ("Slice", ["b", "one", "two", "zero"], ["y"], {}),
            ],
            ("y",),
            "only of columns next to each other",
        ),
        (
            [
                ("Gemm", ["x", "W", "B"], ["b"], {}),
                ("Split", ["b"], ["y", "z"], {"axis": 1}),
            ],
            ("y", "z"),
            "with the number of each part",
        ),
        (
            [("Gemm", ["x", "W", "B"], ["b"], {}), ("Concat", ["b", "b"], ["y"], {"axis": 0})],
            ("y",),
            "only of heads",
        ),
    ],
)
def test_what_are_no_heads(nodes, outputs, message):
    constants = {"zero": [0], "one": [1], "two": [2]}
    with pytest.raises(ValueError, match=message):
        fm.from_onnx(graph(nodes, outputs, **constants).SerializeToString())


def test_labels_of_skl2onnx_are_left_out():
    nodes = [
        ("MatMul", ["x", "W"], ["z"], {}),
        ("Softmax", ["z"], ["p"], {}),
        ("ArgMax", ["p"], ["i"], {"axis": 1}),
        ("ArrayFeatureExtractor", ["classes", "i"], ["l"], {"domain": "ai.onnx.ml"}),
        ("Cast", ["l"], ["label"], {"to": 7}),
        ("ZipMap", ["p"], ["y"], {"domain": "ai.onnx.ml", "classlabels_int64s": [5, 7, 9]}),
    ]
    net = fm.from_onnx(graph(nodes, ("label", "y"), classes=np.array([5, 7, 9])))
    assert net.layers == (fm.Dense(3, "softmax"),)


def test_two_classes_are_one_output():
    nodes = [
        ("MatMul", ["x", "w"], ["z"], {}),
        ("Sigmoid", ["z"], ["p"], {}),
        ("Sub", ["one", "p"], ["q"], {}),
        ("Concat", ["q", "p"], ["y"], {"axis": 1}),
    ]
    net = fm.from_onnx(graph(nodes, one=np.float32(1), w=W[:, :1]))
    assert np.allclose(net.predict(X), sigmoid(X @ W[:, :1]), atol=1e-6)


@pytest.mark.parametrize("shape", [(1,), (3,)])
def test_a_prelu_with_one_slope_is_read(shape):
    slope = np.full(shape, 0.25, np.float32)
    net = fm.from_onnx(chain(("Gemm", "W", "B"), ("PRelu", "slope"), slope=slope))
    assert net.layers[0].activation == fm.LeakyReLU(0.25)


def test_logits_become_probabilities():
    net = fm.from_onnx(chain(("Gemm", "W", "B")), output="softmax", seed=4)
    assert (net.layers[-1].activation, net.loss, net.seed) == ("softmax", "cross_entropy", 4)
    with pytest.raises(ValueError, match="this one ends with 'relu'"):
        fm.from_onnx(chain(("Gemm", "W", "B"), ("Relu",)), output="softmax")


REFUSED = {
    r"\(Greater\): only of the sample and a number": chain(("Gemm", "W", "B"), ("Greater", "B")),
    r"where\(greater\(1,x\),x,tanh\(x\)\) of the nodes x is not": graph(
        [
            ("Gemm", ["x", "W", "B"], ["z"], {}),
            ("Greater", ["z", "one"], ["large"], {}),
            ("Tanh", ["z"], ["t"], {}),
            ("Where", ["large", "z", "t"], ["y"], {}),
        ],
        one=np.float32(1),
    ),
    "not supported; a graph": chain(("Gemm", "W", "B"), ("Sin",)),
    "node 'y' \\(Conv\\)": chain(("Conv", "W")),
    "only from 0": chain(("Gemm", "W", "B"), ("Clip", {"min": -1.0, "max": 1.0})),
    "only with 0 or 6": chain(("Gemm", "W", "B"), ("Min", "one"), one=np.float32(1)),
    "only with alpha 1/6": chain(("Gemm", "W", "B"), ("HardSigmoid",)),
    "gamma is .*, allowed": chain(("Gemm", "W", "B"), ("Selu", {"gamma": 1.0})),
    r"\(PRelu\): only with one constant slope": chain(("Gemm", "W", "B"), ("PRelu", "B")),
    "an alpha from 0 on": chain(("Gemm", "W", "B"), ("LeakyRelu", {"alpha": -0.5})),
    "combines two layers": graph(
        [
            ("Gemm", ["x", "W", "B"], ["z"], {}),
            ("Gemm", ["x", "W", "B"], ["q"], {}),
            ("Add", ["z", "q"], ["y"], {}),
        ]
    ),
    "is not a known activation": chain(("Gemm", "W", "B"), ("Sigmoid",), ("Erf",)),
    "must follow a dense layer, one for each": chain(
        ("Gemm", "W", "B"),
        ("Identity",),
        ("Sigmoid",),
        ("BatchNormalization", "B", "B", "B", "C"),
        ("Relu",),
        C=np.abs(B),
    ),
    r"\(Reshape\) to \[-1, 1\]: takes 1 nodes, but gets 3": chain(
        ("Gemm", "W", "B"), ("Reshape", "s"), s=[-1, 1]
    ),
    "takes 3 nodes, but gets 2": chain(("Gemm", "V", "B"), V=np.ones((3, 3), np.float32)),
    "a constant matrix": chain(("MatMul", "B")),
    "neither a constant nor computed": chain(("Gemm", "nowhere")),
    "not numbers": chain(("MatMul", "s"), s=np.array([["a", "b"]] * 2, object)),
    "float32 or float64, got float16": chain(("MatMul", "h"), h=W.astype(np.float16)),
    "not finite": chain(("MatMul", "W"), ("Add", "b"), b=B * np.float32(np.inf)),
    "no dense layer": chain(("Identity",)),
    "a network must end": chain(("Gemm", "W", "B"), ("Relu",), ("Mul", "two"), two=np.float32(2)),
    "one output computed from its input": graph([]),
    "a sample must stay a vector": chain(("Reshape", "s"), ("MatMul", "W"), s=[-1, 1, 2]),
    "wrong type": chain(("Gemm", "W", "B", {"transB": "yes"})),
    "axis must be 1": chain(("Flatten", {"axis": 0}), ("Gemm", "W", "B")),
    "only with 0; a graph": chain(("Gemm", "W", "B"), ("Max", "B")),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_no_network_can_do_is_refused(message):
    with pytest.raises(ValueError, match=message):
        fm.from_onnx(REFUSED[message])


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(TypeError, match="got int"):
        fm.from_onnx(3)
    with pytest.raises(FileNotFoundError):
        fm.from_onnx(tmp_path / "nothing.onnx")
    (tmp_path / "text.onnx").write_text("no protobuf at all")
    with pytest.raises(ValueError, match="the model is empty: not an ONNX file"):
        fm.from_onnx(b"")
    with pytest.raises(ValueError, match=r"text\.onnx is not an ONNX file"):
        fm.from_onnx(tmp_path / "text.onnx")
    with pytest.raises(ValueError, match="one input, it has 0"):
        fm.from_onnx(onnx.ModelProto())


def external(location: str) -> bytes:
    model = chain(("Gemm", "W", "B"))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return bytes(model.SerializeToString())


def test_weights_beside_the_file(tmp_path):
    (tmp_path / "model.onnx").write_bytes(external("weights"))
    (tmp_path / "weights").write_bytes(W.tobytes())
    assert np.array_equal(fm.from_onnx(tmp_path / "model.onnx").weights[0], W)
    with pytest.raises(ValueError, match="'W' is in another file"):
        fm.from_onnx(external("weights"))


@pytest.mark.parametrize("location", ["../weights", "/etc/passwd", "missing", "."])
def test_external_data_stay_in_the_folder(location, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "weights").write_bytes(W.tobytes())
    (folder / "model.onnx").write_bytes(external(location))
    with pytest.raises(ValueError, match="external data cannot be read"):
        fm.from_onnx(folder / "model.onnx")


def read_or_refuse(content: bytes) -> None:
    """Read a model; nothing but a ValueError (or MemoryError of absurd sizes) may come."""
    with contextlib.suppress(ValueError, MemoryError):
        fm.from_onnx(content)


def test_damaged_files_are_refused_or_read(rng):
    model = chain(
        ("Reshape", "s"), ("Gemm", "W", "B", {"alpha": 2.0}), ("Mul", "two"), ("Softmax",),
        s=[-1, 2], two=np.float32(2),
    )  # fmt: skip
    content = model.SerializeToString()
    for end in range(len(content)):
        read_or_refuse(content[:end])
    for _ in range(4000):
        damaged = bytearray(content)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # weights that overflow
            read_or_refuse(bytes(damaged))


def test_graphs_that_would_grow_without_end_are_refused():
    doubling = chain(("Gemm", "W", "B"), *[("Relu",)] * 3)
    node = doubling.graph.node
    for i in range(60):
        node.add(op_type="Mul", input=[f"d{i}"] * 2 if i else ["t0", "t0"], output=[f"d{i + 1}"])
    doubling.graph.output[0].name = "d60"
    with pytest.raises(ValueError, match="not a known activation"):
        fm.from_onnx(doubling)
    outer = chain(("MatMul", "big"))
    row, column = np.ones((1, 2**14), np.float32), np.ones((2**14, 1), np.float32)
    outer.graph.initializer.extend(
        [numpy_helper.from_array(row, "row"), numpy_helper.from_array(column, "column")]
    )
    outer.graph.node.insert(0, helper.make_node("Mul", ["row", "column"], ["big"]))
    with pytest.raises(ValueError, match="neither a constant"):
        fm.from_onnx(outer)
    deep = chain(("Gemm", "W", "B"), *[("Add", "B")] * 20_000)
    assert fm.from_onnx(deep).layers == (fm.Dense(3, "identity"),)


Fit = Callable[[str, str], tuple[Any, np.ndarray]]


@pytest.fixture(scope="module")
def fitted() -> Fit:
    pytest.importorskip("sklearn", minversion="1.6")
    features = np.random.default_rng(5).standard_normal((60, 4)).astype(np.float32)
    targets = {
        "three classes": np.arange(60) % 3,
        "two classes": np.arange(60) % 2,
        "names": np.array(["ant", "bee", "cow"])[np.arange(60) % 3],
        "several labels": np.eye(3, dtype=int)[np.arange(60) % 3],
        "one number": features[:, 0],
    }

    def fit(case: str, library: str) -> tuple[Any, np.ndarray]:
        sklearn = importlib.import_module(library)
        kind = sklearn.MLPRegressor if "number" in case else sklearn.MLPClassifier
        model = kind(hidden_layer_sizes=(7, 5), activation="tanh", max_iter=3, random_state=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # three epochs converge nowhere
            return model.fit(features, targets[case]), features

    return fit


@pytest.mark.parametrize("library", ["sklearn.neural_network", "fastmlp.sklearn"])
@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize(
    "case", ["three classes", "two classes", "names", "several labels", "one number"]
)
def test_what_skl2onnx_writes(case, zipmap, library, fitted, rounding_bound, tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx")
    importlib.import_module("fastmlp.sklearn").register_skl2onnx()
    model, features = fitted(case, library)
    classifies = hasattr(model, "predict_proba")
    options = {id(model): {"zipmap": zipmap}} if classifies else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = skl2onnx.to_onnx(model, features[:1], options=options)
    path = Path(tmp_path / "model.onnx")
    path.write_bytes(exported.SerializeToString())
    net = fm.from_onnx(path)
    expected = model.predict_proba(features) if classifies else model.predict(features)
    expected = expected[:, 1:] if case == "two classes" else expected.reshape(60, -1)
    assert (np.abs(net.predict(features) - expected) <= rounding_bound(net, features)).all()


OPTIMIZED = [
    "relu",
    "sigmoid",
    "tanh",
    "gelu",
    "gelu_tanh",
    "silu",
    "leaky_relu",
    "elu",
    "softplus",
]


@pytest.mark.parametrize("activation", OPTIMIZED)
def test_files_that_onnx_runtime_has_optimized_are_read(activation, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    net = fm.Network([5, fm.Dense(4, activation, "batch"), fm.Dense(4, activation), 3], seed=1)
    net.to_onnx(tmp_path / "net.onnx")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    runtime.InferenceSession(tmp_path / "net.onnx", options)
    read = fm.from_onnx(tmp_path / "optimized.onnx")
    X = np.random.default_rng(1).standard_normal((50, 5)).astype(np.float32)
    np.testing.assert_allclose(read.predict(X), net.predict(X), atol=1e-6)
    assert [layer.activation for layer in read.layers] == [layer.activation for layer in net.layers]


def fused(operator, inputs, **attributes):
    """Return a graph with a layer of an operator that ONNX Runtime makes."""
    node = onnx.helper.make_node(operator, inputs, ["z"], domain="com.microsoft", **attributes)
    last = onnx.helper.make_node("MatMul", ["z", "V"], ["Y"])
    first = onnx.helper.make_node("MatMul", ["X", "W"], ["h"])
    rng = np.random.default_rng(3)
    arrays = {"W": (4, 4), "V": (4, 2), "b": (4,)}
    constants = [
        onnx.numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name)
        for name, shape in arrays.items()
    ]
    kind = onnx.TensorProto.FLOAT
    ends = [
        onnx.helper.make_tensor_value_info(name, kind, ["n", m]) for name, m in (("X", 4), ("Y", 2))
    ]
    nodes = [node, last] if inputs[0] == "X" else [first, node, last]
    graph = onnx.helper.make_graph(nodes, "fused", ends[:1], ends[1:], constants)
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "activation"),
    [
        (
            "FusedGemm",
            "XWb",
            {"activation": "LeakyRelu", "activation_alpha": 0.25},
            fm.LeakyReLU(0.25),
        ),
        ("FusedGemm", "XWb", {"activation": "Tanh", "alpha": 2.0, "transB": 1}, "tanh"),
        ("FusedMatMul", "XW", {"alpha": 0.5, "transB": 1}, "identity"),
        ("BiasGelu", "hb", {}, "gelu"),
        ("FastGelu", "hb", {}, "gelu_tanh"),
        ("QuickGelu", "h", {"alpha": 1.0}, "silu"),
    ],
)
def test_fused_operators_are_read(operator, inputs, attributes, activation):
    pytest.importorskip("onnxruntime")
    read = fm.from_onnx(fused(operator, list(inputs), **attributes))  # which compares
    assert read.layers[0].activation == activation


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "message"),
    [
        ("FusedGemm", "XWb", {"activation": "Conv"}, "its activation is 'Conv'"),
        ("FusedGemm", "XWb", {"activation": "Sin"}, "its activation is 'Sin'"),
        ("FusedMatMul", "XW", {"transBatchA": 1}, "transBatchA"),
        ("QuickGelu", "h", {}, "only with alpha 1"),
        ("FastGelu", "bh", {}, "takes the sample, and a vector"),
    ],
)
def test_other_fused_operators_are_refused(operator, inputs, attributes, message):
    with pytest.raises(ValueError, match=message):
        fm.from_onnx(fused(operator, list(inputs), **attributes))


def test_a_network_read_wrongly_is_refused(monkeypatch, tmp_path):
    net = fm.Network([5, fm.Dense(4, "relu"), 3], seed=1)
    net.to_onnx(tmp_path / "net.onnx")
    wrong = {**operators.OPERATORS, "Relu": operators.OPERATORS["Softplus"]}
    monkeypatch.setattr("fastmlp.exchange.onnx.importing.OPERATORS", wrong)
    place = (
        r"from node 'layer_0.relu' \(Relu\) on: in row \d of 8 random rows, output \d, the model"
    )
    with pytest.raises(ValueError, match=place):
        fm.from_onnx(tmp_path / "net.onnx")
    read = fm.from_onnx(tmp_path / "net.onnx", verify=False)
    assert read.layers[0].activation == "softplus"
    with pytest.raises(TypeError, match="verify must be True"):
        fm.from_onnx(tmp_path / "net.onnx", verify="yes")


@pytest.mark.parametrize("runtime", [True, False])
def test_graphs_are_computed_by_what_is_installed(runtime, monkeypatch, tmp_path):
    net = fm.Network([5, fm.Dense(4, "gelu", "batch"), 3], seed=1)
    net.to_onnx(tmp_path / "net.onnx")
    proto = onnx.load(tmp_path / "net.onnx")
    if runtime:
        pytest.importorskip("onnxruntime")
        monkeypatch.setattr(evaluation, "_RIGHT_NORMALIZATION", 99)
    else:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        proto.opset_import[0].version = 15
    X = np.random.default_rng(1).standard_normal((8, 5)).astype(np.float32)
    found = evaluation.Evaluation(proto, ["Y"]).outputs(X)
    np.testing.assert_allclose(found, net.predict(X), atol=1e-6)
    fixed = proto.graph.input[0].type.tensor_type.shape.dim[0]
    fixed.Clear()
    fixed.dim_value = 3
    found = evaluation.Evaluation(proto, ["Y"]).outputs(X)
    np.testing.assert_allclose(found, net.predict(X), atol=1e-6)
