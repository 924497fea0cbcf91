"""Streams with concurrent fits, forks, errors during a fit, and little memory."""

import os
import sys
import threading

import numpy as np
import pytest

import fastmlp as fm


@pytest.fixture
def stream(rng):
    X = rng.standard_normal((4000, 8), np.float32)
    return fm.ArrayStream(X, np.arange(4000) % 3, block_rows=100, window_rows=500)


def network():
    return fm.Network([8, 16, 3], seed=1)


def test_fits_of_one_stream_at_once(stream):
    losses = []
    threads = [
        threading.Thread(target=lambda: losses.append(network().fit(stream, epochs=3).loss))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert losses == [network().fit(stream, epochs=3).loss] * 4


def test_a_thread_of_its_own_reads_one_block_after_the_other(rng):
    class Watched(fm.Stream):
        n_features = 8
        block_rows = (50,) * 12
        window_rows = 100

        def __init__(self):
            self.reading, self.most, self.threads = 0, 0, set()

        def read(self, start, stop):
            self.reading += 1
            self.most = max(self.most, self.reading)
            self.threads.add(threading.current_thread())
            rows = np.ones((stop - start, 8), np.float32), np.arange(start, stop) % 3
            self.reading -= 1
            return rows

    watched = Watched()
    network().fit(watched, epochs=3)
    assert watched.most == 1
    assert len(watched.threads) == 1
    assert threading.current_thread() not in watched.threads


@pytest.mark.no_sanitizer  # which do not follow a fork
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_streams_as_its_parent(run_python):
    code = """
import os
import numpy as np
import fastmlp as fm

stream = fm.ArrayStream(np.ones((900, 4), np.float32), np.arange(900) % 3, window_rows=100)
def loss():
    return fm.Network([4, 8, 3], seed=1).fit(stream, epochs=2).loss
before = loss()
pid = os.fork()
if pid == 0:
    os._exit(loss() != before)
assert os.waitpid(pid, 0)[1] == 0
assert loss() == before
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_an_iterator_that_raises_leaves_the_last_step(rng):
    X, y = rng.standard_normal((100, 8), np.float32), np.arange(100) % 3

    def batches():
        yield X, y
        raise KeyError("mine")

    net, whole = network(), network()
    with pytest.raises(KeyError, match="mine"):
        net.fit(batches(), epochs=1, batch_size=50)
    whole.fit([(X, y)], epochs=1, batch_size=50)
    np.testing.assert_array_equal(net.parameters, whole.parameters)


def test_a_callback_that_raises_ends_the_reader(stream):
    class Raises(fm.Callback):
        def on_epoch_end(self, network, report):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        network().fit(stream, epochs=3, callbacks=[Raises()])
    assert not [t for t in threading.enumerate() if t.name == "fastmlp reader"]


def test_no_fit_inside_a_fit(stream):
    class Fits(fm.Callback):
        def on_epoch_end(self, network, report):
            network.fit(stream, epochs=1)

    with pytest.raises(RuntimeError, match="being trained"):
        network().fit(stream, epochs=2, callbacks=[Fits()])


@pytest.mark.no_sanitizer
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_little_memory(run_python, tmp_path):
    """What was read is freed; counts private memory only, without pages of the file."""
    code = """
import sys
from pathlib import Path
import numpy as np
import fastmlp as fm

path = sys.argv[1]
array = np.lib.format.open_memmap(path, "w+", np.float32, (200_000, 500))  # 400 MB
array.flush()
del array
def anonymous():
    return 1024 * int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0])
stream = fm.ArrayStream(path, np.arange(200_000) % 3)
most, before = 0, anonymous()
class Watch(fm.Callback):
    def on_batch_end(self, network, step, loss):
        global most
        if step % 50 == 0:
            most = max(most, anonymous())
fm.Network([500, 4, 3], seed=1).fit(stream, epochs=1, batch_size=200, callbacks=[Watch()])
assert 0 < most - before < 100e6, most - before
"""
    done = run_python(code, str(tmp_path / "X.npy"), timeout=200)
    assert done.returncode == 0, done.stderr


def test_without_a_thread_a_stream_has_the_same_bits(monkeypatch):
    """If no thread can be created, chunks are made when they are requested."""

    def refuse(self):
        raise RuntimeError("can't start new thread")

    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((500, 8), dtype=np.float32), rng.integers(0, 3, 500)
    nets = [fm.Network([8, 5, 3], seed=1) for _ in range(2)]
    for net in nets:
        stream = fm.ArrayStream(X, y, block_rows=60)
        stream.window_rows = 130
        net.fit(stream, epochs=3)
        monkeypatch.setattr("threading.Thread.start", refuse)
    assert np.array_equal(nets[0].parameters, nets[1].parameters)
