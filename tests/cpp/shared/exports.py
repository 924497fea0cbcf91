"""exports.py LIBRARY: the shared library exports what its headers declare, and nothing else."""

import re
import subprocess
import sys
from pathlib import Path

INCLUDE = Path(__file__).parents[3] / "cpp" / "include"
HEADERS = [path for path in INCLUDE.rglob("*.h*") if path.name != "export.h"]


def marked() -> set[str]:
    """Return the classes and functions that the headers mark with FASTMLP_API."""
    text = "".join(path.read_text() for path in HEADERS)
    classes = re.findall(r"(?:class|struct) FASTMLP_API (\w+)", text)
    functions = re.findall(r"(?<!class )(?<!struct )FASTMLP_API [^;(]*?(\w+)\(", text)
    return {*classes, *functions}


def unmarked(header: Path) -> list[str]:
    """Return what a C++ header declares as a function, outside of classes, without the mark."""
    text = re.sub(r"//.*|^#.*", "", header.read_text(), flags=re.MULTILINE)
    outside, depth = "", 0  # 1 is the name space
    for char in text:
        depth -= char == "}"
        outside += ";" if char == "}" else char if depth == 1 else ""
        depth += char == "{"
    defined = ("inline", "constexpr", "extern template", "using")
    statements = (" ".join(part.split()) for part in outside.split(";"))
    bare = (s for s in statements if "FASTMLP_API" not in s)
    return [
        s for s in bare if "(" in s and not re.sub("^template <.*?> ", "", s).startswith(defined)
    ]


def exported(library: str) -> set[str]:
    """Return the C names, and the first name within `fastmlp::` of the C++ ones."""
    done = subprocess.run(
        ["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True
    )
    names = set()
    for line in done.stdout.splitlines():
        _, kind, symbol = line.split(maxsplit=2)
        symbol = symbol.split("@")[0]
        assert kind != "u", f"{symbol} is one for the whole process"
        if kind == "A":  # the version itself
            continue
        mangled = re.match(r"_Z(?:T[ISV])?NK?7fastmlp(\d+)", symbol)
        names.add(symbol[mangled.end() :][: int(mangled[1])] if mangled else symbol)
    return names


found, expected = exported(sys.argv[1]), marked()
assert found == expected, f"too much: {found - expected}, missing: {expected - found}"
lost = [declaration for header in INCLUDE.rglob("*.hpp") for declaration in unmarked(header)]
assert not lost, f"declared without FASTMLP_API: {lost}"
assert {"Network", "train", "fastmlp_train"} <= found

version = re.search(r'"(\d+\.\d+)\.\d+"', (INCLUDE / "fastmlp" / "version.hpp").read_text())[1]
dynamic = subprocess.run(["readelf", "-d", sys.argv[1]], capture_output=True, text=True, check=True)
assert f"[libfastmlp.so.{version}]" in dynamic.stdout, "the soname changes with the minor version"
