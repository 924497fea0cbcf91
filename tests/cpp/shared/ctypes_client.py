"""ctypes_client.py LIBRARY: trains and predicts through ctypes alone."""

import sys
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
