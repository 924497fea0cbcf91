"""Files of version 2: names, ensembles and tables come back to the bit, or not at all."""

import json
import pickle
import struct

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core, files
from fastmlp.model.model_files import TableData, read_model, write_model

NAMES = ("width", "Höhe", "", "a b")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def named(dtype):
    """A small network whose features and classes have names."""
    net = fm.Network([4, 5, 3], seed=3, dtype=dtype)
    net.feature_names, net.class_names = NAMES, ["no", "yes", "peut-être"]
    return net


def metadata_of(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length])["__metadata__"]


def same(model, net):
    """Whether a model that was read is that of a network."""
    core = model.core
    return (core.parameters.tobytes(), core.seed, core.epoch, core.feature_names) == (
        net.parameters.tobytes(),
        net.seed,
        net.epoch,
        net.feature_names,
    )


def test_names_come_back(path, named):
    named.save(path)
    again = fm.load(path)
    assert again.feature_names == NAMES
    assert again.class_names == ("no", "yes", "peut-être")
    assert same(again._model, named)
    again.save(path.with_suffix(".again"))
    assert path.with_suffix(".again").read_bytes() == path.read_bytes()


def test_names_are_in_copies_pickles_and_checkpoints(path, named):
    named.save_checkpoint(path)
    for again in (pickle.loads(pickle.dumps(named)), fm.load_checkpoint(path)):
        assert (again.feature_names, again.class_names) == (NAMES, named.class_names)


def test_what_needs_nothing_of_version_2_is_of_version_1(path, named):
    plain = fm.Network([4, 5, 3], seed=3, dtype=named.dtype)
    plain.save(path)
    first = path.read_bytes()
    assert metadata_of(path)["version"] == "1"
    named.save(path)
    assert metadata_of(path)["version"] == "2"
    named.feature_names = named.class_names = None
    named.save(path)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("output", "count"), [("softmax", 3), ("sigmoid", 3), ("sigmoid", 2), ("identity", 0)]
)
def test_how_many_class_names(output, count):
    nodes = 1 if count == 2 else 3
    net = fm.Network([2, nodes], output=output)
    names = [f"class {i}" for i in range(4)]
    for given in (names[:n] for n in range(5) if n != count):
        with pytest.raises(ValueError, match="class_names"):
            net.class_names = given
    if count:
        net.class_names = names[:count]
        assert net.class_names == tuple(names[:count])
    net.class_names = None
    assert net.class_names is None


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_names_that_no_file_holds(name):
    net = fm.Network([2, 2])
    for attribute in ("feature_names", "class_names"):
        with pytest.raises(ValueError, match=attribute):
            setattr(net, attribute, [name, "b"])


def ensemble(dtype, count=3):
    nets = [fm.Network([3, 4, 2], seed=i, dtype=dtype) for i in range(count)]
    for i, net in enumerate(nets):
        net._model.core.epoch = i
    return nets


def test_ensembles_come_back(path, dtype, named):
    nets = [*ensemble(dtype), named, *ensemble("float64", 2)]
    write(path, nets)
    models, table = read_model(path)
    assert table is None
    assert len(models) == len(nets)
    assert all(map(same, models, nets))
    groups = json.loads(metadata_of(path)["ensemble"])
    assert [group["members"] for group in groups] == [3, 1, 2]
    write_model(path.with_suffix(".again"), models)
    assert path.with_suffix(".again").read_bytes() == path.read_bytes()


def test_one_network_is_a_model(path, named):
    named.save(path)
    content = path.read_bytes()
    write(path, [named])
    assert path.read_bytes() == content
    models, table = read_model(path)
    assert len(models) == 1
    assert same(models[0], named)
    assert table is None


def test_several_networks_are_an_ensemble(path, dtype):
    networks = ensemble(dtype)
    write(path, networks)
    loaded = fm.load(path)
    assert isinstance(loaded, fm.Ensemble)
    assert len(loaded) == len(networks)


def test_thousands_of_members_fit(path):
    nets = [fm.Network([1, 1], output="identity", seed=i) for i in range(3000)]
    write(path, nets)
    models, _ = read_model(path)
    assert all(map(same, models, nets))


def test_parameters_of_a_member_that_are_not_finite(path, dtype):
    nets = ensemble(dtype)
    nets[1].biases[0][2] = np.inf
    with pytest.raises(ValueError, match=r"layers\.0\.biases: element 2 is not finite"):
        write(path, nets)
    assert not path.exists()
    write_model(path, [net._model for net in nets], allow_nonfinite=True)
    with pytest.raises(fm.ModelFormatError, match="element 2 is not finite"):
        read_model(path)
    models, _ = read_model(path, allow_nonfinite=True)
    assert same(models[1], nets[1])


TABLE = TableData(
    {"columns": [{"name": "ä", "kind": "number", "share": 0.1}], "none": None, "deep": [[1, True]]},
    {
        "medians": np.array([1.5, np.nan, -np.inf]),
        "counts": np.arange(6, dtype=np.int64).reshape(2, 3),
        "categories": ("red", "grün", ""),
        "no categories": (),
    },
)


def test_tables_come_back(path, dtype):
    nets = ensemble(dtype)
    write(path, nets, TABLE)
    models, table = read_model(path)
    assert all(map(same, models, nets))
    assert table.values == TABLE.values
    assert table.inputs == "columns"
    assert table.arrays.keys() == TABLE.arrays.keys()
    for name, array in TABLE.arrays.items():
        got = table.arrays[name]
        if isinstance(array, tuple):
            assert got == array
        else:
            assert (got.dtype, got.tobytes()) == (array.dtype, array.tobytes())


def test_tables_of_columns_are_for_those_who_know_how(path, named):
    write(path, [named], TABLE)
    with pytest.raises(_core.FormatError, match="the columns of this table must be prepared"):
        _core.load_network(str(path), False)
    with pytest.raises(fm.ModelFormatError, match="'table': there is no 'version'"):
        fm.load(path)
    write(path, [named], TableData({}, {"medians": np.zeros(4)}, "numbers"))
    core = _core.load_network(str(path), False)  # as C and C++ do
    assert core.parameters.tobytes() == named.parameters.tobytes()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TableData({"x": np.nan}), "not JSON compliant"),
        (TableData({"x": "y" * (1 << 20)}), "header|bytes; a file can hold"),
        (TableData({}, {"a": ("b",), "a.text": np.zeros(1)}), "two that would be called"),
        (TableData({}, {}, "rows"), "table.inputs must be 'columns' or"),
        (TableData({}, {"a": ("\ud800",)}), "surrogates"),
    ],
)
def test_tables_that_cannot_be_written(path, named, table, message):
    with pytest.raises(ValueError, match=message):
        write(path, [named], table)
    assert not path.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": "[]"}, "object of texts and values"),
        ({"table": '{"texts":[],"values":{"a":1,"a":2}}'}, "occurs twice"),
        ({"table": '{"texts":[],"values":{"a":NaN}}'}, "not valid JSON"),
        ({"table": '{"texts":["x"],"values":{}}'}, r"'table\.x': must be tensors"),
        ({"table": "[" * 10**5}, "recursion|object"),
        ({"table_inputs": "rows"}, "numbers or columns"),
    ],
)
def test_tables_that_make_no_sense(path, named, change, message):
    write(path, [named], TABLE)
    tensors, metadata = files.read_archive(path)
    files.write_archive(path, tensors, metadata | change)
    with pytest.raises(fm.ModelFormatError, match=message):
        read_model(path)


def write(path, nets, table=None):
    """Write networks, and return the bytes of the file."""
    write_model(path, [net._model for net in nets], table)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["names", "ensemble", "table"])
def test_every_flipped_bit_and_every_truncation_is_refused(path, named, kind):
    small = ensemble("float32", 2) if kind == "ensemble" else [named]
    good = write(path, small, TableData({"a": 1}, {"b": ("c",)}) if kind == "table" else None)
    _core.parse_archive(good)
    for i in range(8 * len(good)):
        bad = bytearray(good)
        bad[i // 8] ^= 1 << i % 8
        with pytest.raises(_core.FormatError):
            _core.parse_archive(bytes(bad))
    for length in range(len(good)):
        with pytest.raises(_core.FormatError):
            _core.parse_archive(good[:length])


def changed(path, name, array):
    """Rewrite a file's tensor."""
    tensors, metadata = files.read_archive(path)
    assert name in tensors
    tensors[name] = array
    files.write_archive(path, tensors, metadata)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("feature_names.ends", np.array([5, 4, 20, 20], np.uint64), "must ascend"),
        ("feature_names.ends", np.array([1, 2, 3, 4], np.uint64), "end with the text"),
        ("feature_names.ends", np.array([1, 2, 3], np.uint64), r"needs U64 of shape \[4\]"),
        ("feature_names.text", np.full(14, 255, np.uint8), "must be UTF-8"),
        ("feature_names.text", np.zeros(14, np.uint8), "must be UTF-8 without NUL"),
        ("feature_names.text", np.zeros(14, np.int8), "needs U8"),
        ("class_names.ends", np.array([0, 0, 15], np.uint64), "must be unique"),
    ],
)
def test_names_that_make_no_sense(path, named, name, array, message):
    named.save(path)
    changed(path, name, array)
    with pytest.raises(fm.ModelFormatError, match=message):
        fm.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda groups: groups.clear(), "must have members"),
        (lambda groups: groups[0].update(members=0), "must have members"),
        (lambda groups: groups[0].update(members=2), r"of shape \[2"),
        (lambda groups: groups[0].update(members=2**64 - 1), r"of shape \[1844"),
        (lambda groups: groups.append(groups[0]), r"'members\.1\..*is missing"),
        (lambda groups: groups[0]["network"].update(seed=1), "'seed' is unknown"),
        (lambda groups: groups[0]["network"].update(trunks=[]), "'trunks' is unknown"),
        (lambda groups: groups[0].update(colour="red"), "'colour' is unknown"),
    ],
)
def test_ensembles_that_make_no_sense(path, dtype, change, message):
    write(path, ensemble(dtype))
    tensors, metadata = files.read_archive(path)
    groups = json.loads(metadata["ensemble"])
    change(groups)
    text = json.dumps(groups, separators=(",", ":"))
    files.write_archive(path, tensors, metadata | {"ensemble": text})
    with pytest.raises(fm.ModelFormatError, match=message):
        read_model(path)


def test_members_of_version_2_in_a_file_of_version_1(path, named):
    named.feature_names = None
    named.class_names = None
    named.save(path)
    tensors, metadata = files.read_archive(path)
    network = json.loads(metadata["architecture"])
    for member in ("feature_names", "class_names"):
        text = json.dumps(network | {member: True}, separators=(",", ":"))
        files.write_archive(path, tensors, {"architecture": text})
        with pytest.raises(fm.ModelFormatError, match=f"'{member}' is unknown"):
            fm.load(path)
        files.write_archive(path, tensors, {"network": text})
        with pytest.raises(fm.ModelFormatError, match=rf"'{member}\.ends': is missing"):
            fm.load(path)
    for both in ("network", "ensemble", "colour", "table_inputs"):
        files.write_archive(path, tensors, metadata | {both: "{}"})
        with pytest.raises(fm.ModelFormatError, match="is no part of a model"):
            fm.load(path)
