"""`UnchangedIfRefused`: a fit that is refused leaves the network as it was."""

from types import TracebackType

from fastmlp.fitting.resuming import Saved
from fastmlp.model.feature_names import Names
from fastmlp.model.model import Core, Model


class UnchangedIfRefused:
    """Sets the feature names of the training data, unless an error occurs before the first step.

    What was restored from a checkpoint is then undone, too.
    """

    def __init__(self, model: Model, names: Names | None, saved: Saved | None) -> None:
        self._core, self._names, self._saved = model.core, names, saved
        self._core_before = None if saved is None else model.copied_core()
        self._names_before = model.core.feature_names
        self._position = _position(model.core)

    def __enter__(self) -> None:
        if self._names != self._names_before:
            self._core.feature_names = self._names

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        core, saved = self._core, self._saved
        refused = isinstance(error, TypeError | ValueError)
        if refused and saved is not None and _position(core) == _position(saved.core):
            core.assign(self._core_before)  # type: ignore[arg-type]
        if self._names != self._names_before and _position(core) == self._position:
            core.feature_names = self._names_before


def _position(core: Core) -> tuple[int, int]:
    """Return the epochs and steps of a network, which are unchanged if no step was made."""
    return core.epoch, core.steps
