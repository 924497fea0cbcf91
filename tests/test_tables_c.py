"""Models of tables of numbers answer in C and C++ with the bits of Python."""

import json
import math
import subprocess

import c_programs
import numpy as np
import pytest
from c_programs import ROOT, compiled

import fastmlp as fm
from fastmlp.model.model_files import TableData, read_model, write_model

N = 300

pytestmark = c_programs.NEEDS


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Return a function that runs the example predict_table.c on a model and rows."""
    folder = tmp_path_factory.mktemp("c")
    predict_table = compiled(ROOT / "examples" / "cpp" / "predict_table.c", folder, "c99")

    def run(model, rows):
        path = model
        if isinstance(model, fm.TabularModel):
            path = folder / "model"
            model.save(path)
        text = "\n".join(" ".join(map(repr, row)) for row in rows.tolist())
        return subprocess.run(
            [predict_table, path],
            input=text, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip

    return run


def table():
    rng = np.random.default_rng(5)
    a = rng.normal(40, 9, N)
    gaps = np.where(rng.random(N) < 0.2, np.nan, rng.exponential(3, N))
    person = np.repeat(np.arange(N // 5), 5) * 7.0
    constant = np.full(N, 3.0)  # is dropped
    price = 1e5 + 2e3 * a - 500 * np.nan_to_num(gaps)
    taste = rng.normal(size=N // 5)[(person / 7).astype(int)] + (a - 40) / 9
    return {
        "a": a, "gaps": gaps, "few": rng.integers(0, 4, N).astype(float), "person": person,
        "constant": constant, "price": price, "kind": np.where(taste > 0, "small", "bíg"),
        "level": np.digitize(taste, [-0.5, 0.5]), "yes": taste > 0, "no": taste < -1,
        "code": np.where(taste > 0, "1", "01"),
    }  # fmt: skip


def new_rows(model):
    """Return rows never seen: gaps in every column, infinite, huge, and known numbers."""
    rng = np.random.default_rng(6)
    known = table()
    names = [column.name for column in model.columns if column.kind != "dropped"]
    columns = [rng.choice(known[name], 200) * rng.choice([1, 1, 1.01, -3], 200) for name in names]
    rows = np.stack(columns, axis=1)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows[:4, 0] = [np.inf, -np.inf, 1e300, -1e300]
    return names, rows


@pytest.mark.filterwarnings("ignore:.*taken as missing")
@pytest.mark.parametrize(
    "target", ["price", "kind", "level", "code", ["price", "a"], ["yes", "no"]]
)
@pytest.mark.parametrize("numbers", ["piecewise", "standardized"])
def test_c_answers_with_the_bits_of_python(program, target, numbers):
    targets = [target] if isinstance(target, str) else target
    features = [name for name in ("a", "gaps", "few", "person", "constant") if name not in targets]
    model = fm.TabularModel(networks=3, epochs=3, seed=4, numbers=numbers)
    model.fit(table(), target, features=features)
    names, rows = new_rows(model)
    asked = dict(zip(names, rows.T, strict=True))
    first, *printed = program(model, rows).stdout.splitlines()
    classes = target in ("kind", "level", "code")
    is_number = model.target.task == "regression"
    if numbers == "piecewise":
        assert "pieces" in str(model.columns)
        assert ("the mean target of each of 60 numbers" in str(model.columns)) != is_number
    named = [str(label) for label in model.classes] if classes else targets
    assert first == f"{' '.join(names)} -> {' '.join(named)}"
    outputs = np.array([line.split()[: len(named)] for line in printed], np.float64)
    expected = model.predict(asked) if is_number else model.predict_proba(asked)
    assert outputs.tobytes() == expected.tobytes()
    if classes:
        answers = [line.split()[-1] for line in printed]
        assert answers == [str(label) for label in model.predict(asked)]


def test_c_answers_for_columns_that_networks_standardize(program):
    known = {name: table()[name] for name in ("a", "few", "price")}
    model = fm.TabularModel(networks=2, epochs=3, seed=4, numbers="standardized")
    model.fit(known, "price")
    assert str(model.columns).count("standardized in the network") == 2
    rows = np.stack([known["a"], known["few"]], axis=1)
    rows[::7, 0] = np.nan
    rows[::9, 1] = 1e300
    printed = program(model, rows).stdout.splitlines()[1:]
    answers = model.predict({"a": rows[:, 0], "few": rows[:, 1]})
    assert [float(line) for line in printed] == answers.tolist()


def test_a_golden_file_answers_as_ever(program):
    path = ROOT / "tests" / "golden" / "table.safetensors"
    content = json.loads((path.parent / "table_answers.json").read_text())
    rows = np.array(content["rows"], float)
    columns = dict(zip(("size", "gaps", "person"), rows.T, strict=True))
    assert fm.load(path).predict_proba(columns).tolist() == content["answers"]
    first, *printed = program(path, rows).stdout.splitlines()
    assert first == "size gaps person -> groß small"
    assert [[float(x) for x in line.split()[:2]] for line in printed] == content["answers"]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.tile(["here", "there"], N // 2), "column 'other' holds words"),
        (np.datetime64("2001-01-01") + np.arange(N) ** 2 % 997, "column 'other' holds dates"),
        (np.tile([True, False, False], N // 3), "column 'other' holds yes/no"),
    ],
)  # fmt: skip
def test_other_tables_are_refused_by_name(program, column, message):
    known = {"a": table()["a"], "other": column, "price": table()["price"]}
    model = fm.TabularModel(networks=1, epochs=1, seed=4).fit(known, "price")
    done = program(model, np.zeros((1, 2)))
    assert done.returncode == 2
    assert message in done.stderr


def changed_feature(**members):
    """Return a change of the JSON of the first column; None takes a member away."""

    def change(_values, arrays):
        feature = json.loads(arrays["features"][0])
        for name, value in members.items():
            feature[name] = value
            if value is None:
                del feature[name]
        arrays["features"] = [json.dumps(feature), *arrays["features"][1:]]

    return change


def changed_array(name, value):
    return lambda _values, arrays: arrays.update({name: value})


def changed_value(name, value):
    return lambda values, _arrays: values.update({name: value})


@pytest.mark.parametrize(
    "change",
    [
        changed_feature(mean=math.nan),
        changed_feature(median=math.inf),
        changed_feature(deviation=0.0),
        changed_feature(deviation=math.nan),
        changed_feature(deviation=None),
        changed_feature(missing=None),
        changed_feature(missing=1),
        changed_feature(means={}),
        changed_array("feature.0.edges", np.array([0.0, math.nan, 1.0])),
        changed_array("feature.0.edges", np.array([1.0, 0.0])),
        changed_array("target.kinds", ["bool"]),
        changed_array("target.names", []),
        changed_array("target.mean", np.array([math.nan])),
        changed_array("target.deviation", np.array([0.0])),
        changed_array("target.classes", np.array([1.0, math.nan])),
        changed_value("decimal", "x"),
        changed_value("version", 2),
        changed_value("task", "ranking"),
        changed_value("task", "labels"),
    ],
)
def test_c_and_python_refuse_the_same_files(program, tmp_path, change):
    known = {"a": table()["a"], "price": table()["price"]}
    path = tmp_path / "model"
    fm.TabularModel(networks=1, epochs=1, seed=4, hidden=[4]).fit(known, "price").save(path)
    assert program(path, np.zeros((1, 1))).returncode == 0
    models, held = read_model(path)
    values, arrays = dict(held.values), dict(held.arrays)
    change(values, arrays)
    write_model(path, models, TableData(values, arrays, held.inputs, held.reason))
    with pytest.raises(fm.ModelFormatError):
        fm.load(path)
    assert program(path, np.zeros((1, 1))).returncode == 2
