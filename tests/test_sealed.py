"""The files of the instruction sets are sealed, and their hot loops are what we think.

Each `cpp/src/kernels/<isa>.cpp` is compiled for more than the baseline processor. A symbol of it
that the linker could merge with one of another file would bring its instructions into code that
every processor runs, so an ISA object exports its table and nothing else.
"""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
X86_ISAS = ("scalar", "avx2", "avx512")
ARM_ISAS = ("scalar", "neon")
ISAS = X86_ISAS if platform.machine() in {"x86_64", "AMD64"} else ARM_ISAS

pytestmark = [pytest.mark.once, pytest.mark.slow]


def run(*command: object) -> str:
    """Return the output of the command; fail with its error output if it failed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Release build of the ISA objects; FASTMLP_BUILD_DIR names one that exists."""
    given = os.environ.get("FASTMLP_BUILD_DIR")
    if given:
        return Path(given)
    for tool in ("cmake", "ninja", "nm", "objdump"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    folder = tmp_path_factory.mktemp("build")
    run("cmake", "-S", ROOT / "cpp", "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release")
    objects = [f"CMakeFiles/fastmlp_kernels.dir/src/kernels/{isa}.cpp.o" for isa in ISAS]
    run("cmake", "--build", folder, "--parallel", "2", "--target", *objects)
    return folder


def object_of(build: Path, isa: str) -> Path:
    return next(build.rglob(f"kernels/{isa}.cpp.o"))


@pytest.mark.parametrize("isa", ISAS)
def test_isa_object_exports_only_its_table(build: Path, isa: str) -> None:
    lines = run("nm", "-C", "--defined-only", object_of(build, isa)).splitlines()
    symbols = [line.split(maxsplit=2)[1:] for line in lines]
    weak = [name for kind, name in symbols if kind in "WwVvu"]
    exported = [name for kind, name in symbols if kind.isupper() and kind not in "WV"]
    assert weak == []
    assert len(exported) == 1, exported
    assert isa in exported[0].lower()


@dataclass(frozen=True)
class Instruction:
    address: int
    text: str

    def jump_target(self) -> int | None:
        match = re.match(r"j\w+\s+([0-9a-f]+) <", self.text)
        return int(match[1], 16) if match else None

    def falls_through(self) -> bool:
        return not re.match(r"(jmp|ret)\b", self.text)


Function = dict[int, Instruction]  # by address, in order


def functions(assembly: str) -> Iterator[Function]:
    """Yield each function of `objdump -d`."""
    for block in re.split(r"\n(?=[0-9a-f]+ <)", assembly):
        found = re.findall(r"^\s*([0-9a-f]+):\t(.+)$", block, re.MULTILINE)
        if found:
            yield {int(a, 16): Instruction(int(a, 16), text.strip()) for a, text in found}


def reachable(first: int, edges: dict[int, list[int]], inside: range) -> set[int]:
    """Return the addresses that a walk along the edges from `first` meets inside the range."""
    seen, ahead = set(), [first]
    while ahead:
        address = ahead.pop()
        if address not in seen and address in inside:
            seen.add(address)
            ahead += edges.get(address, [])
    return seen


def innermost_loops(function: Function) -> Iterator[list[Instruction]]:
    """Yield the loops that hold no other loop: all that lies on a way round a backward jump."""
    onward: dict[int, list[int]] = {}
    back: dict[int, list[int]] = {}
    addresses = list(function)
    for address, following in zip(addresses, [*addresses[1:], None], strict=True):
        instruction = function[address]
        targets = [instruction.jump_target()]
        targets += [following] if instruction.falls_through() else []
        onward[address] = [t for t in targets if t in function]
        for target in onward[address]:
            back.setdefault(target, []).append(address)
    loops = []
    for last in addresses:
        first = function[last].jump_target()
        if first in function and first <= last:
            span = range(first, last + 1)
            body = reachable(first, onward, span) & reachable(last, back, span)
            if {first, last} <= body:
                loops.append(body)
    for body in loops:
        if not any(other < body for other in loops):
            yield [function[address] for address in sorted(body)]


def stack_registers(function: Function) -> str:
    """Return a pattern of the registers that point to the stack in this function."""
    has_frame = any(re.match(r"mov\s+%rsp,%rbp", i.text) for i in function.values())
    return r"\(%r[sb]p" if has_frame else r"\(%rsp"


def is_product(loop: list[Instruction]) -> bool:
    """Whether a loop multiplies and adds, and computes nothing else with vectors."""
    fused = sum(bool(re.match(r"vfn?madd\d+p[sd]\b", i.text)) for i in loop)
    other = any(
        re.match(r"v(add|sub|mul|div|min|max|and|or|p(add|sub|and|or))", i.text) for i in loop
    )
    return fused >= 6 and not other


@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa in {"avx2", "avx512"}])
def test_product_loops_do_not_spill(build: Path, isa: str) -> None:
    """A spilled accumulator costs as much as the product it is part of.

    One loop bound or pointer in memory is free: the load hides behind the multiplications.
    """
    assembly = run("objdump", "-d", "--no-show-raw-insn", object_of(build, isa))
    seen = 0
    for function in functions(assembly):
        stack = re.compile(stack_registers(function))
        for loop in filter(is_product, innermost_loops(function)):
            seen += 1
            text = "\n".join(f"{i.address:x}: {i.text}" for i in loop)
            accesses = [i.text for i in loop if stack.search(i.text)]
            assert not any(access.startswith("v") for access in accesses), text
            assert len(accesses) <= 1, text
    assert seen >= 20, "the search found hardly any product loops: it no longer fits the code"
