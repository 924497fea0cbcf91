"""The examples run unchanged, with the expected output."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
README = EXAMPLES.parent / "README.md"


def run(name):
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def number(line, after):
    """Return the number that follows a word."""
    return float(line.split(after)[1].split()[0].rstrip("%,"))


def test_digits_by_hand():
    pytest.importorskip("sklearn")
    lines = run("digits_by_hand.py")
    losses = [number(line, "loss") for line in lines if line.startswith("epoch")]
    assert losses == sorted(losses, reverse=True)
    assert number(lines[-1], "accuracy") >= 97.0


def test_online_learning():
    errors = [number(line, "error") for line in run("online_learning.py")]
    before, turned, after = errors[4], errors[5], errors[-1]
    assert before < errors[0] / 10
    assert turned > 5 * before
    assert after < turned / 10


def test_scipy_lbfgs():
    pytest.importorskip("scipy")
    before, after = run("scipy_lbfgs.py")
    assert number(after, "loss") < 0.015 < number(before, "loss")


def test_mpi():
    """As a single rank; test_mpi starts several."""
    pytest.importorskip("mpi4py")
    pytest.importorskip("sklearn")
    [line] = run("mpi.py")
    assert line.startswith("1 ranks")
    assert float(line.split()[-1]) > 0.9


def test_every_example_is_tested():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "digits_by_hand.py",
        "mpi.py",
        "online_learning.py",
        "scipy_lbfgs.py",
    }


def test_the_readme_runs(tmp_path, monkeypatch, capsys):
    """All Python of the README, as one program."""
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)  # it saves a file
    program = "".join(re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL))
    names = {}
    exec(compile(program, "README.md", "exec"), names)
    assert names["history"].validation_accuracy[-1] > 0.95
    assert "% right after 0." in capsys.readouterr().out
    assert np.mean(names["digits"] == names["y"][:5]) >= 0.8
    assert not names["net"].biases[1].any()


def test_the_readme_fits_on_a_few_screens():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 150


def test_the_readme_begins_with_two_commands():
    text = README.read_text(encoding="utf-8")
    commands = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert commands[:2] == [
        "pip install '.[demo]' && fastmlp train digits\n",
        "pip install '.[test]' && pytest\n",
    ]
