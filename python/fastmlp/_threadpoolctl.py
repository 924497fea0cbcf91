"""Registers fastmlp with threadpoolctl, if it is used, to report and limit its threads.

``threadpoolctl.threadpool_limits(1)`` then applies to fastmlp and ``threadpool_info()`` lists it,
with ``user_api`` and ``internal_api`` "fastmlp". Limits for ``"blas"`` or ``"openmp"`` only do not
apply.

threadpoolctl is not a dependency, and importing it takes longer than importing fastmlp. So fastmlp
registers if it is already imported, and otherwise when it gets imported: with a finder at the front
of ``sys.meta_path`` that handles this one name and removes itself afterwards.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fastmlp.config import __version__

if TYPE_CHECKING:
    from importlib.abc import Loader  # half the time of importing fastmlp


def follow() -> None:
    """Register with threadpoolctl now if it is imported, else at its import."""
    module = sys.modules.get("threadpoolctl")
    if module is not None:
        _register(module)
    else:
        sys.meta_path.insert(0, _Follower())


def _register(threadpoolctl: Any) -> None:
    """Add a controller for fastmlp's shared library; not possible before threadpoolctl 3.2."""
    if not hasattr(threadpoolctl, "register"):
        return

    class FastmlpController(threadpoolctl.LibController):  # type: ignore[misc]
        """Reads and sets the number of threads of fastmlp for threadpoolctl."""

        user_api = "fastmlp"
        internal_api = "fastmlp"
        # Other packages have a `_core`, too. threadpoolctl checks the symbols of each only after it
        # has called `get_version`, so that must not use the library.
        filename_prefixes = ("_core.",)
        check_symbols = ("fastmlp_get_num_threads", "fastmlp_set_num_threads")

        def get_num_threads(self) -> int:
            return int(self.dynlib.fastmlp_get_num_threads())

        def set_num_threads(self, num_threads: int) -> None:
            self.dynlib.fastmlp_set_num_threads(num_threads)

        def get_version(self) -> str:
            return __version__

    threadpoolctl.register(FastmlpController)


class _Follower:
    """Finds threadpoolctl as the import system does, and registers once it is executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "threadpoolctl":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _RegisteringLoader(spec.loader, self)  # type: ignore[assignment]
        return spec


class _RegisteringLoader:
    """The loader of threadpoolctl, followed by the registration."""

    def __init__(self, loader: "Loader", follower: _Follower) -> None:
        self._loader = loader
        self._follower = follower

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module's attributes, and tools that read its source, must not see this loader.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if self._follower in sys.meta_path:
            sys.meta_path.remove(self._follower)
        _register(module)
