"""The package's settings, as far as pure Python has any."""

import platform

from . import validation


def get_config() -> dict[str, object]:
    """Return what `show_config` prints.

    Returns
    -------
    dict
        ``isa`` and ``available_isas``, the instruction sets: here "python"; ``n_threads``, always
        1; ``compiler``, here the interpreter.
    """
    return {
        "isa": "python",
        "available_isas": ["python"],
        "n_threads": get_num_threads(),
        "compiler": f"{platform.python_implementation()} {platform.python_version()}",
    }


def show_config() -> None:
    """Print the settings."""
    print("fastmlp.reference: pure Python, float64, one thread")
    print(f"interpreter: {get_config()['compiler']}")


def set_num_threads(n: int) -> None:
    """Accept an upper limit of threads; there is one.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is below 1.
    """
    validation.integer("n", n, 1)


def get_num_threads() -> int:
    """Return the number of threads: 1."""
    return 1
