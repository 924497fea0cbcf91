"""The package's settings, as far as they exist in pure Python."""

import platform

from . import validation


def show_config() -> None:
    """Print the implementation: pure Python on one thread, and the interpreter."""
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    print("fastmlp.reference: pure Python, float64")
    print(f"threads   {get_num_threads()}")
    print(f"compiler  none; interpreted by {interpreter}")


def set_num_threads(n: int) -> None:
    """Accept an upper limit of threads; there is one thread here.

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
