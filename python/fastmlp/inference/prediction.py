"""`predict` and `evaluate`."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data import _arrays, _memory, copying
from fastmlp.data._raw import RawRows
from fastmlp.data.stream import Rows, Stream, TargetsLike
from fastmlp.history import Evaluation
from fastmlp.inference.streams import evaluate_data, predict_stream
from fastmlp.model.feature_names import check_names
from fastmlp.model.model import Model
from fastmlp.model.samples import read_samples
from fastmlp.model.targets import outputs_of_heads
from fastmlp.streams.source import read_data


def predict_converted(
    model: Model, X: ArrayLike | Stream, out: NDArray[Any] | None, n_threads: int
) -> NDArray[Any]:
    """Compute the outputs for an X that the core does not take as it is; see `Network.predict`.

    Whether X is copied is decided by `data.copying`.
    """
    check_names("X", X, model.feature_names)
    if isinstance(X, Stream):
        return _predict_stream(model, X, out, n_threads)
    x = copying.features_as_given(
        "X",
        X,
        model.features,
        model.dtype,
        minimum=0,
        shuffled=False,
        per_row=model.outputs * model.dtype.itemsize if out is None else 0,
        scaling=model.input_scaling,
        sparse=model.input_normalization is None,
    )
    result = None
    if out is not None:
        result = _arrays.output(out, len(x), model.outputs, model.dtype)
        values = x if isinstance(x, np.ndarray) else x.values
        if np.may_share_memory(result, values):
            raise ValueError("out must not share memory with X or with the parameters")
        _refuse_parameters(model, result)
    return model.core.predict(x, result, n_threads)


def read_features(model: Model, X: ArrayLike) -> NDArray[Any]:
    """Return the samples for a model that scales no features, of its dtype."""
    check_names("X", X, model.feature_names)
    x = copying.features_as_given(
        "X", X, model.features, model.dtype, minimum=0, shuffled=False, sparse=False
    )
    if isinstance(x, RawRows):
        return x.read()
    assert isinstance(x, np.ndarray)  # as sparse ones are refused
    return x


def _predict_stream(
    model: Model, stream: Stream, out: NDArray[Any] | None, n_threads: int
) -> NDArray[Any]:
    rows, outputs = stream.n_rows, model.outputs
    if out is None:
        _memory.require("the outputs", rows * outputs * model.dtype.itemsize)
        result = np.empty((rows, outputs), model.dtype)
    else:
        result = _arrays.output(out, rows, outputs, model.dtype)
        _refuse_parameters(model, result)
    predict_stream(model, stream, result, model.core.snapshot(), n_threads)
    return result


def _refuse_parameters(model: Model, out: NDArray[Any]) -> None:
    if np.may_share_memory(out, model.core.parameters):
        raise ValueError("out must not share memory with X or with the parameters")


def evaluate(
    model: Model,
    X: ArrayLike | Stream | Iterable[Rows],
    y: TargetsLike | None,
    n_threads: int | None,
    sample_weight: ArrayLike | None,
) -> Evaluation:
    """Compute the mean loss and the accuracy on X against y; see `Network.evaluate`."""
    limit = _validation.n_threads(n_threads)
    data = read_data(X, y)
    check_names("X", X, model.feature_names)
    if data is not None:
        if sample_weight is not None:
            raise ValueError("sample_weight is part of the stream")
        return evaluate_data(model, data, model.core.snapshot(), limit)
    kept = model.dtype.itemsize + 8  # the loss of a sample, and its correct decisions
    samples = read_samples(model, X, y, sample_weight, as_given=True, per_row=kept)
    return samples.evaluate(model.core, limit)


def classes(model: Model, outputs: NDArray[Any]) -> NDArray[Any]:
    """Return the classes that outputs decide for; see `Network.predict_classes`."""
    names = model.core.class_names
    chosen: NDArray[Any]
    if model.loss.heads:
        chosen = _of_classifying_head(model, outputs).argmax(axis=1)
        return chosen
    if model.layers[-1].activation == "softmax":
        chosen = outputs.argmax(axis=1)
    elif model.outputs > 1:
        chosen, names = np.greater(outputs, 0.5), None
    else:
        chosen = (outputs[:, 0] > 0.5).astype(np.intp)
    return chosen if names is None else np.array(names)[chosen]


def check_classes(model: Model) -> None:
    """Raise ValueError unless the outputs, or those of one head, are classes."""
    if model.loss.heads:
        softmax = [name for name, head in model.loss.heads if head.activation == "softmax"]
        if len(softmax) != 1:
            raise ValueError(
                f"predict_classes needs one head of softmax, this network has {len(softmax)}: "
                "net.split(net.predict(X)) has the outputs of each head"
            )
    elif model.n_classes == 0:
        raise ValueError(
            "predict_classes needs outputs of softmax or sigmoid, those of this network are "
            f"{model.layers[-1].activation!r}"
        )


def _of_classifying_head(model: Model, outputs: NDArray[Any]) -> NDArray[Any]:
    """Return the outputs of the one head of softmax."""
    parts = zip(model.loss.heads, outputs_of_heads(outputs, model.loss.heads), strict=True)
    return next(part for (_, head), part in parts if head.activation == "softmax")
