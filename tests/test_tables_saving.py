"""Models in files: plain data, the same answers to the bit, and nothing else accepted."""

import copy
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.model.model_files import TableData, read_model, write_model
from fastmlp.tables.saved import from_table

N = 120


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(3)
    size = rng.uniform(20.0, 200.0, N)
    size[::9] = np.nan
    return {
        "id": np.arange(N),
        "size": size,
        "kind": rng.choice(["flat", "house", "größe"], N),
        "town": rng.choice([f"town {i}" for i in range(40)], N),
        "garden": rng.choice(["yes", "no"], N),
        "built": (np.datetime64("1990-01-01") + rng.integers(0, 9000, N)).astype(str),
        "clock": np.array([f"{i % 24}:{i % 60:02d}" for i in range(N)]),
        "pixels": rng.normal(size=(N, 3)),
        "price": rng.normal(size=N) * 1e5,
        "tax": rng.normal(size=N),
        "sold": rng.random(N) > 0.5,
        "zip": rng.choice(["00501", "10001"], N),
        "rooms": rng.integers(1, 4, N),
        "person": np.arange(N) // 3,
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def fitted(table, target, **options):
    return fm.TabularModel((8,), networks=2, epochs=2, seed=2**64 - 1, **options).fit(table, target)


TARGETS = ["price", ["price", "tax"], "sold", ["sold", "garden"], "zip", "rooms", "kind"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (("values", [1.0, 1.0]), "values must ascend"),
        (("values", []), "values must ascend"),
        (("means", [[1.0]]), "a row for each value"),
        (("overall", []), "a row for each value"),
        (("deviation", [0.0]), "deviation must be above 0"),
        (("mean", [np.inf]), "must be finite"),
    ],
    ids=str,
)
def test_damaged_target_means_of_numbers_are_refused(table, path, damage, message):
    fitted({name: table[name] for name in ("person", "sold")}, "sold").save(path)
    models, content = read_model(path)
    name, values = damage
    content.arrays[f"feature.0.means.{name}"] = np.array(values, np.float64)
    write_model(path, models, content)
    with pytest.raises(fm.ModelFormatError, match=message):
        fm.load(path)


@pytest.mark.parametrize("words", ["one-hot", "target means"])
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_the_same_bits_after_reading(table, path, target, words):
    model = fitted(table, target, words=words)
    model.scores = {"test": model.evaluate(table)}
    model.save(path)
    for again in (fm.load(path), fm.TabularModel.load(path)):
        assert repr(again) == repr(model)
        assert str(again.columns) == str(model.columns)
        assert again.predict(table).tolist() == model.predict(table).tolist()
        assert str(again.evaluate(table)) == str(model.scores["test"]) == str(again.scores["test"])
        assert (again.seed, again.notes) == (model.seed, model.notes)
        if model.target.task == "labels":
            assert again.target.kinds == model.target.kinds
        elif model.target.task == "classification":
            assert again.classes.tolist() == model.classes.tolist()
            assert type(again.target.classes[0]) is type(model.target.classes[0])
        else:
            assert again.predict(table).tobytes() == model.predict(table).tobytes()
    content = path.read_bytes()
    again.save(path)
    assert path.read_bytes() == content


@pytest.mark.shares_cores
def test_a_new_process_and_the_command_line_answer_the_same(table, path, run_python, tmp_path):
    simple = {name: table[name] for name in ("size", "kind", "built", "price")}
    model = fitted(simple, "price")
    model.save(path)
    csv = tmp_path / "data.csv"
    rows = zip(*(column.tolist() for column in simple.values()), strict=True)
    lines = (",".join("" if cell != cell else str(cell) for cell in row) for row in rows)
    csv.write_text("\n".join([",".join(simple), *lines]) + "\n")
    expected = model.predict(simple)
    code = "import sys, fastmlp as fm; print(fm.load(sys.argv[1]).predict(sys.argv[2]).tolist())"
    assert json.loads(run_python(code, str(path), str(csv)).stdout) == expected.tolist()
    code = "import sys; from fastmlp.cli.main import main; sys.exit(main())"
    printed = run_python(code, "predict", str(path), str(csv)).stdout.split()
    assert printed[0] == "price"
    assert [float(line) for line in printed[1:]] == expected.tolist()


EIGHTHS = (np.arange(60) % 17 / 8 - 1).reshape(20, 3)  # the rows of examples/cpp/load_model.cpp


def numbers_table(n=80):
    rng = np.random.default_rng(7)
    X = rng.normal([0.2, -3.0, 40.0], [1.0, 0.5, 9.0], (n, 3))
    mean = 1e5 + 2e3 * X[:, 0] - X[:, 2]
    return {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "price": mean,
            "kind": np.where(X[:, 0] > X[:, 1] + 3, "big", "small")}  # fmt: skip


def raw_model(target, networks=1, **more):
    table = {**numbers_table(), **more}
    chosen = {name: table[name] for name in ("a", "b", "c", target, *more)}
    options = {"networks": networks, "numbers": "standardized", "epochs": 20, "seed": 4}
    return fm.TabularModel((8,), **options).fit(chosen, target)


@pytest.mark.parametrize("target", ["price", "kind"])
def test_networks_standardize_numbers_themselves(path, target):
    model = raw_model(target, networks=2)
    assert str(model.columns).count("standardized in the network") == 3
    for network in model.networks:
        assert network.feature_names == ("a", "b", "c")
        assert network.class_names == (None if target == "price" else ("big", "small"))
        mean = [numbers_table()[name].mean() for name in "abc"]
        scale, offset = network.input_scale.astype(float), network.input_offset.astype(float)
        # Both factors are rounded to float32; the largest offset is 6.
        np.testing.assert_allclose(scale * mean + offset, 0, atol=1e-6)
    rows = dict(zip("abc", EIGHTHS.T, strict=True))
    expected = sum(net.predict(EIGHTHS).astype(float) for net in model.networks) / 2
    if target == "price":
        assert model.predict(rows).tobytes() == expected[:, 0].tobytes()
        assert model.evaluate(numbers_table()).r2 > 0.5
    else:
        assert model.predict_proba(rows).tobytes() == expected.tobytes()
    model.save(path)
    again = fm.load(path)
    assert again.predict(rows).tolist() == model.predict(rows).tolist()
    assert read_model(path)[1].inputs == "numbers"
    gaps = {"a": [np.nan, 1e300], "b": [0.0, -np.inf], "c": [None, 1.0]}
    with pytest.warns(UserWarning, match="taken as missing"):
        assert len(set(again.predict(gaps))) >= 1
    with pytest.warns(UserWarning, match="taken as missing"):
        assert np.isfinite(again._outputs(again._read(gaps))).all()


@pytest.mark.no_sanitizer
@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
def test_cpp_answers_for_raw_rows_of_numbers_and_names_what_it_cannot_prepare(tmp_path):
    source = Path(__file__).parents[1] / "examples" / "cpp" / "load_model.cpp"
    prefix = Path(fm.get_include()).parent
    program = tmp_path / "load_model"
    flags = ["-std=c++20", "-DFASTMLP_STATIC", f"-I{fm.get_include()}", "-o", program]
    library = prefix / "lib" / "libfastmlp.a"
    subprocess.run(["c++", *flags, source, library, "-pthread"], check=True)

    def run(model):
        model.save(tmp_path / "model")
        command = [program, tmp_path / "model"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    rows = dict(zip("abc", EIGHTHS.T, strict=True))
    for target in ("price", "kind"):
        model = raw_model(target)
        done = run(model)
        answers = [[float.fromhex(word) for word in line.split()] for line in
                   done.stdout.splitlines()]  # fmt: skip
        if target == "price":
            assert answers == model.predict(rows)[:, np.newaxis].tolist()
        else:
            assert answers == model.predict_proba(rows).tolist()
    piecewise = fm.TabularModel((8,), networks=1, epochs=1).fit(numbers_table(), "price")
    gaps = np.where(np.arange(80) % 9, numbers_table()["a"], np.nan)
    for model, reason in (
        (piecewise, "column 'a' is cut into pieces, which numbers=\"standardized\" omits"),
        (raw_model("price", town=["here", "there"] * 40), "column 'town' holds words"),
        (raw_model("price", gap=gaps), "column 'gap' has missing numbers"),
        (raw_model("price", large=1e9 + np.arange(80) ** 2),
         "column 'large' varies too little for its size to be float32"),
        (raw_model("far", far=1e9 + numbers_table()["a"]), "the target is standardized outside"),
        (raw_model("kind", networks=2), "several networks in this file"),
    ):  # fmt: skip
        done = run(model)
        assert done.returncode == 2
        assert reason in done.stderr


def test_a_loaded_model_can_be_trained_anew(table, path):
    model = fitted(table, "price")
    model.save(path)
    again = fm.load(path).fit(table, "price")
    assert again.predict(table).tobytes() == model.predict(table).tobytes()


def test_what_is_no_model_of_a_table(table, path, blobs):
    net = fm.Network([4, 3], seed=1)
    net.save(path)
    with pytest.raises(fm.ModelFormatError, match=r"read networks alone with fastmlp\.load"):
        fm.TabularModel.load(path)
    assert isinstance(fm.load(path), fm.Network)
    with pytest.raises(RuntimeError, match="has not been fitted"):
        fm.TabularModel().save(path)
    fitted(table, "price").save(path)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(fm.ModelFormatError):
        fm.load(path)


def change(arrays, values, damage):
    """Apply one damage: a path of keys and a new value, or a function."""
    where, key, new = damage
    if where == "values":
        values[key] = new
    elif where == "feature":
        number, name = key
        texts = list(arrays["features"])
        state = json.loads(texts[number])
        state[name] = new
        texts[number] = json.dumps(state)
        arrays["features"] = tuple(texts)
    elif new is None:
        del arrays[key]
    else:
        arrays[key] = new


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (("values", "version", 2), "tables of version 2 are not read"),
        (("values", "task", "clustering"), "there is no task 'clustering'"),
        (("values", "task", "labels"), "the target must have|become"),
        (("values", "seed", 5), "5 must be a string"),
        (("values", "seed", "x"), "invalid literal"),
        (("values", "settings", {"hidden": [8], "colour": 1}), "colour"),
        (("values", "settings", {"hidden": "x"}), "hidden"),
        (("values", "scores", {"test": {}}), "confusion"),
        (("arrays", "features", ()), "the columns must have different names"),
        (("arrays", "features", ("{",)), "Expecting"),
        (("arrays", "features", np.zeros(2)), "features must be a list of strings"),
        (("arrays", "target.mean", np.zeros(3)), "a mean and a deviation for each number"),
        (("arrays", "target.deviation", np.zeros(1)), "a mean and a deviation"),
        (("arrays", "target.mean", np.array([np.nan])), "target.mean must be finite"),
        (("arrays", "target.mean", np.zeros(1, np.float32)), "must be F64"),
        (("arrays", "target.names", ()), "a mean and a deviation for each number"),
        (("arrays", "target.classes", ("a", "b")), "must have different classes"),
        (("arrays", "feature.0.edges", np.array([2.0, 1.0])), "edges must ascend"),
        (("arrays", "feature.0.edges", None), "there is no 'feature.0.edges'"),
        (("arrays", "feature.1.words", ("a", "a", "b")), "words must be different"),
        (("arrays", "feature.1.words", ("a",)), "the networks have"),
        (("feature", (0, "deviation"), 0.0), "deviation must be above 0"),
        (("feature", (0, "deviation"), True), "deviation must be a number"),
        (("feature", (0, "missing"), 1), "missing must be true or false"),
        (("feature", (0, "encoder"), "Words"), "there is no"),
        (("feature", (0, "encoder"), "eval"), "there is no 'eval'"),
        (("feature", (0, "kind"), "poem"), "there is no kind 'poem'"),
        (("feature", (0, "order"), "upside down"), "of order 'upside down'"),
        (("feature", (0, "name"), "kind"), "the columns must have different names"),
        (("feature", (3, "parts"), [0, 9]), "parts must say which parts"),
        (("feature", (3, "numbers"), [1]), "not subscriptable|must say|indices"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value[:2]),
)
def test_content_that_does_not_make_sense_is_refused(table, path, damage, message):
    chosen = {name: table[name] for name in ("size", "kind", "garden", "built", "price")}
    fitted(chosen, "price").save(path)
    models, saved = read_model(path)
    values, arrays = copy.deepcopy(saved.values), dict(saved.arrays)
    change(arrays, values, damage)
    write_model(path, models, TableData(values, arrays))
    with pytest.raises(fm.ModelFormatError, match=message) as caught:
        fm.load(path)
    assert str(path) in str(caught.value)


def test_random_damage_is_refused_or_harmless(table, path, rng):
    fitted(table, "kind", words="target means").save(path)
    _, saved = read_model(path)
    junk = [None, -1, 1e308, "x", [], {}, [[1]], {"a": 1}, True]
    texts = list(saved.arrays["features"])
    for _ in range(300):
        number = int(rng.integers(len(texts)))
        state = json.loads(texts[number])
        state[str(rng.choice(list(state)))] = junk[rng.integers(len(junk))]
        changed = [*texts[:number], json.dumps(state), *texts[number + 1 :]]
        damaged = TableData(saved.values, {**saved.arrays, "features": tuple(changed)})
        try:
            learned = from_table("file", damaged, 1, 1)
        except fm.ModelFormatError:
            continue
        assert learned.features.width == 1
