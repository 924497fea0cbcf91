"""The C interface, from what the package carries, gives the bits of Python."""

import subprocess

import c_programs
import numpy as np
import pytest
from c_programs import ROOT, compiled

import fastmlp as fm

ROWS = 16

pytestmark = c_programs.NEEDS


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """Return a function that runs the program batches.c."""
    folder = tmp_path_factory.mktemp("c")
    program = compiled(ROOT / "tests" / "cpp" / "shared" / "batches.c", folder, "c11")

    def run(net, *arrays):
        net.save(folder / "model.safetensors")
        (folder / "data").write_bytes(b"".join(array.tobytes() for array in arrays))
        subprocess.run(
            [program, *(folder / name for name in ("model.safetensors", "data", "out"))],
            check=True,
        )
        return (folder / "out").read_bytes()

    return run


def plain(*layers, **arguments):
    return lambda dtype: fm.Network(list(layers), seed=3, dtype=dtype, **arguments)


def scaled(*layers):
    return lambda dtype: with_scaling(plain(*layers, output="identity")(dtype))


def with_scaling(net):
    net.input_scale, net.input_offset = np.linspace(0.1, 3, 6), np.linspace(-40, 2, 6)
    net.output_scale, net.output_offset = [300, 0.02], [1e4, -3]
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(plain(6, 33, 17, 2, output="identity"), id="identity"),
        pytest.param(scaled(6, 20, fm.Dense(9, "elu", "layer"), 2), id="scaled"),
        pytest.param(scaled(6, fm.Dense(12, "gelu", "batch", dropout=0.3), 2), id="batch"),
        pytest.param(plain(6, 8, 1, output="sigmoid"), id="sigmoid"),
        pytest.param(plain(6, 8, 3, activation=fm.LeakyReLU(0.2)), id="softmax"),
    ],
)
def test_steps_have_the_bits_of_python(make, dtype, batches):
    net = make(dtype)
    rng = np.random.default_rng(1)
    outputs = net.layers[-1].nodes
    X = rng.uniform(0, 20, (ROWS, 6)).astype(dtype)
    y = rng.dirichlet(np.ones(outputs + 1), ROWS)[:, :outputs].astype(dtype)
    if net.layers[-1].activation == "softmax":
        y = np.eye(outputs, dtype=dtype)[rng.integers(0, outputs, ROWS)]
    weights = rng.integers(0, 3, ROWS).astype(dtype)
    gradient = rng.normal(0, 0.1, (ROWS, outputs)).astype(dtype)
    found = batches(net, X, y, weights, gradient)

    adam = fm.Adam(0.01, clip_norm=0.5, weight_decay=0.01)
    twin = net.copy()
    losses = [net.train_on_batch(X, y, adam, sample_weight=weights) for _ in range(3)]
    for _ in range(3):
        twin.forward(X)
        losses.append(twin.backward(y, sample_weight=weights))
        twin.update(adam)
    expected = [np.array(losses), net.parameters.copy(), twin.parameters.copy()]
    net.train_on_batch(X, None, adam, gradient=gradient)
    expected += [net.parameters, net.predict(X)]
    assert found == b"".join(array.tobytes() for array in expected)
