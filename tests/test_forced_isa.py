"""FASTMLP_ISA forces an instruction set, or is an error that names all there are."""

import pytest

COMMANDS = {
    "train": "fm.Network([2, 2]).fit([[1, 2]], [1])",
    "predict": "fm.Network([2, 2]).predict([[1, 2]])",
    "forward": "fm.Network([2, 2]).forward([[1, 2]])",
    "show_config": "fm.show_config()",
}


@pytest.mark.shares_cores
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("name", ["sse9", "AVX2", "avx2,scalar", " ", "scalar "])
def test_an_unknown_one_names_those_there_are(run_python, isas, command, name):
    done = run_python(f"import fastmlp as fm\n{command}", FASTMLP_ISA=name)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ValueError: FASTMLP_ISA: instruction set '{name}' is not available on this machine; "
        f"available: {', '.join(isas)}"
    )


@pytest.mark.shares_cores
def test_it_stays_wrong(run_python):
    """Neither is the second call let through, nor a corrected environment ignored."""
    code = """
import os
import fastmlp as fm
for _ in range(2):
    try:
        fm.Network([2, 2], seed=1)
    except ValueError:
        print("refused")
os.environ["FASTMLP_ISA"] = ""
net = fm.Network([2, 2], seed=1)
net.fit([[1, 2]], [1], epochs=1)
print("trained", net.epoch)
"""
    done = run_python(code, FASTMLP_ISA="none")
    assert done.stdout.split("\n")[:3] == ["refused"] * 2 + ["trained 1"]


@pytest.mark.shares_cores
def test_it_is_the_one_in_use(run_python, any_isa):
    code = "from fastmlp import _core; print(_core.isa(), *_core.available_isas())"
    assert run_python(code, FASTMLP_ISA=any_isa).stdout.split()[0] == any_isa
