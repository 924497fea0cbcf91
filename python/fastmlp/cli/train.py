"""``fastmlp train``: from a table and settings to a model and a `Report`."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp.cli.report import LOSS_UNITS, Report
from fastmlp.cli.sources import load
from fastmlp.config import get_config, get_num_threads, peak_gflops
from fastmlp.data._text import counted, listing
from fastmlp.errors import DataError, printable
from fastmlp.layers import ActivationName
from fastmlp.settings.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from fastmlp.tables.encoding.columns import Columns
from fastmlp.tables.encoding.features import Features
from fastmlp.tables.encoding.target import Target, read_target, true_targets
from fastmlp.tables.model import TabularModel
from fastmlp.tables.plots import save_plot
from fastmlp.tables.reading.table import Rows
from fastmlp.tables.splits import split_rows
from fastmlp.tables.training.networks import learning_rate, weight_decay
from fastmlp.tables.training.selection import Selection, select

# The scores depend more on the split than on the initial weights. So the split has a separate
# seed, so that runs with different seeds are tested on the same rows.
SPLIT_SEED: Final = 3
OPTIMIZERS: Final = ("adamw", "adam", "sgd", "rmsprop")
_MOST_COLUMNS: Final = 60


@dataclass(frozen=True)
class Settings:
    """The options of ``fastmlp train``, with the defaults of the command line.

    Attributes
    ----------
    target : tuple of str
        The columns to learn; empty for a format that defines its target.
    features, drop : tuple of str
        Columns to learn from, if not all others, and columns not to learn from.
    weight, group : str or None
        The columns of sample weights and of groups of rows.
    missing_target : {"drop", "error"}
        What to do with rows without a target.
    test : str or None
        A separate table to test on.
    test_fraction : float
        Otherwise, the share of the rows held out for the test, above 0 and below 1.
    split_seed : int
        The seed of that split.
    learning_rate : float or None
        None is the optimizer's default.
    task, hidden, networks, numbers, activation, dropout, epochs, batch_size, optimizer, seed
        As in `TabularModel`; the optimizer is given by name.
    threads : int or None
        Its `n_threads`.
    """

    target: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    weight: str | None = None
    group: str | None = None
    missing_target: Literal["drop", "error"] = "drop"
    test: str | None = None
    test_fraction: float = 0.2
    split_seed: int = SPLIT_SEED
    task: Literal["classification", "regression"] | None = None
    hidden: tuple[int, ...] = (128, 64)
    networks: int = 4
    numbers: Literal["piecewise", "standardized"] = "piecewise"
    activation: ActivationName = "relu"
    dropout: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    optimizer: str = "adamw"
    learning_rate: float | None = None
    seed: int = 0
    threads: int | None = None

    def rule(self, defaults: AdamW) -> Optimizer | None:
        """Return the optimizer, with what it shares with the model's own; None is that one."""
        rate = self.learning_rate
        match self.optimizer:
            case "adamw":
                if rate is None:
                    return None
                return AdamW(rate, weight_decay=defaults.weight_decay)
            case "adam":
                return Adam(rate or defaults.learning_rate)
            case "rmsprop":
                return RMSprop(rate or 0.001)
            case _:
                return SGD(rate or 0.05)

    def model(self, verbose: int, defaults: AdamW) -> TabularModel:
        """Return the model to train."""
        return TabularModel(
            self.hidden,
            task=self.task,
            networks=self.networks,
            numbers=self.numbers,
            seed=self.seed,
            activation=self.activation,
            dropout=self.dropout,
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=self.rule(defaults),
            n_threads=self.threads,
            verbose=verbose,
        )


class Experiment:
    """A table, its split, and a model to train on one part and test on the other.

    Parameters
    ----------
    source : str
        The table, as for `load`.
    settings : Settings
        What to do with it.
    verbose : int, default 0
        1 shows the progress on standard error.
    comm : mpi4py.MPI.Comm, optional
        Of the processes that train together; this one is rank 0.
    threads : int, default 0
        Upper limit of the threads of each process; 0 is that of the machine.

    Attributes
    ----------
    model : TabularModel
        Trained by `run`.
    defaults : AdamW
        The optimizer, unless options say otherwise.
    """

    def __init__(
        self,
        source: str,
        settings: Settings,
        verbose: int = 0,
        comm: Any = None,
        threads: int = 0,
    ) -> None:
        self._config = get_config()  # first, because it raises for an invalid environment variable
        self._threads = min(threads or get_num_threads(), get_num_threads())
        self._settings = settings
        self._comm = comm
        self._selection = self._select(source)
        self._target, y = read_target(
            self._selection.table, self._selection.rows, self._selection.targets, settings.task
        )
        self._train, self._test = self._split(y)
        decay = weight_decay(self._target, len(self._train))
        self.defaults = AdamW(learning_rate(self._target), weight_decay=decay)
        self.model = settings.model(verbose, self.defaults)

    def run(self, tell: Callable[[str], None]) -> Report:
        """Train the model and test it.

        Parameters
        ----------
        tell : callable
            Called with lines of text about the next steps.

        Raises
        ------
        DataError
            If the data cannot be trained on.
        DivergenceError
            If training diverged.
        KeyboardInterrupt
            On Ctrl-C; the model is then that of its best epoch.
        """

        def describe(features: Features, target: Target) -> None:
            features.require(self._test[0].table)  # before the training, which may take long
            tell(self._description(features, target))

        start = time.perf_counter()
        self.model.fit_rows(
            self._selection,
            self._train,
            like=self._target,
            before_training=describe,
            comm=self._comm,
        )
        seconds = time.perf_counter() - start
        self.model.scores = {
            "train": self.model.score_rows(self._selection, self._train),
            "test": self.model.score_rows(*self._test),
        }
        return self._report(seconds)

    def save_best(self, path: str) -> str:
        """Save the model of an interrupted `run`; return its epochs, empty if it completed none."""
        if not self.model.networks:
            return ""
        self.model.save(path)
        return ", ".join(str(history.best_epoch) for history in self.model.histories)

    def plot(self, path: str, report: Report) -> None:
        """Plot the losses of the training and the predictions for the test part."""
        selection, rows = self._test
        truth = true_targets(self.model.target, selection.table, rows)
        answers = self.model.answer_rows(selection, rows).reshape(len(rows), -1)
        save_plot(path, self.model.histories, self.model.target, report.test, truth, answers)

    def _select(self, source: str) -> Selection:
        settings = self._settings
        return select(
            load(source, targets=settings.target),
            settings.target or None,
            features=settings.features,
            drop=settings.drop,
            weight=settings.weight,
            groups=settings.group,
            missing_target=settings.missing_target,
        )

    def _split(self, y: NDArray[Any]) -> tuple[Rows, tuple[Selection, Rows]]:
        """Return the rows to train on and the data to test on."""
        settings, selection = self._settings, self._selection
        if settings.test is not None:
            table = load(settings.test, selection.table)
            table.add_absent(selection.features)
            there = [name for name in selection.features if name in table.columns]
            other = select(
                table,
                selection.targets,
                features=there,
                weight=settings.weight,
                like=self._target,
            )
            return selection.rows, (other, other.rows)
        target, classes = self._target, self._target.task == "classification"
        labels = y if classes else np.zeros(len(y), np.intp)
        groups = None if selection.groups is None else selection.groups[selection.rows]
        train, test = split_rows(labels, settings.test_fraction, settings.split_seed, groups)
        if not len(test):
            count = len(target.classes)
            raise DataError(
                f"with a test fraction of {settings.test_fraction:g}, {counted(len(y), 'row')} "
                + (f"in {count} classes " if classes else "")
                + "leave no row to test on"
                + ("; is the target a number? try --task regression" if count > 1 else "")
            )
        return selection.rows[train], (selection, selection.rows[test])

    def _description(self, features: Features, target: Target) -> str:
        settings, selection = self._settings, self._selection
        table = selection.table
        because = f"guessed: {target.reason}" if target.reason else "as asked"
        n_train, n_test = len(self._train), len(self._test[1])
        if settings.test is not None:
            split = f"all of {self._test[0].table.source}"
        elif selection.groups is not None:
            split = f"split by groups, seed {settings.split_seed}"
        else:
            kind = "stratified" if target.task == "classification" else "random"
            split = f"{kind} split, seed {settings.split_seed}"
        size = f"{counted(len(table), 'row')}, {counted(len(table.columns), 'column')}"
        notes = (*table.notes, *selection.notes, *features.notes, *target.doubts(table.decimal))
        notes += self._test_notes(notes)
        classes = f"{len(target.classes)} classes: {listing(target.classes)}"
        hidden = f"{', '.join(map(str, settings.hidden))} hidden nodes ({settings.activation})"
        inputs = counted(features.width, "input")
        networks = f"{counted(settings.networks, 'network')} of {inputs}, {hidden}"
        lines = [
            f"{table.source}: {size}",
            *(f"note: {note}" for note in notes),
            f"{target.task} of {listing(target.names)} ({because})",
            *([classes] if target.classes else []),
            f"{counted(n_train, 'row')} to train, {n_test:,} to test ({split})",
            *([f"rows and scores weighted by {settings.weight!r}"] if settings.weight else []),
            *_shown(features.columns),
            f"{networks}, {counted(target.outputs, 'output')}",
            f"{settings.optimizer}, seed {settings.seed}",
        ]
        return "\n".join(lines)

    def _test_notes(self, known: Sequence[str]) -> tuple[str, ...]:
        """Return the notes of a separate table to test on that the training does not have."""
        selection = self._test[0]
        if selection is self._selection:
            return ()
        table = selection.table
        there = [f"{table.source}: {note}" for note in table.notes if note not in known]
        return tuple(map(printable, [*there, *selection.notes]))

    def _report(self, seconds: float) -> Report:
        model, settings = self.model, self._settings
        train, test = model.scores["train"], model.scores["test"]
        config, histories = self._config, model.histories
        ranks = 1 if self._comm is None else self._comm.Get_size()
        samples = sum(history.samples * len(history.loss) for history in histories)
        flops = sum(h.samples * len(h.loss) * h.flops_per_sample for h in histories)
        peak = ranks * peak_gflops("float32", self._threads)
        first, rule = model.networks[0], settings.rule(self.defaults) or self.defaults
        return Report(
            version=config["version"],
            data=self._selection.table.source,
            target=model.target.names,
            task=model.target.task,
            task_guessed=settings.task is None,
            classes=model.target.classes or None,
            columns=[vars(column) for column in model.columns],
            notes=[*model.notes, *self._test_notes(model.notes)],
            layers=[first.features, *(layer.nodes for layer in first.layers)],
            activation=settings.activation,
            networks=len(model.networks),
            n_parameters=first.n_parameters,
            n_train=len(self._train),
            n_test=len(self._test[1]),
            epochs=max(len(history.loss) for history in histories),
            best_epochs=[history.best_epoch for history in histories],
            batch_size=model.batch_size(len(self._train)),
            optimizer=settings.optimizer,
            learning_rate=float(rule.learning_rate),  # type: ignore[arg-type]
            seed=model.seed,
            split_seed=settings.split_seed,
            train_loss=train.loss,
            test_loss=test.loss,
            loss_unit=LOSS_UNITS[model.target.task],
            train=train,
            test=test,
            seconds=seconds,
            samples_per_second=samples / seconds,
            gflops=flops / seconds * 1e-9,
            peak_share=flops / seconds * 1e-9 / peak,
            isa=config["isa"],
            threads=ranks * self._threads,
        )


def _shown(columns: Columns) -> list[str]:
    """Describe the encoding of each column; of many columns, of the first ones."""
    lines = [f"  {line}" for line in str(Columns(columns[:_MOST_COLUMNS])).split("\n")]
    if len(columns) > _MOST_COLUMNS:
        lines.append(f"  ... ({len(columns):,} columns in all; --json has each)")
    return lines
