"""What the package carries for C and C++ programs, and what the extension shows of itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp as fm
from fastmlp import _core

PREFIX = Path(_core.__file__).parent


def test_headers_and_package_are_there():
    include, package = Path(fm.get_include()), Path(fm.get_cmake_dir())
    headers = {path.name for path in include.rglob("*.h*")}
    assert {"fastmlp.hpp", "network.hpp", "trainer.hpp", "export.h"} <= headers
    assert {path.suffix for path in include.rglob("*") if path.is_file()} <= {".hpp", ".h"}
    assert (package / "fastmlp-config.cmake").is_file()
    assert (PREFIX / "lib" / "libfastmlp.a").is_file()
    assert not list(PREFIX.rglob("libfastmlp.so*"))  # FASTMLP_BUILD_SHARED=OFF


def test_the_headers_are_for_c_and_cpp_programs():
    for file in Path(fm.get_include()).rglob("*.h*"):
        assert not any(word in file.read_text().lower() for word in ("scikit", "sklearn"))


@pytest.mark.no_sanitizer  # compiles headers only
def test_an_older_standard_is_an_error_that_says_so(tmp_path):
    """Of every header that is C++; the one for C serves any."""
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    include = Path(fm.get_include())
    check = [compiler, "-fsyntax-only", f"-I{include}", "-x", "c++"]
    for header in sorted(include.rglob("*.hpp")):
        if header.name != "version.hpp":
            command = [*check, "-std=c++17", header]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode != 0, header
            assert "fastmlp needs C++20: compile with -std=c++20" in done.stderr, header
    for header, standard in (("fastmlp.h", "c++11"), ("fastmlp/fastmlp.hpp", "c++20")):
        subprocess.run([*check, f"-std={standard}", include / header], check=True)


def test_the_cmake_package_names_no_path_of_the_machine_that_built_it():
    for file in Path(fm.get_cmake_dir()).glob("*.cmake"):
        assert str(PREFIX) not in file.read_text()


@pytest.mark.no_sanitizer  # whose checks are not part of the package
def test_installed_size():
    sources = [Path(fm.__file__).parent, PREFIX]
    files = {p for folder in sources for p in folder.rglob("*") if "__pycache__" not in p.parts}
    assert sum(p.stat().st_size for p in files if p.is_file()) < 20e6


@pytest.mark.no_sanitizer
@pytest.mark.skipif(shutil.which("nm") is None, reason="nm is not installed")
def test_the_extension_exports_its_entry_only():
    """And the two functions that threadpoolctl finds by name."""
    done = subprocess.run(
        ["nm", "-D", "--defined-only", _core.__file__], capture_output=True, text=True, check=True
    )
    names = {line.split()[-1] for line in done.stdout.splitlines()}
    assert names == {"PyInit__core", "fastmlp_get_num_threads", "fastmlp_set_num_threads"}


def test_the_package_has_no_raw_kernels():
    """They trust their arguments, so only the module of tests/kernels calls them from Python."""
    names = {name for thing in (_core, *vars(_core).values()) for name in dir(thing)}
    assert not [name for name in names if "kernel" in name.lower()]
    assert not names & {"product", "outer", "column_sums", "narrow_forward", "transpose"}
    assert not [path for path in PREFIX.rglob("*") if "kernels" in path.name]


@pytest.mark.no_sanitizer
@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
def test_a_network_trained_in_python_gives_the_same_bits_in_cpp(tmp_path):
    """With what the package carries, and nothing else."""
    examples = Path(__file__).parents[1] / "examples" / "cpp"
    program, model = tmp_path / "load_model", tmp_path / "model.safetensors"
    flags = ["-std=c++20", "-DFASTMLP_STATIC", f"-I{fm.get_include()}", "-o", program]
    library = PREFIX / "lib" / "libfastmlp.a"
    subprocess.run(["c++", *flags, examples / "load_model.cpp", library, "-pthread"], check=True)

    def outputs(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [[float.fromhex(word) for word in line.split()] for line in done.stdout.splitlines()]

    expected = outputs(sys.executable, examples / "train_model.py", model)
    assert len(expected) == 20
    assert outputs(program, model) == expected
