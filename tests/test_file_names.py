"""File names that are not UTF-8: they work everywhere, and messages show them escaped."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import files
from fastmlp.cli.main import main
from fastmlp.errors import printable

pytestmark = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="names are Unicode there"
)
X = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)
Y = np.arange(20) % 2
SHOWN = r"run\\xff"


@pytest.fixture(params=["bytes", "str", "path"])
def named(request, tmp_path):
    """Return what makes a path of a folder that has such a name, with a suffix."""
    kind = {"bytes": os.fsencode, "str": os.fsdecode, "path": lambda p: Path(os.fsdecode(p))}

    def path(suffix=""):
        return kind[request.param](os.fsencode(tmp_path) + b"/run\xff" + suffix.encode())

    return path


def network():
    return fm.Network([3, 4, 2], seed=1)


def opened(path, mode="rb"):
    return open(path, mode)  # noqa: PTH123  (bytes)


def damage(path):
    with opened(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))


def test_networks_and_archives(named):
    path = named()
    network().save(path)
    assert fm.load(path).seed == 1
    with pytest.raises(fm.ModelFormatError, match=rf"{SHOWN}: checkpoint: is missing"):
        fm.load_checkpoint(path)
    damage(path)
    for read in (fm.load, fm.load_checkpoint, files.read_archive):
        with pytest.raises(fm.ModelFormatError, match=SHOWN):
            read(path)
    files.write_archive(path, {"x": X}, {})
    with pytest.raises(fm.ModelFormatError, match=SHOWN):
        fm.load(path)
    os.remove(path)  # noqa: PTH107
    with pytest.raises(FileNotFoundError) as caught:
        fm.load(path)
    str(caught.value).encode()
    assert os.fsencode(caught.value.filename) == os.fsencode(path)


def test_checkpoints(named):
    path = named()
    whole = network()
    whole.fit(X, Y, 4)
    network().fit(X, Y, 2, checkpoint=path)
    net = network()
    net.fit(X, Y, 4, checkpoint=path)
    assert net.parameters.tobytes() == whole.parameters.tobytes()
    with pytest.raises(ValueError, match=r"run\\\\xff' is of another fit") as caught:
        net.fit(X + 1, Y, 4, checkpoint=path)
    str(caught.value).encode()
    repr(fm.Checkpoint(path)).encode()
    net.save_checkpoint(path)
    assert fm.load_checkpoint(path).epoch == 4
    with pytest.raises(ValueError, match=r"run\\\\xff' was not saved by a fit"):
        net.fit(X, Y, 4, checkpoint=path)


def test_exports(named):
    network().export_c(named(".h"))
    assert os.path.getsize(named(".h")) > 1000  # noqa: PTH202
    pytest.importorskip("onnx")
    network().to_onnx(named(".onnx"))
    if not isinstance(named(), bytes):  # which would be the file's content
        assert fm.from_onnx(named(".onnx")).features == 3
        with pytest.raises(ValueError, match=SHOWN):
            fm.from_onnx(named(".h"))


def test_streams_of_arrays(named):
    for suffix, array in ((".x.npy", X), (".nan.npy", X * np.nan), (".y.npy", Y)):
        with opened(named(suffix), "wb") as file:
            np.save(file, array)
    network().fit(fm.ArrayStream(named(".x.npy"), named(".y.npy")), epochs=1)
    with pytest.raises(fm.DataError, match=rf"{SHOWN}.nan.npy: row 0") as caught:
        network().fit(fm.ArrayStream(named(".nan.npy"), named(".y.npy")), epochs=1)
    str(caught.value).encode()


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_streams_of_tables(named, suffix):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    table = pyarrow.table({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": Y})
    with opened(named(suffix), "wb") as file:
        if suffix == ".parquet":
            parquet.write_table(table, file)
        else:
            with pyarrow.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
    stream = fm.ParquetStream(named(suffix), "y")
    network().fit(stream, epochs=1)
    assert main(["train", os.fsdecode(named(suffix)), "--target", "y", "--epochs", "1"]) == 0
    with opened(named(suffix), "ab") as file:
        file.write(b"more")
    with pytest.raises(fm.DataError, match=rf"{SHOWN}{suffix}: the file has changed"):
        network().fit(stream, epochs=1)
    os.remove(named(suffix))  # noqa: PTH107
    with pytest.raises(fm.DataError, match="the file is gone"):
        network().fit(stream, epochs=1)


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".npy", ".svm"])
def test_the_command_line(tmp_path, suffix, capsys):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/run\xff" + suffix.encode())
    if suffix == ".svm":
        pytest.importorskip("sklearn")
    pairs = list(zip(X[:, 0], Y, strict=True))
    with opened(path, "wb") as file:
        if suffix == ".npz":
            np.savez(file, X=X, y=Y)
        elif suffix == ".npy":
            np.save(file, np.column_stack([X, Y]))
        elif suffix == ".svm":
            file.write(b"".join(b"%d 1:%f 2:1\n" % (y, x) for x, y in pairs))
        else:
            file.write(b"a,y\n" + b"".join(b"%f,%d\n" % pair for pair in pairs))
    target = {".csv": ["--target", "y"], ".npy": ["--target", "3"]}.get(suffix, [])
    assert main(["train", path, *target, "--epochs", "1"]) == 0
    opened(path, "wb").close()
    assert main(["train", path, *target, "--epochs", "1"]) == 2
    assert r"run\xff" in capsys.readouterr().err


def test_printable():
    assert printable("a\udcffb\udc80é") == r"a\xffb\x80é"
