"""Race the libraries on one problem after another: interleaved rounds, the best time counts."""

import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cases import Case, Problem
from checked_rows import checked
from workers import PeerError, Worker

OURS = "fastmlp"
NAMES = {"sklearn": "scikit-learn", "torch": "PyTorch", "jax": "JAX", "onnxruntime": "ONNX Runtime"}
"""How the tables name a library, where that is not the name of its module."""

SETTINGS = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("FASTMLP_"))
"""Of the environment, before a benchmark adds its own."""

Table = list[dict[str, Any]]
"""The rows of a table of docs/performance.md: column and value, as `figures.py` takes them."""


@dataclass
class Row:
    """The result of one case: seconds per unit of work by name, and the peak beside them."""

    case: Case
    seconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    peak_gflops: float = 0.0


def installed(entries: dict[str, tuple[str, str]], wanted: list[str]) -> dict[str, Worker]:
    """Start a worker for each requested entry (name: module of `peers`, class) installed."""
    workers = {}
    for name, (module, role) in entries.items():
        if wanted and name not in wanted and module != OURS:
            continue
        if find_spec(module) is None:
            print(f"{name} is not installed: left out", file=sys.stderr)
            continue
        workers[name] = Worker(module, role)
    return workers


def race(
    problem: Problem,
    workers: dict[str, Worker],
    n_threads: int,
    rounds: int,
    seconds: float,
    check: Callable[[dict[str, Any]], None],
) -> Row:
    """Time every worker in turn, `rounds` times, each time for about `seconds`."""
    row = Row(problem.case)
    counts = {}
    for name, worker in workers.items():
        try:
            once = worker.call("prepare", problem, n_threads)
            counts[name] = max(1, round(seconds / once))
        except PeerError as failure:
            row.failures[name] = str(failure)
    check({name: workers[name] for name in counts})
    ours = next(worker for name, worker in workers.items() if name.startswith(OURS))
    for _ in range(rounds):
        for name, count in counts.items():
            time = workers[name].call("time", count) / count
            row.seconds[name] = min(time, row.seconds.get(name, time))
            if workers[name] is ours:
                row.peak_gflops = max(row.peak_gflops, ours.call("ask", "peak"))
    for worker in workers.values():
        worker.call("release")
    return row


def processor() -> str:
    """Return the processor's name; virtual machines leave out the generation, its family has it."""
    information = Path("/proc/cpuinfo")
    if not information.exists():
        return platform.processor()
    lines = [line.split(":", 1) for line in information.read_text().splitlines() if ":" in line]
    said = {name.strip(): value.strip() for name, value in lines}
    zen_5 = said.get("vendor_id") == "AuthenticAMD" and said.get("cpu family") == "26"
    return said.get("model name", platform.processor()) + " (Zen 5)" * zen_5


def command() -> str:
    """Return the command that runs now, with the settings of fastmlp it was given.

    Without the options that change no row: where it writes, and which of its shapes it measures.
    """
    words = shlex.join([*SETTINGS, "python", *sys.argv])
    return re.sub(r" --(?:output|shapes) \S+", "", words)


def commit() -> str:
    """Return the commit of this tree; it ends in "-dirty" if the code was changed since."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        root = Path(__file__).parents[1]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "cpp", "python", "benchmarks")
    return git("rev-parse", "--short", "HEAD") + "-dirty" * bool(changed)


def write_json(path: Path, table: Table, versions: dict[str, str] | None = None) -> None:
    """Write what was measured, where and when, for `figures.py --take`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "python": platform.python_version(),
        "commit": commit(),
        "command": command(),
        "versions": {NAMES.get(name, name): version for name, version in (versions or {}).items()},
        "table": [checked(row) for row in table],
    }
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written: {path}")
