"""`TabularModel.to_onnx`: the same answers in ONNX Runtime, for raw cells of any kind."""

import datetime as dt

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.table import Text

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

N = 300


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    size = rng.normal(1e9, 30.0, N)  # digits that float32 does not hold
    size[::9] = np.nan
    day = (np.datetime64("1899-12-01") + rng.integers(0, 60_000, N)).astype(str).astype(object)
    day[::11] = None
    return {
        "size": size,
        "count": rng.integers(0, 5, N),
        "kind": rng.choice(["flat", "große Hütte", "house", None], N),
        "town": rng.choice([f"town {i}" for i in range(40)], N),
        "garden": rng.choice(["YES", "No", None], N),
        "day": day,
        "pixels": np.where(rng.random((N, 1)) < 0.1, np.nan, rng.normal(size=(N, 3))),
        "price": rng.normal(size=N) * 1e5 + 1e6,
        "tax": rng.normal(size=N),
        "sold": rng.random(N) > 0.5,
        "rooms": rng.integers(1, 4, N),
        "half": rng.choice([0.5, 1.5], N),
    }


def session(model, tmp_path):
    path = tmp_path / "model.onnx"
    model.to_onnx(path)
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def feeds(runtime, table):
    """Return raw columns as the graph takes them."""
    result = {}
    for given in runtime.get_inputs():
        column = read(table).columns[given.name]
        if given.type == "tensor(string)":
            if isinstance(column, Text):
                words = [*column.values, ""]
                cells = [words[code] for code in column.codes]
            else:
                cells = ["" if cell != cell else str(cell) for cell in column.tolist()]
            result[given.name] = np.array(cells, object)[:, np.newaxis]
        else:
            result[given.name] = np.asarray(column, np.float64).reshape(len(column), -1)
    return result


def run(runtime, table):
    names = [output.name for output in runtime.get_outputs()]
    return dict(zip(names, runtime.run(None, feeds(runtime, table)), strict=True))


def fitted(table, target, **options):
    drop = [n for n in ("price", "tax", "sold", "rooms", "half") if n not in np.ravel(target)]
    model = fm.TabularModel((16,), networks=3, epochs=3, seed=1, **options)
    return model.fit(table, target, drop=drop)


@pytest.fixture
def inputs(monkeypatch):
    """Make the inputs of the networks an output of the graph, to compare them to the bit."""

    def inputs(model, table, tmp_path):
        session(model, tmp_path)
        graph = onnx.load(tmp_path / "model.onnx")
        width = model.network.features
        kind = onnx.TensorProto.FLOAT
        graph.graph.output.append(
            onnx.helper.make_tensor_value_info("inputs", kind, ["rows", width])
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        runtime = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        (result,) = runtime.run(["inputs"], feeds(runtime, table))
        return result

    return inputs


@pytest.mark.parametrize("words", ["one-hot", "target means"])
@pytest.mark.parametrize("numbers", ["piecewise", "standardized"])
def test_what_the_networks_are_given_is_the_same_to_the_bit(
    table, tmp_path, inputs, words, numbers
):
    model = fitted(table, "price", words=words, numbers=numbers)
    ours = model._features.matrix(read(table), np.arange(N))
    assert np.array_equal(inputs(model, table, tmp_path), ours)


@pytest.mark.parametrize("target", ["sold", "rooms"])
def test_target_means_of_numbers_are_the_same_to_the_bit(tmp_path, inputs, rng, target):
    person = np.repeat(np.arange(60) / 3.0, 4)
    person[::25] = np.nan
    table = {"person": person, "sold": rng.random(240) > 0.5, "rooms": rng.integers(1, 4, 240)}
    model = fm.TabularModel((8,), networks=2, epochs=2, seed=1).fit(table, target)
    assert "mean target" in model.columns[0].how or "mean target" in model.columns[1].how
    odd = np.array([np.nan, np.inf, 1e300, 1 / 3, 0.33333, -0.0, 7.0])
    table = {
        "person": np.concatenate([person, odd]),
        "sold": np.resize(table["sold"], 247),
        "rooms": np.resize(table["rooms"], 247),
    }
    table.pop(target)
    ours = model._features.matrix(read(table), np.arange(247))
    assert np.array_equal(inputs(model, table, tmp_path), ours)
    with pytest.warns(UserWarning, match="taken as missing"):
        answers = model.predict(table)
    assert run(session(model, tmp_path), table)["answer"].tolist() == answers.tolist()


ODD = {
    "size": [np.nan, np.inf, -np.inf, 1e300, -0.0, 5.0],
    "count": [np.nan, 3, -1, 1e9, 2, 2],
    "kind": ["castle", "", "flat", "FLAT", "None", "nan"],
    "town": ["town 1", "", "village", "0x10", "3,5", "town 39"],
    "garden": ["maybe", "", "TRUE", "yEs", "1", "0"],
    "day": ["2020-02-30", "", "2020-2-9", "31.12.2020", "0000-01-01", "2000-02-29"],
    "pixels": np.array([[1, 2, 3], [np.nan, 2, 3], [np.nan] * 3, [0] * 3, [1e9] * 3, [-1] * 3]),
}


@pytest.mark.filterwarnings("ignore:.*taken as missing")
@pytest.mark.parametrize("words", ["one-hot", "target means"])
def test_unknown_words_and_bad_cells_are_the_same(table, tmp_path, inputs, words):
    model = fitted(table, "price", words=words)
    table = {name: np.array(cells, object if isinstance(cells, list) and isinstance(cells[0], str)
                            else None) for name, cells in ODD.items()}  # fmt: skip
    ours = model._features.matrix(read(table), np.arange(6))
    assert np.array_equal(inputs(model, table, tmp_path), ours)
    answer = run(session(model, tmp_path), table)["answer"]
    assert np.isfinite(answer[[0, 1, 2, 4, 5]]).all()


@pytest.mark.filterwarnings("ignore:.*taken as missing")
@pytest.mark.parametrize("target", ["price", "rooms"])
def test_numbers_that_the_networks_standardize(table, tmp_path, target):
    rng = np.random.default_rng(6)
    numbers = {"a": rng.normal(1e4, 5.0, N), "b": rng.normal(size=N), target: table[target]}
    model = fm.TabularModel((16,), networks=3, epochs=3, seed=1, numbers="standardized")
    model.fit(numbers, target)
    assert model.network.input_scale is not None
    new = {"a": [1e4, np.nan, np.inf, -1e300], "b": [0.1, 1.0, np.nan, 2.0]}
    result = run(session(model, tmp_path), new)
    # Products of 16, and the output scaled by a fma here and in two steps there. Networks may
    # contradict each other far from the rows they learned from, and cancel.
    if target == "price":
        X = model._features.matrix(read(new), np.arange(4))
        size = np.mean([np.abs(network.predict(X)[:, 0]) for network in model.networks], axis=0)
        assert (np.abs(result["answer"][:, 0] - model.predict(new)) <= 1e-5 * size).all()
    else:
        np.testing.assert_allclose(result["probabilities"], model.predict_proba(new), atol=1e-5)


def test_every_day_of_two_thousand_years(tmp_path, inputs, rng):
    days = np.arange("0001-01-01", "2400-01-01", dtype="M8[D]")[::97].astype(str)
    table = {"day": days.astype(object), "y": rng.normal(size=len(days))}
    model = fm.TabularModel((4,), networks=1, epochs=1, seed=1).fit(table, "y")
    got = inputs(model, table, tmp_path)
    assert np.array_equal(got, model._features.matrix(read(table), np.arange(len(days))))
    date = dt.date.fromisoformat(str(days[5]))
    assert read({"day": [str(date)]}).columns["day"].values == [str(date)]


TARGETS = ["price", ["price", "tax"], "kind", "rooms", "half", "sold", ["sold", "garden"]]


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_answers_are_those_of_predict(table, tmp_path, target):
    model = fitted(table, target)
    got = run(session(model, tmp_path), table)
    ours = model.predict(table)
    answer = got["answer"]
    if model.target.task == "regression":
        # The networks' sums are in another order.
        np.testing.assert_allclose(answer.reshape(ours.shape), ours, rtol=1e-4, atol=1e-2)
        return
    shares = model.predict_proba(table)
    np.testing.assert_allclose(got["probabilities"], shares, atol=1e-5)
    clear = np.abs(np.sort(shares, axis=1)[:, -1] - 0.5) > 1e-4
    if model.target.task == "labels":
        clear = (np.abs(shares - 0.5) > 1e-4).all(axis=1)
    assert answer[clear].tolist() == ours[clear].tolist()
    assert clear.sum() > 250


def test_the_same_model_gives_the_same_bytes(table, tmp_path):
    model = fitted(table, "price")
    for name in ("a", "b"):
        model.to_onnx(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("activation", ["gelu", "silu", "tanh"])
def test_networks_of_other_activations(table, tmp_path, activation):
    model = fitted(table, "price", activation=activation)
    answer = run(session(model, tmp_path), table)["answer"][:, 0]
    np.testing.assert_allclose(answer, model.predict(table), rtol=1e-4)


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        (["31.12.2020", "01.02.2020"], "date, day first"),
        (["2020-01-01 12:00", "2020-01-01 13:00"], "date, year first"),
        (["12:30", "13:30"], "time of day, time of day"),
    ],
)
def test_columns_that_onnx_cannot_express_are_named(cells, what, tmp_path):
    table = {"when": np.tile(cells, 20), "y": np.tile([1.5, 2.5], 20)}
    model = fm.TabularModel((4,), networks=1, epochs=1).fit(table, "y")
    with pytest.raises(ValueError, match=f"column 'when' cannot be written to ONNX: {what}"):
        model.to_onnx(tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize("target", ["price", "rooms"])
def test_columns_with_the_names_of_outputs_and_nodes(table, tmp_path, target):
    names = ["answer", "probabilities", "probabilities_", "inputs", "0/filled", "column 1"]
    numbers = np.random.default_rng(2).normal(size=(N, len(names)))
    columns = dict(zip(names, numbers.T, strict=True))
    model = fm.TabularModel((16,), networks=3, epochs=3, seed=1)
    model.fit({**columns, target: table[target]}, target)
    runtime = session(model, tmp_path)
    assert [given.name for given in runtime.get_inputs()] == names
    outputs = sorted(output.name for output in runtime.get_outputs())
    assert outputs == ["answer_", "probabilities__"][: len(outputs)]
    got = run(runtime, columns)["answer_"]
    expected = model.predict(columns)
    if target == "price":
        np.testing.assert_allclose(got[:, 0], expected, rtol=1e-5)
    else:
        assert got.ravel().tolist() == expected.tolist()


def test_classes_beyond_int64(tmp_path):
    columns = {"a": np.arange(40) % 2}
    classes = np.array([5, 2**64 - 1], np.uint64)[columns["a"]]
    model = fm.TabularModel((8,), networks=1, epochs=60, seed=1).fit({**columns, "y": classes}, "y")
    got = run(session(model, tmp_path), columns)["answer"]
    assert got.tolist() == model.predict(columns).tolist() == classes.tolist()
    assert got.dtype == np.uint64
