"""Makes threadpoolctl, where it is used, see and limit the threads of fastmlp.

``threadpoolctl.threadpool_limits(1)`` then governs fastmlp and ``threadpool_info()`` lists it, with
``user_api`` and ``internal_api`` "fastmlp". A limit asked for ``"blas"`` or ``"openmp"`` only is
not ours.

threadpoolctl is no dependency, and importing it takes longer than importing fastmlp. So it is
told about fastmlp if it is there already, and else when somebody imports it: by a finder in front
of ``sys.meta_path`` which answers for that one name and leaves when it is done.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fastmlp import _core

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
    """Add the controller of fastmlp's shared library; threadpoolctl before 3.2 has no way to."""
    if not hasattr(threadpoolctl, "register"):
        return

    class FastmlpController(threadpoolctl.LibController):  # type: ignore[misc]
        """How threadpoolctl reads and sets the threads of fastmlp."""

        user_api = "fastmlp"
        internal_api = "fastmlp"
        # Other packages have a `_core` too. threadpoolctl looks at the symbols of each, after it
        # has asked for the version: only that must not touch the library.
        filename_prefixes = ("_core.",)
        check_symbols = ("fastmlp_get_num_threads", "fastmlp_set_num_threads")

        def get_num_threads(self) -> int:
            return int(self.dynlib.fastmlp_get_num_threads())

        def set_num_threads(self, num_threads: int) -> None:
            self.dynlib.fastmlp_set_num_threads(num_threads)

        def get_version(self) -> str:
            return _core.__version__

    threadpoolctl.register(FastmlpController)


class _Follower:
    """Finds threadpoolctl as the import system would, and registers as soon as it is executed."""

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
    """The loader of threadpoolctl and, once it has succeeded, the registration."""

    def __init__(self, loader: "Loader", follower: _Follower) -> None:
        self._loader = loader
        self._follower = follower

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # What the module says of itself, and who reads its source, must not see this loader.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if self._follower in sys.meta_path:
            sys.meta_path.remove(self._follower)
        _register(module)
