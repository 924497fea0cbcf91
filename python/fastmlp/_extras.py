"""Optional packages: imported when something needs them, or a message that says what to install."""

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
        The extra of fastmlp that brings it.

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
    """Return what a module has of that name, None if it is not imported, or not that far yet.

    What is not imported cannot have made the value that is looked at. Another thread may be in the
    middle of the import.
    """
    return getattr(sys.modules.get(module), name, None)
