"""The configuration: version, instruction set, and the limit of threads."""

import os
from typing import Final, TypedDict

from fastmlp import _core, _validation

_VARIABLES: Final = ("FASTMLP_ISA", "FASTMLP_NUM_THREADS")
_OPENMP: Final = {name: value for name, value in os.environ.items() if name == "OMP_NUM_THREADS"}
"""Of which the core takes the value when it is loaded."""

__version__: Final = _core.__version__


class Config(TypedDict):
    """The result of `get_config`."""

    version: str
    isa: str
    available_isas: list[str]
    n_threads: int | None
    environment: dict[str, str]
    compiler: str


def get_config() -> Config:
    """Return what `show_config` prints, as a dictionary.

    Returns
    -------
    dict
        ``version`` of the package; ``isa``, the instruction set in use (set by the environment
        variable ``FASTMLP_ISA``, if any), and ``available_isas`` on this machine; ``n_threads``,
        the limit of threads, or None if ``FASTMLP_NUM_THREADS`` is not an integer of at least 1
        (computations raise a ValueError then); ``environment``, the relevant environment variables
        that are set, of which ``OMP_NUM_THREADS`` counts as it was at the import; ``compiler``,
        which built the core.
    """
    try:
        n_threads = _core.get_num_threads()
    except ValueError:
        n_threads = None
    return {
        "version": __version__,
        "isa": _core.isa(),
        "available_isas": _core.available_isas(),
        "n_threads": n_threads,
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ}
        | _OPENMP,
        "compiler": _core.compiler(),
    }


def show_config() -> None:
    """Print the version, the instruction sets, the threads and the compiler."""
    config = get_config()
    print(f"fastmlp   {config['version']}")
    print(f"isa       {config['isa']} (available: {', '.join(config['available_isas'])})")
    threads = config["n_threads"] or "none: FASTMLP_NUM_THREADS must be an integer >= 1"
    print(f"threads   {threads}")
    for name, value in config["environment"].items():
        print(f"          {name}={value}")
    print(f"compiler  {config['compiler']}")


def set_num_threads(n: int) -> None:
    """Set the limit of threads of this process. Results do not depend on it.

    Parameters
    ----------
    n : int
        At least 1. At most as many threads are used as this process may use cores.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is below 1.
    """
    _core.set_num_threads(_validation.threads("n", n))


def get_num_threads() -> int:
    """Return the limit of threads of this process."""
    return _core.get_num_threads()


def environment_limits_threads() -> bool:
    """Return whether a variable of the environment sets the limit that a process starts with."""
    return _core.environment_limits_threads()


def peak_gflops(dtype: str, n_threads: int) -> float:
    """Measure the FMA peak of this machine in GFLOP/s, which takes a moment.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        The type of the arithmetic.
    n_threads : int
        Threads that compute at once.
    """
    return _core.peak_gflops(dtype, n_threads)
