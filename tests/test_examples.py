"""The examples run unchanged, with the expected output."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


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


def test_every_example_is_tested():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "digits_by_hand.py",
        "online_learning.py",
        "scipy_lbfgs.py",
    }


def test_the_readme_runs(blobs, tmp_path, monkeypatch):
    """All Python of the README, as one program; its data are the user's."""
    monkeypatch.chdir(tmp_path)  # it saves a file
    text = (EXAMPLES.parent / "README.md").read_text()
    program = "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    X = np.tile(blobs[0], 16)  # 64 features
    names = {"X": X, "y": blobs[1]}
    exec(compile(program, "README.md", "exec"), names)
    assert names["accuracy"] > 0.9
    assert names["net"].weights[0].shape == (64, 64)
    assert len(names["twin"].parameters) == 13


def test_the_readme_begins_with_two_commands():
    text = (EXAMPLES.parent / "README.md").read_text()
    commands = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert commands[:2] == [
        "pip install '.[demo]' && fastmlp train digits\n",
        "pip install '.[test]' && pytest\n",
    ]
