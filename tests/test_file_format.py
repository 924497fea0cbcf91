"""The file format of ``docs/file-format.md``, written and read by another program: this one.

What it writes is loaded; what it writes wrongly, with checksums that are right, is refused.
"""

import json
import re
import struct
import time

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core


def crc32c(data):
    """Return the CRC-32C of bytes as eight hexadecimal digits."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return f"{crc ^ 0xFFFFFFFF:08x}"


DTYPES = {"float32": "F32", "float64": "F64", "uint64": "U64", "int16": "I16", "bool": "BOOL"}


def checksums(tensors, metadata):
    """Return the text of ``crc32c``; tensors are (name, dtype, shape, bytes)."""
    said = "".join(f"{key}\0{metadata[key]}\0" for key in sorted(metadata)).encode()
    parts = [
        f"{name}\0{dtype}\0[{','.join(map(str, shape))}]\0".encode() + data
        for name, dtype, shape, data in sorted(tensors)
    ]
    return " ".join(map(crc32c, [said, *parts]))


def entry(dtype, shape, begin, end):
    """Return a tensor's entry in the header."""
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def dumps(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def file_of(header, data):
    """Put the parts of a file together."""
    text = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(text)) + text + data


def encode(tensors, metadata):
    """Write a whole file, following the documentation."""
    metadata = {"format": "fastmlp", "version": "1"} | metadata
    metadata = metadata | {"crc32c": checksums(tensors, metadata)}
    header, data = {"__metadata__": metadata}, b""
    for name, dtype, shape, content in tensors:
        header[name] = entry(dtype, shape, len(data), len(data) + len(content))
        data += content
    return file_of(dumps(header), data)


def decode(file):
    """Read a whole file, following the documentation."""
    (length,) = struct.unpack("<Q", file[:8])
    header, data = json.loads(file[8 : 8 + length]), file[8 + length :]
    metadata = header.pop("__metadata__")
    tensors = [
        (name, value["dtype"], value["shape"], data[slice(*value["data_offsets"])])
        for name, value in header.items()
    ]
    claimed = metadata.pop("crc32c")
    assert claimed == checksums(tensors, metadata)
    return tensors, metadata


@pytest.fixture
def net(dtype):
    return fm.Network([2, 3, 2], seed=1, dtype=dtype)


@pytest.fixture
def parts(net, tmp_path):
    """The tensors and the metadata of a small model's file, to be changed."""
    net.save(tmp_path / "model")
    tensors, metadata = decode((tmp_path / "model").read_bytes())
    return tensors, metadata


def refusal(file):
    """Return why a model's file is refused; nothing else may happen."""
    with pytest.raises(_core.FormatError) as caught:
        _core.parse_network(file, False)
    name, field, offset, problem = caught.value.args
    assert name == "<memory>"
    assert 0 <= offset <= max(len(file), 8)
    return f"{field}: {problem}"


def test_a_reader_from_the_documentation(net, parts):
    tensors, metadata = parts
    assert [name for name, *_ in tensors] == [
        f"layers.{i}.{kind}" for i in range(2) for kind in ("weights", "biases")
    ]
    data = b"".join(content for *_, content in tensors)
    assert data == net.parameters.tobytes()
    architecture = json.loads(metadata["architecture"])
    assert architecture["features"] == 2
    assert [layer["nodes"] for layer in architecture["layers"]] == [3, 2]
    assert architecture["dtype"] == net.dtype.name


def test_a_writer_from_the_documentation(net, parts):
    tensors, metadata = parts
    for order in (tensors, tensors[::-1]):
        core = _core.parse_network(encode(order, metadata), False)
        assert core.parameters.tobytes() == net.parameters.tobytes()


@pytest.mark.parametrize("name", ["a", "ä €😀", "../../etc/passwd", 'a"b\\c', "tab\tnew\nline"])
def test_names_and_texts_are_only_that(name):
    array = np.arange(6, dtype=np.int16).reshape(1, 2, 3)
    tensors, metadata = _core.parse_archive(
        encode([(name, "I16", array.shape, array.tobytes())], {name: name})
    )
    assert metadata == {name: name}
    assert tensors[name].tolist() == array.tolist()


ARCHITECTURES = {
    "chain": (lambda a: a["layers"][0].update(nodes=4), "needs F.* of shape"),
    "no layers": (lambda a: a.update(layers=[]), "at least one layer"),
    "no nodes": (lambda a: a["layers"][0].update(nodes=0), "at least one node"),
    "no features": (lambda a: a.update(features=0), "features must be at least 1"),
    "one layer less": (lambda a: a["layers"].pop(), "is no part of the architecture|does not go"),
    "one layer more": (lambda a: a["layers"].append(a["layers"][1]), "softmax|is missing"),
    "huge": (lambda a: a.update(features=2**63), "larger than any memory|needs F"),
    "above 2^64": (lambda a: a.update(features=2**64), "expected an integer"),
    "negative": (lambda a: a.update(features=-1), "expected an integer"),
    "real": (lambda a: a.update(features=2.0), "expected|unknown"),
    "text": (lambda a: a.update(features="2"), "expected an integer"),
    "activation": (lambda a: a["layers"][0].update(activation="rulu"), "unknown activation 'rulu'"),
    "hidden softmax": (lambda a: a["layers"][0].update(activation="softmax"), "softmax"),
    "loss": (lambda a: a["loss"].update(kind="hinge"), "unknown loss 'hinge'"),
    "wrong loss": (lambda a: a["loss"].update(kind="binary_cross_entropy"), "does not go|needs"),
    "normalization": (lambda a: a["layers"][0].update(normalization="group"), "normalization"),
    "dropout": (lambda a: a["layers"][0].update(dropout=1.5), "dropout must"),
    "normalized output": (
        lambda a: a["layers"][1].update(normalization="layer"),
        "scales.*is missing|output layer",
    ),
    "normalized": (lambda a: a["layers"][0].update(normalization="batch"), "scales.*is missing"),
    "dtype": (lambda a: a.update(dtype="float16"), "unknown dtype 'float16'"),
    "epoch": (lambda a: a.update(epoch=2**32), "too large"),
    "unknown key": (lambda a: a.update(colour="red"), "'colour' is unknown"),
    "missing key": (lambda a: a.pop("seed"), "misses 'seed'"),
}


@pytest.mark.parametrize(("change", "message"), ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_architectures_that_make_no_sense(parts, change, message):
    tensors, metadata = parts
    architecture = json.loads(metadata["architecture"])
    change(architecture)
    file = encode(tensors, metadata | {"architecture": dumps(architecture)})

    assert re.search(message, refusal(file)), refusal(file)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{} ", "\ufeff{}", "[" * 10**5, '{"a":1'])
def test_an_architecture_that_is_none(parts, text):
    tensors, metadata = parts
    assert "architecture" in refusal(encode(tensors, metadata | {"architecture": text}))


def test_blanks_and_double_keys_in_the_architecture(parts):
    tensors, metadata = parts
    good = metadata["architecture"]
    for bad in (f" {good}", f"{good} ", good.replace(":", ": "), good[:-1] + ',"seed":1}'):
        assert "architecture" in refusal(encode(tensors, metadata | {"architecture": bad}))


def test_tensors_that_do_not_belong(parts, dtype):
    tensors, metadata = parts
    extra = ("layers.2.biases", DTYPES[dtype], [1], bytes(np.dtype(dtype).itemsize))
    assert "is no part" in refusal(encode([*tensors, extra], metadata))
    for i, (name, *_) in enumerate(tensors):
        assert f"'{name}': is missing" in refusal(encode(tensors[:i] + tensors[i + 1 :], metadata))
    other = "F64" if dtype == "float32" else "F32"
    name, _, shape, _ = tensors[1]
    changed = (name, other, shape, bytes(12 if other == "F32" else 24))
    assert "needs" in refusal(encode([tensors[0], changed, *tensors[2:]], metadata))
    name, kind, shape, content = tensors[0]
    turned = (name, kind, shape[::-1], content)
    assert "of shape [2,3], not" in refusal(encode([turned, *tensors[1:]], metadata))


def test_metadata_that_do_not_belong(parts):
    tensors, metadata = parts
    assert "'colour': is no part" in refusal(encode(tensors, metadata | {"colour": "red"}))
    assert "'architecture': is missing" in refusal(encode(tensors, {}))


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("9", "written by version 9 of the format; this library reads up to 2"),
        ("0", "integer from 1"),
        ("", "integer from 1"),
        ("1.0", "integer from 1"),
        ("-1", "integer from 1"),
        (" 1", "integer from 1"),
        ("9" * 30, "integer from 1"),
    ],
)
def test_versions(parts, version, message):
    tensors, metadata = parts
    assert message in refusal(encode(tensors, metadata | {"version": version}))


def test_the_version_is_that_of_the_contents(parts):
    tensors, metadata = parts
    assert "is 2, but the file holds what version 1 has" in refusal(
        encode(tensors, metadata | {"version": "2"})
    )
    network = {"network": metadata["architecture"]}
    assert "is 1, but the file holds what version 2 has" in refusal(encode(tensors, network))


def test_a_later_version_is_told_before_what_it_has_new(parts):
    _, metadata = parts
    header = {"__metadata__": metadata | {"version": "3", "crc32c": "sha"}, "a": {"new": 1}}
    assert "written by version 3" in refusal(file_of(dumps(header), b""))


def test_files_of_others(parts):
    tensors, metadata = parts
    assert "not written by fastmlp" in refusal(encode(tensors, metadata | {"format": "pt"}))
    assert "not written by fastmlp: it has no" in refusal(file_of("{}", b""))
    assert "first" in refusal(
        file_of('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', b"1234")
    )
    for start in (b"PK\x03\x04" + bytes(100), b"\x80\x05\x95" + b"pickle" * 20, b"a,b\n1,2\n", b""):
        assert "is not a model file" in refusal(start)


META = '"__metadata__":{"crc32c":"00000000 00000000","format":"fastmlp","version":"1"}'
GOOD = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
EMPTY = '{"dtype":"F32","shape":[0],"data_offsets":[8,8]}'
HEADERS = {
    "no header": "",
    "blank first": f" {{{META},{GOOD}}}",
    "blank inside": f"{{{META}, {GOOD}}}",
    "byte order mark": f"\ufeff{{{META},{GOOD}}}",
    "not closed": f"{{{META},{GOOD}",
    "closed twice": f"{{{META},{GOOD}}}}}",
    "behind the end": f"{{{META},{GOOD}}}\n",
    "NUL behind the end": f"{{{META},{GOOD}}}\0",
    "list": f"[{META},{GOOD}]",
    "comma at the end": f"{{{META},{GOOD},}}",
    "metadata twice": f"{{{META},{META},{GOOD}}}",
    "metadata last": f"{{{GOOD},{META}}}",
    "metadata of numbers": f'{{"__metadata__":{{"format":1}},{GOOD}}}',
    "metadata key twice": f'{{{META[:-1]},"version":"1"}},{GOOD}}}',
    "deep": f'{{{META},"a":' + "[" * 10**5,
    "deep objects": '{"a":' * 10**5,
    "name twice": f'{{{META},{GOOD},"a":{EMPTY}}}',
    "name twice, escaped": f'{{{META},{GOOD},"\\u0061":{EMPTY}}}',
    "no name": f'{{{META},"":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}',
    "NUL in a name": f'{{{META},"a\\u0000":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}',
    "lone surrogate": f'{{{META},"\\ud800":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}',
    "field twice": f'{{{META},{GOOD[:-1]},"shape":[2]}}}}',
    "field unknown": f'{{{META},"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}}}',
    "field missing": f'{{{META},"a":{{"shape":[2],"data_offsets":[0,8]}}}}',
}
for _name, _dtype, _shape, _offsets in [
    ("half precision", "F16", "[4]", "[0,8]"),
    ("brain floats", "BF16", "[4]", "[0,8]"),
    ("dtype unknown", "F33", "[2]", "[0,8]"),
    ("dtype in lower case", "f32", "[2]", "[0,8]"),
    ("hole", "F32", "[1]", "[4,8]"),
    ("beyond the end", "F32", "[3]", "[0,12]"),
    ("short of the end", "F32", "[1]", "[0,4]"),
    ("offsets turned", "F32", "[2]", "[8,0]"),
    ("three offsets", "F32", "[2]", "[0,8,8]"),
    ("one offset", "F32", "[2]", "[0]"),
    ("offset of 2^64", "F32", "[2]", "[0,18446744073709551616]"),
    ("offset of 2^64 - 1", "F32", "[2]", "[0,18446744073709551615]"),
    ("offsets negative", "F32", "[2]", "[-8,0]"),
    ("shape negative", "F32", "[-2]", "[0,8]"),
    ("shape real", "F32", "[2.0]", "[0,8]"),
    ("shape 2e0", "F32", "[2e0]", "[0,8]"),
    ("shape 1e999", "F32", "[1e999]", "[0,8]"),
    ("shape NaN", "F32", "[NaN]", "[0,8]"),
    ("shape 02", "F32", "[02]", "[0,8]"),
    ("shape null", "F32", "null", "[0,8]"),
    ("shape deep", "F32", "[[2]]", "[0,8]"),
    ("shape with a comma more", "F32", "[2,]", "[0,8]"),
    ("shape too small", "F32", "[1]", "[0,8]"),
    ("shape too large", "F32", "[3]", "[0,8]"),
    ("shape overflows to 8", "F32", "[2305843009213693954,2]", "[0,8]"),
    ("shape overflows to 0", "F32", "[4294967296,4294967296]", "[0,0]"),
    ("shape of 9 dimensions", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]"),
    ("zero times everything", "F32", "[0,18446744073709551615]", "[0,8]"),
]:
    HEADERS[_name] = (
        f'{{{META},"a":{{"dtype":"{_dtype}","shape":{_shape},"data_offsets":{_offsets}}}}}'
    )


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_headers_that_are_wrong(header):
    assert "checksum" not in refusal(file_of(header, b"12345678"))
    good = f"{{{META},{GOOD}}}  "
    assert "damaged" in refusal(file_of(good, b"12345678"))


@pytest.mark.parametrize(
    "name", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\n"]
)
def test_names_that_are_not_utf8(name):
    header = f"{{{META},{GOOD}}}".encode().replace(b'"a"', b'"' + name + b'"')
    assert "string" in refusal(file_of(header, b"12345678"))


@pytest.mark.parametrize("length", [0, 1, 7, 9, 2**20 + 1, 10**8, 2**63, 2**64 - 8, 2**64 - 1])
def test_header_lengths_that_are_wrong(length):
    refusal(struct.pack("<Q", length) + b"{}      ")


@pytest.mark.parametrize("size", range(9))
def test_files_that_are_too_short(size):
    refusal(bytes(size))


def hostile_files():
    many = ",".join(
        f'"{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' for i in range(18_000)
    )
    yield "length above the cap", struct.pack("<Q", 10**8) + bytes(100)
    yield "length of 2^64 - 1", struct.pack("<Q", 2**64 - 1) + bytes(100)
    yield "deep lists", file_of(f'{{{META},"a":' + "[" * 10**6, b"")
    yield "deep objects", file_of('{"__metadata__":' * 65_000, b"")
    yield "a long name", file_of(f'{{{META},"{"a" * 10**6}":1}}', b"")
    yield "a long number", file_of(f'{{{META},"a":{{"shape":[{"9" * 10**6}]}}}}', b"")
    yield "a long shape", file_of(f'{{{META},"a":{{"shape":[{"1," * 500_000}1]}}}}', b"")
    yield "many tensors", file_of(f"{{{META},{many}}}", b"")


@pytest.mark.no_sanitizer
@pytest.mark.parametrize("file", [pytest.param(f, id=name) for name, f in hostile_files()])
def test_hostile_files_cost_little(file):
    start = time.process_time()
    refusal(file)
    assert time.process_time() - start < 0.05


def test_only_heads_of_identity_are_scaled(tmp_path, dtype):
    heads = fm.Heads(kind=fm.Head(2, "softmax"), size=fm.Head(1, "identity"))
    net = fm.Network([2, heads], seed=1, dtype=dtype)
    net.output_scale = [1.0, 1.0, 5.0]
    net.save(tmp_path / "model")
    tensors, metadata = decode((tmp_path / "model").read_bytes())
    scale = np.array([1.0, 2.0, 5.0], dtype).tobytes()
    wrong = [(*part[:3], scale) if part[0] == "output_scale" else part for part in tensors]
    (tmp_path / "wrong").write_bytes(encode(wrong, metadata))
    with pytest.raises(fm.ModelFormatError, match=r"only outputs of identity.*'kind'"):
        fm.load(tmp_path / "wrong")
