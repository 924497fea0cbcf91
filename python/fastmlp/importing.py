"""`from_onnx`, `from_torch`, `from_keras` and `from_sklearn`: a network from another library."""

from pathlib import Path
from typing import Any

from fastmlp.exchange._peer import peer
from fastmlp.losses import LossLike
from fastmlp.network import Network, network_of


def from_onnx(
    model: str | Path | bytes | Any,
    *,
    output: str | None = None,
    loss: LossLike | None = None,
    seed: int | None = None,
) -> Network:
    """Make a network of an ONNX graph of dense layers.

    It reads what PyTorch, Keras (tf2onnx too) and skl2onnx write of multilayer perceptrons. Scales
    and shifts of features and nodes are folded into weights, dropout is left out as in prediction,
    and labels made of the outputs (ArgMax, ZipMap) are no part of the network. Nothing is trusted
    or executed. Needs ``pip install 'fastmlp[onnx]'``.

    Parameters
    ----------
    model : str, Path, bytes or onnx.ModelProto
        A file, its content, or the graph read from it. Weights beside a file are read too.
    output : str, optional
        The activation of the last layer, for graphs that end without one: ``"softmax"`` where a
        classifier gives logits.
    loss : str, CrossEntropy, Huber, Quantile or callable, optional
        As in `Network`.
    seed : int, optional
        As in `Network`: the order of samples of a later `fit` follows from it.

    Returns
    -------
    Network
        With the same predictions up to rounding, float32 or float64 as the weights are.

    Raises
    ------
    TypeError
        If `model` is of another kind.
    ValueError
        If it is damaged, or the graph is more than dense layers; the message names the node and
        what is allowed.
    OSError
        If the file cannot be read.
    ImportError
        If onnx is not installed.

    Examples
    --------
    >>> net = from_onnx("model.onnx", output="softmax")  # doctest: +SKIP
    """
    reader = peer("onnx_import", "onnx", "from_onnx")
    return network_of(reader.from_onnx(model, output, loss, seed))


def from_torch(
    model: Any,
    *,
    output: str | None = None,
    loss: LossLike | None = None,
    seed: int | None = None,
) -> Network:
    """Make a network of a ``torch.nn.Sequential``, with copies of its weights.

    Parameters
    ----------
    model : torch.nn.Sequential
        Of Linear, activations, BatchNorm1d, LayerNorm, Dropout, Flatten, Identity and nested
        Sequential, float32 or float64.
    output, loss, seed
        As in `from_onnx`; PyTorch's classifiers mostly give logits: ``output="softmax"``.

    Returns
    -------
    Network
        With the predictions of ``model.eval()`` up to rounding.

    Raises
    ------
    TypeError, ValueError
        If `model` is no module, or more than dense layers; the message names the module.
    ImportError
        If torch is not installed.

    Examples
    --------
    >>> net = from_torch(nn.Sequential(nn.Linear(4, 3)), output="softmax")  # doctest: +SKIP
    """
    reader = peer("torch", "torch", "from_torch")
    return network_of(reader.from_torch(model, output, loss, seed))


def from_keras(
    model: Any,
    *,
    output: str | None = None,
    loss: LossLike | None = None,
    seed: int | None = None,
) -> Network:
    """Make a network of a Keras model of dense layers, with copies of its weights.

    Parameters
    ----------
    model : keras.Model
        Sequential, or functional with one layer after the other, built: of Dense, activations,
        BatchNormalization, LayerNormalization, Dropout, Flatten, Normalization and Rescaling.
    output, loss, seed
        As in `from_onnx`.

    Returns
    -------
    Network
        With the predictions of `model` up to rounding.

    Raises
    ------
    TypeError, ValueError
        If `model` is no Keras model, or more than dense layers; the message names the layer.
    ImportError
        If keras is not installed.

    Examples
    --------
    >>> net = from_keras(keras.saving.load_model("model.keras"))  # doctest: +SKIP
    """
    reader = peer("keras", "keras", "from_keras")
    return network_of(reader.from_keras(model, output, loss, seed))


def from_sklearn(model: Any, *, loss: LossLike | None = None, seed: int | None = None) -> Network:
    """Make a network of a fitted MLPClassifier or MLPRegressor of scikit-learn.

    Parameters
    ----------
    model : sklearn.neural_network.MLPClassifier or MLPRegressor
        Fitted. Its ``classes_`` stay with it: the network's outputs are in their order, and a
        classifier of two classes has one output, the probability of the second.
    loss, seed
        As in `Network`.

    Returns
    -------
    Network
        With the probabilities, or the predictions, of `model` up to rounding.

    Raises
    ------
    TypeError, ValueError
        If `model` is not such an estimator, or not fitted.
    ImportError
        If scikit-learn is not installed.

    Examples
    --------
    >>> net = from_sklearn(MLPClassifier().fit(X, y))  # doctest: +SKIP
    """
    reader = peer("sklearn", "sklearn", "from_sklearn")
    return network_of(reader.from_sklearn(model, loss, seed))
