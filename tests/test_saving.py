"""Failures of a save: the file is the old or the new one, and nothing is left over.

Kills and errors at every system call are in ``tests/cpp/test_file_faults.cpp``. Over 400 lines, as
all tests use the same fixtures: a folder, and a check that nothing else in it changed.
"""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import files

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


@pytest.fixture
def net():
    return fm.Network([4, 5, 3], seed=1)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.fixture
def path(folder):
    """The file of another network."""
    fm.Network([4, 5, 3], seed=9).save(folder / "model")
    return folder / "model"


@pytest.fixture
def transaction(net, folder, assert_unchanged):
    """A context after which network and files are what they were before, bit for bit."""

    def state():
        return {
            (str(file), file.lstat().st_mode, file.lstat().st_ino): (
                hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
            )
            for file in folder.rglob("*")
        }

    @contextmanager
    def unchanged():
        before = state()
        with assert_unchanged(net):
            yield
        assert state() == before

    return unchanged


def assert_holds(path, net):
    assert fm.load(path).parameters.tobytes() == net.parameters.tobytes()


def assert_refused(error, number, path):
    assert error.value.errno == number
    assert error.value.filename == str(path)


@posix
def test_a_folder_is_no_file(net, folder, transaction):
    for path in (folder, folder / ".", folder / ".."):
        for action in (net.save, fm.load):
            with transaction(), pytest.raises(IsADirectoryError) as error:
                action(path)
            assert error.value.errno == errno.EISDIR


@posix
@pytest.mark.parametrize("name", ["no/model", "model/model", "x" * 256, ""])
def test_names_that_cannot_be(net, folder, path, transaction, name):
    for action in (net.save, fm.load):
        target = folder / name if name else ""
        with transaction(), pytest.raises(OSError) as error:  # noqa: PT011  (of several kinds)
            action(target)
        assert error.value.filename == str(target)
        assert error.value.errno in {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


@posix
@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "with blank\nand line", b"\xff\xfe", "-"])
def test_names_that_can_be(net, folder, name):
    path = os.path.join(os.fsencode(folder), os.fsencode(name))  # noqa: PTH118
    for _ in range(2):
        net.save(path)
        assert_holds(path, net)
    assert [os.fsencode(file.name) for file in folder.iterdir()] == [os.fsencode(name)]


@posix
def test_a_pipe_is_refused_not_waited_for(net, folder, transaction):
    os.mkfifo(folder / "pipe")
    for action in (net.save, fm.load):
        with transaction(), pytest.raises(OSError, match="Not a regular file") as error:
            action(folder / "pipe")
        assert_refused(error, errno.EINVAL, folder / "pipe")


@posix
def test_devices_are_refused(net):
    for action in (net.save, fm.load):
        for path in ("/dev/null", "/dev/full"):
            with pytest.raises(OSError, match="Not a regular file"):
                action(path)


@posix
def test_a_symbolic_link_stays_one(net, path, folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "link").symlink_to("../model")
    (folder / "second").symlink_to(folder / "deep" / "link")
    net.save(folder / "second")
    assert (folder / "second").is_symlink()
    assert not path.is_symlink()
    assert_holds(path, net)
    (folder / "dangling").symlink_to("new")
    net.save(folder / "dangling")
    assert_holds(folder / "new", net)


@posix
def test_links_in_a_circle(net, folder, transaction):
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    for action in (net.save, fm.load):
        with transaction(), pytest.raises(OSError) as error:  # noqa: PT011
            action(folder / "a")
        assert error.value.errno == errno.ELOOP


@posix
def test_a_hard_link_keeps_the_old_bytes(net, path, folder):
    (folder / "other").hardlink_to(path)
    before = path.read_bytes()
    net.save(path)
    assert (folder / "other").read_bytes() == before
    assert_holds(path, net)


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_permissions(net, folder, mask):
    old = os.umask(mask)
    try:
        net.save(folder / "new")
        assert (folder / "new").stat().st_mode & 0o777 == 0o666 & ~mask
        (folder / "new").chmod(0o640)
        net.save(folder / "new")
        assert (folder / "new").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(old)


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anything")
def test_write_protection(net, path, folder, transaction):
    path.chmod(0o444)
    with transaction(), pytest.raises(PermissionError):
        net.save(path)
    path.chmod(0o644)
    folder.chmod(0o555)
    with transaction(), pytest.raises(PermissionError):
        net.save(path)
    folder.chmod(0o755)


@posix
def test_what_the_dead_left_is_swept(net, path, folder):
    """Also where a living process has the dead one's number, as where a container is restarted."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    digits = "0123456789abcdef"
    swept = [f".model.{pid}.{digits}.tmp" for pid in (dead.pid, os.getpid(), os.getppid(), 1)]
    kept = [
        f".other.{dead.pid}.{digits}.tmp",
        f".model.{dead.pid}.{digits}.tmp.txt",
        f".model.{dead.pid}.0123.tmp",
        f"model.{dead.pid}.{digits}.tmp",
        ".model..tmp",
        ".model.tmp",
        f".model.-{dead.pid}.{digits}.tmp",
    ]
    for name in swept + kept:
        (folder / name).touch()
    net.save(path)
    assert {file.name for file in folder.iterdir()} == {"model", *kept}


@posix
def test_what_is_being_written_is_not_swept(net, path, folder):
    """Its writer holds a lock, whatever its PID is in this container."""
    fcntl = pytest.importorskip("fcntl")
    for pid in (1, os.getpid(), 2**22 + 1):
        temporary = folder / f".model.{pid}.0123456789abcdef.tmp"
        with temporary.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            net.save(path)
            assert temporary.exists()
        net.save(path)
        assert not temporary.exists()


@posix
def test_threads_that_save_under_one_name(net, path, folder):
    """They sweep at the same time, and none takes what another has just begun."""

    def save(_):
        for _ in range(50):
            net.save(path)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, range(4)))
    assert [file.name for file in folder.iterdir()] == ["model"]
    assert_holds(path, net)


@pytest.mark.shares_cores
@posix
@pytest.mark.parametrize("action", ["save", "save_checkpoint", "export_c", "to_onnx"])
def test_a_file_that_grows_too_large(run_python, path, action):
    """The limit is reached during the write; the old file stays, the temporary is removed."""
    if action == "to_onnx":
        pytest.importorskip("onnx")
    code = """
import resource, sys
import fastmlp as fm
net = fm.Network([300, 300, 3], seed=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    getattr(net, sys.argv[2])(sys.argv[1])
except OSError as error:
    print(error.errno, error.filename)
"""
    before = path.read_bytes()
    done = run_python(code, str(path), action)
    assert done.stdout == f"{errno.EFBIG} {path}\n", done.stderr
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["model"]


@pytest.mark.no_sanitizer  # strace and the sanitizers both trace the process
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(
    ("call", "error"),
    [("write", "ENOSPC"), ("fsync", "EIO"), ("fsync", "EDQUOT"), ("rename,renameat", "EROFS")],
)
def test_a_system_call_fails(net, path, call, error):
    code = (
        "import sys, fastmlp as fm\n"
        "net = fm.load(sys.argv[1])\n"
        "try:\n    net.save(sys.argv[2])\n"
        "except OSError as e:\n    sys.exit(f'{e.errno} {e.filename}')\n"
    )
    net.save(path.parent.parent / "source")
    # Nothing else is to be written or renamed: no bytecode (-B), no report of coverage.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    arguments = ["-c", code, str(path.parent.parent / "source"), str(path)]
    injection = f"inject={call}:error={error}:when=1"
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", injection]
    before = path.read_bytes()
    done = subprocess.run(
        [*command, sys.executable, "-B", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if "ptrace" in done.stderr.lower():
        pytest.skip("this machine does not allow ptrace")
    assert done.stderr == f"{getattr(errno, error)} {path}\n"
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["model"]


def test_savers_and_loaders_at_once(path, net):
    """Eight threads save, eight load, one path: each load is one whole version."""
    nets = [fm.Network([4, 5, 3], seed=seed) for seed in range(8)]
    whole = {n.parameters.tobytes() for n in (*nets, fm.load(path))}
    failures = []
    gate = threading.Barrier(16)

    def save(saved):
        gate.wait()
        for _ in range(15):
            saved.save(path)

    def load():
        gate.wait()
        loaded = {fm.load(path).parameters.tobytes() for _ in range(30)}
        failures.extend(loaded - whole)

    threads = [threading.Thread(target=save, args=(n,)) for n in nets]
    threads += [threading.Thread(target=load) for _ in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [file.name for file in path.parent.iterdir()] == ["model"]


def test_save_over_the_file_it_came_from(path):
    loaded = fm.load(path)
    loaded.save(path)
    assert_holds(path, loaded)


def test_save_from_a_callback_but_not_from_another_thread(net, path, blobs, transaction):
    seen = []

    def callback(network, report):
        network.save(path)
        assert_holds(path, network)

        def elsewhere():
            try:
                network.save(path)
            except RuntimeError as error:
                seen.append(str(error))

        with transaction():
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()

    net.fit(*blobs, epochs=2, callbacks=callback)
    assert len(seen) == 2
    assert "another thread" in seen[0]


def test_loading_changes_nothing(net, path, folder, transaction):
    (folder / "damaged").write_bytes(path.read_bytes()[:-1])
    with transaction():
        fm.load(path)
        with pytest.raises(fm.ModelFormatError):
            fm.load(folder / "damaged")


@pytest.mark.no_sanitizer
@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
def test_nothing_is_left_behind(run_python, path):
    """Thousands of saves, loads and errors: memory and open files stay."""
    code = """
import os, sys
import fastmlp as fm

path = sys.argv[1]
net = fm.load(path)
damaged = path + ".damaged"
open(damaged, "wb").write(open(path, "rb").read()[:-1])

def cycle():
    net.save(path)
    fm.load(path)
    for action in (lambda: net.save("/no/where"), lambda: fm.load(damaged), lambda: fm.load("/no")):
        try:
            action()
        except (OSError, ValueError):
            pass
        else:
            sys.exit("no error")

def state():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGESIZE"), len(os.listdir("/proc/self/fd"))

for _ in range(100):
    cycle()
before = state()
for _ in range(500):
    cycle()
after = state()
print(after[0] - before[0], after[1] == before[1])
"""
    done = run_python(code, str(path), timeout=200)
    assert done.returncode == 0, done.stderr
    growth, same = done.stdout.split()
    assert same == "True"
    assert int(growth) <= 2**20


def test_a_sparse_file_larger_than_memory(folder):
    """The tensors match the header but are not a network: refused, or too large for memory."""
    path = folder / "sparse"
    net = fm.Network([4, 5, 3], seed=1)
    net.save(path)
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(fm.ModelFormatError, match=r"describes \d+ bytes"):
        fm.load(path)


@pytest.mark.shares_cores
def test_bytes_do_not_depend_on_the_surroundings(run_python, path, net):
    net.save(path)
    code = "import sys, fastmlp as fm; fm.load(sys.argv[1]).save(sys.argv[2])"
    surroundings = {"LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    for isa in ("", "scalar"):
        again = path.with_name("again")
        done = run_python(code, str(path), str(again), **surroundings, FASTMLP_ISA=isa)
        assert done.returncode == 0, done.stderr
        assert again.read_bytes() == path.read_bytes()


def test_large_networks(folder):
    """More than one piece of the writer, and more than one read."""
    net = fm.Network([700, 900, 3], seed=1, dtype="float64")
    net.save(folder / "model")
    assert np.array_equal(fm.load(folder / "model").parameters, net.parameters)


@pytest.mark.parametrize("name", ["", "__metadata__"])
def test_names_that_no_tensor_can_have(folder, name):
    with pytest.raises(ValueError, match="cannot be the name of a tensor"):
        files.write_archive(folder / "archive", {name: np.zeros(2)}, {})
    assert not list(folder.iterdir())


def test_more_dimensions_than_a_file_holds(folder):
    files.write_archive(folder / "archive", {"a": np.zeros((1,) * 8)}, {})
    before = (folder / "archive").read_bytes()
    with pytest.raises(ValueError, match="'a' has 9 dimensions"):
        files.write_archive(folder / "archive", {"a": np.zeros((1,) * 9)}, {})
    assert (folder / "archive").read_bytes() == before
