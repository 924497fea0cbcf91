"""two_copies.py LIBRARY: two copies of the library in one process are independent.

Both are loaded into the global name space, where a name of the first could answer the second.
"""

import ctypes
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from binding import Library, Network, circle

rows, labels = circle(2000)


def trained(library: Library) -> tuple[bytes, list[float]]:
    """Return what a short training makes of a network big enough for two threads."""
    network = Network(library, [2, 256, 256, 2], seed=1)
    network.train(rows, labels, epochs=2, batch_size=128, n_threads=2)
    result = bytes(network.parameters()), network.predict(rows)
    network.close()
    return result


with tempfile.TemporaryDirectory() as folder:
    paths = [Path(folder) / f"libcopy{i}.so" for i in range(2)]
    for path in paths:
        shutil.copy(sys.argv[1], path)
    one, two = (Library(path, ctypes.RTLD_GLOBAL) for path in paths)

    # Each has its own functions, its own state and its own last error.
    address = ctypes.cast(one.c.fastmlp_train, ctypes.c_void_p).value
    assert address != ctypes.cast(two.c.fastmlp_train, ctypes.c_void_p).value
    one.c.fastmlp_set_num_threads(1)
    two_threads = two.c.fastmlp_get_num_threads()
    two.c.fastmlp_set_num_threads(1)
    one.c.fastmlp_set_num_threads(0)
    assert (one.c.fastmlp_get_num_threads(), two.c.fastmlp_get_num_threads()) == (two_threads, 1)
    two.c.fastmlp_set_num_threads(0)
    assert one.c.fastmlp_create(0, None, 0, None, 0, None) == 1
    assert one.c.fastmlp_last_error() != b""
    assert two.c.fastmlp_last_error() == b""

    # Alone, one after the other and at the same time: the same bits.
    expected = trained(one)
    assert trained(two) == expected
    results: list[object] = []
    threads = [
        threading.Thread(target=lambda copy=copy: results.append(trained(copy)))
        for copy in (one, two)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected, expected]

    # Closing one, whose threads are asleep in its code, leaves the other and the process alive.
    ctypes.CDLL(None).dlclose(ctypes.c_void_p(one.c._handle))
    assert trained(two) == expected
