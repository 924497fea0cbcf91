"""In a sub-interpreter the import is refused: the core would wait for ever."""

import sys

import pytest

CODES = {
    "_xxsubinterpreters": """
import _xxsubinterpreters as interpreters
try:
    interpreters.run_string(interpreters.create(), "import fastmlp")
except interpreters.RunFailedError as error:
    print(error)
""",
    "_interpreters": """
import _interpreters as interpreters
failure = interpreters.run_string(interpreters.create(), "import fastmlp")
print(failure.formatted)
""",
}


@pytest.mark.shares_cores
def test_an_import_in_a_sub_interpreter_is_refused(run_python):
    code = CODES["_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"]
    done = run_python(code, timeout=30)
    assert "ImportError" in done.stdout, done.stderr
    assert "fastmlp works in the main interpreter of a process only" in done.stdout
