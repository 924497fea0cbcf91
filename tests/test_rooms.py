"""Folders are the architecture: what they hold is bounded, and includes run one way.

Of the Python modules import-linter checks the direction, by `pyproject.toml`.
"""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "cpp" / "src"
PACKAGE = ROOT / "python" / "fastmlp"
# Each folder of cpp/src may include the folders listed for it; "." is the top level.
ROOMS = {
    ".": {"training", "lanes", "inference", "checks", "propagation", "threads", "files", "kernels"},
    "c_api": {"checks", "propagation", "threads", "files"},
    "tables": {"checks", "files"},
    "training": {"checks", "propagation", "threads", "kernels"},
    "lanes": {"checks", "training", "propagation", "threads", "kernels"},
    "inference": {"checks", "propagation", "threads", "kernels"},
    "checks": {"propagation", "kernels"},
    "propagation": {"threads", "kernels"},
    "threads": set(),
    "files": set(),
    "kernels": set(),
}


@pytest.mark.parametrize("room", ROOMS)
def test_includes_run_one_way(room):
    for file in (SOURCES / room).glob("*.[ch]pp"):
        included = re.findall(r'^#include "(\w+)/', file.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(included) & ROOMS.keys() - {room} <= ROOMS[room], file.name


def test_no_room_is_crowded():
    folders = [SOURCES, *SOURCES.glob("*/"), PACKAGE, *PACKAGE.glob("*/")]
    limits = {SOURCES: 16, PACKAGE: 20, SOURCES / "kernels": 36,
              PACKAGE / "reference": 40}  # fmt: skip
    for folder in folders:
        files = [file for file in folder.iterdir() if file.suffix in {".cpp", ".hpp", ".py"}]
        assert len(files) <= limits.get(folder, 30), folder.name
