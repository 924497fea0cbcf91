"""`load` and `load_checkpoint`: networks from files."""

import os
from typing import Any

from fastmlp import _validation, files
from fastmlp.errors import ModelFormatError
from fastmlp.fitting.checkpoints import read_saved
from fastmlp.many.ensemble import ensemble_of
from fastmlp.model.model import Model
from fastmlp.model.model_files import read_model
from fastmlp.network import Network, network_of


def load(path: files.Path, *, allow_nonfinite: bool = False) -> Any:
    """Read what `Network.save`, `Ensemble.save` or `TabularModel.save` wrote, to the same bits.

    No code is executed. The whole file is read into memory and checked before it is used.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    allow_nonfinite : bool, default False
        Accept parameters that are NaN or infinite.

    Returns
    -------
    Network, Ensemble or TabularModel
        What the file holds: of an ensemble of one its network. A network has the dtype, seed and
        epoch of the saved one: it predicts, and continues to train, in the same way.

    Raises
    ------
    ModelFormatError
        If the file is damaged, inconsistent, or was not written by fastmlp or by a later version.
    TypeError
        If an argument has the wrong type.
    OSError
        If the file cannot be read, with errno and its name.
    MemoryError
        If there is not enough memory.

    Examples
    --------
    >>> net.save("model.safetensors")  # doctest: +SKIP
    >>> net = fm.load("model.safetensors")  # doctest: +SKIP
    """
    allow = _validation.switch("allow_nonfinite", allow_nonfinite)
    try:
        models, table = read_model(path, allow_nonfinite=allow)
    except ModelFormatError as error:
        if "not written by fastmlp" in error.problem:
            error.problem += "; fm.from_state_dict reads dense layers of other programs"
        else:
            from fastmlp.exchange.foreign_files import description  # noqa: PLC0415  (for errors)

            what = description(os.fsdecode(files.checked_path(path)))
            error.problem += "" if what is None else f"; it looks like {what}"
        raise
    file = files.shown(files.checked_path(path))
    if table is not None:
        # At its first use, so that `import fastmlp` stays fast.
        from fastmlp.tables.model import TabularModel  # noqa: PLC0415

        return TabularModel.from_file(file, models, table)
    if len(models) > 1:
        return ensemble_of(file, models)
    return network_of(models[0])


def load_checkpoint(path: files.Path) -> Network:
    """Read a network from a checkpoint, with the state it needs to continue training.

    Parameters
    ----------
    path : str or os.PathLike
        A file written by `Network.save_checkpoint` or a `Checkpoint`.

    Returns
    -------
    Network
        With its parameters, seed and epoch, and the state of its optimizer: another ``fit`` with
        the same optimizer continues with the same bits as if it had not been interrupted.

    Raises
    ------
    ModelFormatError
        If the file is damaged or not a checkpoint.
    TypeError
        If `path` is not a path.
    OSError
        If the file cannot be read, with errno and its name.
    """
    core, _ = read_saved(files.checked_path(path))
    return network_of(Model.of_core(core))
