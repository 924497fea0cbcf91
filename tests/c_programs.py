"""Programs in C that are linked with the library of the installed package."""

import shutil
import subprocess
from pathlib import Path

import pytest

import fastmlp as fm
from fastmlp import _core

ROOT = Path(__file__).parent.parent

NEEDS = [
    pytest.mark.no_sanitizer,  # whose library a program of its own does not have
    pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]
"""The marks of a module that uses `compiled`."""


def compiled(source, folder, standard):
    """Compile a program of one file to a folder, without warnings; return its path."""
    program = folder / source.stem
    flags = [f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Werror", "-DFASTMLP_STATIC"]
    made = ["-c", source, "-o", program.with_suffix(".o")]
    subprocess.run(["cc", *flags, f"-I{fm.get_include()}", *made], check=True)
    library = Path(_core.__file__).parent / "lib" / "libfastmlp.a"
    linked = [program.with_suffix(".o"), library, "-pthread", "-o", program]
    subprocess.run(["c++", *linked], check=True)
    return program
