"""Errors of the command line for invalid options and data: one line, and exit code 2."""

import subprocess
import sys

import numpy as np
import pytest

from fastmlp.cli.examples import EXAMPLES
from fastmlp.cli.main import _parser, main

pytestmark = pytest.mark.once


@pytest.fixture
def fail(capsys):
    """Run the command in this process, which must fail; return the code and the one line."""

    def fail(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert captured.err.startswith("fastmlp: error: ")
        assert captured.err.count("\n") == 1
        assert captured.err.endswith("\n")
        return code, captured.err.removeprefix("fastmlp: error: ").rstrip("\n")

    return fail


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b,y\n" + "1,2,x\n3,4,z\n" * 10)
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["nonsense"], "argument COMMAND: invalid choice: 'nonsense'"),
        (["info", "extra"], "unrecognized arguments: extra"),
        (["bench", "--threads", "0"], "argument --threads: must be an integer at least 1, got '0'"),
        (["train"], "the following arguments are required: data"),
        (["train", "digit"], "digit: No such file or directory"),
        (["train", ""], ": No such file or directory"),
        (["train", "digits", "--target", "y"], "digits: there is no column 'y'; columns are"),
        (["train", "digits", "--epoch", "3"], "unrecognized arguments: --epoch 3"),
    ],
)
def test_bad_commands(fail, arguments, message):
    code, line = fail(*arguments)
    assert code == 2
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("option", "values", "message"),
    [
        ("--epochs", ["0", "-1", "1.5", "many", "4294967296", ""], "integer from 1 to 4294967295"),
        ("--batch-size", ["0", "-32", "1e3", "nan"], "integer at least 1"),
        ("--threads", ["0", "-1", "all"], "integer at least 1"),
        ("--seed", ["-1", "18446744073709551616", "x"], "integer from 0 to 18446744073709551615"),
        ("--split-seed", ["-1", "0.5"], "integer from 0 to 18446744073709551615"),
        ("--learning-rate", ["0", "-0.1", "nan", "inf", "fast", ""], "finite number above 0"),
        ("--test-fraction", ["0", "1", "1.5", "-0.2", "nan", "half"], "above 0 and below 1"),
        ("--networks", ["0", "-1", "x"], "integer at least 1"),
        ("--dropout", ["1", "-0.1", "nan"], "from 0 to below 1"),
        ("--optimizer", ["lion"], "invalid choice"),
        ("--hidden", ["0", "64,", "64,-1", "64 64", "", "a"], "integers of at least 1 between"),
        ("--activation", ["softmax", "swish"], "invalid choice"),
        ("--task", ["clustering"], "invalid choice"),
    ],
)
def test_bad_options(fail, table, option, values, message):
    for value in values:
        code, line = fail("train", table, "--target", "y", f"{option}={value}")
        assert code == 2
        assert line.startswith(f"argument {option}: ")
        assert message in line
        assert repr(value) in line


def test_options_the_network_refuses(fail, table):
    code, line = fail("train", table, "--target=y", "--learning-rate=1e-60")
    assert code == 2
    assert "learning_rate" in line
    code, line = fail("train", table, "--target=y", "--hidden=99999999999,99999999999")
    assert code == 2
    assert line.startswith("not enough memory: the parameters and gradients of the network")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"1,2\n3,4\n", "there is no column 'y'; columns are 'column 0', 'column 1'"),
        (b"a,y\n" + b"1,2\n" * 9 + b"1\n" * 3, "line 11: number of cells is 1, but the header"),
        (b"a,y\nred,x\nred,x\n", "the target has a single class, 'x': nothing to tell apart"),
        (b"a,b\n1,2\n", "there is no column 'y'; columns are 'a', 'b'"),
        (b"\x7fELF\x02\x01\x01\0\0", "line 1 is not text in UTF-8"),
    ],
)
def test_bad_csv_files(fail, tmp_path, content, message):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    code, line = fail("train", path, "--target", "y", "--json")
    assert code == 2
    assert message in line


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": [1.0]}, "there are no arrays 'X' and 'y'; arrays are: a"),
        ({"X": [[1.0]], "y": [None]}, "array 'y' holds pickled Python objects"),
        ({"X": [1.0], "y": [1]}, "X must have shape (samples, features), got (1,)"),
    ],
)
def test_bad_npz_files(fail, tmp_path, arrays, message):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    code, line = fail("train", path)
    assert code == 2
    assert line.startswith(f"{path}: {message}")


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_files_that_cannot_be_opened(fail, tmp_path, suffix):
    missing = tmp_path / f"missing{suffix}"
    assert fail("train", missing) == (2, f"{missing}: No such file or directory")
    directory = tmp_path / f"directory{suffix}"
    directory.mkdir()
    assert fail("train", directory) == (2, f"{directory}: the folder has no files")


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (["x", "x", "x"], [], "the target has a single class, 'x': nothing to tell apart"),
        (["1.5", "2", "z"], ["--task=regression"], "line 4, column 'y': 'z' is not a number"),
        (["3", "3", "3"], ["--task=regression"], "the target is always 3.0: nothing to learn"),
        (["u", "v", "w"], [], "all 3 values of the target 'y' are different"),
        (["1", "2", "3"] * 6, ["--test-fraction=0.01"], "try --task regression"),
        (["x", "x", "z"], ["--test-fraction=0.01"], "leave no row to test on"),
    ],
)
def test_targets_with_nothing_to_learn(fail, tmp_path, y, options, message):
    path = tmp_path / "data.csv"
    path.write_text("a,y\n" + "".join(f"{i * i},{label}\n" for i, label in enumerate(y)))
    code, line = fail("train", path, "--target=y", *options)
    assert code == 2
    assert message in line


def test_divergence(fail, tmp_path, rng):
    path = tmp_path / "data.npz"
    X = rng.standard_normal((200, 10))
    np.savez(path, X=X, y=X.sum(axis=1))
    code, line = fail("train", path, "--optimizer=sgd", "--learning-rate=1000", "--json")
    assert code == 1
    assert line.startswith("training diverged in epoch 1: with a learning rate of 1000 the loss")
    assert line.endswith("; try --learning-rate 100")


@pytest.mark.parametrize(
    ("command", "name"),
    [("info", "FASTMLP_ISA"), ("train", "FASTMLP_ISA"), ("train", "FASTMLP_NUM_THREADS")],
)
def test_bad_environment(run_python, table, name, command):
    arguments = ["train", str(table), "--target=y"] if command == "train" else ["info"]
    code = "import sys; from fastmlp.cli.main import main; sys.exit(main())"
    done = run_python(code, *arguments, **{name: "nonsense"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fastmlp: error: {name}")
    assert done.stderr.count("\n") == 1


def test_errors_of_a_process(table):
    """The same from outside: code, one line, nothing on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "fastmlp", "train", str(table)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    message = f"{table}: name the target; columns are 'a', 'b', 'y'"
    assert done.stderr == f"fastmlp: error: {message}\n"


def test_help_is_no_error(capsys):
    assert main(["train", "--help"]) == 0
    assert "--target COLUMN" in capsys.readouterr().out


@pytest.mark.parametrize("command", EXAMPLES)
def test_help_ends_with_examples_that_are_valid(capsys, command):
    assert main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.rstrip().endswith("\n".join(f"  {line}" for line in EXAMPLES[command]))
    for line in EXAMPLES[command]:
        words = line.partition("   ")[0].partition(" >")[0].split()
        assert words[0] == "fastmlp"
        if "COMMAND" not in words:
            _parser().parse_args(words[1:])
