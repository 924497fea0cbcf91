"""``fastmlp predict``, ``evaluate`` and ``describe``: the commands that use a saved model."""

import csv
import io
import json
import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp import files
from fastmlp.cli.report import finite
from fastmlp.cli.sources import rows_of
from fastmlp.data._text import counted, listing
from fastmlp.errors import DataError
from fastmlp.loading import load
from fastmlp.many.ensemble import Ensemble
from fastmlp.network import Network
from fastmlp.tables.model import TabularModel
from fastmlp.tables.reading.table import Table


def load_model(path: str) -> TabularModel:
    """Read a model that ``fastmlp train --save`` wrote.

    Raises
    ------
    DataError
        If the file contains networks only, without the encoding of a table.
    ModelFormatError, OSError
        If the file cannot be read.
    """
    model = load(path)
    if not isinstance(model, TabularModel):
        what = "an ensemble" if isinstance(model, Ensemble) else "a network"
        raise DataError(
            f"{path}: {what} without a table, which knows nothing of columns: in Python "
            "fm.load(path).predict(X) takes arrays; here, use what fastmlp train --save wrote"
        )
    return model


def predict(path: str, source: str, output: str | None, *, proba: bool) -> None:
    """Write predictions for a table as CSV, to a file or to standard output.

    Raises
    ------
    DataError
        If the table cannot be read or lacks a column.
    OSError
        If a file cannot be read or written.
    """
    model = load_model(path)
    with notes_on_stderr():
        text = _answers(model, rows_of(source), proba=proba)
    if output is None:
        sys.stdout.write(text)
    else:
        files.write_file(output, text.encode())


def evaluate(path: str, source: str, weight: str | None, *, as_json: bool) -> None:
    """Print the scores of the predictions for a table, weighted by a column of it if one is named.

    Raises
    ------
    DataError, OSError
        As `predict`, or if the table lacks the target.
    """
    model = load_model(path)
    with notes_on_stderr():
        scores = model.evaluate(rows_of(source), sample_weight=weight)
    print(json.dumps(finite(scores.to_dict())) if as_json else scores)


def describe(path: str, *, as_json: bool) -> None:
    """Print what a model was trained on, and its scores, or the layers of networks.

    Raises
    ------
    ModelFormatError, OSError
        If it cannot be read.
    """
    model = load(path)
    if isinstance(model, TabularModel):
        _describe_table(model, as_json=as_json)
    elif isinstance(model, Ensemble):
        _describe_ensemble(model, as_json=as_json)
    else:
        _describe_network(model, as_json=as_json)


def _describe_network(network: Network, *, as_json: bool) -> None:
    """Print the layers of a network, and the names of its features and classes."""
    if as_json:
        print(json.dumps({**_size(network), **_names(network), **_own(network)}))
        return
    print(network.summary())
    _print_names(network)


def _describe_ensemble(ensemble: Ensemble, *, as_json: bool) -> None:
    """Print the layers of each member, and the names of features and classes, which all share."""
    if as_json:
        members = [{**_size(network), **_own(network)} for network in ensemble]
        print(json.dumps({"networks": len(ensemble), **_names(ensemble[0]), "members": members}))
        return
    print(repr(ensemble))
    for i, network in enumerate(ensemble):
        print(f"\nmember {i}, seed {network.seed}, epoch {network.epoch}\n{network.summary()}")
    _print_names(ensemble[0])


def _size(network: Network) -> dict[str, Any]:
    return {"layers": [network.features, *(layer.nodes for layer in network.layers)]}


def _own(network: Network) -> dict[str, Any]:
    return {
        "parameters": network.summary().n_parameters,
        "dtype": network.dtype.name,
        "seed": network.seed,
        "epoch": network.epoch,
    }


def _names(network: Network) -> dict[str, Any]:
    return {"features": network.feature_names, "classes": network.class_names}


def _print_names(network: Network) -> None:
    for what, known in _names(network).items():
        if known is not None:
            print(f"{what}: {listing(known)}")


def _describe_table(model: TabularModel, *, as_json: bool) -> None:
    """Print how a model uses its columns, and its scores."""
    target, first = model.target, model.networks[0]
    if as_json:
        content = {
            "target": target.names,
            "task": target.task,
            "classes": target.classes or None,
            "columns": [vars(column) for column in model.columns],
            "notes": list(model.notes),
            "networks": len(model.networks),
            "layers": [first.features, *(layer.nodes for layer in first.layers)],
            "seed": model.seed,
            "scores": {name: scores.to_dict() for name, scores in model.scores.items()},
        }
        print(json.dumps(finite(content)))
        return
    print(repr(model))
    print(model.columns)
    for note in model.notes:
        print(f"note: {note}")
    print(f"{counted(len(model.networks), 'network')}, each a {first!r}")
    for name, scores in model.scores.items():
        print(f"\n{name}: {scores}")


def _answers(model: TabularModel, table: Table | str, *, proba: bool) -> str:
    """Return predictions as CSV with a header: the names of the targets or of the classes."""
    names = model.target.names
    if proba:
        values = model.predict_proba(table)
        if model.target.task == "classification":
            names = [f"{names[0]}={label}" for label in model.target.classes]
    else:
        values = model.predict(table)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(values.reshape(len(values), -1).tolist())  # repr of a float is exact
    return text.getvalue()


@contextmanager
def notes_on_stderr(known: Callable[[], Collection[str]] = tuple) -> Iterator[None]:
    """Write warnings to standard error, one line each, without those that are known at the end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    said = set(known())
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        if message not in said:
            print(f"fastmlp: note: {message}", file=sys.stderr)
