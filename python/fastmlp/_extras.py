"""Optional packages: imported when needed, with an error that says what to install."""

import sys
from importlib import import_module
from typing import Any


def require(module: str, needed_for: str, extra: str) -> Any:
    """Import a package that fastmlp does not depend on.

    Parameters
    ----------
    module : str
        The module to import.
    needed_for : str
        What the user asked for, for the message.
    extra : str
        The extra of fastmlp that installs it.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{needed_for} needs {package}: pip install 'fastmlp[{extra}]'", name=package
        ) from error


def imported(module: str, name: str) -> Any:
    """Return an attribute of a module, or None if the module is not imported (completely).

    A value cannot be an instance of a class whose module is not imported. Another thread may be in
    the middle of the import.
    """
    return getattr(sys.modules.get(module), name, None)
