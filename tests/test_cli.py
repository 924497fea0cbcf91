"""The command line as a user runs it, in a separate process."""

import json
import subprocess
import sys

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import cli
from fastmlp.cli.train import Experiment, Settings

KEYS = {
    "version", "data", "target", "task", "task_guessed", "classes", "columns", "notes", "layers",
    "activation", "networks", "n_parameters", "n_train", "n_test", "epochs", "best_epochs",
    "batch_size", "optimizer", "learning_rate", "seed", "split_seed", "train_loss", "test_loss",
    "loss_unit", "train", "test", "train_accuracy", "test_accuracy", "train_r2", "test_r2",
    "seconds", "samples_per_second", "gflops", "peak_share", "isa", "threads",
}  # fmt: skip


def run(*arguments):
    """Run the command; the output is text."""
    command = [sys.executable, "-m", "fastmlp", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def run_json(*arguments):
    """Run with ``--json``, and insist on one strictly valid object and nothing else."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    done = run("train", *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    report = json.loads(done.stdout, parse_constant=refuse)
    assert set(report) == KEYS
    return report


@pytest.fixture
def classes_csv(tmp_path, blobs):
    path = tmp_path / "flowers.csv"
    colours = ["red", "green", "blue"]
    rows = [f"{','.join(map(str, x))},{colours[y]}" for x, y in zip(*blobs, strict=True)]
    path.write_text("\n".join(["a,b,c,d,colour", *rows]))
    return path


@pytest.fixture
def line_npz(tmp_path, rng):
    """A linear law with a column that never changes, in units far from 1."""
    X = np.column_stack([rng.uniform(0, 1000, 200), rng.uniform(0, 0.01, 200), np.full(200, 7.0)])
    path = tmp_path / "line.npz"
    np.savez(path, X=X, y=3e6 + 2.0 * X[:, 0] - 1e5 * X[:, 1])
    return path


@pytest.mark.slow
def test_digits_as_text():
    pytest.importorskip("sklearn")
    done = run("train", "digits")
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "digits: 1,797 rows, 2 columns",
        "classification of 'digit' (guessed: the target has 10 different whole numbers)",
        "10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "1,438 rows to train, 359 to test (stratified split, seed 3)",
        "  pixels  vector         64  64 numbers of one unit, centred",
        "4 networks of 64 inputs, 128, 64 hidden nodes (relu), 10 outputs",
        "loss in nats per row (cross-entropy)",
    ):
        assert line in done.stdout.splitlines()
    for word in (
        "train ",
        "test ",
        "samples/s",
        "GFLOP/s",
        "% of the machine's FMA peak",
        "thread",
    ):
        assert word in done.stdout


@pytest.mark.slow
def test_digits_as_json():
    pytest.importorskip("sklearn")
    report = run_json("digits", "--seed", 12)
    assert report["test_accuracy"] >= 0.97
    assert report["train_accuracy"] > 0.99
    assert report["train_loss"] < report["test_loss"] < 0.2
    assert report["layers"] == [64, 128, 64, 10]
    assert (report["n_train"], report["n_test"]) == (1438, 359)
    assert (report["task"], report["task_guessed"]) == ("classification", True)
    assert (report["train_r2"], report["test_r2"]) == (None, None)
    assert report["seed"] == 12
    assert report["isa"] == fm.get_config()["isa"]
    assert 1 <= report["threads"] <= fm.get_num_threads()
    for speed in ("seconds", "samples_per_second", "gflops", "peak_share"):
        assert report[speed] > 0


@pytest.mark.slow
def test_digits_for_many_seeds():
    pytest.importorskip("sklearn")
    accuracies = [
        Experiment("digits", Settings(seed=seed)).run(lambda text: None).test.accuracy
        for seed in range(5)
    ]
    assert min(accuracies) >= 0.97


def test_main_of_the_package_runs_the_command(capsys):
    assert cli.main(["--version"]) == 0
    assert cli.main(["predict", "nothing.safetensors", "nothing.csv"]) == 2
    assert "nothing.safetensors: No such file" in capsys.readouterr().err


def test_csv_classification(classes_csv):
    report = run_json(classes_csv, "--target", "colour", "--epochs", 100)
    assert report["classes"] == ["blue", "green", "red"]
    assert report["layers"][1:] == [128, 64, 3]
    assert report["test_accuracy"] == 1.0
    text = run("train", classes_csv, "--target", "colour").stdout
    assert "classification of 'colour' (guessed: the target is text)" in text
    assert "3 classes: 'blue', 'green', 'red'" in text


def test_csv_regression(tmp_path):
    path = tmp_path / "squares.csv"
    path.write_text("square,side\n" + "".join(f"{i * i},{i}\n" for i in range(100)))
    report = run_json(path, "--target", "side")
    assert (report["task"], report["task_guessed"]) == ("regression", True)
    assert report["test_r2"] > 0.9
    report = run_json(path, "--target", "side", "--task", "regression", "--activation", "identity")
    assert (report["task"], report["task_guessed"]) == ("regression", False)


def test_npz_regression(line_npz):
    report = run_json(line_npz, "--epochs", 200)
    assert (report["task"], report["classes"]) == ("regression", None)
    assert report["layers"] == [2 * (1 + 160 // 8), 128, 64, 1]  # 160 rows, 8 for each piece
    assert [column["how"] for column in report["columns"]][2] == "is always 7.0"
    assert (report["train_accuracy"], report["test_accuracy"]) == (None, None)
    assert report["test_r2"] > 0.99
    assert report["loss_unit"].startswith("variances of the training target")
    # The training target has the variance 1, so the loss is the share not explained.
    assert report["train_r2"] == pytest.approx(1 - report["train_loss"], abs=1e-6)
    text = run("train", line_npz).stdout
    assert "regression of 'y' (guessed: the target has fractions)" in text
    assert "R^2" in text


def test_npz_classification(tmp_path, blobs):
    path = tmp_path / "blobs.npz"
    np.savez(path, X=blobs[0], y=blobs[1])
    assert run_json(path, "--epochs", 100)["test_accuracy"] == 1.0
    assert run_json(path, "--task", "regression")["layers"][1:] == [128, 64, 1]


def test_options_arrive(classes_csv):
    options = {"epochs": 7, "batch_size": 1000, "learning_rate": 0.5, "split_seed": 9, "threads": 1}
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    arguments += ["--hidden=5,6", "--activation=tanh", "--test-share=0.5", f"--seed={2**64 - 1}"]
    arguments += ["--networks=3", "--optimizer=adam", "--drop=a", "--dropout=0.2"]
    options |= {"networks": 3, "optimizer": "adam"}
    report = run_json(classes_csv, "--target=colour", *arguments)
    assert options.items() <= report.items()
    assert report["layers"][1:] == [5, 6, 3]
    assert "a" not in [column["name"] for column in report["columns"]]
    assert (report["activation"], report["seed"]) == ("tanh", 2**64 - 1)
    assert (report["n_train"], report["n_test"]) == (45, 45)


def test_the_same_command_gives_the_same_result(classes_csv):
    results = [
        run_json(classes_csv, "--target=colour", "--hidden=17", *more)["test_loss"]
        for more in ([], ["--threads=1"], ["--seed=1"])
    ]
    assert results[0] == results[1] != results[2]


def test_info_is_the_configuration(capsys):
    done = run("info")
    fm.show_config()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == capsys.readouterr().out
