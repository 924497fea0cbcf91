"""The files that the commands write, checked before their work."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fastmlp import files
from fastmlp.errors import DataError
from fastmlp.tables.reading.formats.opening import COMPRESSED

_TABLES: Final = {
    "Excel": (".xlsx", ".xls", ".xlsm", ".ods"),
    "Parquet": (".parquet", ".pq"),
    "Arrow": (".arrow", ".feather", ".ipc"),
    "JSON": (".json", ".jsonl", ".ndjson"),
    "NumPy": (".npy", ".npz"),
    "ARFF": (".arff",),
    "svmlight": (".svm", ".libsvm", ".svmlight"),
    "tab-separated": (".tsv", ".tab"),
    "compressed": COMPRESSED,
}
_MODELS: Final = {
    "fastmlp": (".safetensors",),
    "ONNX": (".onnx",),
    "PyTorch": (".pt", ".pth"),
    "Keras": (".keras", ".h5", ".hdf5"),
    "pickle": (".pkl", ".pickle", ".joblib"),
}
_OTHERS: Final = {
    "PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "PDF": (".pdf",), "SVG": (".svg",),
    "HTML": (".html", ".htm"), "Markdown": (".md",),
}  # fmt: skip
_CSV: Final = {"CSV": (".csv",)}

_NOT_CSV: Final = {**_TABLES, **_MODELS, **_OTHERS}
_NOT_A_MODEL: Final = {
    **_TABLES, **_OTHERS, **_CSV, **{name: _MODELS[name] for name in _MODELS if name != "fastmlp"},
    "text": (".txt",),
}  # fmt: skip


def check_csv(path: str, inputs: Iterable[str | None]) -> None:
    """Refuse a path to which no CSV file should be written.

    Parameters
    ----------
    path : str
        The file to write.
    inputs : iterable of str or None
        The files that the command reads.

    Raises
    ------
    DataError
        If its ending is that of another format, or if it is one of the inputs.
    OSError
        If its folder does not exist.
    """
    check_path(path, inputs)
    _refuse_ending("--output", path, "CSV", "such as answers.csv", _NOT_CSV)


def check_model(path: str, inputs: Iterable[str | None]) -> None:
    """Refuse a path to which no model should be written, as `check_csv` does."""
    written = "a model in a safetensors file"
    check_path(path, inputs)
    _refuse_ending("--save", path, written, "such as model.safetensors", _NOT_A_MODEL)


def check_path(path: str, inputs: Iterable[str | None]) -> None:
    """Refuse a path without a folder, a device, and an input, which would be overwritten."""
    os.scandir(Path(path).parent).close()  # raises if the folder does not exist
    files.refuse_devices(path)
    for source in filter(None, inputs):
        if Path(path).exists() and Path(source).exists() and Path(path).samefile(source):
            raise DataError(f"{path}: the command reads this file and would overwrite it")


def _refuse_ending(
    option: str, path: str, written: str, example: str, others: dict[str, tuple[str, ...]]
) -> None:
    ending = Path(path).suffix.lower()
    for name, endings in others.items():
        if ending in endings:
            raise DataError(
                f"{option} writes {written}, but {ending} is the ending of {name} files: use "
                f"another, {example}"
            )
