"""What this installation is and runs on, and how many threads it may take."""

from typing import TypedDict

from fastmlp import _core, _validation


class Config(TypedDict):
    """What `get_config` gives."""

    version: str
    isa: str
    available_isas: list[str]
    n_threads: int
    compiler: str


def get_config() -> Config:
    """Return what `show_config` prints, as a dictionary.

    Returns
    -------
    dict
        ``version`` of the package; ``isa``, the instruction set in use (the environment variable
        ``FASTMLP_ISA`` forces one), and ``available_isas`` on this machine; ``n_threads``, the
        limit of threads; ``compiler`` that built the core.
    """
    return {
        "version": _core.__version__,
        "isa": _core.isa(),
        "available_isas": _core.available_isas(),
        "n_threads": _core.get_num_threads(),
        "compiler": _core.compiler(),
    }


def show_config() -> None:
    """Print the version, the instruction set and those available, the threads, the compiler."""
    config = get_config()
    print(f"fastmlp   {config['version']}")
    print(f"isa       {config['isa']} (available: {', '.join(config['available_isas'])})")
    print(f"threads   {config['n_threads']}")
    print(f"compiler  {config['compiler']}")


def set_num_threads(n: int) -> None:
    """Set the limit of threads of this process; results have the same bits for any number.

    Parameters
    ----------
    n : int
        At least 1. A number beyond the cores this process may use is an upper limit.

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
