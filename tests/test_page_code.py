"""Code on the pages is run: every block of every page, by one of the tests named here."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.once, pytest.mark.no_sanitizer]

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "generated" not in page.parts),
]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

RUN = {
    "python": {
        "tests/test_guide.py": ["docs/guide/*.md", "docs/file-format.md", "docs/site/index.md"],
        "tests/test_examples.py": ["README.md"],
    },
    "cpp": {
        "tests/cpp/documentation.cmake": ["README.md", "docs/embedding.md", "docs/real-time.md"],
    },
    "c": {
        "tests/cpp/documentation.cmake": ["docs/embedding.md"],
        "tests/test_guide.py": ["docs/guide/exchange.md"],
    },
    "cmake": {"tests/test_page_code.py": ["docs/embedding.md"]},
    "sh": {
        "tests/test_guide.py": ["docs/guide/tables.md"],
        "tests/cpp/consumer/CMakeLists.txt": ["docs/embedding.md"],
        "tests/test_page_code.py": ["docs/guide/more-than-one-machine.md"],
        # What the run of everything and the script of packages do: installing, testing.
        ".ci/run": ["README.md", "CONTRIBUTING.md"],
        "tests/long/packages.py": ["docs/installing.md"],
    },
}
"""The pages that have a language, by the test that runs its blocks."""
SHOWN = {"json", "text", "{toctree}"}
"""What programs read or print, and what Sphinx reads."""


def blocks(page, language):
    """Return the blocks of a page in a language."""
    return [code for found, code in BLOCK.findall(page.read_text("utf-8")) if found == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_has_a_test(page):
    languages = {language for language, _ in BLOCK.findall(page.read_text("utf-8"))} - SHOWN
    for language in languages:
        found = RUN.get(language, {}).values()
        assert any(page in ROOT.glob(name) for names in found for name in names), language


def test_the_tests_are_there():
    for found in RUN.values():
        for test, names in found.items():
            assert (ROOT / test).exists() or test == ".ci/run"  # which an sdist has not
            for name in names:
                assert [*ROOT.glob(name)], name


@pytest.mark.skipif(
    not (shutil.which("cmake") and shutil.which("ninja")), reason="cmake or ninja is not installed"
)
def test_the_cmake_that_fetches_the_core(tmp_path):
    """It is configured as the page says; building it takes as long as the core itself."""
    _, fetched = blocks(ROOT / "docs/embedding.md", "cmake")
    assert "/path/to/fastmlp/cpp" in fetched
    project = "cmake_minimum_required(VERSION 3.24)\nproject(app LANGUAGES CXX)\n"
    target, link = fetched.rsplit("target_link", 1)
    lines = [
        project,
        target.replace("/path/to/fastmlp", str(ROOT)),
        "add_executable(app app.cpp)\n",
    ]
    (tmp_path / "CMakeLists.txt").write_text("".join([*lines, "target_link", link]))
    (tmp_path / "app.cpp").write_text('#include "fastmlp/fastmlp.hpp"\nint main() {}\n')
    command = ["cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "build"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Generating done" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="there is no shell")
def test_the_commands_for_several_machines_are_those_of_a_shell():
    """Slurm is not here: the shell reads its script, and the programs are those of the page."""
    start, job = blocks(ROOT / "docs/guide/more-than-one-machine.md", "sh")
    for script in (start, job):
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    assert start.strip().endswith("python -m mpi4py train.py")
    assert job.strip().endswith("python -m mpi4py train.py")
