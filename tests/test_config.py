"""Settings of the process: what it runs on, and the limit of threads."""

import numpy as np
import pytest

import fastmlp as fm


@pytest.fixture(autouse=True)
def _keep_threads():
    n = fm.get_num_threads()
    yield
    fm.set_num_threads(n)


def test_show_config_prints_what_get_config_gives(capsys):
    config = fm.get_config()
    assert config["version"] == fm.__version__
    assert config["isa"] in config["available_isas"]
    assert config["n_threads"] == fm.get_num_threads()
    assert config["compiler"]
    assert fm.show_config() is None
    text = capsys.readouterr().out
    for value in (config["version"], *config["available_isas"], config["compiler"]):
        assert value in text


def test_the_limit_of_threads_can_be_set():
    for n in (1, 2, np.int64(1)):
        fm.set_num_threads(n)
        assert fm.get_num_threads() >= 1
    fm.set_num_threads(1)
    assert fm.get_num_threads() == 1
    fm.set_num_threads(10**30)  # any upper limit is allowed
    assert 1 <= fm.get_num_threads() < 10**30


@pytest.mark.parametrize(
    ("n", "error"),
    [(0, ValueError), (-1, ValueError), (1.0, TypeError), ("2", TypeError), (None, TypeError),
     (True, TypeError)],
)  # fmt: skip
def test_a_wrong_number_of_threads_is_refused(n, error):
    before = fm.get_num_threads()
    with pytest.raises(error, match="n must be"):
        fm.set_num_threads(n)
    assert fm.get_num_threads() == before


@pytest.mark.shares_cores
def test_forcing_an_isa(run_python, isas):
    code = "import fastmlp as fm; print(fm.get_config()['isa'])"
    for isa in isas:
        assert run_python(code, FASTMLP_ISA=isa).stdout == f"{isa}\n"


@pytest.mark.shares_cores
def test_an_unknown_isa_names_those_available(run_python, isas):
    done = run_python("import fastmlp as fm; fm.show_config()", FASTMLP_ISA="sse9")
    assert done.returncode != 0
    assert "sse9" in done.stderr
    for isa in isas:
        assert isa in done.stderr


@pytest.mark.shares_cores
def test_openmp_variable_is_that_of_the_import(run_python):
    code = (
        "import os, fastmlp as fm; os.environ['OMP_NUM_THREADS'] = '1'; "
        "print(fm.get_config()['environment'].get('OMP_NUM_THREADS'))"
    )
    assert run_python(code, OMP_NUM_THREADS="3").stdout == "3\n"
    assert run_python(code, OMP_NUM_THREADS="").stdout == "\n"


@pytest.mark.shares_cores
@pytest.mark.parametrize("value", ["0", "many", "-1", "3.5"])
def test_a_wrong_number_of_threads_is_shown(run_python, value):
    code = "import fastmlp as fm; print(fm.get_config()); fm.show_config(); fm.set_num_threads(1)"
    done = run_python(code, FASTMLP_NUM_THREADS=value)
    assert done.returncode == 0, done.stderr
    assert "'n_threads': None" in done.stdout
    assert f"'FASTMLP_NUM_THREADS': '{value}'" in done.stdout
    assert "none: FASTMLP_NUM_THREADS must be an integer >= 1" in done.stdout
    assert f"          FASTMLP_NUM_THREADS={value}" in done.stdout
