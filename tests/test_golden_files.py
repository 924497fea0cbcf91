"""Files that earlier versions wrote come back to the same bits; see ``tests/golden/make.py``."""

import importlib.util
import json
from pathlib import Path

import pytest

import fastmlp as fm
from fastmlp import _core

FOLDER = Path(__file__).parent / "golden"
FILES = sorted(FOLDER.glob("*.safetensors"))


@pytest.fixture(scope="module")
def golden():
    """The module that made the files."""
    specification = importlib.util.spec_from_file_location("golden", FOLDER / "make.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_there_are_files(golden):
    assert len(FILES) >= 2 * len(golden.NETWORKS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_file(golden, path, tmp_path):
    cores, tensors, metadata = _core.load_model(str(path), False)
    found = [golden.description(core) for core in cores]
    expected = json.loads(path.with_suffix(".json").read_text())
    assert found == (expected if isinstance(expected, list) else [expected])
    again = str(tmp_path / "again")
    _core.save_model(again, cores, tensors, metadata, False)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    if len(cores) == 1:
        net = fm.load(path)
        assert net.parameters.tobytes() == cores[0].parameters.tobytes()
        net.save(again)
        assert (tmp_path / "again").read_bytes() == path.read_bytes()
