"""The target: its task, classes and units.

Over 400 lines, as each task reads, refuses and answers in its own way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.data._text import counted, folded, listing
from fastmlp.errors import DataError
from fastmlp.tables.encoding.cell_values import exact_numbers
from fastmlp.tables.encoding.columns import refuse_other_units
from fastmlp.tables.encoding.kinds import (
    MARKS,
    ROUNDED,
    SECONDS,
    UNITS,
    beside_words,
    common_unit,
    kind_of,
    mixed_units,
    rounding,
)
from fastmlp.tables.encoding.scaling import is_near, scale
from fastmlp.tables.reading import cells
from fastmlp.tables.reading.as_text import as_text
from fastmlp.tables.reading.stored_numbers import Floats
from fastmlp.tables.reading.table import (
    Booleans,
    Column,
    Rows,
    Table,
    Text,
    Untyped,
    is_boolean,
    is_written,
)

Task = Literal["classification", "regression", "labels"]
Label = str | int | float | bool

MOST_GUESSED_CLASSES: Final = 20
_TIMES: Final = {"date": "dates", "time of day": "times of day"}


@dataclass(frozen=True, eq=False)
class Target:
    """The target columns and how they are encoded.

    Attributes
    ----------
    names : list of str
        The columns.
    task : {"classification", "regression", "labels"}
        "labels" are several columns of yes and no, decided independently.
    reason : str
        Why it was inferred; empty if it was given.
    classes : list of str, int, float or bool
        Of a classification, in the order of the outputs.
    mean, deviation : ndarray, shape (targets,)
        Of a regression's targets in the training part, for standardizing them.
    kinds : list of str
        The type of each column of labels: "bool", "number", or its words for no and yes, such as
        "no|yes".
    units : list of str or None
        The sign of a regression's targets, as `Kind.unit`; empty in a file of an earlier version.
    """

    names: list[str]
    task: Task
    reason: str
    classes: list[Label]
    mean: Floats
    deviation: Floats
    kinds: list[str]
    units: list[str | None] = field(default_factory=list)

    @property
    def is_scaled(self) -> bool:
        """Whether outputs of the networks are numbers in other units than the target."""
        return bool((self.mean != 0.0).any() or (self.deviation != 1.0).any())

    @property
    def outputs(self) -> int:
        """The number of the network's outputs."""
        return len(self.classes) if self.task == "classification" else len(self.names)

    def has_words(self, column: Column, decimal: str) -> bool:
        """Return whether classes are words, among which NA is a class, or an unknown one.

        Of classes such as 1, 2 and unknown, it may have been missing: then the cells of the table
        to evaluate on decide, as those of the training did.
        """
        words = [label for label in self.classes if isinstance(label, str)]
        if any(word in cells.MISSING_WORDS for word in words):
            return True
        numeric, others = cells.numbers(words, decimal)
        if not others.any() or cells.yes_or_no(words):
            return False
        return bool(np.isnan(numeric).all()) or _are_words(column, decimal)

    def doubts(self, decimal: str) -> list[str]:
        """Return notes if a word means "missing" in other columns, or words are numbers."""
        words = [label for label in self.classes if isinstance(label, str)]
        found = []
        if missing := [word for word in words if word in cells.MISSING_WORDS]:
            doubt = f"{brief(missing[0])} is a class like the others, of words; if it says that the"
            found.append(f"{doubt} target is missing, leave these rows out or empty the cells")
        if self.reason and (doubt := _doubt_of_numbers(words, decimal)):
            found.append(doubt)
        of_number: dict[float, str] = {}
        for word in words:
            number = cells.exact(word, decimal)
            if not math.isnan(number) and (first := of_number.setdefault(number, word)) != word:
                doubt = f"{brief(first)} and {brief(word)} are different classes, as they are text"
                found.append(f"{doubt}; make the target numbers if they are the same")
                break
        alike: dict[str, str] = {}
        for word in words:
            if (first := alike.setdefault(folded(word), word)) != word:
                doubt = f"{brief(first)} and {brief(word)} are different classes"
                found.append(f"{doubt}; write them alike if they are the same")
                break
        return found

    def written(self, j: int) -> tuple[str, str]:
        """Return the values of label j for no and yes."""
        kind = self.kinds[j]
        no, yes = {"bool": ("False", "True"), "number": ("0", "1")}.get(kind) or kind.split("|")
        return no, yes

    def scaled(self, values: Floats) -> NDArray[np.float32]:
        """Return standardized targets of a regression (n, t)."""
        return ((values - self.mean) / self.deviation).astype(np.float32)

    def left_to_the_network(self) -> "Target":
        """Return the target for a network that scales its output itself, if one can.

        Only a single number: the losses of several would be added in different units.
        """
        if self.task != "regression" or len(self.names) > 1:
            return self
        if not is_near(float(self.mean[0]), float(self.deviation[0])):
            return self
        return replace(self, mean=np.zeros(1), deviation=np.ones(1))

    def in_units(self, outputs: NDArray[Any]) -> Floats:
        """Return outputs of the network (n, t) in the units of the target."""
        return np.asarray(outputs, np.float64) * self.deviation + self.mean


def _doubt_of_numbers(words: Sequence[str], decimal: str) -> str:
    """Return a note if most classes are numbers, too many to be classes, or have a word beside."""
    numeric, bad = cells.numbers(words, decimal)
    numbers = numeric[~np.isnan(numeric)]
    many = len(numbers) > MOST_GUESSED_CLASSES or cells.has_fractions(numbers)
    if bad.any() and 2 * len(numbers) > len(words) and many:
        others = f"{int(bad.sum()):,}, such as {brief(words[int(bad.argmax())])}"
        return (
            f"the target has {len(words):,} classes, of which all are numbers but {others}; "
            "if these stand for missing numbers, empty the cells"
        )
    if beside := beside_words(words):
        return f"the target has {len(words):,} classes: {beside}; {_remedy(beside)}"
    return ""


def _remedy(beside: str) -> str:
    return f"{'convert them to one' if UNITS in beside else 'leave the words out'} to learn numbers"


def known_rows(
    table: Table, names: Sequence[str], *, like: Target | None = None
) -> NDArray[np.bool_]:
    """Return for each row whether it has all targets, which were learned as `like` if given."""
    known = np.ones(len(table), bool)
    for name in names:
        column, mark = table.columns[name], table.decimal
        are_words = like.has_words(column, mark) if like else _are_words(column, mark)
        known &= ~_missing(column, are_words=are_words)
    return known


def _are_words(column: Column, decimal: str) -> bool:
    """Return whether a target is words, of which NA and None are classes like the others."""
    if not isinstance(column, Text):
        return False
    numeric, bad = cells.numbers(column.values, decimal)
    counts = column.counts()
    numbers, others = int(counts[~np.isnan(numeric)].sum()), int(counts[bad].sum())
    return others > 0 and numbers <= 9 * others and not cells.yes_or_no(column.values)


def _missing(column: Column, *, are_words: bool) -> NDArray[np.bool_]:
    if not isinstance(column, Text):
        test = {"M": np.isnat, "f": np.isnan}.get(column.dtype.kind)
        if test is None:
            return np.zeros(len(column), bool)
        missing = test(column).reshape(len(column), -1).any(axis=1)
        return np.asarray(missing, bool)
    words = [not are_words and value in cells.MISSING_WORDS for value in column.values]
    return np.array([*words, True], bool)[column.codes]


def read_target(
    table: Table,
    rows: Rows,
    names: Sequence[str],
    task: str | None,
    *,
    guess: Target | None = None,
) -> tuple[Target, NDArray[Any]]:
    """Determine the task, and return the target with the targets of some rows.

    Task and reason of a `guess` from more rows are kept.

    Returns
    -------
    Target
        Fitted to these rows.
    ndarray
        Class numbers (n,), or numbers (n, t).

    Raises
    ------
    DataError
        If there is nothing to learn, or the columns do not fit the task.
    """
    if len(names) == 1:
        target, y = _single(table, rows, names[0], guess.task if guess else task)
        return (replace(target, reason=guess.reason) if guess else target), y
    columns = [_labels(table, rows, name) for name in names]
    kinds = [kind for kind, _ in columns]
    y = np.stack([values for _, values in columns], axis=1)
    if all(kinds) and task != "regression":
        target = Target(list(names), "labels", _because(task, "each is yes or no"),
                        [], np.empty(0), np.empty(0), kinds)  # fmt: skip
        return target, y
    if task == "classification":
        name = next(name for name, kind in zip(names, kinds, strict=True) if not kind)
        raise DataError(
            f"{table.source}: several targets are classified only if each is yes or no, "
            f"column {brief(name)} is not"
        )
    values = np.stack([_numeric(table, rows, name) for name in names], axis=1)
    for name in names:
        _refuse_rounded(table, rows, name, "regression")
    return _regression(table, rows, names, values, _because(task, "there are several numbers"))


def _because(task: str | None, reason: str) -> str:
    return reason if task is None else ""


def _typed(column: Column, decimal: str) -> Column:
    """Return a column as it would be if its frame or file did not say that it is text."""
    return cells.typed(column.text(), decimal) if isinstance(column, Untyped) else column


def _single(table: Table, rows: Rows, name: str, task: str | None) -> tuple[Target, NDArray[Any]]:
    column = table.columns[name]
    held = _typed(column, table.decimal)
    if not isinstance(held, Text) and (held.ndim == 2 or held.dtype.kind == "M"):
        what = "times" if held.dtype.kind == "M" else "vectors"
        raise DataError(
            f"{table.source}: the target {brief(name)} holds {what}; numbers or words are learned"
        )
    _refuse_mixture(table, rows, name, task)
    _refuse_rounded(table, rows, name, task)
    guess, reason = guess_task(table, rows, name, insist=task is None)
    reason = _because(task, reason)
    if (task or guess) == "regression":
        return _regression(table, rows, [name], _numeric(table, rows, name)[:, np.newaxis], reason)
    classes, labels = _classes(column, rows, table.decimal)
    if len(classes) == 1:
        raise DataError(
            f"the target has a single class, {brief(classes[0])}: nothing to tell apart"
        )
    if len(classes) == len(rows):
        beside = beside_words([label for label in classes if isinstance(label, str)])
        raise DataError(
            f"{table.source}: all {len(rows):,} values of the target {brief(name)} are different: "
            "nothing can be learned from them"
            + ("; is the target a number? try --task regression" if task else "")
            + (f"; {beside}: {_remedy(beside)}" if beside else "")
        )
    return Target([name], "classification", reason, classes, np.empty(0), np.empty(0), []), labels


def _refuse_mixture(table: Table, rows: Rows, name: str, task: str | None) -> None:
    """Refuse a target of numbers and true or false, or of numbers of different units."""
    column = table.columns[name]
    if not isinstance(column, Text) or isinstance(column, Booleans):
        return
    values = column.values_at(np.flatnonzero(column.counts(rows)))
    truths = [value for value in values if value.lower() in {"true", "false"}]
    numbers = [value for value in values if cells.is_number(value)]
    if truths and numbers and len(truths) + len(numbers) == len(values):
        raise DataError(
            f"{table.source}: the target {brief(name)} is {truths[0]} in some rows and "
            f"{numbers[0]} in others: make it numbers, or true and false, everywhere"
        )
    mixed = "" if task == "classification" else mixed_units(cells.units(values, table.decimal))
    if mixed and kind_of(column, rows, name, table.decimal).name == "number":
        raise DataError(f"{table.source}: the target {brief(name)}: {mixed}; convert them to one")


def _refuse_rounded(table: Table, rows: Rows, name: str, task: str | None) -> None:
    """Refuse a target of numbers so large that a double cannot tell them apart."""
    column = _typed(table.columns[name], table.decimal)
    if isinstance(column, Booleans) or (not isinstance(column, Text) and column.dtype.kind == "b"):
        return
    if isinstance(column, Text):
        if task != "regression" or not cells.are_rounded(column.values):
            return
        values = _numeric(table, rows, name)
    else:
        values = column[rows]
    known = values[np.isfinite(values)]
    constant = len(known) and (known == known[0]).all()
    if not constant and (unit := rounding(known)):
        raise DataError(
            f"{table.source}: the target {brief(name)}: {ROUNDED}{unit:g}; subtract a constant "
            "first, or make the column text if these are classes"
        )


def guess_task(table: Table, rows: Rows, name: str, *, insist: bool = True) -> tuple[Task, str]:
    """Infer the task of a target, and the reason.

    Text, and yes and no, mean classification; so do whole numbers of at most 20 distinct values
    with at least two rows each on average; other numbers mean regression.

    Raises
    ------
    DataError
        If `insist`, and nearly all cells are numbers, but not all, or not of one decimal mark.
    """
    column = table.columns[name]
    if is_boolean(column):
        return "classification", "the target is true or false"
    if isinstance(column := _typed(column, table.decimal), Text):
        kind = kind_of(column, rows, name, table.decimal)
        if kind.name != "number":
            if insist and MARKS in kind.reason:
                why = kind.reason.partition(": ")[0]
                raise DataError(
                    f"{table.source}: the target {brief(name)} {why}: write all numbers with one "
                    "mark, or ask for a classification if they are classes"
                )
            what = _TIMES.get(kind.name)
            return "classification", f"the target is {what}, as words" if what else (
                "the target is text"
            )
        values = _numeric(table, rows, name) if insist else np.array([0.5])
    else:
        values = _numeric(table, rows, name)
    if not (values == np.floor(values)).all():
        return "regression", "the target has fractions"
    count = len(np.unique(values))
    if count <= MOST_GUESSED_CLASSES and (2 * count <= len(values) or count == 1):
        return "classification", f"the target has {count} different whole numbers"
    return "regression", f"the target has {count} different numbers"


def _classes(column: Column, rows: Rows, decimal: str) -> tuple[list[Label], NDArray[np.int64]]:
    if isinstance(column, Booleans):
        column = column.codes == 1
    if isinstance(column, Text) and not is_written(column):
        numeric, _ = cells.numbers(column.values, decimal)
        kept = cells.has_code(column.values) or cells.are_rounded(column.values)
        if not np.isnan(numeric).any() and not kept:
            column = np.append(numeric, np.nan)[column.codes]
    if not isinstance(column, Text):
        values, labels = np.unique(column[rows], return_inverse=True)
        if column.dtype.kind == "f" and (values == np.floor(values)).all():
            whole = _integer_type(values)
            values = values if whole is None else values.astype(whole)
        classes: list[Label] = values.tolist()
        return classes, labels.reshape(-1).astype(np.int64)
    codes = column.codes[rows]
    there = sorted(np.unique(codes).tolist(), key=lambda code: column.values[code])
    numbers = np.empty(len(column.values), np.int64)
    numbers[there] = np.arange(len(there))
    return [column.values[code] for code in there], numbers[codes]


def _numeric(table: Table, rows: Rows, name: str) -> Floats:
    column = table.columns[name]
    if isinstance(column, Booleans):
        column = column.numbers()
    if isinstance(column, Text):
        values, bad = cells.numbers(column.values, table.decimal)
        codes = column.codes[rows]
        wrong = np.append(bad, False)[codes]
        if wrong.any():
            row = int(rows[int(wrong.argmax())])
            cell = column.values[column.codes[row]]
            number = len(rows) - int(wrong.sum())
            raise DataError(
                f"{table.place(row, name)}: {brief(cell)} is not a number"
                + (
                    f", as {counted(number, 'other')} {'is' if number == 1 else 'are'}"
                    if number
                    else "; regression needs numbers"
                )
            )
        result: Floats = np.append(values, np.nan)[codes]
    else:
        result = column[rows].astype(np.float64, copy=False)
    if not np.isfinite(result).all():
        row = int(rows[int((~np.isfinite(result)).argmax())])
        raise DataError(f"{table.place(row, name)}: the target is not finite")
    return result


def _regression(
    table: Table, rows: Rows, names: Sequence[str], values: Floats, reason: str
) -> tuple[Target, NDArray[Any]]:
    for j, name in enumerate(names):
        if (values[:, j] == values[0, j]).all():
            which = f" {brief(name)}" if len(names) > 1 else ""
            raise DataError(f"the target{which} is always {values[0, j]}: nothing to learn")
    try:
        scales = [scale(values[:, j]) for j in range(len(names))]
    except DataError as error:
        raise DataError(f"{table.source}: the target: {error}") from None
    mean, deviation = (np.array(column) for column in zip(*scales, strict=True))
    units = [_unit(table, rows, name) for name in names]
    return Target(list(names), "regression", reason, [], mean, deviation, [], units), values


def _unit(table: Table, rows: Rows, name: str) -> str | None:
    """Return the sign of the numbers of some rows; see `Kind.unit`."""
    if name in table.durations:
        return SECONDS
    column = table.columns[name]
    if not isinstance(column, Text) or isinstance(column, Booleans):
        return ""
    values = column.values_at(np.flatnonzero(column.counts(rows)))
    return common_unit(cells.units(values, table.decimal))


def _labels(table: Table, rows: Rows, name: str, *, numbers: bool = False) -> tuple[str, Floats]:
    """Return the type of a column of yes and no, or "", and its values: 1 and 0, NaN for others.

    Numbers in text count where a file or frame says that they are text, or if `numbers`.
    """
    column = table.columns[name]
    if isinstance(column, Booleans):
        return "bool", column.numbers()[rows]
    if isinstance(column, Text):
        kind, of_values = _text_labels(column, table.decimal, numbers=numbers or is_written(column))
        return kind, np.append(of_values, np.nan)[column.codes[rows]]
    if column.ndim != 1 or column.dtype.kind not in "biuf":
        return "", np.full(len(rows), np.nan)
    values = column[rows].astype(np.float64)
    values[(values != 0.0) & (values != 1.0)] = np.nan
    kind = "bool" if column.dtype.kind == "b" else "number"
    return ("" if np.isnan(values).any() else kind), values


def _text_labels(text: Text, decimal: str, *, numbers: bool) -> tuple[str, Floats]:
    """Return the words for no and yes, or "", and what each value is: 1, 0, or NaN for others.

    If `numbers`, these may be such as "0.0" and "1.0".
    """
    meant: dict[str, float] = dict(cells.PAIRS)
    if numbers:
        pairs = zip(text.values, cells.numbers(text.values, decimal)[0].tolist(), strict=True)
        meant |= {value: number for value, number in pairs if number in {0.0, 1.0}}
    found = np.array([meant.get(value, np.nan) for value in text.values], np.float64)
    words = sorted(value for value in text.values if value not in cells.MISSING_WORDS)
    are_numbers = bool(words) and all(word in meant and word not in cells.PAIRS for word in words)
    if not are_numbers and not cells.yes_or_no(text.values):
        return "", found
    words.sort(key=meant.__getitem__)
    no, yes = words[0], words[-1]
    if meant[no]:
        no = _other(yes, decimal)
    elif not meant[yes]:
        yes = _other(no, decimal)
    return f"{no}|{yes}", found


def _other(word: str, decimal: str) -> str:
    """Return 0 as a word for 1 is written, or 1 as one for 0: "0.0" for "1.0"."""
    digit, wanted = ("1", "0") if cells.number(word, decimal) else ("0", "1")
    other = word.replace(digit, wanted, 1)
    return other if cells.number(other, decimal) == float(wanted) else wanted


def answers(target: Target, outputs: NDArray[Any]) -> NDArray[Any]:
    """Return the predictions for outputs of the networks (n, N)."""
    if target.task == "regression":
        values: NDArray[Any] = target.in_units(outputs)
        return values[:, 0] if len(target.names) == 1 else values
    if target.task == "classification":
        words: NDArray[Any] = class_array(target.classes)[outputs.argmax(axis=1)]
        return words
    yes: NDArray[np.bool_] = outputs > 0.5
    if all(kind == "bool" for kind in target.kinds):
        return yes
    if all(kind in {"bool", "number"} for kind in target.kinds):
        return yes.astype(np.int64)
    columns = [
        np.array(target.written(j), object)[yes[:, j].astype(np.intp)]
        for j in range(len(target.names))
    ]
    return np.stack(columns, axis=1)


def class_array(classes: list[Label]) -> NDArray[Any]:
    """Return classes as an array of their type."""
    numbers = [label for label in classes if not isinstance(label, str)]
    if len(numbers) < len(classes):
        return np.array(classes, object)
    beyond_int64 = max(numbers) >= 2**63 and all(isinstance(number, int) for number in numbers)
    return np.array(numbers, np.uint64 if beyond_int64 else None)


def _integer_type(whole: Floats) -> type[np.integer[Any]] | None:
    """Return the type that holds all of some whole numbers, int64 or uint64; None for neither."""
    if whole.min() >= -(2.0**63) and whole.max() < 2.0**63:
        return np.int64
    return np.uint64 if whole.min() >= 0.0 and whole.max() < 2.0**64 else None


def true_targets(target: Target, table: Table, rows: Rows) -> NDArray[Any]:
    """Return the targets of some rows, encoded as in training.

    Raises
    ------
    DataError
        If a class was not in the training, a cell is not a number, or is one of another unit.
    """
    if target.task == "regression":
        for name, unit in zip(target.names, target.units, strict=False):  # there may be no units
            refuse_other_units(table, name, unit)
        return np.stack([_numeric(table, rows, name) for name in target.names], axis=1)
    if target.task == "labels":
        return np.stack([_true_labels(table, rows, name) for name in target.names], axis=1)
    name = target.names[0]
    column = table.columns[name]
    words = isinstance(target.classes[0], str)
    if words or (isinstance(target.classes[0], bool) and isinstance(column, Text)):
        text = as_text(column)
        places = {str(label): place for place, label in enumerate(target.classes)}
        numbers = np.array([places.get(value, -1) for value in text.values] + [-1])
        labels = numbers[text.codes[rows]]
    else:
        values = _numeric(table, rows, name)  # raises if a cell is no number
        distinct, which = exact_numbers(column, rows, values, table.decimal)
        numbered: dict[Any, int] = {label: j for j, label in enumerate(target.classes)}
        labels = np.array([numbered.get(number, -1) for number in distinct])[which]
    if (labels < 0).any():
        row = int(rows[int((labels < 0).argmax())])
        text = as_text(column)
        raise DataError(
            f"{table.place(row, name)}: {brief(text.values[text.codes[row]])} is none of the "
            f"classes of training, {listing(target.classes)}"
        )
    return labels.astype(np.int64)


def _true_labels(table: Table, rows: Rows, name: str) -> Floats:
    """Return a column of yes and no as 1 and 0.

    Raises
    ------
    DataError
        If a cell is neither.
    """
    labels = _labels(table, rows, name, numbers=True)[1]
    if np.isnan(labels).any():
        row = int(rows[int(np.isnan(labels).argmax())])
        text = as_text(table.columns[name])
        cell = text.values[text.codes[row]]
        raise DataError(f"{table.place(row, name)}: {brief(cell)} is neither yes nor no")
    return labels
