"""The C interface through ctypes, as a language without a compiler would take it."""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int32, c_size_t, c_void_p
from pathlib import Path


class Layer(ctypes.Structure):
    """`fastmlp_layer`."""

    _fields_ = (("nodes", c_size_t), ("activation", c_char_p))


class Targets(ctypes.Structure):
    """`fastmlp_targets`."""

    _fields_ = (("labels", POINTER(c_int32)), ("values", POINTER(c_float)))


OnEpoch = ctypes.CFUNCTYPE(c_int, c_void_p, c_size_t, c_double)


class TrainOptions(ctypes.Structure):
    """`fastmlp_train_options`."""

    _fields_ = (
        ("epochs", c_size_t),
        ("batch_size", c_size_t),
        ("optimizer", c_char_p),
        ("learning_rate", c_double),
        ("momentum", c_double),
        ("l2", c_double),
        ("weight_decay", c_double),
        ("ema", c_double),
        ("shuffle", c_int),
        ("n_threads", c_int),
        ("executor", c_void_p),
        ("on_epoch", OnEpoch),
        ("interrupted", c_void_p),
        ("context", c_void_p),
    )


class FastmlpError(Exception):
    """A status that is not FASTMLP_OK, with the library's words."""


class Library:
    """One loaded copy of the shared library."""

    def __init__(self, path: Path, mode: int = ctypes.RTLD_LOCAL) -> None:
        self.c = ctypes.CDLL(str(path), mode)
        self.c.fastmlp_last_error.restype = c_char_p
        self.c.fastmlp_version.restype = c_char_p
        self.c.fastmlp_default_train_options.restype = TrainOptions
        self.c.fastmlp_parameters.restype = POINTER(c_float)
        self.c.fastmlp_parameters.argtypes = (c_void_p, POINTER(c_size_t))
        self.c.fastmlp_destroy.argtypes = (c_void_p,)
        self.c.fastmlp_save.argtypes = (c_void_p, c_char_p)
        self.c.fastmlp_load.argtypes = (c_char_p, POINTER(c_void_p))
        options, numbers = POINTER(TrainOptions), POINTER(c_float)
        self.c.fastmlp_create.argtypes = [
            c_size_t,
            POINTER(Layer),
            c_size_t,
            c_char_p,
            ctypes.c_uint64,
            POINTER(c_void_p),
        ]
        self.c.fastmlp_train.argtypes = [
            c_void_p,
            numbers,
            c_size_t,
            Targets,
            options,
            POINTER(c_double),
        ]
        self.c.fastmlp_predict.argtypes = [c_void_p, numbers, c_size_t, numbers, c_int]

    def check(self, status: int) -> None:
        """Raise what a status means."""
        if status != 0:
            raise FastmlpError(status, self.c.fastmlp_last_error().decode())


class Network:
    """A classifier of float rows, kept by one copy of the library."""

    def __init__(self, library: Library, sizes: list[int], seed: int) -> None:
        self.library, self.sizes, self.handle = library, sizes, c_void_p()
        names = [b"relu"] * (len(sizes) - 2) + [b"softmax"]
        layers = (Layer * len(names))(*zip(sizes[1:], names, strict=True))
        library.check(
            library.c.fastmlp_create(sizes[0], layers, len(layers), None, seed, byref(self.handle))
        )

    def train(self, rows: list[list[float]], labels: list[int], **options: object) -> float:
        """Return the loss of the last epoch."""
        chosen = self.library.c.fastmlp_default_train_options()
        for name, value in options.items():
            setattr(chosen, name, value)
        y = Targets(labels=(c_int32 * len(labels))(*labels))
        loss = c_double()
        self.library.check(
            self.library.c.fastmlp_train(
                self.handle, flat(rows), len(rows), y, byref(chosen), byref(loss)
            )
        )
        return loss.value

    def predict(self, rows: list[list[float]]) -> list[float]:
        """Return all outputs in one list."""
        out = (c_float * (len(rows) * self.sizes[-1]))()
        self.library.check(
            self.library.c.fastmlp_predict(self.handle, flat(rows), len(rows), out, 0)
        )
        return list(out)

    def parameters(self) -> "ctypes.Array[c_float]":
        """Return the live parameters."""
        count = c_size_t()
        pointer = self.library.c.fastmlp_parameters(self.handle, byref(count))
        return (c_float * count.value).from_address(ctypes.addressof(pointer.contents))

    def close(self) -> None:
        """Give the network back."""
        self.library.c.fastmlp_destroy(self.handle)
        self.handle = c_void_p()


def flat(rows: list[list[float]]) -> "ctypes.Array[c_float]":
    """Return the numbers of a matrix, row by row."""
    numbers = [number for row in rows for number in row]
    return (c_float * len(numbers))(*numbers)


def circle(count: int) -> tuple[list[list[float]], list[int]]:
    """Return points of a square, and which of them are in a circle."""
    rows = [[((i * 37) % 101) / 50 - 1, ((i * 53) % 97) / 48 - 1] for i in range(count)]
    return rows, [int(x * x + y * y < 0.5) for x, y in rows]
