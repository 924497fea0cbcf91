"""Every library runs in a separate process, and all others wait while one is timed."""

import importlib
import importlib.metadata
import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from typing import Any

from cases import Problem

REST = 0.05  # seconds for the spinning threads of the one before to fall asleep


def bind_threads(n_threads: int) -> None:
    """Limit this process and its children to this many processors, in every library."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < n_threads:
        raise SystemExit(f"{n_threads} threads asked for, {len(allowed)} processors are here")
    os.sched_setaffinity(0, allowed[:n_threads])
    for name in ("OMP", "MKL", "OPENBLAS", "FASTMLP"):
        os.environ[f"{name}_NUM_THREADS"] = str(n_threads)
    os.environ["JAX_PLATFORMS"] = "cpu"


class Contestant:
    """What runs in the process: one class of one module of `peers`."""

    def __init__(self, module: str, role: str) -> None:
        self.module = importlib.import_module(f"peers.{module}")
        self.role = role
        self.entry: Any = None

    def version(self) -> str:
        """Return the library's version."""
        return importlib.metadata.version(self.module.DISTRIBUTION)

    def prepare(self, problem: Problem, n_threads: int) -> float:
        """Set up, warm up; return the seconds of one unit of work."""
        self.entry = getattr(self.module, self.role)(problem, n_threads)
        self.entry.run(1)
        return min(self.time(1) for _ in range(2))

    def time(self, count: int) -> float:
        """Return the seconds of `count` units of work."""
        start = time.perf_counter()
        self.entry.run(count)
        return time.perf_counter() - start

    def ask(self, name: str) -> Any:
        """Call a method of the entry without arguments."""
        return getattr(self.entry, name)()

    def release(self) -> None:
        """Drop the entry and its memory."""
        self.entry = None


def serve(connection: Connection, module: str, role: str) -> None:
    """Answer calls until the other end closes; an error is an answer too."""
    contestant: Contestant | None = None
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:
            return
        try:
            contestant = contestant or Contestant(module, role)
            connection.send((True, getattr(contestant, method)(*arguments)))
        except Exception as error:  # noqa: BLE001  (another library's failure is a result)
            connection.send((False, f"{type(error).__name__}: {error}".splitlines()[0]))


class PeerError(Exception):
    """A peer failed; the message is the reason."""


class Worker:
    """The near end of a contestant."""

    def __init__(self, module: str, role: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, far = context.Pipe()
        self.process = context.Process(target=serve, args=(far, module, role), daemon=True)
        self.process.start()
        far.close()

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the contestant, after all others are idle."""
        time.sleep(REST)
        self.connection.send((method, arguments))
        fine, answer = self.connection.recv()
        if not fine:
            raise PeerError(answer)
        return answer

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join()
