"""ctypes_client.py LIBRARY: trains and predicts with ctypes only."""

import ctypes
import sys
import tempfile
import threading
from pathlib import Path

from binding import FastmlpError, Library, Network, OnEpoch, circle

library = Library(Path(sys.argv[1]))
assert library.c.fastmlp_version().count(b".") == 2
rows, labels = circle(400)

network = Network(library, [2, 32, 2], seed=1)
losses: list[float] = []
on_epoch = OnEpoch(lambda _context, _epoch, loss: losses.append(loss) or 0)
last = network.train(rows, labels, epochs=100, learning_rate=0.3, on_epoch=on_epoch)
assert len(losses) == 100
assert last == losses[-1] < 0.15 < losses[0]
outputs = network.predict(rows)
right = sum((outputs[2 * i + 1] > 0.5) == label for i, label in enumerate(labels))
assert right > 380, right

parameters = network.parameters()
assert len(parameters) == 2 * 32 + 32 + 32 * 2 + 2
parameters[-1] = 1e6  # live: class 1 always
assert all(network.predict(rows)[2 * i + 1] == 1.0 for i in range(len(rows)))

try:
    Network(library, [2, 0, 2], seed=1)
except FastmlpError as error:
    status, words = error.args
    assert status == 1
    assert words
else:
    raise AssertionError("a layer of 0 nodes was taken")
network.close()

# Files: what C cannot hold, and what is not finite, is refused; the old file stays.
golden = Path(__file__).parents[2] / "golden"
handle = ctypes.c_void_p()
status = library.c.fastmlp_load(bytes(golden / "huber.float64.safetensors"), ctypes.byref(handle))
assert (status, handle.value) == (3, None)
assert b"huber.float64.safetensors" in library.c.fastmlp_last_error()
network = Network(library, [2, 3, 2], seed=1)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "model"
    library.check(library.c.fastmlp_save(network.handle, bytes(path)))
    whole = path.read_bytes()
    network.parameters()[3] = float("nan")
    assert library.c.fastmlp_save(network.handle, bytes(path)) == 1
    assert b"not finite" in library.c.fastmlp_last_error()
    assert path.read_bytes() == whole
network.close()

# The words are those of the calling thread's own last failure.
words: list[bytes] = []


def fail() -> None:
    """Note the words before a failure of this thread, and after it."""
    words.append(library.c.fastmlp_last_error())
    assert library.c.fastmlp_create(0, None, 0, None, 0, None) == 1
    words.append(library.c.fastmlp_last_error())


thread = threading.Thread(target=fail)
thread.start()
thread.join()
assert words[0] == b""
assert words[1]
assert b"not finite" in library.c.fastmlp_last_error()
