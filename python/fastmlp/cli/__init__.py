"""The command ``fastmlp``; `main` runs it in this process."""

from fastmlp.cli.main import main

__all__ = ["main"]
