"""`load` and `load_checkpoint`: a network from a file."""

from fastmlp import _core, _validation, files
from fastmlp.fitting.checkpoints import read_saved
from fastmlp.model.model import Model
from fastmlp.network import Network, network_of


def load(path: files.Path, *, allow_nonfinite: bool = False) -> Network:
    """Read a network that `Network.save` wrote, to the same bits.

    No code of the file is run. The whole file is read into memory and checked before anything is
    made of it.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    allow_nonfinite : bool, default False
        Take parameters that are NaN or infinite, too.

    Returns
    -------
    Network
        Of the dtype, seed and epoch it was saved with: it predicts and trains on as that one
        would.

    Raises
    ------
    ModelFormatError
        If the file is damaged, was written by something else or by a later version, or does not
        make sense.
    TypeError
        If an argument has the wrong type.
    OSError
        If the file cannot be read, with errno and its name.
    MemoryError
        If there is not memory enough.

    Examples
    --------
    >>> net.save("model.safetensors")  # doctest: +SKIP
    >>> net = fm.load("model.safetensors")  # doctest: +SKIP
    """
    allow = _validation.switch("allow_nonfinite", allow_nonfinite)
    name = files.checked_path(path)
    files.refuse_too_large(name, copies=3)  # what is read, parameters and gradients
    core = files.reading(_core.load_network, name, allow)
    return network_of(Model.of_core(core))


def load_checkpoint(path: files.Path) -> Network:
    """Read a network from a checkpoint, with all that it needs to train on to the same bits.

    Parameters
    ----------
    path : str or os.PathLike
        A file that `Network.save_checkpoint` or a `Checkpoint` wrote.

    Returns
    -------
    Network
        With its parameters, seed and epoch, and with what its optimizer remembers: another
        ``fit`` with the same optimizer goes on where that one stood.

    Raises
    ------
    ModelFormatError
        If the file is damaged or no checkpoint.
    TypeError
        If `path` is not a path.
    OSError
        If the file cannot be read, with errno and its name.
    """
    return network_of(Model.of_core(read_saved(files.checked_path(path)).core))
