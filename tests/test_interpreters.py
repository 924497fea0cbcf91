"""In a sub-interpreter the import is refused: the core would wait for ever."""

import sys

import pytest

CODE = """
import _xxsubinterpreters as interpreters
try:
    interpreters.run_string(interpreters.create(), "import fastmlp")
except interpreters.RunFailedError as error:
    print(error)
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the module has another interface")
def test_an_import_in_a_sub_interpreter_is_refused(run_python):
    done = run_python(CODE, timeout=30)
    assert "ImportError" in done.stdout, done.stderr
    assert "fastmlp works in the main interpreter of a process only" in done.stdout
