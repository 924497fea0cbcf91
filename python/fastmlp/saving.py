"""`Saving`: a network in a file, in a checkpoint and in a pickle."""

from typing import Any

import numpy as np

from fastmlp import _validation, files
from fastmlp.fitting.checkpoints import save_checkpoint
from fastmlp.model.model import Model
from fastmlp.model.views import copy_into

_STATE_FORMAT = 2


class Saving(Model):
    """A `Model` that can be kept."""

    def save(self, path: files.Path, *, allow_nonfinite: bool = False) -> None:
        """Write the network to a file that `load` reads back to the same bits.

        The file is a safetensors file, which other programs read as it is: parameters, layers,
        loss, seed and epoch. Gradients, nodes, deltas and `feature_names` stay behind. It appears
        as a whole or not at all, also if the process is killed or the machine loses power: see
        ``docs/file-format.md``.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists. Of a symbolic link the file it leads to is replaced.
        allow_nonfinite : bool, default False
            Save parameters that are NaN or infinite, too, which `load` takes with the same word.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind.
        ValueError
            If a parameter is not finite; the old file is as it was.
        OSError
            If the system refuses, with errno and the file's name; the old file is as it was.
        RuntimeError
            If another thread is fitting the network.
        """
        allow = _validation.switch("allow_nonfinite", allow_nonfinite)
        self._core.save(files.checked_path(path), allow)

    def save_checkpoint(self, path: files.Path) -> None:
        """Write the network and what its optimizer remembers, for `load_checkpoint`.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists, as a whole or not at all.

        Raises
        ------
        TypeError
            If `path` is not a path.
        ValueError
            If a parameter, or what the optimizer remembers, is not finite; the old file is as it
            was.
        OSError
            If the system refuses; the old file is as it was.
        RuntimeError
            If another thread is fitting the network.
        """
        save_checkpoint(self._core, path)

    def __getstate__(self) -> dict[str, Any]:
        """Give plain values and one array, so that copies are independent and equal.

        Gradients, nodes and deltas stay behind. With pickle protocol 5 the array can travel out of
        band.
        """
        attributes = {name: value for name, value in self.__dict__.items() if name != "_core"}
        core = self._core
        with core.reading():  # copies: another thread may train while they are written
            kind, *moments, steps = core.optimizer_state
            moments = [None if moment is None else moment.copy() for moment in moments]
            return {
                "format": _STATE_FORMAT,
                "attributes": attributes,
                "seed": core.seed,
                "epoch": core.epoch,
                "parameters": core.parameters.copy(),
                "statistics": core.statistics.copy() if core.statistics.size else None,
                "optimizer": (kind, *moments, steps),
            }

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["format"] != _STATE_FORMAT:
            raise ValueError(
                f"the network was pickled in format {state['format']}, "
                f"this version reads format {_STATE_FORMAT}"
            )
        self.__dict__.update(state["attributes"])
        self._core = self._new_core(state["seed"])
        self._core.epoch = state["epoch"]
        copy_into("parameters", self._core.parameters, state["parameters"], self._core)
        if state["statistics"] is not None:
            copy_into("statistics", self._core.statistics, state["statistics"], self._core)
        kind, first, second, steps = state["optimizer"]
        # Copies: what a pickle maps from a file need not be aligned.
        first, second = (None if a is None else np.array(a) for a in (first, second))
        self._core.set_optimizer_state(kind, first, second, steps)
