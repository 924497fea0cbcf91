"""Saving, predicting, evaluating and describing on the command line."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.cli.main import main

QUICK = ["--epochs=5", "--networks=2", "--hidden=8"]


@pytest.fixture
def houses(tmp_path, rng):
    path = tmp_path / "houses.csv"
    rows = [
        f"{row},{size:.1f},{kind},{size * 1000:.0f},{'yes' if size > 110 else 'no'},{row % 9}\n"
        for row, (size, kind) in enumerate(
            zip(rng.uniform(20, 200, 90), rng.choice(["flat", "hut"], 90), strict=True)
        )
    ]
    path.write_text("id,size,kind,price,big,block\n" + "".join(rows))
    return path


@pytest.fixture
def run(capsys):
    """Run the command in this process; return what it printed, and its standard error."""

    def run(*arguments, code=0):
        assert main([str(argument) for argument in arguments]) == code
        return capsys.readouterr()

    return run


def test_train_save_predict(run, houses, tmp_path):
    model = tmp_path / "model.safetensors"
    printed = run("train", houses, "--target", "price", "--save", model, *QUICK).out
    assert f"saved as {model}" in printed
    answers = fm.load(model).predict(houses)
    lines = run("predict", model, houses).out.splitlines()
    assert lines[0] == "price"
    assert [float(line) for line in lines[1:]] == answers.tolist()
    out = tmp_path / "answers.csv"
    assert run("predict", model, houses, "--output", out).out == ""
    assert out.read_text().splitlines() == lines


def test_probabilities(run, houses, tmp_path):
    model = tmp_path / "model.safetensors"
    run("train", houses, "--target", "kind", "--save", model, "--json", *QUICK)
    rows = list(csv.reader(run("predict", model, houses, "--proba").out.splitlines()))
    assert rows[0] == ["kind=flat", "kind=hut"]
    assert np.array(rows[1:], float).tolist() == fm.load(model).predict_proba(houses).tolist()
    run("train", houses, "--target", "price", "--save", model, *QUICK)
    error = run("predict", model, houses, "--proba", code=2).err
    assert "predict_proba is for classes" in error


def test_evaluate_and_describe(run, houses, tmp_path):
    model = tmp_path / "model.safetensors"
    report = json.loads(run("train", houses, "--target=big", "--save", model, "--json", *QUICK).out)
    text = run("evaluate", model, houses).out
    assert "true \\ taken for" in text
    scores = json.loads(run("evaluate", model, houses, "--json").out)
    assert scores["rows"] == 90
    assert scores["confusion"] == fm.load(model).evaluate(houses).confusion.tolist()
    text = run("describe", model).out
    for word in ("big", "size", "numbers the rows", "2 networks", "test: accuracy"):
        assert word in text
    content = json.loads(run("describe", model, "--json").out)
    assert content["scores"]["test"] == report["test"]
    assert content["columns"] == report["columns"]


def test_choosing_columns_and_rows(run, houses, tmp_path):
    def names(*options):
        arguments = ["train", houses, "--target=price", "--json", *QUICK, *options]
        report = json.loads(run(*arguments).out)
        return [column["name"] for column in report["columns"] if column["kind"] != "dropped"]

    assert names("--features=size,kind") == ["size", "kind"]
    assert names("--drop=size", "--drop=kind,big") == ["block"]
    assert "block" not in names("--group=block")
    assert "size" not in names("--weight=size")
    assert run("train", houses, "--target=price", "--features=x", code=2).err.startswith(
        f"fastmlp: error: {houses}: there is no column 'x'"
    )


def test_a_test_table_of_its_own(run, houses, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("".join(houses.read_text().splitlines(keepends=True)[:31]))
    arguments = ["train", houses, "--target=price", "--test", other, *QUICK]
    report = json.loads(run(*arguments, "--json").out)
    assert (report["n_train"], report["n_test"]) == (90, 30)
    assert f"(all of {other})" in run(*arguments).out


def test_a_test_table_needs_the_columns_that_are_used(run, tmp_path):
    path, test = tmp_path / "data.csv", tmp_path / "test.json"
    path.write_text(
        "x,z,odd,y\n" + "".join(f"{i % 9}.5,{i % 5}.5,1,{i * 1.5}\n" for i in range(60))
    )
    rows = [{"x": i, "z": 1, "y": i * 1.5, "odd": {"a": 1}} for i in range(6)]
    test.write_text(json.dumps([*rows, {"x": 7, "z": 1}]))
    arguments = ["train", path, "--target=y", "--test", test, *QUICK]
    printed = run(*arguments).out
    missing = f"{test}: row 6, column 'y': the target is missing: the row is left out"
    assert f"note: {missing}\n" in printed
    report = json.loads(run(*arguments, "--json").out)
    assert report["n_test"] == 6
    assert missing in report["notes"]
    for needed in ("x", "z"):
        test.write_text(json.dumps([{**row, needed: {"a": 1}} for row in rows]))
        failed = run(*arguments, code=2)
        assert f"column '{needed}' holds dict" in failed.err
        test.write_text(json.dumps([{k: v for k, v in row.items() if k != needed} for row in rows]))
        failed = run(*arguments, code=2)
        assert failed.err.startswith(f"fastmlp: error: {test}: there is no column '{needed}'")
        assert "to train" not in failed.out


def test_no_row_of_a_test_table_is_left_out(run, houses, tmp_path):
    test = tmp_path / "test.csv"
    test.write_text(houses.read_text() + "1,2\n")
    arguments = ["train", houses, "--target=price", "--test", test, *QUICK]
    assert f"{test}: line 92: number of cells is 2" in run(*arguments, code=2).err
    test.write_text("a title\n" + houses.read_text())
    title = f"{test}: the text above line 2 is a title"
    assert f"note: {title}" in run(*arguments).out
    assert any(
        note.startswith(title) for note in json.loads(run(*arguments, "--json").out)["notes"]
    )


def test_a_part_of_svmlight_is_tested(run, tmp_path):
    """Features that are 0 in all rows of the part are absent in the file."""
    path, test = tmp_path / "data.svm", tmp_path / "test.svm"
    rows = [f"{i % 2} 1:{i % 2} 2:{i % 7} 3:{i % 3}" for i in range(60)]
    path.write_text("\n".join(rows))
    test.write_text("\n".join(f"{i % 2} 1:{i % 2} 3:1" for i in range(10)))
    model = tmp_path / "model.safetensors"
    done = run("train", path, "--test", test, "--save", model, "--json", *QUICK)
    accuracy = json.loads(done.out)["test_accuracy"]
    assert json.loads(run("evaluate", model, test, "--json").out)["accuracy"] == accuracy


def test_rows_of_a_group_stay_in_one_part(run, houses):
    arguments = ["train", houses, "--target=price", "--group=block", *QUICK]
    report = json.loads(run(*arguments, "--json").out)
    assert report["n_test"] == 10  # one of the nine blocks
    assert "split by groups" in run(*arguments).out


def test_missing_targets(run, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,y\n" + "".join(f"{i},{'NA' if i == 7 else i * 1.5}\n" for i in range(60)))
    printed = run("train", path, "--target=y", *QUICK).out
    assert (
        f"note: {path}: line 9, column 'y': the target is missing: the row is left out" in printed
    )
    assert "regression of 'y'" in printed
    error = run("train", path, "--target=y", "--missing-target=error", *QUICK, code=2).err
    assert error == f"fastmlp: error: {path}: line 9, column 'y': the target is missing\n"


def test_notes_on_cells_go_to_standard_error(run, houses, tmp_path):
    model = tmp_path / "model.safetensors"
    run("train", houses, "--target", "price", "--save", model, *QUICK)
    lines = houses.read_text().splitlines()
    lines[3] = "2,many,flat,0,no,1"
    new = tmp_path / "new.csv"
    new.write_text("\n".join(lines) + "\n")
    done = run("predict", model, new)
    assert len(done.out.splitlines()) == 91
    assert done.err == (
        f"fastmlp: note: {new}: line 4, column 'size': 'many' is no number: taken as missing\n"
    )
    new.write_text("\n".join([*lines, "1,2"]) + "\n")
    assert "line 92: number of cells is 2" in run("predict", model, new, code=2).err


def test_notes_on_cells_of_the_training_are_said_once(run, tmp_path):
    path, test = tmp_path / "data.csv", tmp_path / "test.csv"
    rows = "".join(f"{i}.5,{i % 2}\n" for i in range(60))
    path.write_text(f"x,y\ninf,1\n{rows}")
    test.write_text(f"x,y\n{rows}-inf,0\n")
    done = run("train", path, "--target", "y", "--test", test, *QUICK)
    assert done.out.count("line 2, column 'x': 'inf' is not finite: taken as missing") == 1
    assert done.err == (
        f"fastmlp: note: {test}: line 62, column 'x': '-inf' is not finite: taken as missing\n"
    )


def test_codes_of_digits_stay_words(run, tmp_path):
    path, new = tmp_path / "data.csv", tmp_path / "new.csv"
    path.write_text("zip,y\n" + "00501,a\n10001,b\n" * 20)
    model = tmp_path / "model.safetensors"
    run("train", path, "--target=y", "--save", model, "--epochs=60", "--networks=2")
    new.write_text("zip\n10001\n10001\n")  # without the zeros these cells are numbers
    assert run("predict", model, new).out.split() == ["y", "b", "b"]


def test_models_that_are_none(run, houses, tmp_path):
    network = tmp_path / "network.safetensors"
    fm.Network([2, 1], output="identity", seed=1).save(network)
    assert "a network without a table" in run("predict", network, houses, code=2).err
    ensemble = tmp_path / "ensemble.safetensors"
    fm.Ensemble(fm.Network([2, 1], output="identity", seed=i) for i in (1, 2)).save(ensemble)
    assert "an ensemble without a table" in run("predict", ensemble, houses, code=2).err
    assert "No such file" in run("describe", tmp_path / "none", code=2).err
    assert "model.txt" in run("describe", tmp_path / "model.txt", code=2).err
    assert "is not a model file" in run("describe", houses, code=2).err


@pytest.mark.parametrize("target", ["price", "big"])
def test_plots(run, houses, tmp_path, target):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "report.png"
    run("train", houses, "--target", target, "--plot", plot, *QUICK)
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_outputs_that_cannot_be_written_are_found_before_the_training(run, houses, tmp_path):
    pytest.importorskip("matplotlib")
    train = ["train", houses, "--target=price", "--epochs=4000000000"]
    error = run(*train, "--plot", tmp_path / "x.doc", code=2).err
    assert "plot: the ending must be one of" in error
    for option in ("--save", "--plot"):
        error = run(*train, option, tmp_path / "none" / "x.png", code=2).err
        assert error == f"fastmlp: error: {tmp_path}/none: No such file or directory\n"


def test_no_command_overwrites_what_it_reads(run, houses, tmp_path):
    model, link = tmp_path / "model.safetensors", tmp_path / "link.csv"
    run("train", houses, "--target", "price", "--save", model, *QUICK)
    link.symlink_to(houses)
    before = houses.read_bytes(), model.read_bytes()
    train = ["train", houses, "--target=price", "--epochs=4000000000"]
    for arguments in (
        [*train, "--save", houses],
        [*train, "--save", link],
        ["predict", model, houses, "--output", houses],
        ["predict", model, houses, "--output", model],
    ):
        error = run(*arguments, code=2).err
        assert "the command reads this file and would overwrite it" in error
    assert (houses.read_bytes(), model.read_bytes()) == before


def test_an_interrupt_saves_the_best_so_far(houses, tmp_path):
    model = tmp_path / "model.safetensors"
    command = [sys.executable, "-m", "fastmlp", "train", str(houses), "--target=price"]
    slow = ["--epochs=400000000", "--optimizer=sgd", "--learning-rate=1e-9", "--save", str(model)]
    for pause in (1, 10):  # on a busy machine the first epoch may take long
        with subprocess.Popen(
            [*command, *slow], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert "houses.csv" in process.stdout.readline()
            time.sleep(pause)
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=60)
        if model.exists():
            break
    assert process.returncode == 130
    assert error.startswith(f"fastmlp: error: interrupted: {model} has the model of epochs ")
    assert len(fm.load(model).predict(houses)) == 90


def test_a_network_is_described(run, tmp_path):
    path = tmp_path / "network.safetensors"
    network = fm.Network([2, 3, 2], seed=1)
    network.feature_names, network.class_names = ["size", "age"], ["flat", "hut"]
    network.save(path)
    printed = run("describe", path).out
    assert printed.startswith(str(network.summary()))
    assert printed.endswith("features: 'size', 'age'\nclasses: 'flat', 'hut'\n")
    content = json.loads(run("describe", path, "--json").out)
    assert content["layers"] == [2, 3, 2]
    assert content["features"] == ["size", "age"]
    assert (content["parameters"], content["dtype"], content["seed"]) == (17, "float32", 1)


def test_an_ensemble_is_described(run, tmp_path):
    path = tmp_path / "ensemble.safetensors"
    networks = [fm.Network([2, nodes, 2], seed=nodes) for nodes in (3, 4)]
    for network in networks:
        network.feature_names, network.class_names = ["size", "age"], ["flat", "hut"]
    ensemble = fm.Ensemble(networks)
    ensemble.save(path)
    printed = run("describe", path).out
    assert printed.startswith(f"{ensemble!r}\n\nmember 0, seed 3, epoch 0\n")
    assert all(str(network.summary()) in printed for network in networks)
    assert printed.endswith("features: 'size', 'age'\nclasses: 'flat', 'hut'\n")
    content = json.loads(run("describe", path, "--json").out)
    assert (content["networks"], content["classes"]) == (2, ["flat", "hut"])
    assert [member["layers"] for member in content["members"]] == [[2, 3, 2], [2, 4, 2]]
    assert [member["seed"] for member in content["members"]] == [3, 4]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.xlsx", "--output writes CSV, but .xlsx is the ending of Excel files"),
        ("a.Parquet", ".parquet is the ending of Parquet files"),
        ("a.csv.gz", ".gz is the ending of compressed files"),
        ("a.safetensors", ".safetensors is the ending of fastmlp files"),
        ("none/a.csv", "No such file"),
    ],
)
def test_no_csv_under_the_ending_of_another_format(run, tmp_path, name, said):
    """Before the model is read: there is none."""
    path = tmp_path / name
    assert said in run("predict", tmp_path / "m", tmp_path / "t", "--output", path, code=2).err
    assert not path.exists()


@pytest.mark.parametrize("name", ["m.onnx", "m.csv", "m.pt", "m.json", "m.png"])
def test_no_model_under_the_ending_of_another_format(run, tmp_path, name):
    path = tmp_path / name
    said = run("train", tmp_path / "t", "--save", path, code=2).err
    assert "--save writes a model in a safetensors file, but ." in said
    assert "such as model.safetensors" in said


def test_no_device_is_written(run, tmp_path):
    for option in (["predict", "m", "t", "--output"], ["train", tmp_path / "t", "--save"]):
        assert "Not a regular file" in run(*option, os.devnull, code=2).err


def test_a_loss_of_several_targets_is_that_of_their_standardized_errors(run, tmp_path):
    """Not the mean of their errors, over the deviation of each."""
    path, model = tmp_path / "two.csv", tmp_path / "two.safetensors"
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 300))
    rows = np.column_stack([a, b, 3.0 * a - b, 1000.0 + 100.0 * b])
    path.write_text("a,b,y,z\n" + "".join(",".join(map(str, row)) + "\n" for row in rows.tolist()))
    report = json.loads(
        run("train", path, "--target=y", "--target=z", "--test", path, "--json", "--save", model,
            *QUICK).out
    )  # fmt: skip
    truth = rows[:, 2:]
    errors = (fm.load(model).predict(path) - truth) / truth.std(axis=0)
    assert report["test_loss"] == pytest.approx((errors**2).mean(), rel=1e-6)


def test_scores_are_weighted_where_a_column_is_named(run, houses, tmp_path):
    model = tmp_path / "model.safetensors"
    text = run("train", houses, "--target=price", "--weight=size", "--save", model, *QUICK).out
    assert "rows and scores weighted by 'size'" in text
    plain, weighted = (
        json.loads(run("evaluate", model, houses, "--json", *options).out)
        for options in ((), ("--weight=size",))
    )
    expected = fm.load(model).evaluate(houses, sample_weight="size")
    assert weighted["rmse"] == expected.rmse != plain["rmse"]


def test_rows_without_a_target_are_told_by_evaluate(run, houses, tmp_path):
    model, other = tmp_path / "model.safetensors", tmp_path / "other.csv"
    run("train", houses, "--target=price", "--save", model, *QUICK)
    lines = houses.read_text().splitlines(keepends=True)
    column = lines[0].strip().split(",").index("price")
    cells = lines[3].rstrip("\n").split(",")
    cells[column] = ""
    other.write_text("".join([*lines[:3], ",".join(cells) + "\n", *lines[4:]]))
    done = run("evaluate", model, other)
    assert f"on {len(lines) - 2} rows" in done.out
    assert "line 4" in done.err
    assert "target is missing" in done.err
