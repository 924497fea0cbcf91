"""Python's interpreters: the core works in the main one only."""

from importlib import import_module


def refuse_subinterpreters() -> None:
    """Raise an ImportError in any but the main interpreter, where the core would hang for ever."""
    for name in ("_interpreters", "_xxsubinterpreters"):  # from Python 3.13 on, and before
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
