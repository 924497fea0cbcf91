"""`Network.export_c`: compiled by every compiler there is, it predicts and trains to the bit.

Over 400 lines, as all tests compile a header and compare what it computes in the same way.
"""

import ctypes
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.exchange.c_constants import CONSTANTS
from fastmlp.exchange.c_literals import literals
from fastmlp.exchange.c_statements import literal
from fastmlp.layers import ACTIVATIONS
from fastmlp.losses import LOSSES

pytestmark = pytest.mark.once

C99 = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2", "-ffp-contract=off"]
COMPILERS = ["gcc", "clang", "clang-16", "g++", "clang++-16"]
BATCH = 13

PROGRAM = """
#define MODEL_BATCH 13
#include "model.h"

void predict(const REAL *x, size_t rows, REAL *y);
void predict(const REAL *x, size_t rows, REAL *y) {
    REAL workspace[MODEL_WORKSPACE];
    size_t b;
    for (b = 0; b < rows; ++b) {
        model_predict(model_parameters, x + b * MODEL_FEATURES, y + b * MODEL_OUTPUTS, workspace);
    }
}
"""
TRAINING = """
static REAL trained[MODEL_PARAMETERS], room[MODEL_TRAINING_WORKSPACE];

double KIND(REAL *parameters, const REAL *x, const TARGET *y, size_t rows, double rate);
double KIND(REAL *parameters, const REAL *x, const TARGET *y, size_t rows, double rate) {
    const size_t width = sizeof(TARGET) == sizeof(REAL) && WIDE ? MODEL_OUTPUTS : 1;
    double loss = 0;
    size_t b, batch;
    memcpy(trained, model_parameters, sizeof trained);
    for (b = 0; b < rows; b += batch) {
        batch = rows - b < MODEL_BATCH ? rows - b : MODEL_BATCH;
        loss += (double)batch * model_KIND(trained, x + b * MODEL_FEATURES, y + b * width, batch,
                                           (REAL)rate, room);
    }
    memcpy(parameters, trained, sizeof trained);
    return loss / (double)rows;
}
"""


def training_program(kind: str, target: str, wide: int) -> str:
    text = TRAINING.replace("KIND", kind).replace("TARGET *", target + " *")
    return text.replace("sizeof(TARGET)", f"sizeof({target})").replace("WIDE", str(wide))


def compiled(
    net: fm.Network,
    folder: Path,
    compiler: str = "gcc",
    training: str = "",
    options: tuple[str, ...] = (),
) -> Any:
    """Export, compile with all warnings, and load."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    net.export_c(folder / "model.h", training=bool(training))
    real = "float" if net.dtype == np.float32 else "double"
    (folder / "program.c").write_text(PROGRAM + training)
    flags = C99
    if "++" in compiler:
        flags = ["-x", "c++", "-std=c++17", *C99[1:]]
        text = (folder / "program.c").read_text()
        (folder / "program.c").write_text(
            text.replace("void predict(const", 'extern "C" void predict(const', 1)
        )
    library = folder / "model.so"
    flags = [*flags, *options, f"-DREAL={real}", "-shared", "-fPIC"]
    subprocess.run(
        [compiler, *flags, "program.c", "-lm", "-o", library],
        cwd=folder,
        check=True,
        timeout=120,
    )
    return ctypes.CDLL(str(library))


def predictions(library: Any, net: fm.Network, X: np.ndarray) -> np.ndarray:
    y = np.empty((len(X), net.layers[-1].nodes), net.dtype)
    library.predict(
        ctypes.c_void_p(X.ctypes.data), ctypes.c_size_t(len(X)), ctypes.c_void_p(y.ctypes.data)
    )
    return y


def trained(
    library: Any, net: fm.Network, X: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the parameters after an epoch in order, and its mean loss."""
    function = library.train_labels if y.dtype == np.int32 else library.train
    function.restype = ctypes.c_double
    parameters = np.empty_like(net.parameters)
    loss = function(
        *(ctypes.c_void_p(array.ctypes.data) for array in (parameters, X, y)),
        ctypes.c_size_t(len(X)),
        ctypes.c_double(0.05),
    )
    return parameters, loss


def network(hidden: str, output: str, loss: str | None, dtype: str, rng: Any) -> fm.Network:
    """Return a network of odd sizes on both sides of 16 nodes, with biases."""
    sizes = [int(n) for n in rng.integers(1, 40, 3)]
    layers = [int(rng.integers(1, 40)), *(fm.Dense(n, hidden) for n in (*sizes, 17, 16))]
    net = fm.Network(
        [*layers, fm.Dense(int(rng.integers(2, 25)), output)], loss=loss, seed=3, dtype=dtype
    )
    net.parameters[:] += (0.2 * rng.standard_normal(net.n_parameters)).astype(dtype)
    if output == "exp":  # of small z: what follows must stay finite
        net.weights[-1][...] *= 0.05
    return net


def samples(net: fm.Network, rows: int, rng: Any) -> tuple[np.ndarray, np.ndarray]:
    X = rng.standard_normal((rows, net.features)).astype(net.dtype)
    y = rng.uniform(0.0, 1.0, (rows, net.layers[-1].nodes)).astype(net.dtype)
    return X, y


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_predicts_the_same_bits(activation, dtype, rng, tmp_path):
    hidden = {"softmax": "relu", "exp": "tanh"}.get(activation, activation)
    net = network(hidden, activation, None, dtype, rng)
    X = np.concatenate([samples(net, 60, rng)[0], 30 * samples(net, 60, rng)[0]])
    with np.errstate(all="ignore"):
        expected = net.predict(X)
    assert np.array_equal(predictions(compiled(net, tmp_path), net, X), expected, equal_nan=True)


CASES = [("relu", output, loss) for loss, outputs in LOSSES.items() for output in outputs]
CASES += [
    (name, "identity", "mean_squared_error")
    for name in ACTIVATIONS
    if name not in ("softmax", "exp")
]


@pytest.mark.slow
@pytest.mark.parametrize(("hidden", "output", "loss"), CASES)
def test_it_trains_to_the_same_bits(hidden, output, loss, dtype, rng, tmp_path):
    net = network(hidden, output, loss, dtype, rng)
    X, y = samples(net, 3 * BATCH - 5, rng)
    library = compiled(net, tmp_path, training=training_program("train", "REAL", 1))
    parameters, its_loss = trained(library, net, X, y)
    history = net.fit(
        X, y, epochs=1, batch_size=BATCH, optimizer=fm.SGD(learning_rate=0.05), shuffle=False
    )
    assert np.array_equal(parameters, net.parameters)
    assert its_loss == pytest.approx(history.loss[0], rel=1e-14)  # added in another order


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_normalizations(kind, dtype, rng, tmp_path, random_parts):
    layers = [5, fm.Dense(23, "tanh", kind, 0.3), fm.Dense(7, "identity", kind), 4]
    net = random_parts(fm.Network(layers, seed=3, dtype=dtype))
    X, _ = samples(net, 30, rng)
    assert np.array_equal(predictions(compiled(net, tmp_path), net, X), net.predict(X))
    with pytest.raises(ValueError, match="without normalization and dropout"):
        net.export_c(tmp_path / "model.h", training=True)


@pytest.mark.parametrize(
    "layer",
    [
        fm.Dense(23, fm.LeakyReLU(0.3), fm.BatchNorm(1e-2)),
        fm.Dense(23, fm.ELU(0.7), fm.LayerNorm(1e-3)),
        fm.Dense(23, "relu", fm.BatchNorm(1e-3, after_activation=True)),
        fm.Dense(23, "silu", fm.LayerNorm(after_activation=True)),
    ],
    ids=repr,
)
def test_parameters(layer, dtype, rng, tmp_path, random_parts):
    net = random_parts(fm.Network([5, layer, 4], seed=3, dtype=dtype))
    X, _ = samples(net, 30, rng)
    assert np.array_equal(predictions(compiled(net, tmp_path), net, X), net.predict(X))


def test_heads(dtype, rng, tmp_path):
    heads = {"größe */": fm.Head(2, fm.ELU(0.5)), "kind": fm.Head(3, "softmax")}
    heads |= {name: fm.Head(1 + i % 3, name) for i, name in enumerate(ACTIVATIONS[:-1])}
    net = fm.Network([5, 9, fm.Heads(**heads)], "tanh", seed=3, dtype=dtype)
    X, _ = samples(net, 30, rng)
    assert np.array_equal(predictions(compiled(net, tmp_path), net, X), net.predict(X))


@pytest.mark.parametrize("scaled", [False, True], ids=["", "scaled"])
def test_heads_train_to_the_same_bits(scaled, dtype, rng, tmp_path):
    heads = {
        "kind": fm.Head(3, "softmax", fm.CrossEntropy(0.1), weight=0.7),
        "größe": fm.Head(2, "identity", weight=0.3),
        "hub": fm.Head(19, "identity", fm.Huber(0.7)),
        "label": fm.Head(2, "softmax"),
        "chance": fm.Head(2, "sigmoid", weight=2.0),
        "count": fm.Head(1, "exp"),
        "slope": fm.Head(2, "gelu", "mean_squared_error"),
        "bound": fm.Head(1, "tanh", fm.Quantile(0.2)),
        "rest": fm.Head(2, "relu", "mean_absolute_error", weight=0.1),
    }
    net = fm.Network([5, 9, fm.Heads(**heads)], "tanh", seed=3, dtype=dtype)
    X, _ = samples(net, 3 * BATCH - 5, rng)
    y = rng.random((len(X), net.layers[-1].nodes)).astype(dtype)
    parts = tuple(np.ascontiguousarray(part) for part in net.split(y))
    for i in (0, 3):
        parts[i][:] = np.eye(parts[i].shape[1])[rng.integers(0, parts[i].shape[1], len(X))]
    if scaled:
        parts[1][:] = 100 * parts[1] + 7
        net.adapt(X, parts)
    y = np.ascontiguousarray(np.concatenate(parts, axis=1))
    library = compiled(net, tmp_path, training=training_program("train", "REAL", 1))
    parameters, its_loss = trained(library, net, X, y)
    twin, sum_of_losses = net.copy(), 0.0
    for first in range(0, len(X), BATCH):
        rows = slice(first, first + BATCH)
        batch = tuple(part[rows] for part in parts)
        sum_of_losses += len(X[rows]) * twin.train_on_batch(X[rows], batch, fm.SGD(0.05))
    assert np.array_equal(parameters, twin.parameters)
    assert its_loss == pytest.approx(sum_of_losses / len(X), rel=1e-14)  # in another order


@pytest.mark.parametrize("hidden", [fm.LeakyReLU(0.3), fm.ELU(0.7)], ids=repr)
def test_it_trains_with_parameters(hidden, dtype, rng, tmp_path):
    test_it_trains_to_the_same_bits(hidden, "identity", "mean_squared_error", dtype, rng, tmp_path)


def test_it_trains_on_labels(dtype, rng, tmp_path):
    net = network("tanh", "softmax", None, dtype, rng)
    X, _ = samples(net, 2 * BATCH, rng)
    y = rng.integers(0, net.layers[-1].nodes, len(X)).astype(np.int32)
    program = training_program("train_labels", "int32_t", 0)
    parameters, _ = trained(compiled(net, tmp_path, training=program), net, X, y)
    net.fit(X, y, epochs=1, batch_size=BATCH, optimizer=fm.SGD(learning_rate=0.05), shuffle=False)
    assert np.array_equal(parameters, net.parameters)


constant = pytest.mark.filterwarnings("ignore:. is constant in column")


def raw(net: fm.Network, rows: int, rng: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return rows in units of their own, to which the network is adapted; one is constant."""
    X, y = samples(net, rows, rng)
    X = (X * rng.uniform(0.01, 100, net.features) + rng.uniform(-1e3, 1e3, net.features)).astype(
        net.dtype
    )
    y = (y * rng.uniform(0.01, 100, y.shape[1]) + 50).astype(net.dtype)
    X[:, -1], y[:, -1] = 7, 2.5
    return X, y


@constant
@pytest.mark.parametrize(
    ("loss", "layers"),
    [
        ("mean_squared_error", 5),
        ("mean_absolute_error", 5),
        (fm.Huber(0.7), 5),
        (fm.Quantile(0.2), 1),
    ],
    ids=str,
)
def test_it_trains_on_raw_rows(loss, layers, dtype, rng, tmp_path):
    net = network("tanh", "identity", loss, dtype, rng)
    if layers == 1:
        net = fm.Network([net.features, 3], output="identity", loss=loss, seed=3, dtype=dtype)
    X, y = raw(net, 3 * BATCH - 5, rng)
    net.adapt(X, y)
    assert net.input_scale[-1] == net.output_scale[-1] == 0
    library = compiled(net, tmp_path, training=training_program("train", "REAL", 1))
    assert np.array_equal(predictions(library, net, X), net.predict(X))
    parameters, its_loss = trained(library, net, X, y)
    twin, sum_of_losses = net.copy(), 0.0
    for rows in (slice(0, BATCH), slice(BATCH, 2 * BATCH), slice(2 * BATCH, len(X))):
        sum_of_losses += len(X[rows]) * twin.train_on_batch(X[rows], y[rows], fm.SGD(0.05))
    net.fit(X, y, epochs=1, batch_size=BATCH, optimizer=fm.SGD(0.05), shuffle=False)
    assert np.array_equal(parameters, net.parameters)
    assert np.array_equal(parameters, twin.parameters)
    assert its_loss == pytest.approx(sum_of_losses / len(X), rel=1e-14)  # in another order


@pytest.mark.parametrize("frozen", [[0], [1], [0, 1]])
def test_frozen_layers_and_rate_factors(frozen, rng, tmp_path):
    layers = (fm.Dense(20, "tanh"), fm.Dense(5, "tanh", rate_factor=0.25), 3)
    net = fm.Network([4, *layers], output="identity", seed=3)
    for i in frozen:
        net.trainable[i] = False
    X, y = samples(net, 2 * BATCH, rng)
    library = compiled(net, tmp_path, training=training_program("train", "REAL", 1))
    parameters, _ = trained(library, net, X, y)
    rate = float(np.float32(0.05))  # as C reads it
    net.fit(X, y, epochs=1, batch_size=BATCH, optimizer=fm.SGD(rate), shuffle=False)
    assert np.array_equal(parameters, net.parameters)
    net.trainable = False
    with pytest.raises(ValueError, match="every layer is frozen"):
        net.export_c(tmp_path / "model.h", training=True)


def test_names(tmp_path):
    net = fm.Network([3, 2], seed=1)
    net.feature_names = ['a "quote" \\', "größe ?? $m", "tab\t*/"]
    net.class_names = ["no", "yes"]
    program = """
    const char *name(int which, int i);
    const char *name(int which, int i) {
        return which ? model_class_names[i] : model_feature_names[i];
    }
    """
    library = compiled(net, tmp_path, training=program)
    library.name.restype = ctypes.c_char_p
    for which, names in enumerate((net.feature_names, net.class_names)):
        assert [library.name(which, i).decode() for i in range(len(names))] == list(names)


@constant
def test_it_trains_classes_on_raw_rows(dtype, rng, tmp_path):
    net = network("gelu", "softmax", None, dtype, rng)
    X, _ = raw(net, 2 * BATCH, rng)
    net.adapt(X)
    y = rng.integers(0, net.layers[-1].nodes, len(X)).astype(np.int32)
    program = training_program("train_labels", "int32_t", 0)
    parameters, _ = trained(compiled(net, tmp_path, training=program), net, X, y)
    net.fit(X, y, epochs=1, batch_size=BATCH, optimizer=fm.SGD(learning_rate=0.05), shuffle=False)
    assert np.array_equal(parameters, net.parameters)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_compiler_takes_it(compiler, dtype, rng, tmp_path):
    net = network("sigmoid", "softmax", None, dtype, rng)
    X, _ = samples(net, 20, rng)
    training = "" if "++" in compiler else training_program("train", "REAL", 1)
    library = compiled(net, tmp_path, compiler, training)
    assert np.array_equal(predictions(library, net, X), net.predict(X))


@pytest.mark.parametrize(
    "options", [("-O0",), ("-O3",), ("-O3", "-march=native")], ids=lambda options: options[-1]
)
def test_at_any_level_of_optimisation(options, dtype, rng, tmp_path):
    net = network("tanh", "softmax", None, dtype, rng)
    X, y = samples(net, 2 * BATCH, rng)
    library = compiled(
        net, tmp_path, training=training_program("train", "REAL", 1), options=options
    )
    assert np.array_equal(predictions(library, net, X), net.predict(X))
    parameters, _ = trained(library, net, X, y)
    net.fit(X, y, epochs=1, batch_size=BATCH, optimizer=fm.SGD(learning_rate=0.05), shuffle=False)
    assert np.array_equal(parameters, net.parameters)


def test_without_fused_operations_it_is_within_rounding(dtype, rng, tmp_path, rounding_bound):
    net = network("tanh", "softmax", None, dtype, rng)
    X, _ = samples(net, 60, rng)
    library = compiled(net, tmp_path, options=("-DMODEL_FMA(a,b,c)=((a)*(b)+(c))",))
    off = np.abs(predictions(library, net, X) - net.predict(X))
    assert off.any()
    assert (off <= rounding_bound(net, X)).all()


def test_the_constants_are_those_of_the_core():
    source = Path(__file__).parent.parent / "cpp" / "src" / "kernels" / "math-inl.hpp"
    known = set(re.findall(r"-?\b0x[0-9a-f.]+p[-+]\d+f?|-?\b\d+\.\d+f?", source.read_text()))
    names = ("exp_", "log_", "log2_e", "ln2_", "tanh_", "silu_", "tail_", "phi_", "gelu_")
    for words in CONSTANTS.values():
        for name in filter(lambda name: name.startswith(names), words):
            for word in words[name].strip().split(","):
                assert word.strip(" ()\n") in known, name


def test_two_models_in_one_program(rng, tmp_path):
    for name in ("first", "second"):
        net = network("tanh", "softmax", None, "float32", rng)
        net.export_c(tmp_path / f"{name}.h", name, training=True)
    (tmp_path / "both.c").write_text(
        '#include "first.h"\n#include "second.h"\nint main(void) { return 0; }\n'
    )
    if shutil.which("gcc") is None:
        pytest.skip("no gcc here")
    command = ["gcc", *C99, "both.c", "-lm", "-o", "both"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)


EDGES = [0.0, -0.0, 1.0, -1.0, 0.1, 3.0, 1e-45, 1.2e-38, 3.4028235e38, -2.5e-7, 1024.0, 1.0 / 3.0]


def test_many_numbers_are_written_as_one_by_one(dtype, rng):
    info = np.finfo(dtype)
    edges = [*EDGES, info.max, info.tiny, info.smallest_subnormal, -info.smallest_subnormal * 5]
    values = rng.standard_normal(70_000) * 10.0 ** rng.integers(-30, 30, 70_000)
    values = np.concatenate([edges, values]).astype(dtype)
    text = literals(values)
    assert re.split(r",\s+", text.strip()) == [literal(value) for value in values]
    assert max(map(len, text.splitlines())) <= 100
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_weights_in_the_same_file_are_refused(tmp_path):
    net = fm.Network([4, 3], seed=1)
    with pytest.raises(ValueError, match="weights must be another file than path, got"):
        net.export_c(tmp_path / "model.h", weights=os.fsencode(tmp_path / "." / "model.h"))
    with pytest.raises(TypeError, match=r"weights must be a str or os.PathLike, got 5"):
        net.export_c(tmp_path / "model.h", weights=5)
    assert not list(tmp_path.iterdir())


def test_weights_may_be_in_a_second_file(dtype, rng, tmp_path):
    net = network("gelu", "softmax", None, dtype, rng)
    net.export_c(tmp_path / "model.h", weights=tmp_path / "model.bin")
    text = (tmp_path / "model.h").read_text()
    assert "model_parameters[" not in text
    stored = np.fromfile(tmp_path / "model.bin", np.dtype(dtype).newbyteorder("<"))
    assert (stored == net.parameters).all()
    program = """
    #include <stdio.h>
    #include "model.h"
    static REAL parameters[MODEL_PARAMETERS];
    int predict(const char *file, const REAL *x, REAL *y);
    int predict(const char *file, const REAL *x, REAL *y) {
        REAL workspace[MODEL_WORKSPACE];
        FILE *weights = fopen(file, "rb");
        const size_t count = fread(parameters, sizeof(REAL), MODEL_PARAMETERS, weights);
        fclose(weights);
        if (count == MODEL_PARAMETERS) model_predict(parameters, x, y, workspace);
        return count == MODEL_PARAMETERS;
    }
    """
    real = "float" if dtype == "float32" else "double"
    (tmp_path / "model.c").write_text(program.replace("REAL", real))
    command = [*("gcc", *C99), "-shared", "-fPIC", "model.c", "-o", "model.so", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "model.so"))
    x = rng.standard_normal(net.features).astype(dtype)
    y = np.zeros(net.layers[-1].nodes, dtype)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (x, y)]
    assert library.predict(str(tmp_path / "model.bin").encode(), *pointers) == 1
    assert (y == net.predict(x[np.newaxis])[0]).all()


def test_only_what_is_needed_is_there(tmp_path):
    net = fm.Network([3, 20, fm.Dense(20, "identity")], seed=1)
    net.export_c(tmp_path / "model.h")
    text = (tmp_path / "model.h").read_text()
    assert "model_relu" in text
    for absent in ("exp", "tanh", "narrow", "train", "$"):
        assert absent not in text.replace("exported", "")


def test_a_step_takes_32_samples_unless_defined_before(tmp_path):
    fm.Network([3, 2], seed=1).export_c(tmp_path / "model.h", training=True)
    assert "#ifndef MODEL_BATCH\n#define MODEL_BATCH 32 " in (tmp_path / "model.h").read_text()


def test_a_double_of_four_bytes_is_refused(tmp_path):
    fm.Network([3, 2], seed=1, dtype="float64").export_c(tmp_path / "model.h")
    program = '#include <math.h>\n#define double float\n#include "model.h"\n'
    (tmp_path / "small.c").write_text(program)
    if shutil.which("gcc") is None:
        pytest.skip("no gcc here")
    command = ["gcc", "-std=c99", "-fsyntax-only", "small.c"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert "model_needs_double_of_8_bytes" in done.stderr


def test_the_text_is_always_the_same(tmp_path):
    for name in "ab":
        fm.Network([3, 20, 2], seed=1).export_c(tmp_path / name, training=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", ["", "1st", "a-b", "_reserved", "a b", "ä"])
def test_names_that_are_no_identifiers_are_refused(name, tmp_path):
    net = fm.Network([3, 2], seed=1)
    with pytest.raises(ValueError, match="name must be an identifier"):
        net.export_c(tmp_path / "model.h", name)
    with pytest.raises(TypeError, match="name must be a string"):
        net.export_c(tmp_path / "model.h", 3)
    net.parameters[0] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        net.export_c(tmp_path / "model.h")
    assert not (tmp_path / "model.h").exists()
