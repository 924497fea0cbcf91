"""Where C and C++ programs find the library installed with this package.

The package contains the headers, the static library and a CMake package, so ``pip install fastmlp``
is enough to build against it; see ``docs/embedding.md``.
"""

from pathlib import Path

from fastmlp import _core

_PREFIX = Path(_core.__file__).parent


def get_include() -> str:
    """Return the folder of the headers, for a compiler's ``-I``.

    Returns
    -------
    str
        The folder that holds ``fastmlp.h`` (C) and ``fastmlp/fastmlp.hpp`` (C++).
    """
    return str(_PREFIX / "include")


def get_cmake_dir() -> str:
    """Return the folder of the CMake package, for ``-Dfastmlp_DIR=``.

    Returns
    -------
    str
        The folder that holds ``fastmlp-config.cmake``.
    """
    return str(_PREFIX / "lib" / "cmake" / "fastmlp")
