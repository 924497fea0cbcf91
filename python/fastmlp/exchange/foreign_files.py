"""What a file of another program is, and which function reads it."""

import zipfile
from pathlib import Path
from typing import Final

_KERAS: Final = "a model of Keras: fm.from_keras(keras.saving.load_model(path)) reads it"
_TORCH: Final = (
    "a file of PyTorch: torch.load it, if you trust it; fm.from_torch reads a module, "
    "fm.from_state_dict its parameters"
)
_PICKLE: Final = (
    "a pickle: unpickle it, if you trust it; fm.from_sklearn, fm.from_torch and so on read what "
    "it holds"
)
_NUMPY: Final = "an array of NumPy: numpy.load reads it"
_BEGINNINGS: Final = {
    b"\x89HDF\r\n": _KERAS.replace("of Keras", "of Keras, or other data in HDF5"),
    b"GGUF": "a GGUF file of a language model, which no function here reads",
    b"\x93NUMPY": _NUMPY,
    **{b"\x80" + bytes([protocol]): _PICKLE for protocol in range(2, 6)},
}
_ENDINGS: Final = {
    ".onnx": "an ONNX graph: fm.from_onnx reads it",
    ".keras": _KERAS,
    ".h5": _KERAS,
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".pkl": _PICKLE,
    ".joblib": _PICKLE,
    ".msgpack": "parameters of Flax: with its model fm.from_flax(model, variables) reads them",
    ".eqx": "leaves of Equinox: with its model, loaded, fm.from_equinox reads them",
    ".tflite": "a TensorFlow Lite model, which no function here reads",
}


def description(name: str) -> str | None:
    """Return what a file of another program is, by its content or its name; None if unknown."""
    path = Path(name)
    try:
        with path.open("rb") as file:
            start = file.read(16)
        if start.startswith(b"PK\x03\x04"):
            return _of_archive(path)
    except (OSError, zipfile.BadZipFile):
        return None
    for beginning, text in _BEGINNINGS.items():
        if start.startswith(beginning):
            may_be_more = text in (_PICKLE, _NUMPY)
            return _ENDINGS.get(path.suffix.lower(), text) if may_be_more else text
    return _ENDINGS.get(path.suffix.lower())


def _of_archive(path: Path) -> str | None:
    """Return what a ZIP file is, by the names in it."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("data.pkl") for name in names):
        return _TORCH
    if "model.weights.h5" in names:
        return _KERAS
    if "schema.json" in names:
        return "a file of skops: skops.io.load reads it; fm.from_sklearn reads an estimator"
    if names and all(name.endswith(".npy") for name in names):
        return "arrays of NumPy: numpy.load reads them; fm.from_state_dict takes them by name"
    return None
