"""Feature names from the columns of data frames, to detect columns in another order."""

from collections.abc import Sequence

import numpy as np

from fastmlp._validation import brief, described, items
from fastmlp.data._frames import column_names
from fastmlp.data.rescaled import Rescaled
from fastmlp.data.stream import Stream

Names = tuple[str, ...]


def read_names(argument: str, value: object, count: int) -> Names | None:
    """Return `value` as `count` names; None is allowed.

    Raises
    ------
    TypeError
        If it is not a sequence of strings.
    ValueError
        If their number differs, one occurs twice, or one cannot be stored in a file.
    """
    if value is None:
        return None
    names = items(argument, value, "a sequence of strings or None")
    for i, name in enumerate(names):
        if not isinstance(name, str):
            raise TypeError(f"{argument}[{i}] must be a string, got {described(name)}")
        if not _is_storable(name):
            raise ValueError(
                f"{argument}[{i}] must not have null characters or surrogates, got {brief(name)}"
            )
    if len(names) != count:
        what = "features" if argument == "feature_names" else "classes"
        raise ValueError(
            f"{argument} must have {count} names, as many as the network has {what}, "
            f"got {len(names)}"
        )
    if (twice := _first_twice(names)) is not None:
        raise ValueError(f"{argument} must be unique, {brief(twice)} occurs twice")
    return tuple(map(str, names))


def names_of(X: object) -> Names | None:
    """Return the feature names of input data; None if it has none."""
    if type(X) is np.ndarray:
        return None
    names = X.feature_names if isinstance(X, Rescaled | Stream) else column_names(X)
    return None if names is None else tuple(names)


def check_names(name: str, X: object, expected: Names | None) -> None:
    """Refuse features with names that differ from `expected`, or are in another order.

    Raises
    ------
    ValueError
        If they differ; the message names the first wrong column.
    """
    got = names_of(X) if expected is not None else None
    if expected is None or got is None or got == expected:
        return
    known, given = set(expected), set(got)
    if (twice := _first_twice(got)) is not None:
        problem = f"has the column {brief(twice)} twice"
    elif missing := [each for each in expected if each not in given]:
        problem = f"lacks the column {brief(missing[0])}"
    elif unknown := [each for each in got if each not in known]:
        problem = f"has the column {brief(unknown[0])}, which is not a feature of the network"
    else:
        i = next(i for i, pair in enumerate(zip(got, expected, strict=True)) if len({*pair}) == 2)
        problem = (
            f"has its columns in another order: column {i} is {brief(got[i])}, but feature {i} of "
            f"the network is {brief(expected[i])}"
        )
    raise ValueError(
        f"{name} {problem}; select and order the columns by net.feature_names, or pass an array "
        "without names"
    )


def names_to_learn(X: object, n_features: int) -> Names | None:
    """Return the names of X if they can be those of a network."""
    names = names_of(X)
    return None if names is None else usable_names(names, n_features)


def usable_names(names: Sequence[object] | None, count: int) -> Names | None:
    """Return `names` if a network with `count` features or classes can have them."""
    if names is None or len(names) != count:
        return None
    texts = tuple(str(name) for name in names if isinstance(name, str))
    if len(texts) != count or _first_twice(texts) is not None:
        return None
    return texts if all(map(_is_storable, texts)) else None


def names_to_train_on(
    expected: Names | None, n_features: int, X: object, validation_data: object = None
) -> Names | None:
    """Return the names of a network after a fit on X: those it has, or those of X.

    Raises
    ------
    ValueError
        If X, or the features of `validation_data`, have other names.
    """
    if expected is None:
        expected = names_to_learn(X, n_features)
    else:
        check_names("X", X, expected)
    if validation_data is None:
        return expected
    if isinstance(validation_data, Stream):
        check_names("validation_data", validation_data, expected)
    elif isinstance(validation_data, tuple | list) and validation_data:
        check_names("validation_data[0]", validation_data[0], expected)
    return expected


def _is_storable(name: str) -> bool:
    """Return whether it can be stored as UTF-8 without NUL."""
    return "\0" not in name and not any("\ud800" <= c <= "\udfff" for c in name)


def _first_twice(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
