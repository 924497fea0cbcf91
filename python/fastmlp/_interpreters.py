"""Sub-interpreters: the core works in the main interpreter only."""

from importlib import import_module


def refuse_subinterpreters() -> None:
    """Raise an ImportError in a sub-interpreter, where the core would hang."""
    for name in ("_interpreters", "_xxsubinterpreters"):  # since Python 3.13, and before
        try:
            interpreters = import_module(name)
            is_main = interpreters.get_current() == interpreters.get_main()
        except (ImportError, AttributeError):
            continue
        if not is_main:
            raise ImportError(
                "fastmlp works in the main interpreter of a process only, no sub-interpreter: "
                "use threads or processes instead"
            )
        return
