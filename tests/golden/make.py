"""Writes the golden files: ``python tests/golden/make.py``.

Every later version must load them to the same bits, so a file that is there is never written
again. What a new version can say gets a new file: a line in `NETWORKS`.

`fit.ckpt` is a checkpoint as the first version wrote it, after two epochs of the fit that
``tests/test_resume.py`` continues from. `network.pickle` is a trained `Network` and its `History`
as version 0.1.0 pickled them, for ``tests/test_copies.py``.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

import fastmlp as fm
from fastmlp import _core
from fastmlp.network import model_of

FOLDER = Path(__file__).parent
HIDDEN = ("relu", "leaky_relu", "elu", "silu", "sigmoid", "tanh", "softplus", "identity")


def layers(*named):
    """Return layers as the core takes them, without normalization and dropout."""
    return [(nodes, activation, "none", 0.0) for nodes, activation in named]


ALL_HIDDEN = layers(*((3 + i % 3, name) for i, name in enumerate(HIDDEN)), (3, "softmax"))
NORMALIZED = [
    (4, "relu", "batch", 0.25),
    (5, "tanh", "layer", 0.0),
    (3, "elu", "batch", 0.0),
    (2, "softmax", "none", 0.0),
]
NEW_HIDDEN = layers((3, "selu"), (4, "mish"), (5, "relu6"), (3, "hardswish"), (2, "selu"))
PARAMETRIC = [
    (4, ("leaky_relu", 0.2), ("batch", 1e-3, 0.01, False), 0.0),
    (5, ("elu", 0.5), ("layer", 1e-6, 0.1, True), 0.25),
    (3, "gelu_tanh", ("batch", 1e-5, 0.1, True), 0.0),
    (2, "softmax", "none", 0.0),
]
SMALL = layers((4, "relu"), (2, "identity"))

# name: (features, layers, (loss, its parameter), seed)
NETWORKS = {
    "activations": (5, ALL_HIDDEN, ("cross_entropy", 0.0), 1),
    "label_smoothing": (3, layers((4, "tanh"), (3, "softmax")), ("cross_entropy", 0.1), 2),
    "binary": (3, layers((4, "relu"), (2, "sigmoid")), ("binary_cross_entropy", 0.0), 3),
    "squared_error": (3, SMALL, ("mean_squared_error", 0.0), 4),
    "absolute_error": (3, SMALL, ("mean_absolute_error", 0.0), 5),
    "huber": (3, SMALL, ("huber", 1.5), 6),
    "quantile": (3, SMALL, ("quantile", 0.9), 7),
    "poisson": (3, layers((4, "relu"), (1, "exp")), ("poisson", 0.0), 2**64 - 1),
    "normalized": (3, NORMALIZED, ("cross_entropy", 0.0), 9),
    "gelu": (3, layers((4, "gelu"), (2, "identity")), ("mean_squared_error", 0.0), 10),
    "new_activations": (5, NEW_HIDDEN, ("mean_squared_error", 0.0), 11),
    "parameters": (3, PARAMETRIC, ("cross_entropy", 0.0), 12),
    "one_layer": (1, layers((1, "identity")), ("mean_squared_error", 0.0), 8),
}


def inputs(features, dtype):
    """Return X (3, features), exact in either dtype."""
    return ((np.arange(3 * features).reshape(3, features) % 7 - 3) / 4).astype(dtype)


def digest(buffer):
    """Return the SHA-256 of an array's bytes in little-endian order."""
    return hashlib.sha256(buffer.astype(buffer.dtype.newbyteorder("<"))).hexdigest()


def description(core):
    """Return what must not change of a golden network, as JSON values."""
    dtype = core.parameters.dtype
    named = {
        name: list(names)
        for name in ("feature_names", "class_names")
        if (names := getattr(core, name)) is not None
    }
    if core.input_normalization != "none":
        before = core.input_normalization
        named["input_normalization"] = list(before) if isinstance(before, tuple) else before
    if core.heads:
        named["heads"] = json.loads(json.dumps(core.heads))  # tuples are lists
    if core.loss_weights is not None:
        named["loss_weights"] = core.loss_weights.tolist()
    return named | {
        "features": core.features,
        "layers": [[list(x) if isinstance(x, tuple) else x for x in y] for y in core.layers],
        "loss": list(core.loss),
        "dtype": dtype.name,
        "seed": core.seed,
        "epoch": core.epoch,
        "parameters": digest(core.parameters),
        "statistics": digest(core.statistics),
        "outputs": core.predict(inputs(core.features, dtype)).tolist(),
    }


def trained(kind, features, shape, loss, seed, input_normalization="none", heads=()):
    """Return a core with parameters that no initialization makes."""
    core = kind(features, shape, loss, seed, input_normalization, heads)
    core.epoch = 3
    for buffer in (core.parameters, core.statistics):
        buffer[...] += buffer.dtype.type(1) / 1024  # no bias is 0
    return core


def write_new(path, description, write):
    """Write a file and what must be found in it, unless it is there."""
    if not path.exists():
        write(str(path))
        path.with_suffix(".json").write_text(json.dumps(description, indent=1) + "\n")


def make_table():
    """Write a model of a table of numbers with gaps, and what it answers for some rows."""
    path = FOLDER / "table.safetensors"
    if path.exists():
        return
    size = np.arange(200.0) * 37 % 101 / 8
    person = np.repeat(np.arange(40.0), 5) * 3
    gaps = np.where(np.arange(200) % 7, size * size, np.nan)
    kind = np.where((person / 3 % 2 == 0) ^ (size > 9), "small", "groß")
    table = {"size": size, "gaps": gaps, "person": person, "kind": kind}
    model = fm.TabularModel((8,), networks=2, epochs=40, seed=5).fit(table, "kind")
    cores = [model_of(network).core for network in model.networks]
    write_new(path, [description(core) for core in cores], model.save)
    rows = [[1.5, 7.25, 33.0], [12.5, None, None], [9.25, 1e300, 34.5], [None, 0.0, 117.0]]
    columns = dict(zip(("size", "gaps", "person"), np.array(rows, float).T, strict=True))
    answers = model.predict_proba(columns).tolist()
    content = json.dumps({"rows": rows, "answers": answers}, indent=1)
    (FOLDER / "table_answers.json").write_text(content + "\n")


def make_version_2():
    """Write what version 1 cannot hold: names, several networks, a table."""
    softmax, small = NETWORKS["label_smoothing"], NETWORKS["squared_error"]
    named = trained(_core.Network32, *softmax)
    named.feature_names, named.class_names = ["width", "Höhe", ""], ["no", "yes", "peut-être"]
    write_new(FOLDER / "named.safetensors", description(named), lambda p: named.save(p, False))
    scaled = trained(_core.Network32, *small)
    scaled.set_input_scaling(np.array([2, 0, -0.5], "f4"), np.array([0.25, 0, 1], "f4"))
    scaled.set_output_scaling(np.array([10, 0], "f4"), np.array([-3, 7], "f4"))
    write_new(FOLDER / "scaled.safetensors", description(scaled), lambda p: scaled.save(p, False))
    weighted = trained(_core.Network64, *small)
    weighted.loss_weights = np.array([0.0, 2.5])
    path = FOLDER / "loss_weights.safetensors"
    write_new(path, description(weighted), lambda p: weighted.save(p, False))
    for name, how in (("batch", ("batch", 1e-3, 0.01, False)), ("layer", "layer")):
        normalizing = trained(_core.Network32, *NETWORKS["normalized"], how)
        path = FOLDER / f"input_{name}.safetensors"
        write_new(path, description(normalizing), lambda p, core=normalizing: core.save(p, False))
    heads = [
        ("kind", 2, "softmax", ("cross_entropy", 0.1), 1.0),
        ("size", 1, ("elu", 0.5), ("huber", 1.5), 0.25),
        ("größe", 2, "gelu_tanh", ("mean_squared_error", 0.0), 1.0),
    ]
    shape = layers((4, "relu"), (5, "identity"))
    headed = trained(_core.Network64, 3, shape, ("heads", 0.0), 13, "none", heads)
    write_new(FOLDER / "heads.safetensors", description(headed), lambda p: headed.save(p, False))
    others = [trained(_core.Network64, *small[:3], seed) for seed in (11, 12)]
    cores = [named, *others, trained(_core.Network32, *softmax)]
    tensors = {"table.medians": np.array([0.5, np.nan]), "table.kinds": np.arange(3, dtype="u1")}
    metadata = {"table": '{"texts":[],"values":{"a":[1,0.1,null]}}', "table_inputs": "columns"}
    write_new(
        FOLDER / "ensemble.safetensors",
        [description(core) for core in cores],
        lambda p: _core.save_model(p, cores, tensors, metadata, False),
    )


def make():
    """Write the files that are not there, and what must be found in them."""
    for name, (features, shape, loss, seed) in NETWORKS.items():
        for kind in (_core.Network32, _core.Network64):
            core = trained(kind, features, shape, loss, seed)
            path = FOLDER / f"{name}.{core.parameters.dtype.name}.safetensors"
            write_new(path, description(core), lambda p, core=core: core.save(p, False))
    make_version_2()
    make_table()


if __name__ == "__main__":
    make()
