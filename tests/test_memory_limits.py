"""Sizes beyond any memory raise a MemoryError that names both, before a page is touched."""

import sys

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.data import _memory
from fastmlp.tables.reading.read import read

ROW = np.zeros((1, 16), np.float32)
HUGE = np.broadcast_to(ROW, (2**40, 16))
LABELS = np.broadcast_to(np.zeros(1, np.int64), 2**40)
BOTH = r"would need [\d,]+ bytes; .* is [\d,]+ bytes"


def network():
    return fm.Network([16, 4, 2], seed=1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: network().predict(HUGE),
        lambda: network().predict(HUGE[:, ::-1]),
        lambda: network().evaluate(HUGE, LABELS),
        lambda: network().fit(HUGE, LABELS),
        lambda: network().forward(HUGE),
        lambda: network().jacobian(HUGE),
        lambda: network().input_gradient(HUGE, LABELS),
        lambda: network().objective(HUGE, LABELS),
        lambda: network().fit(ROW, [0], validation_data=(HUGE, LABELS)),
        lambda: fm.train_many([network()], HUGE, LABELS),
        lambda: network().fit([(ROW, [0])], batch_size=2**40),
        lambda: network().fit([(ROW, [0])], batch_size=10**400),
        lambda: network().predict(fm.Rescaled(HUGE, 0.5)),
        lambda: fm.Network([2**20, 2**22]),
        lambda: fm.Network([1, 2**25], output="identity").predict(np.zeros((2**20, 1), np.float32)),
    ],
)
def test_beyond_any_memory(call):
    with pytest.raises(MemoryError, match=BOTH):
        call()


RLIMIT = """
import resource, numpy as np, fastmlp as fm
net = fm.Network([16, 4, 64], seed=1)
X = np.zeros((2**20, 16), np.float32)
resource.setrlimit(resource.RLIMIT_AS, (2**28 - 1, resource.RLIM_INFINITY))
make = lambda X: fm.Network([4096, 8192], seed=1)
for call in (net.predict, make, net.jacobian):
    try:
        call(X)
    except MemoryError as error:
        print(error)
print(net.predict(X[:2]).shape)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)  # coverage saves at exit
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space")
@pytest.mark.no_sanitizer
def test_the_limit_of_the_process(run_python):
    done = run_python(RLIMIT)
    *errors, last = done.stdout.splitlines()
    named = "bytes; the limit of the process (RLIMIT_AS) is 268,435,455 bytes"
    assert [error.endswith(named) for error in errors] == [True] * 3, done.stderr
    assert last == "(2, 64)"


@pytest.mark.parametrize(
    ("groups", "files", "least"),
    [
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": "1000"}, 1000),
        ("0::/a", {"memory.max": "2000", "a/memory.max": "3000"}, 2000),
        ("0::/../x", {"memory.max": "2000"}, 2000),
        ("4:cpu,memory:/a\n0::/", {"memory/a/memory.limit_in_bytes": "4000"}, 4000),
        ("4:memory:/gone", {"memory/memory.limit_in_bytes": "5000"}, 5000),
        ("4:cpu:/a", {"cpu/a/memory.limit_in_bytes": "6000"}, None),
        ("4:memory:/", {"memory/memory.limit_in_bytes": "garbage"}, None),
        ("garbage", {}, None),
    ],
)
def test_the_limits_of_control_groups(tmp_path, monkeypatch, groups, files, least):
    files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    files["proc/self/cgroup"] = groups
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(_memory, "_ROOT", tmp_path)
    found = _memory.limit()
    if least is None:
        assert "cgroup" not in found.name
        return
    assert found == (least, "the limit of the control group (cgroup)")
    with pytest.raises(MemoryError, match=r"control group \(cgroup\) is [\d,]+ bytes"):
        network().predict(HUGE)


def test_a_file_beyond_the_memory(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    net = fm.Network([2**11, 2**13], seed=1)  # a little more than 64 MB
    monkeypatch.setattr(_memory, "limit", lambda: _memory.Limit(2**26, "this machine"))
    for save, load in ((net.save, fm.load), (net.save_checkpoint, fm.load_checkpoint)):
        save(path)
        with pytest.raises(MemoryError, match=r"model.safetensors would need .* this machine is"):
            load(path)


def test_large_arrays_are_converted_in_blocks():
    rng = np.random.default_rng(1)
    y = rng.random((1 << 19, 9))
    net = fm.Network([1, 9], output="identity", seed=1)
    x = np.zeros((len(y), 1), np.float32)
    assert net.evaluate(x, y[::-1]) == net.evaluate(x, y[::-1].astype(np.float32))
    y[-5, 3] = np.nan
    with pytest.raises(ValueError, match=f"NaN at row {len(y) - 5}, column 3"):
        net.evaluate(x, y)
    labels = np.zeros(5_000_000, np.int64)
    labels[-2] = 9
    net = fm.Network([1, 9], seed=1)
    with pytest.raises(ValueError, match="label 9 at row 4999998"):
        net.evaluate(np.zeros((len(labels), 1), np.float32), labels)


def test_an_archive_that_unpacks_to_more_than_the_memory(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "data.npz", X=np.zeros((2**20, 10)), y=np.zeros(2**20))
    monkeypatch.setattr(_memory, "limit", lambda: _memory.Limit(2**26, "this machine"))
    with pytest.raises(MemoryError, match="array 'X' would need 83,886,"):
        read(tmp_path / "data.npz")
