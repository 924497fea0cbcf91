"""Labels come back as the table has them: words as words also where they are written as numbers."""

import json
import subprocess
import sys

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.cli import main
from fastmlp.tables.reading.read import read

pytestmark = pytest.mark.once

N = 200
X = np.random.default_rng(1).normal(size=N)
IS_ONE = X > 0.0
WORDS = np.where(IS_ONE, "1", "0").tolist()


def fitted(table, target="y", **settings):
    model = fm.TabularModel((8,), networks=1, epochs=40, seed=1, **settings)
    return model.fit(table, target)


def from_pandas(words):
    return pytest.importorskip("pandas").DataFrame({"x": X, "y": words})


def of_pandas_strings(words):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"x": X, "y": pandas.array(words, "string")})


def of_categories(words):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"x": X, "y": pandas.Categorical(words)})


def from_polars(words):
    pytest.importorskip("pyarrow")
    return pytest.importorskip("polars").DataFrame({"x": X, "y": words})


def from_arrow(words):
    return pytest.importorskip("pyarrow").table({"x": X, "y": words})


FRAMES = {
    "list": lambda words: {"x": X, "y": words},
    "numpy": lambda words: {"x": X, "y": np.array(words)},
    "bytes": lambda words: {"x": X, "y": np.array(words, "S")},
    "objects": lambda words: {"x": X, "y": np.array(words, object)},
    "pandas": from_pandas,
    "pandas strings": of_pandas_strings,
    "categories": of_categories,
    "polars": from_polars,
    "arrow": from_arrow,
    "pieces": lambda words: [{"x": X[:90], "y": words[:90]}, {"x": X[90:], "y": words[90:]}],
}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("one", ["1", "01", "1.0", "1,000", f"1{'0' * 20}"])
def test_text_comes_back_as_it_is_written(tmp_path, make, one):
    words = [one if word == "1" else word for word in WORDS]
    table = make(words)
    model = fitted(table)
    assert model.classes.tolist() == ["0", one]
    answers = model.predict({"x": X})
    assert set(map(type, answers)) == {str}
    assert np.mean(answers == np.array(words)) > 0.95
    scores = model.evaluate(table)
    assert [score.label for score in scores.classes] == ["0", one]
    assert scores.accuracy == np.mean(answers == np.array(words))
    model.save(tmp_path / "model")
    loaded = fm.load(tmp_path / "model")
    assert loaded.predict({"x": X}).tolist() == answers.tolist()
    assert loaded.classes.tolist() == ["0", one]


@pytest.mark.parametrize("gap", [None, "", "NA"])
def test_text_with_gaps_is_text(gap):
    words = [gap if i % 40 == 0 else word for i, word in enumerate(WORDS)]
    model = fitted({"x": X, "y": words})
    assert model.classes.tolist() == ["0", "1"]
    assert "5 rows without one are left out" in model.notes[0]


@pytest.mark.parametrize(
    ("y", "kind"),
    [(IS_ONE.astype(int), int), (IS_ONE, bool), (IS_ONE.tolist(), bool),
     (IS_ONE.astype(np.uint8), int), ([1 if one else "0" for one in IS_ONE], int)],
)  # fmt: skip
def test_numbers_and_booleans_are_no_text(y, kind):
    answers = fitted({"x": X, "y": y}).predict({"x": X})
    assert set(map(type, answers.tolist())) == {kind}


def written(folder, ending):
    """Write the table as a file; return its path."""
    path = folder / f"table{ending}"
    rows = list(zip(X.tolist(), WORDS, strict=True))
    if ending == ".parquet":
        pytest.importorskip("pyarrow.parquet").write_table(from_arrow(WORDS), path)
    elif ending == ".json":
        path.write_text(json.dumps([{"x": x, "y": word} for x, word in rows]))
    elif ending == ".arff":
        head = "@relation r\n@attribute x numeric\n@attribute y {0,1}\n@data\n"
        path.write_text(head + "".join(f"{x},{word}\n" for x, word in rows))
    else:
        path.write_text("x,y\n" + "".join(f"{x},{word}\n" for x, word in rows))
    return path


@pytest.mark.parametrize("ending", [".parquet", ".json", ".arff", ".csv"])
def test_files_say_what_is_text_but_for_csv(tmp_path, ending):
    path = written(tmp_path, ending)
    numbers = ending == ".csv"
    classes = [0, 1] if numbers else ["0", "1"]
    assert fitted(path).classes.tolist() == classes
    command = [sys.executable, "-m", "fastmlp", "train", path, "--target", "y", "--networks", "1",
               "--epochs", "2", "--json", "--save", tmp_path / "model"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")
    assert json.loads(done.stdout)["classes"] == classes
    assert fm.load(tmp_path / "model").classes.tolist() == classes


def test_a_folder_of_files_says_what_is_text(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = from_arrow(WORDS)
    parquet.write_table(table.slice(0, 90), tmp_path / "0.parquet")
    parquet.write_table(table.slice(90), tmp_path / "1.parquet")
    assert fitted(tmp_path).classes.tolist() == ["0", "1"]


def test_codes_of_a_csv_file_stay_words(tmp_path):
    path = tmp_path / "codes.csv"
    rows = zip(X, WORDS, strict=True)
    path.write_text("x,y\n" + "".join(f"{x},0{word}\n" for x, word in rows))
    assert fitted(path).classes.tolist() == ["00", "01"]


def test_each_table_may_evaluate_the_others(tmp_path):
    tables = [{"x": X, "y": WORDS}, {"x": X, "y": IS_ONE.astype(int)}, written(tmp_path, ".csv")]
    for table in tables:
        model = fitted(table)
        assert len({model.evaluate(other).accuracy for other in tables}) == 1


def test_two_words_of_one_number_are_told():
    words = ["1.0" if i % 2 and word == "1" else word for i, word in enumerate(WORDS)]
    model = fitted({"x": X, "y": words})
    assert model.classes.tolist() == ["0", "1", "1.0"]
    assert any("'1' and '1.0' are different classes" in note for note in model.notes)
    for beginning in ("", "a", "1000000000000000000"):  # the last is rounded by float64
        different = {"x": X, "y": [f"{beginning}{word}" for word in WORDS]}
        assert not any("different classes" in note for note in fitted(different).notes)


def test_text_of_many_numbers_is_a_regression():
    model = fitted({"x": X, "y": [f"{10.0 * x:.3f}" for x in X]})
    assert model.target.task == "regression"
    assert model.predict({"x": X}).dtype == np.float64
    as_classes = fitted({"x": X, "y": [str(i % 40) for i in range(N)]}, task="classification")
    assert as_classes.classes.tolist() == sorted(str(i) for i in range(40))


def test_several_labels_are_each_as_written():
    other = np.random.default_rng(2).random(N) > 0.5
    table = {"x": X, "y": WORDS, "z": other.astype(int)}
    model = fitted(table, ["y", "z"])
    assert model.target.task == "labels"
    answers = model.predict({"x": X})
    assert set(answers[:, 0]) == {"0", "1"}
    assert set(answers[:, 1]) <= {"0", "1"}
    numbers = {"x": X, "y": IS_ONE.astype(int), "z": other.astype(int)}
    assert model.evaluate(table).accuracy == model.evaluate(numbers).accuracy


@pytest.mark.parametrize(
    ("no", "yes"), [("0.0", "1.0"), ("0,0", "1,0"), ("-0", "+1"), ("0", "1.0")]
)
def test_several_labels_that_are_numbers_as_text_come_back_as_written(tmp_path, no, yes):
    table = {"x": X, "y": np.where(IS_ONE, yes, no).tolist(), "z": IS_ONE}
    model = fitted(table, ["y", "z"])
    model.save(tmp_path / "model.safetensors")
    answers = fm.TabularModel.load(tmp_path / "model.safetensors").predict({"x": X})
    assert answers.tolist() == model.predict({"x": X}).tolist()
    assert {tuple(row) for row in answers.tolist()} <= {(no, "False"), (yes, "True"), (no, "True"),
                                                        (yes, "False")}  # fmt: skip
    assert (answers[:, 0] == yes).mean() == pytest.approx(IS_ONE.mean(), abs=0.2)
    as_numbers = {**table, "y": IS_ONE.astype(float)}
    assert model.evaluate(table).accuracy == model.evaluate(as_numbers).accuracy


@pytest.mark.parametrize("other", ["maybe", "2", 2, 0.5])
def test_labels_that_are_neither_are_refused_in_an_evaluation(other):
    model = fitted({"x": X, "y": IS_ONE, "z": IS_ONE.astype(int)}, ["y", "z"])
    labels = [other if row == 3 else int(one) for row, one in enumerate(IS_ONE)]
    if isinstance(other, str):
        labels = list(map(str, labels))
    with pytest.raises(fm.errors.DataError, match=f"row 3, column 'y': '{other}' is neither yes"):
        model.evaluate({"x": X, "y": labels, "z": IS_ONE})


def test_labels_of_one_word_are_evaluated_as_meant():
    model = fitted({"x": X, "y": np.where(IS_ONE, "yes", "no"), "z": IS_ONE}, ["y", "z"])
    words = {"x": X, "y": ["yes"] * N, "z": IS_ONE}
    numbers = {"x": X, "y": [1] * N, "z": IS_ONE}
    assert model.evaluate(words).accuracy == model.evaluate(numbers).accuracy


@pytest.mark.parametrize(
    ("written", "kind"),
    [("1.0", "0.0|1.0"), ("0.00", "0.00|1.00"), ("1,0", "0,0|1,0"), (".0", ".0|1"), ("-0", "-0|1")],
)
def test_a_label_that_is_absent_is_written_as_the_other(written, kind):
    marks = [f"{number:.1f}".replace(".", "," if "," in written else ".") for number in X]
    model = fitted({"x": marks, "y": [written] * N, "z": IS_ONE}, ["y", "z"])
    assert model.target.kinds == [kind, "bool"]
    assert set(model.predict({"x": marks})[:, 0]) <= {written}


def evaluated_with(model, labels):
    return model.evaluate({"x": X[: len(labels)], "y": np.array(labels, object)})


@pytest.mark.parametrize(
    ("trained", "labels"),
    [
        (("yes", "no"), ["yes", "NA", "yes"]),
        (("yes", "no"), ["NA", "no"]),
        (("1", "0"), ["1", "?", "NA"]),
        ((True, False), ["True", "NA", "True"]),
        ((1, 0), ["1", "-", "0"]),
    ],
)
@pytest.mark.parametrize("has_gaps", [False, True])
def test_an_evaluation_leaves_out_what_the_training_did(trained, labels, has_gaps):
    y = np.where(IS_ONE, *(np.array(trained, object))).astype(object)
    y[: 5 * has_gaps] = "NA" if isinstance(trained[0], str) else None
    model = fitted({"x": X, "y": y})
    assert len(model.notes) == has_gaps
    with pytest.warns(UserWarning, match="column 'y': the target is missing: .* left out"):
        rows = evaluated_with(model, labels).rows
    assert rows == sum(label not in {"NA", "?", "-"} for label in labels)


def test_numbers_with_decimal_commas_may_be_missing():
    y = [f"{x:.1f}".replace(".", ",") for x in X]
    y[3] = "NA"
    model = fitted({"x": X, "y": y})
    assert model.target.task == "regression"
    assert any("the target is missing: the row is left out" in note for note in model.notes)
    with pytest.warns(UserWarning, match="row 1, column 'y': the target is missing"):
        assert evaluated_with(model, ["0,5", "NA"]).rows == 1


def test_among_words_na_is_a_class_that_must_be_known():
    words = np.where(IS_ONE, "a", "b").astype(object)
    with pytest.raises(fm.errors.DataError, match="'NA' is none of the classes of training"):
        evaluated_with(fitted({"x": X, "y": words}), ["a", "NA"])
    words[::4] = "NA"
    model = fitted({"x": X, "y": words})
    assert model.classes.tolist() == ["NA", "a", "b"]
    assert evaluated_with(model, ["NA", "NA"]).rows == 2


def test_beside_nearly_only_numbers_na_is_missing_as_in_the_training():
    y = np.where(IS_ONE, "1", "2").astype(object)
    y[:6], y[6:9] = "unknown", "NA"
    model = fitted({"x": X, "y": y}, task="classification")
    assert model.classes.tolist() == ["1", "2", "unknown"]
    with pytest.warns(UserWarning, match="3 rows without one are left out"):
        assert evaluated_with(model, y).rows == N - 3


def test_a_table_to_test_on_leaves_out_what_the_training_does(write, capsys):
    train = write("train.csv", "x,y", *(f"{x},{'no' if x < 0 else 'yes'}" for x in X))
    test = write("test.csv", "x,y", "1,yes", "2,NA", "3,yes")
    options = ["--target", "y", "--epochs", "2", "--networks", "1", "--test", test]
    assert main(["train", train, *options]) == 0
    output = capsys.readouterr().out
    assert "200 rows to train, 2 to test" in output
    assert "line 3, column 'y': the target is missing: the row is left out" in output


def test_vectors_in_text_are_no_labels():
    with pytest.raises(fm.errors.DataError, match="holds vectors"):
        fitted({"x": X, "y": ["[0.5, 1]", "[1, 1]"] * (N // 2)})


def test_features_of_text_are_numbers_as_before():
    columns = read({"x": [str(x) for x in X], "y": WORDS}).columns
    assert columns["x"].dtype == columns["y"].dtype == np.float64


def test_the_words_are_those_of_onnx(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model = fitted({"x": X, "y": WORDS})
    model.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    (answers,) = session.run(["answer"], {"x": X[:, np.newaxis]})
    assert answers.reshape(-1).tolist() == model.predict({"x": X}).tolist()
    assert set(map(type, answers.reshape(-1).tolist())) == {str}


@pytest.mark.parametrize(("other", "is_told"), [("yes", True), ("YES ", True), ("y", False)])
def test_classes_that_differ_in_capitals_are_told(other, is_told):
    model = fitted({"x": X, "y": ["Yes", "no", other, "no"] * (N // 4)})
    assert any("are different classes; write them alike" in note for note in model.notes) == is_told


@pytest.mark.parametrize("other", ["unknown", "–", ""])
def test_numbers_that_became_classes_are_told(other):
    y = [other if i % 5 == 0 else f"{i % 51}.5" for i in range(N)]
    model = fitted({"x": X, "y": y})
    assert model.target.task == ("classification" if other else "regression")
    said = f"has 52 classes, of which all are numbers but 1, such as '{other}'; if these stand for"
    assert any(said in note for note in model.notes) == bool(other)
    asked = fitted({"x": X, "y": y}, task="classification")
    assert not any("classes" in note for note in asked.notes)


def test_numbers_with_commas_that_became_classes_are_told(write):
    cells = ["unknown" if i % 5 == 0 else f"{i % 51},5" for i in range(N)]
    path = write("table.csv", "x;y", *(f"{i},25;{cell}" for i, cell in enumerate(cells)))
    model = fm.TabularModel(networks=1, epochs=1, seed=0).fit(path, "y")
    (note,) = model.notes
    assert "has 52 classes, of which all are numbers but 1, such as 'unknown'" in note


def test_durations_that_became_classes_are_told():
    (note,) = fitted({"x": X, "y": [f"{i % 3}h{i % 20:02d}m" for i in range(N)]}).notes
    assert "its numbers have different units, as in '0h00m'; convert them to one to learn" in note


def test_numbers_beside_words_that_became_classes_are_told():
    (note,) = fitted({"x": X, "y": [f"{i % 40} km/h" for i in range(N)]}).notes
    assert note.startswith(
        "the target has 40 classes: its numbers have a word beside them, as in '0 k"
    )
    assert note.endswith("leave the words out to learn numbers")
    with pytest.raises(fm.errors.DataError, match=r"are different: .*, as in 'USD 0': leave the"):
        fitted({"x": X, "y": [f"USD {i}" for i in range(N)]})
