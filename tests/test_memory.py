"""Training data that can be used in place are: `fit` adds next to nothing to the memory they take.

Each case runs in a separate process, because only the greatest memory a process ever held is
known. The array is there, and touched, before that is read for the first time.
"""

import sys

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.no_sanitizer,
]

ROWS, FEATURES = 50_000, 1024  # 205 MB in float32
PER_CALL, PER_ROW = 50e6, 8

PEAK = """
import sys
from pathlib import Path
import numpy as np
import fastmlp as fm

rows, features, kind, path, dtype = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]

def peak():
    # Not ru_maxrss, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

def filled(array):
    rng = np.random.default_rng(1)
    for i in range(0, rows, 1000):
        rng.random(out=array[i : i + 1000], dtype=array.dtype)
    return array

X = np.empty((rows, features), dtype)
if kind == "memmap":
    filled(np.memmap(path, dtype, "w+", shape=X.shape)).flush()
    X = np.memmap(path, dtype, "r", shape=X.shape)
    for i in range(0, rows, 1000):
        X[i : i + 1000].sum()  # its pages count as ours once they are touched
else:
    X = filled(X)
X.flags.writeable = kind == "array"
if kind == "bytes":
    X = X.view(np.uint8)
    features *= 4
y = np.arange(rows) % 3
net = fm.Network([features, 4, 3], seed=1, dtype="float64" if kind == "array64" else "float32")

before = peak()
assert before > X.nbytes
if kind == "transposed":  # what is not used in place shows, or this would measure nothing
    X = np.asfortranarray(X[:, ::-1])  # rows that lie apart are converted once
net.fit(X, y, epochs=1, batch_size=100, optimizer=fm.SGD(1e-3))
print(peak() - before)
fitted = peak()
net.evaluate(X, y)
net.predict(X)
print(peak() - fitted)
"""


def growth(run_python, tmp_path, kind, dtype="float32", rows=ROWS, features=FEATURES):
    arguments = (str(rows), str(features), kind, str(tmp_path / "X"), dtype)
    done = run_python(PEAK, *arguments, timeout=200)
    assert done.returncode == 0, done.stderr
    fit, others = done.stdout.split()
    return int(fit), int(others)


@pytest.mark.parametrize("kind", ["array", "read-only", "memmap"])
def test_features_are_used_in_place(run_python, tmp_path, kind):
    fit, others = growth(run_python, tmp_path, kind)
    assert fit < PER_CALL + PER_ROW * ROWS
    assert others < PER_CALL


def test_features_of_float64_are_used_in_place(run_python, tmp_path):
    fit, others = growth(run_python, tmp_path, "array64", "float64", ROWS // 2)
    assert fit < PER_CALL + PER_ROW * ROWS / 2
    assert others < PER_CALL


@pytest.mark.parametrize("kind", ["bytes", "array", "memmap"])
def test_features_of_another_type_are_not_copied(run_python, tmp_path, kind):
    dtype = "float32" if kind == "bytes" else "float64"
    fit, others = growth(run_python, tmp_path, kind, dtype)
    assert fit < PER_CALL + PER_ROW * ROWS
    assert others < PER_CALL


def test_many_rows_of_few_features(run_python, tmp_path):
    """8 bytes a row are a label and a place in the shuffled order."""
    rows = 2_000_000
    fit, _ = growth(run_python, tmp_path, "array", rows=rows, features=20)
    assert fit < PER_CALL + PER_ROW * rows


FULL_BATCH = """
import sys
from pathlib import Path
import numpy as np
import fastmlp as fm

rows = int(sys.argv[1])

def peak():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

X = np.random.default_rng(1).random((rows, 20), dtype=np.float32)
y = X[:, :1].copy()
net = fm.Network([20, 256, 128, 1], output="identity", seed=1)
before = peak()
net.fit(X, y, epochs=1, batch_size=rows)
print(peak() - before)
fitted = peak()
net.objective(X, y)(net.parameters)
print(peak() - fitted)
"""


def test_a_batch_of_all_rows_is_not_kept(run_python):
    """Its nodes and deltas alone would be 4 (2 x 384 + 20) bytes a row."""
    rows = 100_000
    done = run_python(FULL_BATCH, str(rows), timeout=200)
    assert done.returncode == 0, done.stderr
    fit, objective = map(int, done.stdout.split())
    assert fit < 30e6 + 16 * rows
    assert objective < 30e6 + 16 * rows


def test_a_copy_would_show(run_python, tmp_path):
    fit, _ = growth(run_python, tmp_path, "transposed")
    assert fit > 4 * ROWS * FEATURES
