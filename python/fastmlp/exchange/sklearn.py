"""scikit-learn: conversion of fitted multilayer perceptrons from and to networks.

Scalers before one in a Pipeline, or of the targets in a TransformedTargetRegressor, are the scaling
of a network.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelBinarizer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.validation import check_is_fitted

from fastmlp._validation import brief
from fastmlp.data._conversion import Scaling, any_array
from fastmlp.exchange.assembly import assemble
from fastmlp.exchange.steps import Activation, Dropout, Linear, Scale, Step
from fastmlp.exchange.verification import verify as verify_steps
from fastmlp.layers import ActivationName
from fastmlp.losses import LossLike
from fastmlp.model.feature_names import usable_names
from fastmlp.model.model import Model

_HIDDEN: dict[str, ActivationName]
_HIDDEN = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_OUTPUT: dict[str, ActivationName] = {**_HIDDEN, "softmax": "softmax", "exp": "exp"}
_ESTIMATORS = (MLPClassifier, MLPRegressor, Pipeline, TransformedTargetRegressor)
_SCALERS = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
_THEIRS: dict[str, str] = {ours: theirs for theirs, ours in _OUTPUT.items()}


def from_sklearn(model: object, loss: LossLike | None, seed: int | None, verify: bool) -> Model:
    """Return a network with the weights of `model`; see `fastmlp.from_sklearn`."""
    steps = list(_steps(model))
    if verify:
        nodes = next(len(step.weights.T) for step in steps[::-1] if isinstance(step, Linear))
        verify_steps(steps, lambda X: _outputs(model, X, nodes))
    net = assemble(steps, output=None, loss=loss, seed=seed)
    while isinstance(model, TransformedTargetRegressor):
        model = model.regressor_
    features, classes = (getattr(model, name, None) for name in ("feature_names_in_", "classes_"))
    net.feature_names = usable_names(features, net.features)
    net.core.class_names = usable_names(classes, net.n_classes)
    return net


def _outputs(model: Any, X: NDArray[Any], nodes: int) -> NDArray[Any]:
    """Return what a network with `nodes` outputs returns for rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the rows have no names
        if not hasattr(model, "predict_proba"):
            return np.asarray(model.predict(X))
        probabilities = np.asarray(model.predict_proba(X))
    return probabilities[:, 1:] if nodes == 1 else probabilities


def _steps(model: Any) -> Iterator[Step]:
    """Yield the steps of an estimator, or of one inside another."""
    if not isinstance(model, _ESTIMATORS) and not _is_ours(model):
        raise TypeError(
            "model must be an MLPClassifier, an MLPRegressor, or a Pipeline or "
            f"TransformedTargetRegressor of one, got {type(model).__name__}"
        )
    _refuse_unfitted(model)
    match model:
        case Pipeline():
            for name, scaler in model.steps[:-1]:
                if scaler is not None and scaler != "passthrough":
                    yield _features_scale(scaler, f"step {brief(name)}")
            yield from _steps(model.steps[-1][1])
        case TransformedTargetRegressor():
            yield from _steps(model.regressor_)
            scaler = model.transformer_
            if not (isinstance(scaler, FunctionTransformer) and scaler.inverse_func is None):
                yield _targets_scale(scaler, "the transformer of the targets")
        case MLPClassifier() | MLPRegressor():
            yield from _layers(model)
        case _:
            yield from _layers_of_ours(model.network_)


def _refuse_unfitted(estimator: Any) -> None:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        name = type(estimator).__name__
        raise ValueError(f"model is not fitted: call its fit first ({name})") from None


def _is_ours(model: object) -> bool:
    """Return whether it is an estimator of fastmlp.sklearn, which is above this module."""
    return hasattr(type(model), "network_")


def _layers(model: Any) -> Iterator[Step]:
    last = len(model.coefs_) - 1
    for i, (weights, biases) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        where = f"layer {i} of {type(model).__name__}"
        theirs = model.out_activation_ if i == last else model.activation
        yield Linear(weights, biases, where)
        yield Activation(_OUTPUT[theirs], where)


def _layers_of_ours(net: Any) -> Iterator[Step]:
    for i, layer in enumerate(net.layers):
        where = f"layer {i}"
        yield Linear(net.weights[i], net.biases[i], where)
        yield Activation(layer.activation, where)
        yield Dropout(layer.dropout, where)


def _features_scale(scaler: Any, where: str) -> Scale:
    """Return how a scaler of features transforms them."""
    _refuse_other(scaler, where)
    if isinstance(scaler, MinMaxScaler):
        return Scale(scaler.scale_, scaler.min_, where)
    centre, deviation = _centre_and_deviation(scaler)
    return Scale(1.0 / deviation, 0.0 - centre / deviation, where)


def _targets_scale(scaler: Any, where: str) -> Scale:
    """Return how a scaler of targets transforms predictions back."""
    _refuse_other(scaler, where)
    if isinstance(scaler, MinMaxScaler):
        return Scale(1.0 / scaler.scale_, 0.0 - scaler.min_ / scaler.scale_, where)
    centre, deviation = _centre_and_deviation(scaler)
    return Scale(deviation, centre, where)


def _refuse_other(scaler: Any, where: str) -> None:
    if not isinstance(scaler, _SCALERS) or getattr(scaler, "clip", False):
        raise ValueError(
            f"{where}: {brief(repr(scaler))} is not supported; beside a network there may be "
            f"{', '.join(kind.__name__ for kind in _SCALERS)}, without clipping"
        )
    _refuse_unfitted(scaler)


def _centre_and_deviation(scaler: Any) -> Scaling:
    """Return what a scaler subtracts, and then divides by."""
    match scaler:
        case StandardScaler():
            centre, deviation = scaler.mean_ if scaler.with_mean else None, scaler.scale_
        case RobustScaler():
            centre, deviation = scaler.center_, scaler.scale_
        case _:
            centre, deviation = None, scaler.scale_
    columns = scaler.n_features_in_
    return (
        np.zeros(columns) if centre is None else centre,
        np.ones(columns) if deviation is None else deviation,
    )


def to_sklearn(net: Model, labels: ArrayLike | None) -> Any:
    """Return the network as a fitted estimator; see `Network.to_sklearn`."""
    normalizations = [net.input_normalization, *(layer.normalization for layer in net.layers)]
    if any(each is not None for each in normalizations):
        raise ValueError(
            "scikit-learn has no normalization, of features or of layers; the network has"
        )
    *hidden, output = (layer.activation for layer in net.layers)
    if len(set(hidden)) > 1 or any(name not in _HIDDEN.values() for name in hidden):
        raise ValueError(
            "scikit-learn has one activation for all hidden layers, one of "
            f"{', '.join(map(repr, _HIDDEN.values()))}; the network has {hidden}"
        )
    classifier = output in ("softmax", "sigmoid")
    if not classifier and output not in ("identity", "exp"):
        raise ValueError(
            "the last layer must be 'softmax' or 'sigmoid' for a classifier, 'identity' or 'exp' "
            f"for a regressor, got {output!r}"
        )
    if not classifier and labels is not None:
        raise ValueError(f"labels are for classifiers, but this network ends with {output!r}")
    settings = {
        "hidden_layer_sizes": tuple(layer.nodes for layer in net.layers[:-1]),
        "activation": _THEIRS[hidden[0]] if hidden else "relu",
    }
    model: Any
    if classifier:
        names = net.core.class_names
        if labels is None and names is not None and names == tuple(sorted(names)):
            labels = None if _is_multilabel(net) else names
        model = MLPClassifier(**settings)
        model._label_binarizer = _binarizer(net, labels)  # noqa: SLF001  (where fit puts it)
        model.classes_ = model._label_binarizer.classes_  # noqa: SLF001
    else:
        loss = {"loss": "poisson"} if output == "exp" else {}
        model = MLPRegressor(**settings, **loss)
    model = _fitted(model, net, _THEIRS[output])
    first = model
    if net.input_scaling is not None:
        first = _input_scaler(net.input_scaling)
        model = Pipeline([("scaler", first), ("network", model)])
    if net.feature_names is not None:
        first.feature_names_in_ = np.array(net.feature_names, object)
    return model if net.output_scaling is None else _in_units(model, net.output_scaling)


def _input_scaler(scaling: Scaling) -> Any:
    """Return a fitted scaler of features, which takes sparse ones if there are no offsets."""
    scale, offset = (part.astype(np.float64) for part in scaling)
    scaler: Any
    if offset.any():
        scaler = MinMaxScaler()  # the one that computes x * scale_ + min_
        scaler.scale_, scaler.min_ = scale, offset
    else:
        scaler = MaxAbsScaler()
        with np.errstate(divide="ignore"):
            scaler.scale_ = 1.0 / scale
    scaler.n_features_in_ = len(scale)
    return scaler


def _in_units(model: Any, scaling: Scaling) -> Any:
    """Return a fitted regressor that scales the predictions of `model`."""
    scaler: Any = StandardScaler()
    scaler.scale_, scaler.mean_ = (part.astype(np.float64) for part in scaling)
    scaler.var_ = scaler.scale_**2
    scaler.n_features_in_ = len(scaler.scale_)
    regressor: Any = TransformedTargetRegressor(model, transformer=scaler)
    regressor.regressor_, regressor.transformer_ = model, scaler
    regressor._training_dim = 1 if len(scaler.scale_) == 1 else 2  # noqa: SLF001  (where fit puts it)
    return regressor


def _is_multilabel(net: Model) -> bool:
    return net.layers[-1].activation == "sigmoid" and net.outputs > 1


def _fitted(model: Any, net: Model, out_activation: str) -> Any:
    """Set the attributes of a fitted `model`, so that it can predict."""
    model.coefs_ = [net.core.weights(i).copy() for i in range(len(net.layers))]
    model.intercepts_ = [net.core.biases(i).copy() for i in range(len(net.layers))]
    model.n_features_in_ = net.features
    model.n_outputs_ = net.layers[-1].nodes
    model.n_layers_ = len(net.layers) + 1
    model.out_activation_ = out_activation
    model.n_iter_ = net.core.epoch
    model.t_ = 0
    model.loss_ = model.best_loss_ = None
    model.loss_curve_ = []
    return model


def _binarizer(net: Model, labels: ArrayLike | None) -> LabelBinarizer:
    """Return the binarizer of the labels: two labels for one sigmoid, otherwise multilabel."""
    outputs = net.layers[-1].nodes
    multilabel = _is_multilabel(net)
    count = 2 if outputs == 1 else outputs
    if net.layers[-1].activation == "softmax" and outputs < 3:
        raise ValueError(
            "scikit-learn has no softmax of one or two outputs; use one output with sigmoid"
        )
    classes = np.arange(count) if labels is None else any_array("labels", labels)
    if classes.shape != (count,):
        raise ValueError(f"labels must have shape ({count},), got {classes.shape}")
    try:
        are_sorted = len(np.unique(classes)) == count and np.array_equal(np.sort(classes), classes)
    except TypeError as error:
        raise TypeError(f"labels must be numbers or text, of one kind: {error}") from None
    if not are_sorted:
        raise ValueError("labels must be sorted and unique, as in scikit-learn")
    if multilabel and not np.array_equal(classes, np.arange(count)):
        raise ValueError("labels are not supported for multilabel classifiers")
    return LabelBinarizer().fit(np.eye(count, dtype=int) if multilabel else classes)
