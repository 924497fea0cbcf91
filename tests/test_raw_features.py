"""Features of other types that the core reads as it goes: the bits of converting them beforehand.

Small data are converted at once; here nothing is small.
"""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.data import _raw, copying

TYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
]  # fmt: skip
ROWS, FEATURES = 57, 19
Y = np.arange(ROWS) % 3


@pytest.fixture(autouse=True)
def _nothing_is_small(monkeypatch):
    monkeypatch.setattr(copying, "WORTH_BORROWING", 0)


def values(rng, source):
    return (10 * rng.standard_normal((ROWS, FEATURES))).astype(
        source if np.dtype(source).kind != "u" else "int8"
    ).astype(source) % (100 if source != "bool" else 2)  # fmt: skip


def networks(dtype):
    return [fm.Network([FEATURES, 20, 3], seed=1, dtype=dtype) for _ in range(2)]


# Everything of every type on this instruction set, and one hash of all that came out.
SAME = """
import hashlib
import numpy as np
import fastmlp as fm
from fastmlp.data import copying

copying.WORTH_BORROWING = 0
TYPES = %r
rng = np.random.default_rng(3)
digest = hashlib.sha256()
for source in TYPES:
    for dtype in ("float32", "float64"):
        for layers, batch in (([19, 20, 3], 8), ([7, 33, 3], 1), ([9, 513, 515, 3], 19)):
            X = rng.integers(0, 2 if source == "bool" else 100, (57, layers[0])).astype(source)
            if source.startswith("float"):
                X += rng.random(X.shape).astype(source)
            scale, offset = rng.standard_normal((2, layers[0]))
            y = np.arange(57) %% 3
            for given in (X, fm.Rescaled(X, scale, offset)):
                if isinstance(given, fm.Rescaled):
                    plain = given.rows(np.dtype(dtype)).read()
                else:
                    plain = given.astype(dtype)
                net, twin = (fm.Network(layers, seed=1, dtype=dtype) for _ in range(2))
                for network, x in ((net, given), (twin, plain)):
                    network.fit(x, y, epochs=1, batch_size=batch, optimizer=fm.SGD(1e-4))
                    digest.update(network.parameters.tobytes())
                    digest.update(network.predict(x).tobytes())
                assert net.parameters.tobytes() == twin.parameters.tobytes(), (source, dtype)
                assert net.predict(given).tobytes() == twin.predict(plain).tobytes()
                assert net.evaluate(given, y) == twin.evaluate(plain, y)
print(digest.hexdigest())
"""


def test_the_bits_of_converting_beforehand(run_python, isas):
    code = SAME % (TYPES,)
    results = {}
    for isa in isas:
        for threads in ("1", "3") if isa == isas[-1] else ("2",):
            settings = {"FASTMLP_ISA": isa, "FASTMLP_NUM_THREADS": threads}
            done = run_python(code, timeout=250, FASTMLP_EXACT_THREADS="1", **settings)
            assert done.returncode == 0, done.stderr
            results[isa, threads] = done.stdout
    assert len(set(results.values())) == 1, results


@pytest.mark.parametrize("layout", ["backwards", "steps", "apart", "broadcast", "Fortran"])
@pytest.mark.parametrize("source", ["uint8", "float32", "float64"])
def test_any_layout(rng, dtype, source, layout):
    X = values(rng, source)
    given = {
        "backwards": X[::-1, ::-1],
        "steps": np.repeat(X, 3, axis=0)[::3],
        "apart": np.repeat(X, 2, axis=1)[:, ::2],
        "broadcast": np.broadcast_to(X[0], X.shape),
        "Fortran": np.asfortranarray(X),
    }[layout]
    given.flags.writeable = False
    net, twin = networks(dtype)
    net.fit(given, Y, epochs=2)
    twin.fit(given.astype(dtype, order="C"), Y, epochs=2)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    assert net.predict(given).tobytes() == net.predict(given.astype(dtype, order="C")).tobytes()


@pytest.mark.parametrize("source", [">f8", ">i2", "longdouble"])
def test_types_that_only_numpy_reads(rng, dtype, source):
    X = np.round(10 * rng.standard_normal((ROWS, FEATURES))).astype(source)
    net, twin = networks(dtype)
    for network, x in ((net, X), (twin, X.astype(dtype))):
        network.fit(x, Y, epochs=1)
        network.evaluate(fm.Rescaled(x, 0.5), Y)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


@pytest.mark.parametrize("source", ["float32", "float64", "uint8"])
def test_memory_mapped_files(rng, dtype, tmp_path, source):
    np.save(tmp_path / "X.npy", values(rng, source))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    net, twin = networks(dtype)
    net.fit(X, Y, epochs=2)
    twin.fit(np.array(X, dtype), Y, epochs=2)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    assert net.evaluate(X, Y) == twin.evaluate(np.array(X, dtype), Y)


@pytest.mark.parametrize("last", [False, True], ids=["one by one", "in a block of its own"])
@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "X contains NaN at row 41, column 3"),
     (-np.inf, "X contains infinity at row 41, column 3"),
     (1e39, r"X holds 1e\+39 at row 41, column 3: value too large for float32")],
)  # fmt: skip
def test_what_is_not_finite_is_named(rng, assert_unchanged, value, message, last):
    X = np.tile(values(rng, "float64"), (1, 1 if not last else 3000))
    X[41, 3] = value
    net = fm.Network([X.shape[1], 3], seed=1)
    with assert_unchanged(net, X):
        for use in (net.predict, lambda x: net.evaluate(x, Y), lambda x: net.fit(x, Y)):
            with pytest.raises(ValueError, match=message):
                use(X)
        with pytest.raises(ValueError, match=message.replace("X", r"validation_data\[0\]", 1)):
            net.fit(np.zeros_like(X), Y, validation_data=(X, Y))


def test_a_file_with_a_nan_is_refused(rng, tmp_path):
    X = values(rng, "float64")
    X[-1, -1] = np.nan
    np.save(tmp_path / "X.npy", X)
    net = networks("float32")[0]
    with pytest.raises(ValueError, match=f"X contains NaN at row {ROWS - 1}"):
        net.fit(np.load(tmp_path / "X.npy", mmap_mode="r"), Y)


def test_weights_of_classes_and_a_part_held_out(rng):
    X = values(rng, "uint8")
    options = {"class_weight": "balanced", "validation_fraction": 0.2, "epochs": 2}
    net, twin = networks("float32")
    net.fit(X, Y, **options)
    twin.fit(X.astype(np.float32), Y, **options)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_the_bytes_of_its_own_parameters(dtype):
    net = fm.Network([8, 3], seed=1, dtype=dtype)
    twin = fm.Network([8, 3], seed=1, dtype=dtype)
    own = net.parameters.view(np.uint8)[:96].reshape(12, 8)
    twin.fit(own.copy(), np.arange(12) % 3, epochs=3, optimizer=fm.SGD(1e-6))
    net.fit(own, np.arange(12) % 3, epochs=3, optimizer=fm.SGD(1e-6))
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_outputs_do_not_go_where_features_are_read(rng):
    memory = np.zeros((ROWS, FEATURES), np.float32)
    with pytest.raises(ValueError, match="share memory"):
        networks("float32")[0].predict(
            memory[::2, ::-1], out=memory.reshape(-1)[:87].reshape(29, 3)
        )


def test_which_data_are_borrowed(monkeypatch):
    monkeypatch.setattr(copying, "WORTH_BORROWING", 4 * ROWS * FEATURES)
    X = np.zeros((ROWS, FEATURES))
    rows = _raw.RawRows(X, np.dtype(np.float32))
    assert copying.worth_borrowing(rows, shuffled=True)
    assert not copying.worth_borrowing(rows[np.arange(ROWS - 1)], shuffled=False)
    apart = _raw.RawRows(np.asfortranarray(X), np.dtype(np.float32))
    assert copying.worth_borrowing(apart, shuffled=False)
    assert not copying.worth_borrowing(apart, shuffled=True)
