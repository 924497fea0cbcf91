"""`GridSearchCV` and `RandomizedSearchCV`: scikit-learn's, with all fits trained together."""

import hashlib
import pickle
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from itertools import product
from numbers import Real
from typing import Any, Self

from joblib.parallel import get_active_backend
from sklearn import model_selection
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from fastmlp.sklearn.estimator import BaseMLP
from fastmlp.sklearn.meeting import computing
from fastmlp.sklearn.plain_fits import ALIKE_SAMPLES, runs_python
from fastmlp.sklearn.together import on_threads


class _Together:
    """The fit of both searches; everything else is scikit-learn's."""

    estimator: Any
    n_jobs: int | None

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Fit all candidates on all folds, and the best on all of X, as scikit-learn does.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, features)
            Samples.
        y : array-like, shape (n,) or (n, N), optional
            Targets.
        **params
            As of scikit-learn's searches, such as `sample_weight` and `groups`.

        Returns
        -------
        self
            The search, with `cv_results_`, `best_estimator_` and so on.
        """
        if not _is_ours(self.estimator) or not _is_local() or self._is_for_processes():
            super().fit(X, y, **params)  # type: ignore[misc]
            return self
        with on_threads(self.n_jobs, X, _kind, _rank), self._steps_fitted_once():
            super().fit(X, y, **params)  # type: ignore[misc]
        return self

    def _is_for_processes(self) -> bool:
        """Return whether all fits run Python after each epoch, which threads do in turn."""
        if self.n_jobs in (None, 1):
            return False
        grids = getattr(self, "param_grid", None) or getattr(self, "param_distributions", None)
        every = [grids] if isinstance(grids, Mapping) else grids
        return isinstance(every, list | tuple) and all(
            isinstance(grid, Mapping) and _runs_python(self.estimator, grid) for grid in every
        )

    @contextmanager
    def _steps_fitted_once(self) -> Iterator[None]:
        """Fit the steps of a pipeline before the network once for each fold and setting."""
        given = self.estimator
        if not isinstance(given, Pipeline) or given.memory is not None:
            yield
            return
        memory = _FittedSteps()
        self.estimator = clone(given).set_params(memory=memory)
        try:
            yield
        finally:
            self.estimator = given
            memory.clear()  # clones of the pipeline, as in a scorer, may keep it
            if hasattr(self, "best_estimator_"):
                self.best_estimator_.set_params(memory=None)


class GridSearchCV(_Together, model_selection.GridSearchCV):
    """Search over all combinations of parameters: scikit-learn's, faster for our estimators.

    Parameters, attributes, methods and scores are those of ``sklearn.model_selection.GridSearchCV``
    exactly. For `MLPClassifier` and `MLPRegressor`, alone or as the last step of a pipeline, the
    fits run on threads of this process instead of in others, and the steps before the network are
    fitted once for each fold and setting of theirs; a step that draws random numbers without a
    `random_state` thus draws them once. Small networks of one shape are trained side by side:
    `mean_fit_time` counts the time a fit waits for others. ``n_jobs=None`` means as many at once as
    the process has threads. Other estimators, and all inside ``joblib.parallel_config`` of a
    cluster, as "dask" and "ray" are, are searched by scikit-learn; so are fits that run Python
    after each epoch, with L-BFGS, early stopping or rates that adapt, if `n_jobs` asks for
    processes.

    Examples
    --------
    >>> from fastmlp.sklearn import GridSearchCV, MLPClassifier
    >>> grid = {"alpha": [1e-4, 1e-2], "hidden_layer_sizes": [(8,), (16,)]}
    >>> search = GridSearchCV(MLPClassifier(), grid).fit(X, y)  # doctest: +SKIP
    """


class RandomizedSearchCV(_Together, model_selection.RandomizedSearchCV):
    """Search over random parameters: scikit-learn's, faster for our estimators.

    As `GridSearchCV` is: parameters, attributes, methods and scores are those of
    ``sklearn.model_selection.RandomizedSearchCV`` exactly.

    Examples
    --------
    >>> from fastmlp.sklearn import MLPClassifier, RandomizedSearchCV
    >>> settings = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2], "batch_size": [32, 64, 128]}
    >>> search = RandomizedSearchCV(MLPClassifier(), settings, n_iter=8)
    """


def _is_ours(estimator: Any) -> bool:
    """Return whether an estimator is ours, or a pipeline to one."""
    while isinstance(estimator, Pipeline) and estimator.steps:
        estimator = estimator.steps[-1][1]
    return isinstance(estimator, BaseMLP)


def _runs_python(estimator: Any, grid: Mapping[str, Any]) -> bool:
    """Return whether fits of an estimator run Python after each epoch with all of a grid."""
    prefix = ""
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        if prefix + name in grid:  # another estimator
            return False
        prefix += name + "__"
    names = ("solver", "learning_rate", "early_stopping")
    given = [grid.get(prefix + name, [getattr(estimator, name)]) for name in names]
    if not all(isinstance(values, list | tuple) for values in given):
        return False
    return all(runs_python(*each) for each in product(*given))


_NOT_THE_SHAPE = {"alpha", "learning_rate_init", "random_state"}


def _kind(*_: Any, train: Any = (), parameters: Any = None, **__: Any) -> Hashable:
    """Return what is equal for fits of networks of one shape: arguments of `_fit_and_score`."""
    parameters = parameters or {}
    shape = (each for each in parameters.items() if each[0].split("__")[-1] not in _NOT_THE_SHAPE)
    return len(train) // ALIKE_SAMPLES, frozenset(
        (name, _comparable(value)) for name, value in shape
    )


def _rank(*_: Any, parameters: Any = None, split_progress: Any = (), **__: Any) -> tuple[Any, ...]:
    """Return the learning rate and the fold, by which fits of a kind begin: see `Meeting.add`."""
    each = (parameters or {}).items()
    rates = [rate for name, rate in each if name.split("__")[-1] == "learning_rate_init"]
    return *(rate for rate in rates if isinstance(rate, Real)), *split_progress


def _comparable(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def _is_local() -> bool:
    """Return whether joblib runs on this machine, unless the user has chosen a cluster."""
    backend, _ = get_active_backend()
    return type(backend).__module__ == "joblib._parallel_backends"


def _digest(content: Any) -> bytes:
    """Return a hash of what something contains, without a copy of its arrays."""
    arrays: list[pickle.PickleBuffer] = []
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(pickle.dumps(content, 5, buffer_callback=arrays.append))
    for each in arrays:
        digest.update(each.raw())
    return digest.digest()


class _FittedSteps:
    """The `memory` of pipelines during a search: fitted steps and what they return, by content."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[bytes, Future[Any]] = {}

    def clear(self) -> None:
        """Forget all results."""
        self._results = {}

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Return a new one: a pickle needs no results."""
        return _FittedSteps, ()

    def __deepcopy__(self, memo: Any) -> Self:
        """Return the same memory, which the clones of a pipeline share."""
        return self

    def cache(self, function: Callable[..., Any], ignore: Any = ()) -> Callable[..., Any]:
        """Return a function that computes each result once; see ``joblib.Memory.cache``."""
        left_out = {*(ignore or ()), "message", "message_clsname"}

        def cached(step: Any, X: Any, *arguments: Any, **named: Any) -> Any:
            compared = {name: value for name, value in named.items() if name not in left_out}
            content = (type(step), step.get_params(), X, arguments, compared)
            try:
                key = _digest(content)
            except Exception:  # noqa: BLE001  (of what cannot be pickled, such as a lambda)
                return function(step, X, *arguments, **named)
            with self._lock:
                is_first = key not in self._results
                future = self._results.setdefault(key, Future())
            if is_first:
                try:
                    with computing():
                        future.set_result(function(step, X, *arguments, **named))
                except BaseException as error:
                    future.set_exception(error)
                    raise
            with nullcontext() if future.done() else computing():
                transformed, fitted = future.result()
            # The next step may change its input in place.
            return (transformed.copy() if hasattr(transformed, "copy") else transformed), fitted

        return cached
