"""scikit-learn: conversion of fitted MLPClassifier and MLPRegressor from and to networks."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from fastmlp.exchange.assembly import assemble
from fastmlp.exchange.steps import Activation, Linear, Step
from fastmlp.layers import ActivationName
from fastmlp.losses import LossLike
from fastmlp.model.model import Model

_HIDDEN: dict[str, ActivationName]
_HIDDEN = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_OUTPUT: dict[str, ActivationName] = {**_HIDDEN, "softmax": "softmax", "exp": "exp"}
_THEIRS: dict[str, str] = {ours: theirs for theirs, ours in _OUTPUT.items()}


def from_sklearn(model: object, loss: LossLike | None, seed: int | None) -> Model:
    """Return a network with the weights of `model`; see `fastmlp.from_sklearn`."""
    if not isinstance(model, MLPClassifier | MLPRegressor):
        raise TypeError(
            f"model must be an MLPClassifier or an MLPRegressor, got {type(model).__name__}"
        )
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise ValueError("model is not fitted: call its fit first") from None
    steps: list[Step] = []
    last = len(model.coefs_) - 1
    for i, (weights, biases) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        where = f"layer {i} of {type(model).__name__}"
        theirs = model.out_activation_ if i == last else model.activation
        steps += [Linear(weights, biases, where), Activation(_OUTPUT[theirs], where)]
    return assemble(steps, output=None, loss=loss, seed=seed)


def to_sklearn(net: Model, labels: ArrayLike | None) -> Any:
    """Return the network as a fitted estimator; see `Network.to_sklearn`."""
    if any(layer.normalization is not None for layer in net.layers):
        raise ValueError("scikit-learn has no normalization; the network has")
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
    if classifier:
        model = MLPClassifier(**settings)
        model._label_binarizer = _binarizer(net, labels)  # noqa: SLF001  (where fit puts it)
        model.classes_ = model._label_binarizer.classes_  # noqa: SLF001
    else:
        loss = {"loss": "poisson"} if output == "exp" else {}
        model = MLPRegressor(**settings, **loss)
    return _fitted(model, net, _THEIRS[output])


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
    multilabel = net.layers[-1].activation == "sigmoid" and outputs > 1
    count = 2 if outputs == 1 else outputs
    if net.layers[-1].activation == "softmax" and outputs < 3:
        raise ValueError(
            "scikit-learn has no softmax of one or two outputs; use one output with sigmoid"
        )
    classes = np.arange(count) if labels is None else np.asarray(labels)
    if classes.shape != (count,):
        raise ValueError(f"labels must have shape ({count},), got {classes.shape}")
    if len(np.unique(classes)) != count or not np.array_equal(np.sort(classes), classes):
        raise ValueError("labels must be sorted and unique, as in scikit-learn")
    if multilabel and not np.array_equal(classes, np.arange(count)):
        raise ValueError("labels are not supported for multilabel classifiers")
    return LabelBinarizer().fit(np.eye(count, dtype=int) if multilabel else classes)
