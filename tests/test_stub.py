"""What is written down about the compiled module is true of it."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp
from fastmlp import _core

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]


@pytest.mark.no_sanitizer
def test_stub_describes_the_compiled_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "--concise", "fastmlp._core"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"MYPY_CACHE_DIR": os.devnull},
    )
    # A stub cannot name pybind11's metaclass.
    said = [line for line in done.stdout.splitlines() if "metaclass differs" not in line]
    assert said == []
    assert done.stderr == ""


def test_version_is_one() -> None:
    header = (ROOT / "cpp/include/fastmlp/version.hpp").read_text()
    written = re.search(r'kVersion = "([^"]+)"', header)
    assert written is not None
    assert fastmlp.__version__ == written[1]
    assert _core.__version__ == written[1]
    assert importlib.metadata.version("fastmlp") == written[1]
