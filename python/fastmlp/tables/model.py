"""`TabularModel`: from rows of a table to predictions in the labels and units of the target.

The file is over 400 lines because of the docstrings of the public class, which are the contract.
"""

from __future__ import annotations

import inspect
import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation, files
from fastmlp._extras import require
from fastmlp._validation.foreign_names import hints_at_arguments, missing_attribute, suggestion
from fastmlp.data._text import counted, listing
from fastmlp.errors import ModelFormatError
from fastmlp.layers import ActivationLike
from fastmlp.many.ensemble import mean_outputs
from fastmlp.model.model import Model
from fastmlp.model.model_files import TableData, read_model, write_model
from fastmlp.network import Network, model_of, network_of
from fastmlp.settings.optimizers import Optimizer
from fastmlp.tables.encoding.columns import Columns, refuse_other_units
from fastmlp.tables.encoding.features import Features, text_columns
from fastmlp.tables.encoding.fit_encoders import fit_encoders
from fastmlp.tables.encoding.target import (
    Target,
    answers,
    class_array,
    read_target,
    true_targets,
)
from fastmlp.tables.encoding.time_zones import zone_note
from fastmlp.tables.reading.known import Known
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.table import Rows, Table
from fastmlp.tables.saved import Learned, check_storable, from_table, to_table
from fastmlp.tables.scores import Scores, score
from fastmlp.tables.training.networks import Settings
from fastmlp.tables.training.over_ranks import prepared_by_rank_0
from fastmlp.tables.training.preparation import Preparation
from fastmlp.tables.training.selection import Selection, select

if TYPE_CHECKING:
    from fastmlp.history import History

_ASSIGNED: Final = ("seed", "networks", "histories", "notes", "scores")

Frame = Any
"""A table: a path, a frame, a mapping of names to arrays, or an iterator or list of these."""


class TabularModel:
    """Networks that predict a column of a table from the others.

    The encoding of each column is chosen from the training part and reported in `columns`. A
    prediction is the mean over several networks, which differ in their initial weights and in the
    rows held out for early stopping.

    Parameters
    ----------
    hidden : sequence of int, default (128, 64)
        Nodes of the hidden layers.
    task : {"classification", "regression"}, optional
        None infers it from the target: text, yes and no, and whole numbers with at most 20 distinct
        values are classes, other numbers a regression.
    networks : int, default 4
        The number of networks to average.
    seed : int, optional
        In [0, 2^64). The seeds of the networks are drawn from it, by Philox, so that models of
        different seeds share no network; they determine initial weights, order of samples and
        held-out rows. None draws one, which `seed` returns.
    activation : str, default "relu"
        Of the hidden layers.
    dropout : float, optional
        Of the hidden layers; None is 0.25 for classes and 0.1 for numbers.
    epochs : int, optional
        Upper limit of epochs; None is 300, fewer for more than 66,000 rows.
    batch_size : int, optional
        Samples per step; None is 64, an eighth of the rows if they are few, more if they are many.
    optimizer : Optimizer, optional
        None is AdamW(0.004, weight_decay=0.1), with the rate 0.01 for classes. For these it is
        halved when the loss of the held-out rows has not fallen for 5 epochs, and fewer than 1,000
        rows have more weight decay, up to 1.
    patience : int, optional
        A network stops after this many epochs without improvement; None is 30, 12 for classes.
    numbers : {"piecewise", "standardized"}, default "piecewise"
        Whether numbers are cut into pieces beside being standardized: up to 128 each where there
        are few columns of numbers, 8 where there are 32, 4 for classes, none where there are very
        many. A column of more than 30 numbers that repeat, like those of persons, also has the
        cross-fitted mean of the target for each number, if there are few such columns, and on
        average 6 rows for each number, 2 for classes. A
        table of numbers without gaps that are only standardized needs no preparation: the networks
        take its columns and give answers in the units of the target, each for itself.
    words : {"one-hot", "target means"}, default "one-hot"
        The encoding of text with more than 30 values: an input for each of the 200 most frequent,
        or the cross-fitted mean of the target.
    n_threads : int, optional
        Upper limit of threads; None is the limit of the process. The result does not depend on it.
    verbose : int, default 0
        1 shows the progress of the first network on standard error.

    Attributes
    ----------
    columns : Columns
        How each column is encoded, and why; printable.
    networks : tuple of Network
        The trained networks.
    histories : tuple of History
        The history of each.
    notes : tuple of str
        Irregularities of the table, one sentence each.
    scores : dict of str to Scores
        Scores of the model on parts of the data, by name; saved by `save`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range.

    Examples
    --------
    >>> model = fm.TabularModel(seed=1)  # doctest: +SKIP
    >>> model.fit("houses.csv", target="price")  # doctest: +SKIP
    >>> model.predict("new.csv")  # doctest: +SKIP
    """

    @hints_at_arguments
    def __init__(
        self,
        hidden: Sequence[int] = (128, 64),
        *,
        task: Literal["classification", "regression"] | None = None,
        networks: int = 4,
        seed: int | None = None,
        activation: ActivationLike = "relu",
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: Optimizer | None = None,
        patience: int | None = None,
        numbers: Literal["piecewise", "standardized"] = "piecewise",
        words: Literal["one-hot", "target means"] = "one-hot",
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        if task is not None:
            _validation.choice("task", task, ("classification", "regression"))
        if isinstance(hidden, str | os.PathLike | Mapping) or hasattr(hidden, "columns"):
            raise TypeError(
                f"hidden must be a sequence of int, got {_validation.described(hidden)}; "
                "a table is an argument of fit: TabularModel().fit(table, target=...)"
            )
        sizes = _validation.items("hidden", hidden, "a sequence of int")
        self._task = task
        self._settings = Settings(
            tuple(
                _validation.integer(f"hidden[{i}]", size, minimum=1) for i, size in enumerate(sizes)
            ),
            _validation.integer("networks", networks, minimum=1),
            activation,
            dropout,
            None
            if epochs is None
            else _validation.integer("epochs", epochs, minimum=1, maximum=2**32 - 1),
            None
            if batch_size is None
            else _validation.integer("batch_size", batch_size, minimum=1),
            optimizer,
            None if patience is None else _validation.integer("patience", patience, minimum=1),
            None if n_threads is None else _validation.threads("n_threads", n_threads),
            _validation.verbosity(verbose),
        )
        self._numbers = _validation.choice("numbers", numbers, ("piecewise", "standardized"))
        self._words = _validation.choice("words", words, ("one-hot", "target means"))
        # Making a network validates the settings before a file is read.
        probe = Network([1, *self._settings.hidden, 1], activation=activation, output="identity",
                        dropout=0.0 if dropout is None else dropout, seed=seed)  # fmt: skip
        self.seed: int = probe.seed
        self._features: Features | None = None
        self._target: Target | None = None
        self.networks: tuple[Network, ...] = ()
        self.histories: tuple[History, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.scores: dict[str, Scores] = {}

    def __setattr__(self, name: str, value: object) -> None:
        # A misspelled setting would have no effect. A subclass may have attributes of its own.
        if type(self) is TabularModel and not name.startswith("_") and name not in _ASSIGNED:
            if name in (settings := inspect.signature(TabularModel).parameters):
                why = f"{name!r} is chosen when the model is made: TabularModel({name}=...)"
            elif hasattr(TabularModel, name):
                why = f"{name!r} cannot be assigned"
            else:
                close = suggestion(name, [*_ASSIGNED, *settings])
                why = f"a TabularModel has no attribute {name!r}{close}"
            raise AttributeError(why, name=name, obj=self)
        super().__setattr__(name, value)

    @hints_at_arguments
    def fit(
        self,
        table: Frame,
        target: str | Sequence[str] | None = None,
        *,
        sample_weight: str | ArrayLike | None = None,
        groups: str | ArrayLike | None = None,
        validation_fraction: float | None = 0.15,
        features: Sequence[str] | None = None,
        drop: Sequence[str] = (),
        missing_target: Literal["drop", "error"] = "drop",
        comm: Any = None,
    ) -> TabularModel:
        """Train on a table.

        Parameters
        ----------
        table : str, os.PathLike, frame, mapping, or iterator or list of these
            The path of a file; a frame of pandas, polars or pyarrow; or a mapping of names to
            arrays of one length. The rows of several, such as record batches, are concatenated.
        target : str or sequence of str, optional
            The column to predict, or several: all numbers, or all yes and no. None is for formats
            that define the target.
        sample_weight : str or array-like, shape (n,), optional
            Weights of the rows, or the column that contains them.
        groups : str or array-like, shape (n,), optional
            Groups of the rows, or the column that contains them. Rows of a group are held out
            together.
        validation_fraction : float or None, default 0.15
            The share of the rows, above 0 and below 1, that each network holds out for early
            stopping; None trains on all rows, for `epochs`.
        features : sequence of str, optional
            The columns to use; None means all others.
        drop : sequence of str, optional
            Columns not to use.
        missing_target : {"drop", "error"}, default "drop"
            Whether rows without a target are left out, with a note, or raise an error.
        comm : mpi4py.MPI.Comm, optional
            Train with other ranks: rank 0 prepares its table, whatever the others pass, and each
            reads its share of the rows from the files, or rank 0 sends them; see the guide.

        Returns
        -------
        TabularModel
            Itself.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit.
        DataError
            If the table cannot be read, or nothing can be learned from it.
        DivergenceError
            If the loss became infinite or not a number.
        KeyboardInterrupt
            On Ctrl-C; the model then has the networks of their best epochs so far.
        """
        if target is not None and not isinstance(target, str):
            target = _validation.items("target", target, "a name or a sequence of names")
        named = [target] if isinstance(target, str) else target or ()

        def learn() -> Preparation:
            selection = select(
                read(table, Known(targets=named)),
                target,
                features=features,
                drop=drop,
                weight=sample_weight,
                groups=groups,
                missing_target=missing_target,
            )
            return self._learn(selection, selection.rows, validation_fraction)

        return self._train(learn, comm)

    def fit_rows(
        self,
        selection: Selection,
        rows: Rows,
        validation_fraction: float | None = 0.15,
        *,
        like: Target | None = None,
        before_training: Callable[[Features, Target], None] | None = None,
        comm: Any = None,
    ) -> TabularModel:
        """Train on some rows of a selection, as `fit` does; for the command line.

        The task is that of `like`, which was inferred from more rows than these. `before_training`
        is called with the fitted encoding before the networks are trained.

        Raises
        ------
        TypeError, ValueError, DataError, DivergenceError, KeyboardInterrupt
            As `fit`.
        """

        def learn() -> Preparation:
            return self._learn(selection, rows, validation_fraction, like, before_training)

        return self._train(learn, comm)

    def _learn(
        self,
        selection: Selection,
        rows: Rows,
        validation_fraction: float | None,
        like: Target | None = None,
        describe: Callable[[Features, Target], None] | None = None,
    ) -> Preparation:
        """Return the encoding of the columns of some rows, and what networks learn from them."""
        fraction = 0.0
        if validation_fraction is not None:
            fraction = _validation.share(
                "validation_fraction", validation_fraction,
                zero=False, one=False, alternative="None for none",
            )  # fmt: skip
        target, y = read_target(selection.table, rows, selection.targets, self._task, guess=like)
        class_rows = y if target.task == "classification" else np.zeros(len(rows), np.int8)
        weight = None if selection.weight is None else selection.weight[rows]
        groups = None
        if selection.groups is not None:
            groups = np.unique(selection.groups[rows], return_inverse=True)[1]
        features, trained = fit_encoders(
            selection.table,
            rows,
            selection.features,
            _for_means(target, y),
            numbers=self._numbers,  # type: ignore[arg-type]
            words=self._words,  # type: ignore[arg-type]
            classes=target.task != "regression",
            groups=groups,
            seed=self.seed,
        )
        check_storable(features, target)
        if features.is_raw:
            target = target.left_to_the_network()
        return Preparation(
            selection,
            rows,
            features,
            trained,
            target,
            target.scaled(y) if target.is_scaled else y,
            weight,
            class_rows,
            groups,
            fraction,
            self.seed,
            describe,
        )

    def _train(self, learn: Callable[[], Preparation], comm: Any) -> TabularModel:
        """Train the networks as `learn` returns, which is called on rank 0 if there are ranks."""
        if comm is None:
            prepared = learn().prepared(self._settings)
        else:
            prepared = prepared_by_rank_0(learn, self._settings, comm)
        training = prepared.training
        try:
            training.run()
        finally:
            if any(network.epoch for network in training.networks):
                self._features, self._target = prepared.features, prepared.target
                self.seed = prepared.seed
                self.networks = tuple(net for net in training.networks if net.epoch)
                self.histories = tuple(h for h in training.histories if h is not None)
                self.notes, self.scores = prepared.notes, {}
        return self

    def save(self, path: files.Path) -> None:
        """Write the model to a file. `load` returns a model whose predictions have the same bits.

        The file contains the networks and the fitted encoding of the columns as plain data; see
        ``docs/file-format.md``. `fastmlp_tabular_load` in C and `fastmlp::TabularModel` in C++
        read it if all columns are numbers, and give the same bits; otherwise they name a column.
        Writing is atomic.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists.

        Raises
        ------
        RuntimeError
            If the model has not been fitted.
        TypeError, ValueError
            If `path` is not a path, or a parameter is not finite; an old file is unchanged.
        OSError
            If the file cannot be written; the old file is unchanged.
        """
        features, target = self._learned()
        settings = {**self._settings.plain(), "numbers": self._numbers, "words": self._words}
        scores = {name: score.to_dict() for name, score in self.scores.items()}
        learned = Learned(
            features, target, self.seed, {**settings, "task": self._task}, self.notes, scores
        )
        write_model(path, [model_of(net) for net in self.networks], to_table(learned))

    def to_onnx(self, path: files.Path) -> None:
        """Write the model as an ONNX file, from raw columns to predictions.

        Each column is an input (rows, 1) with its name: numbers as double, NaN if missing; text,
        yes and no, and days such as 2020-12-31 as strings without surrounding blanks, "" if
        missing; vectors as double (rows, k). The output `answer` is the result of `predict`, for
        numbers as (rows, targets); for classes there is also `probabilities`. An output with the
        name of a column has an underscore after it, ``answer_``.
        Needs ``pip install 'fastmlp[onnx]'``; operator set 20.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists.

        Raises
        ------
        ValueError
            If a column cannot be expressed; it names the column.
        ImportError
            If onnx is not installed.
        RuntimeError
            If the model has not been fitted.
        OSError
            If the file cannot be written; the old file is unchanged.
        """
        features, target = self._learned()
        require("onnx", "to_onnx", "onnx")
        from fastmlp.tables.onnx_export import table_model  # noqa: PLC0415  (imports onnx)

        model = table_model(features, target, self.networks)
        files.write_file(path, model.SerializeToString(deterministic=True))

    @classmethod
    def load(cls, path: files.Path) -> TabularModel:
        """Read a model that `save` wrote.

        Predictions and scores are those of the saved model. `fit` trains with its settings, except
        for the optimizer, which is the default.

        Parameters
        ----------
        path : str or os.PathLike
            The file.

        Raises
        ------
        ModelFormatError
            If the file is damaged, or contains networks only.
        TypeError, OSError, MemoryError
            As `fastmlp.load`.
        """
        models, table = read_model(path)
        if table is None:
            name = files.shown(files.checked_path(path))
            raise ModelFormatError(
                name, "metadata 'table'", 8, "is not there: read networks alone with fastmlp.load"
            )
        return cls.from_file(files.shown(files.checked_path(path)), models, table)

    @classmethod
    def from_file(cls, file: str, models: Sequence[Model], table: TableData) -> TabularModel:
        """Return the model from the content of a file; for `fastmlp.load`."""
        networks = tuple(network_of(model) for model in models)
        shapes = {(net.features, net.layers[-1].nodes) for net in networks}
        if len(shapes) > 1:
            raise ModelFormatError(file, "metadata 'ensemble'", 8, "the networks differ in size")
        learned = from_table(file, table, *shapes.pop())
        try:
            model = cls(**learned.settings, seed=learned.seed)
            model.scores = {name: Scores.of_dict(each) for name, each in learned.scores.items()}
        except (TypeError, ValueError, KeyError) as error:
            raise ModelFormatError(file, "metadata 'table'", 8, str(error)) from None
        model._features, model._target = learned.features, learned.target
        model.networks, model.notes = networks, learned.notes
        return model

    def batch_size(self, rows: int) -> int:
        """Return the samples per step for a number of rows."""
        return self._settings.batch(rows)

    @property
    def columns(self) -> Columns:
        """How each column is encoded, and why."""
        return self._learned()[0].columns

    @property
    def target(self) -> Target:
        """The task."""
        return self._learned()[1]

    @property
    def network(self) -> Network:
        """The first of `networks`."""
        self._learned()
        return self.networks[0]

    def predict(self, table: Frame) -> NDArray[Any]:
        """Return predictions for the rows of a table.

        Parameters
        ----------
        table : str, os.PathLike, frame, mapping, or iterator or list of these
            As for `fit`, with the columns of the training; others are ignored. Unknown words and
            missing cells are allowed, with a warning if most words of a column are unknown. Cells
            that are not the expected number or date count as missing, with a warning.
            Irregularities of a file are warnings, unless the training had them, too. If the decimal
            mark of a text file is not clear, as in 1,000, it is that of the training. Text in
            frames, mappings and other files is then refused if the training had decimal commas and
            the number depends on it.

        Returns
        -------
        ndarray, shape (n,), or (n, targets) of several
            Classes as in the target: text as str, numbers as int or float, true and false as bool;
            or numbers in the units of the target, float64. A CSV file does not tell text from
            numbers: classes that are all numbers are numbers, unless one is like 01.

        Raises
        ------
        DataError
            If the table cannot be read, or lacks a column.
        RuntimeError
            If the model has not been fitted.
        """
        return answers(self.target, self._outputs(self._read(table)))

    def predict_proba(self, table: Frame) -> NDArray[np.float64]:
        """Return the probabilities of the classes, or of yes for several targets.

        Parameters
        ----------
        table : str, os.PathLike, frame, mapping, or iterator or list of these
            As for `predict`.

        Returns
        -------
        ndarray, shape (n, classes), or (n, targets) of several
            In the order of `classes`, or of the targets.

        Raises
        ------
        ValueError
            If the target is a number.
        DataError, RuntimeError
            As `predict`.
        """
        if self.target.task == "regression":
            raise ValueError("predict_proba is for classes; the target of this model is a number")
        return self._outputs(self._read(table))

    @property
    def classes(self) -> NDArray[Any]:
        """The classes, in the order of the columns of `predict_proba`.

        Raises
        ------
        ValueError
            If the target is a number, or several are yes or no.
        """
        if self.target.task == "labels":
            raise ValueError(
                f"each of the targets of this model, {listing(self.target.names)}, is yes or no: "
                "the columns of predict_proba are these"
            )
        if self.target.task != "classification":
            raise ValueError("the target of this model is a number and has no classes")
        return class_array(self.target.classes)

    def evaluate(self, table: Frame, *, sample_weight: str | ArrayLike | None = None) -> Scores:
        """Compare the predictions for the rows of a table with its target.

        Parameters
        ----------
        table : str, os.PathLike, frame, mapping, or iterator or list of these
            As for `fit`, with the columns of the training and the target. Rows without a target are
            left out.
        sample_weight : str or array-like, shape (n,), optional
            Weights of the rows, or the column that contains them. All scores are weighted, as those
            of scikit-learn.

        Returns
        -------
        Scores
            Of all rows with a target; `str` gives a readable table.

        Raises
        ------
        TypeError, ValueError
            If `sample_weight` does not fit.
        DataError
            As `predict`; if no row has a target, or one has a class that was not in the training.
        RuntimeError
            If the model has not been fitted.
        """
        return self._evaluated(table, sample_weight)

    def score(self, table: Frame, *, sample_weight: str | ArrayLike | None = None) -> float:
        """Return one score of `evaluate`, as scikit-learn's estimators do.

        Parameters
        ----------
        table, sample_weight
            As for `evaluate`.

        Returns
        -------
        float
            The accuracy of classes, and of several targets of yes and no; the r2 of numbers, which
            is NaN if the targets do not vary.

        Raises
        ------
        TypeError, ValueError, DataError, RuntimeError
            As `evaluate`.
        """
        scores = self._evaluated(table, sample_weight)
        best = scores.r2 if scores.task == "regression" else scores.accuracy
        return math.nan if best is None else best

    def answer_rows(self, selection: Selection, rows: Rows) -> NDArray[Any]:
        """Return predictions for some rows of a selection, as `predict`; for the command line."""
        return answers(self.target, self.output_rows(selection, rows))

    def output_rows(self, selection: Selection, rows: Rows) -> NDArray[np.float64]:
        """Return the mean of the networks' outputs for some rows of a selection."""
        return self._outputs(selection.table, rows)

    def score_rows(self, selection: Selection, rows: Rows) -> Scores:
        """Score some rows of a selection, as `evaluate`; for the command line."""
        y = true_targets(self.target, selection.table, rows)
        weight = None if selection.weight is None else selection.weight[rows]
        outputs = self._outputs(selection.table, rows, stacklevel=5)
        return score(self.target, y, outputs, weight)

    def _evaluated(self, table: Frame, sample_weight: str | ArrayLike | None) -> Scores:
        """Score a table for a public method, to whose caller warnings point."""
        target = self.target
        selection = select(
            self._read(table, target.names, stacklevel=4),
            target.names,
            features=self._names(),
            weight=sample_weight,
            like=target,
        )
        for note in selection.notes:
            warnings.warn(note, UserWarning, stacklevel=3)
        return self.score_rows(selection, selection.rows)

    def _read(self, table: Frame, targets: Iterable[str] = (), *, stacklevel: int = 3) -> Table:
        features, target = self._learned()
        words = set(text_columns(features))
        if target.task == "classification" and isinstance(target.classes[0], str):
            words |= set(target.names)
        names = {*self._names(), *targets}
        found = read(table, Known(names, words, complete=True, decimal=features.decimal))
        found.add_absent(self._names())
        notes = list(found.notes)
        for feature in (each for each in features.features if each.name in found.columns):
            if feature.kind.name == "number":
                refuse_other_units(found, feature.name, feature.kind.unit)
            elif feature.kind.name == "date":
                notes.append(zone_note(found, feature.name, feature.kind.unit))
        for note in filter(None, notes):
            if note not in self.notes:  # the training had it, too
                warnings.warn(f"{found.source}: {note}", UserWarning, stacklevel=stacklevel)
        return found

    def _names(self) -> list[str]:
        return [feature.name for feature in self._learned()[0].features]

    def _outputs(
        self, table: Table, rows: Rows | None = None, *, stacklevel: int = 3
    ) -> NDArray[np.float64]:
        """Return the mean of the networks' outputs, summed in order in float64.

        `stacklevel` is that of warnings: they point to the line that calls the public method.
        """
        features, _ = self._learned()
        notes: list[str] = []
        rows = np.arange(len(table)) if rows is None else rows
        n_threads = self._settings.n_threads
        outputs = [
            mean_outputs(self.networks, X, n_threads) for X in features.blocks(table, rows, notes)
        ]
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=stacklevel)
        return np.concatenate(outputs)

    def _learned(self) -> tuple[Features, Target]:
        if self._features is None or self._target is None:
            raise RuntimeError("the model has not been fitted: call fit first")
        return self._features, self._target

    if not TYPE_CHECKING:  # type checkers see only the members that are defined

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute("a TabularModel", name)

    def __repr__(self) -> str:
        if self._features is None or self._target is None:
            return f"TabularModel({counted(self._settings.networks, 'network')}, not fitted)"
        target = self._target
        what = {"classification": f"{len(target.classes)} classes", "regression": "a number",
                "labels": "yes or no"}[target.task]  # fmt: skip
        return (
            f"TabularModel of {listing(target.names)}: {what} from "
            f"{counted(len(self._features.features), 'column')}, "
            f"{counted(self._features.width, 'input')}, {counted(len(self.networks), 'network')}"
        )


def _for_means(target: Target, y: NDArray[Any]) -> NDArray[np.float64]:
    """Return the targets for target encoding: numbers, or 0 and 1 for each class."""
    if target.task != "classification":
        return np.asarray(y, np.float64).reshape(len(y), -1)
    indicator: NDArray[np.float64] = (y[:, np.newaxis] == np.arange(len(target.classes))).astype(
        np.float64
    )
    return indicator[:, 1:] if len(target.classes) == 2 else indicator
