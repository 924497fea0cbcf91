"""`peer`: imports the module for another library when it is first used."""

from importlib import import_module
from typing import Any

from fastmlp._extras import require


def peer(module: str, library: str, needed_for: str) -> Any:
    """Import a module of this package, after the library that it needs."""
    require(library, needed_for, library)
    return import_module(f"fastmlp.exchange.{module}")
