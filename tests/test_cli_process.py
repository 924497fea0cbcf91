"""The command line as a process among others: terminals, signals, pipes, disks, encodings."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import sysconfig
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

import fastmlp as fm

COMMAND = [sys.executable, "-m", "fastmlp"]


@pytest.fixture
def train(tmp_path):
    """A command that trains for a moment."""
    path = tmp_path / "signs.csv"
    rows = [f"{number},{'plus' if number > 0 else 'minus'}\n" for number in range(-50, 50)]
    path.write_text("number,sign\n" + "".join(rows))
    return [*COMMAND, "train", str(path), "--target", "sign"]


def test_the_progress_bar_shows_on_a_terminal(train):
    pytest.importorskip("tqdm")
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (24, 160))
    shown = b""
    with subprocess.Popen([*train, "--epochs", "25"], stdout=subprocess.PIPE, stderr=stderr) as run:
        os.close(stderr)
        with suppress(OSError):  # how Linux reports that the other side was closed
            while piece := os.read(terminal, 4096):
                shown += piece
        output, _ = run.communicate(timeout=120)
    os.close(terminal)
    for word in (b"25/25", b"loss", b"accuracy", b"samples/s"):
        assert word in shown
    assert b"GFLOP/s" in output  # the report itself goes to standard output


def test_interrupt(train):
    """Of a training that early stopping ends much later: its loss falls in small steps."""
    slowly = ["--hidden", "1024,1024", "--optimizer", "sgd", "--learning-rate", "1e-6"]
    with subprocess.Popen(
        [*train, "--epochs", "4000000000", *slowly],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert "signs.csv" in run.stdout.readline()
        time.sleep(0.5)  # into the training
        run.send_signal(signal.SIGINT)
        _, error = run.communicate(timeout=30)
    assert (run.returncode, error) == (130, "fastmlp: error: interrupted\n")


def test_a_closed_pipe_is_quiet(train):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(train, stdout=write, stderr=subprocess.PIPE, timeout=120, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(train):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(train, stdout=full, stderr=subprocess.PIPE, timeout=120, check=False)
    message = b"fastmlp: error: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, message)


def test_labels_the_terminal_cannot_show(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,y\n" + "1,ö\n2,é\n" * 10, encoding="utf-8")
    done = subprocess.run(
        [*COMMAND, "train", path, "--target", "y"],
        capture_output=True,
        timeout=120,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"2 classes: '\xe9', '\xf6'" in done.stdout


def test_the_script_is_installed():
    script = shutil.which("fastmlp", path=sysconfig.get_path("scripts"))
    if script is None:
        pytest.skip("the console script is not installed")
    version = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout == f"fastmlp {fm.__version__}\n"
    wrong = subprocess.run([script, "nonsense"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")
