"""``fit(comm=...)`` under MPI itself: processes, started by ``mpiexec``."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from threads_as_ranks import on_ranks

import fastmlp as fm
from fastmlp.cli import launched
from fastmlp.cli.train import Experiment, Settings

LAUNCHER = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")

pytestmark = [
    pytest.mark.alone,
    pytest.mark.once,
    pytest.mark.skipif(
        LAUNCHER is None or find_spec("mpi4py") is None, reason="MPI or mpi4py is not installed"
    ),
]

PROGRAM = """
import os, signal, sys, time, zlib
import numpy as np
from mpi4py import MPI
import fastmlp as fm
from fastmlp.fitting import shared_memory

comm, kind = MPI.COMM_WORLD, sys.argv[1]
rng = np.random.default_rng(0)
X, y = rng.normal(size=(300, 6)), rng.integers(0, 3, 300)
rows = {1: [300], 2: [200, 100], 4: [100, 0, 150, 50]}[comm.size]
first = sum(rows[: comm.rank])
mine = slice(first, first + rows[comm.rank])
net = fm.Network([6, 40, 3], seed=comm.rank)
epochs = 3
if kind == "messages":
    net = fm.Network([6, 2000, 3], seed=comm.rank)
    shared_memory.FOLDER = "/nowhere"  # as on several machines

times = []

def callback(network, report):
    times.append(time.process_time())
    if kind.startswith("sleep") and comm.rank == 1 and report.epoch == 2:
        time.sleep(1)
    if kind == "raise" and comm.rank == 1 and report.epoch == 2:
        raise ValueError("no luck")
    if kind in ("wait", "kill"):
        print(comm.rank, flush=True)
        time.sleep(0.01)

if kind in ("wait", "kill"):
    epochs = 10_000
class Alone:  # rank 0, which waits for a rank that does not come, and is interrupted twice
    def __init__(self, comm):
        self.comm, self.looks = comm, 0

    def __getattr__(self, name):
        return getattr(self.comm, name)

    def Idup(self):
        return self.comm, self

    def Test(self):
        self.looks += 1
        if self.looks in (3, 300):
            os.kill(os.getpid(), signal.SIGINT)
        return False

if kind == "alone" and comm.rank == 1:
    time.sleep(100)
if kind == "alone":
    comm = Alone(comm)
try:
    settings = {"reduction": "mpi"} if kind == "sleep, messages" else {}
    if kind == "kill":
        settings["checkpoint"] = sys.argv[0] + ".ckpt"
    net.fit(X[mine], y[mine], epochs=epochs, callbacks=callback, comm=comm, **settings)
except (ValueError, KeyboardInterrupt) as error:
    sys.stdout.write(f"{type(error).__name__} {error}\\n")
    if kind == "alone":  # mpiexec may lose what was written before the end of all ranks
        with open(sys.argv[0] + ".alone", "w") as file:
            file.write(f"{type(error).__name__} {error} {comm.looks}")
        comm.Abort(3)
else:
    if kind.startswith("sleep"):
        sys.stdout.write(f"{comm.rank} {times[2] - times[1]}\\n")
    else:
        sys.stdout.write(f"{zlib.crc32(net.parameters)}\\n")
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def mpiexec(ranks: int, program: Path, kind: str) -> list[str]:
    """Return the words of a command that runs the program on several ranks, also as root."""
    return [str(LAUNCHER), "-n", str(ranks), sys.executable, "-m", "mpi4py", str(program), kind]


ENVIRONMENT = os.environ | {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def run(ranks: int, program: Path, kind: str) -> list[str]:
    """Return the lines that the ranks printed, sorted."""
    done = subprocess.run(
        mpiexec(ranks, program, kind),
        capture_output=True,
        text=True,
        timeout=120,
        env=ENVIRONMENT,
        check=True,
    )
    return sorted(done.stdout.split("\n")[:-1])


def samples() -> tuple[np.ndarray, np.ndarray]:
    """Return those of the program, of all ranks."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 6)), rng.integers(0, 3, 300)


@pytest.mark.parametrize(("ranks", "kind"), [(2, "train"), (4, "train"), (4, "messages")])
def test_all_ranks_have_the_bits_of_threads_as_ranks(ranks, kind, program):
    """The sums are the same whoever passes the messages, which of 80 kB of gradients are blocks."""
    X, y = samples()
    rows = {2: [200, 100], 4: [100, 0, 150, 50]}[ranks]

    def train(comm, rank):
        first = sum(rows[:rank])
        mine = slice(first, first + rows[rank])
        net = fm.Network([6, 40 if kind == "train" else 2000, 3], seed=rank)
        net.fit(X[mine], y[mine], epochs=3, comm=comm)
        return zlib.crc32(net.parameters)

    assert run(ranks, program, kind) == [str(value) for value in on_ranks(ranks, train)]


def test_an_error_on_one_rank_ends_all(program):
    assert run(2, program, "raise") == ["ValueError no luck", "ValueError rank 1: no luck"]


@pytest.mark.parametrize("kind", ["sleep, shared memory", "sleep, messages"])
def test_a_rank_that_waits_gives_up_its_core(program, kind):
    """For one second, of which it takes a small part, and what other processes do counts not."""
    first, _ = run(2, program, kind)
    rank, seconds = first.split()
    assert rank == "0"
    assert float(seconds) < 0.5


def command_line(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line on two ranks, with one thread each."""
    return subprocess.run(
        [str(LAUNCHER), "-n", "2", sys.executable, "-m", "fastmlp", "train", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=ENVIRONMENT,
        check=False,
    )


def test_the_command_line_trains_on_all_ranks(tmp_path):
    """Rank 0 reports; the model has the bits of ranks that are threads."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    rows = [f"{x:.4f},{'even' if x > 0 else 'odd'}" for x in a]
    file, model = tmp_path / "table.csv", tmp_path / "model.safetensors"
    file.write_text("\n".join(["a,y", *rows]))
    options = ["--target", "y", "--epochs", "3", "--networks", "1", "--save", str(model)]
    done = command_line(str(file), *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("test: accuracy") == 1
    assert done.stdout.count("saved as") == 1

    def train(comm, rank):
        settings = Settings(target=("y",), epochs=3, networks=1)
        if rank > 0:
            return launched.train_along(settings, comm)
        experiment = launched.prepared(
            lambda threads: Experiment(str(file), settings, 0, comm, threads), settings, comm
        )
        experiment.run(lambda text: None)
        return experiment.model.networks[0].parameters.tobytes()

    assert on_ranks(2, train)[0] == fm.TabularModel.load(model).networks[0].parameters.tobytes()


@pytest.mark.parametrize("arguments", [("no_file.csv", "--target", "y"), ("digits", "--bogus")])
def test_the_command_line_reports_an_error_once(arguments):
    done = command_line(*arguments)
    assert done.returncode == 2
    assert done.stderr.count("fastmlp: error:") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["wait", "kill"])
def test_a_signal_to_one_rank_ends_all(kind, program):
    """Ctrl-C as an error of all ranks; a rank that is killed ends the job, its file is whole."""
    file = Path(f"{program}.ckpt")
    process = subprocess.Popen(
        mpiexec(2, program, kind), stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    try:
        process.stdout.readline()  # the fit has begun
        while kind == "kill" and not file.exists():
            process.stdout.readline()
        [rank] = ranks_of(process.pid, str(program))[:1]
        begin = time.monotonic()
        os.kill(rank, signal.SIGINT if kind == "wait" else signal.SIGKILL)
        rest, _ = process.communicate(timeout=60)
        seconds = time.monotonic() - begin
    finally:
        process.kill()
    assert seconds < 10
    if kind == "wait":
        words = sorted(line for line in rest.split("\n") if "Interrupt" in line)
        assert [word.startswith("KeyboardInterrupt") for word in words] == [True, True]
        assert "rank" in words[1]
    else:
        assert process.returncode != 0
        with pytest.warns(UserWarning, match="of 2 ranks is resumed by 1"):
            fm.Network([6, 40, 3]).fit(
                *samples(), 10_000, checkpoint=file, callbacks=lambda *_: True
            )


def test_a_second_interrupt_leaves_a_rank_that_does_not_come(program):
    """The first one waits for it, so that all ranks end together if they can."""
    done = subprocess.run(
        mpiexec(2, program, "alone"),
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
        check=False,
    )
    answer = Path(f"{program}.alone")
    assert answer.exists(), done.stderr
    assert answer.read_text() == "KeyboardInterrupt another rank did not answer 300"


def ranks_of(launcher: int, program: str) -> list[int]:
    """Return the processes below the launcher that run the program."""
    found = []
    for child in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if program.encode() in words and b"-n" not in words:
            found.append(int(child))
        else:
            found += ranks_of(int(child), program)
    return found
