"""`peer`: the module that talks to another library, imported when it is first used."""

from importlib import import_module
from typing import Any

from fastmlp._extras import require


def peer(module: str, library: str, needed_for: str) -> Any:
    """Import a module of this package, after the library that it talks to."""
    require(library, needed_for, library)
    return import_module(f"fastmlp.exchange.{module}")
