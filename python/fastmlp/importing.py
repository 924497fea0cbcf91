"""`from_onnx`, `from_torch` and so on: networks from other libraries."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from fastmlp._validation import switch
from fastmlp.exchange._peer import peer
from fastmlp.layers import ActivationLike
from fastmlp.losses import LossLike
from fastmlp.network import Network, network_of


def from_onnx(
    model: str | Path | bytes | Any,
    *,
    output: str | None = None,
    loss: LossLike | None = None,
    seed: int | None = None,
    verify: bool = True,
) -> Network:
    """Convert an ONNX graph of dense layers to a network.

    Reads the multilayer perceptrons that PyTorch, Keras, tf2onnx and skl2onnx write. Scales and
    shifts of features and outputs become those of the network, others are folded into weights.
    Dropout is omitted as in prediction, and of labels computed from the outputs (ArgMax, ZipMap)
    only the names of the classes are kept. Several outputs become
    `Heads`. Files are not trusted, and nothing is executed. Needs ``pip install 'fastmlp[onnx]'``.

    Parameters
    ----------
    model : str, Path, bytes or onnx.ModelProto
        A file, its content, or the loaded graph. External weights of a file are read, too.
    output : str, optional
        The activation of the last layer, for graphs that end without one: ``"softmax"`` for a
        classifier that returns logits.
    loss : str, CrossEntropy, Huber, Quantile or callable, optional
        As in `Network`.
    seed : int, optional
        As in `Network`; it determines the order of samples of a later `fit`.
    verify : bool, default True
        Compare the predictions with those of `model` for 8 random rows, and refuse a network that
        differs by more than rounding. ONNX Runtime computes them, or else the evaluator of onnx.

    Returns
    -------
    Network
        With equal predictions up to rounding, float32 or float64 like the weights.

    Raises
    ------
    TypeError
        If `model` has another type.
    ValueError
        If it is damaged, the graph has more than dense layers, or the predictions differ; the
        message names the node and what is allowed.
    OSError
        If the file cannot be read.
    ImportError
        If onnx is not installed.

    Examples
    --------
    >>> net = from_onnx("model.onnx", output="softmax")  # doctest: +SKIP
    """
    reader = peer("onnx.importing", "onnx", "from_onnx")
    return network_of(reader.from_onnx(model, output, loss, seed, switch("verify", verify)))


def from_torch(
    model: Any,
    *,
    output: str | None = None,
    loss: LossLike | None = None,
    seed: int | None = None,
    verify: bool = True,
) -> Network:
    """Convert a PyTorch model to a network, with copies of its weights.

    Reads what a copy of the model computes in evaluation mode, with its hooks, whatever modules,
    functions, parametrizations or scripts it is made of: dense layers one after the other, with
    activations, batch and layer normalization, dropout, and scales and shifts by constants.

    Parameters
    ----------
    model : torch.nn.Module
        Of one tensor of features (B, K), float32 or float64. Compiled and parallel ones are taken
        out of their wrappers. It is not changed.
    output, loss, seed, verify
        As in `from_onnx`; most PyTorch classifiers return logits: ``output="softmax"``. A model
        that ends with LogSoftmax becomes a network that returns the probabilities.

    Returns
    -------
    Network
        With the predictions of ``model.eval()`` up to rounding.

    Raises
    ------
    TypeError, ValueError
        If `model` is not a module, computes something else, or the predictions differ; the message
        names the module and the operator.
    ImportError
        If torch is not installed.

    Examples
    --------
    >>> net = from_torch(nn.Sequential(nn.Linear(4, 3)), output="softmax")  # doctest: +SKIP
    """
    reader = peer("torch_import", "torch", "from_torch")
    return network_of(reader.from_torch(model, output, loss, seed, switch("verify", verify)))


def from_keras(
    model: Any,
    *,
    output: str | None = None,
    loss: LossLike | None = None,
    seed: int | None = None,
    verify: bool = True,
) -> Network:
    """Convert a Keras model of dense layers to a network, with copies of its weights.

    Parameters
    ----------
    model : keras.Model
        Built; Sequential, or functional with one layer after the other, of Dense, activations,
        BatchNormalization, LayerNormalization, Dropout, Flatten, Normalization and Rescaling;
        these two become the scaling of features or outputs where they are first or last. Several
        outputs become `Heads` if each is a dense layer after layers that all outputs share. What
        activations, operations of ``keras.ops`` and arithmetic between layers compute is read, too.
    output, loss, seed, verify
        As in `from_onnx`.

    Returns
    -------
    Network
        With the predictions of `model` up to rounding.

    Raises
    ------
    TypeError, ValueError
        If `model` is not a Keras model, has more than dense layers, or the predictions differ; the
        message names the layer.
    ImportError
        If keras is not installed.

    Examples
    --------
    >>> net = from_keras(keras.saving.load_model("model.keras"))  # doctest: +SKIP
    """
    reader = peer("keras", "keras", "from_keras")
    return network_of(reader.from_keras(model, output, loss, seed, switch("verify", verify)))


def from_flax(
    model: Any,
    variables: Any = None,
    *,
    output: str | None = None,
    loss: LossLike | None = None,
    seed: int | None = None,
    verify: bool = True,
) -> Network:
    """Convert a Flax model to a network, with copies of its weights.

    Reads what a model computes of rows (B, K), from the program that JAX traces of it: dense layers
    one after the other, with activations, layer normalization, batch normalization by running
    averages, and scales and shifts by constants. Dropout is omitted.

    Parameters
    ----------
    model : flax.linen.Module or flax.nnx.Module
        One of ``nnx`` is read in evaluation mode. One of ``linen`` is called as
        ``model.apply(variables, X)``, which must be that of prediction.
    variables : dict, optional
        Of a model of ``linen``, as its ``init`` returns them: ``{"params": ...}``.
    output, loss, seed, verify
        As in `from_onnx`; most models return logits: ``output="softmax"``.

    Returns
    -------
    Network
        With the predictions of `model` up to rounding.

    Raises
    ------
    TypeError, ValueError
        If `model` is not such a module, computes something else, or the predictions differ; the
        message names the primitive.
    ImportError
        If flax is not installed.

    Examples
    --------
    >>> net = from_flax(model, variables, output="softmax")  # doctest: +SKIP
    """
    reader = peer("flax", "flax", "from_flax")
    settings = (output, loss, seed, switch("verify", verify))
    return network_of(reader.from_flax(model, variables, *settings))


def from_equinox(
    model: Any,
    *,
    output: str | None = None,
    loss: LossLike | None = None,
    seed: int | None = None,
    verify: bool = True,
) -> Network:
    """Convert an Equinox model to a network, with copies of its weights.

    Parameters
    ----------
    model : equinox.Module
        Of one sample (K,), such as ``equinox.nn.MLP``; it is read in inference mode.
    output, loss, seed, verify
        As in `from_flax`.

    Returns
    -------
    Network
        With the predictions of ``jax.vmap(model)`` up to rounding.

    Raises
    ------
    TypeError, ValueError
        As in `from_flax`.
    ImportError
        If equinox is not installed.

    Examples
    --------
    >>> net = from_equinox(eqx.nn.MLP(4, 3, 64, 2, key=key))  # doctest: +SKIP
    """
    reader = peer("equinox", "equinox", "from_equinox")
    settings = (output, loss, seed, switch("verify", verify))
    return network_of(reader.from_equinox(model, *settings))


def from_state_dict(
    state: Mapping[str, Any] | str | PathLike[str],
    *,
    activation: ActivationLike,
    output: str | None = None,
    loss: LossLike | None = None,
    seed: int | None = None,
) -> Network:
    """Convert the parameters of dense layers, by the names that PyTorch gives them, to a network.

    Parameters
    ----------
    state : mapping, str or PathLike
        Arrays or tensors by name, such as ``model.state_dict()``, or a safetensors file of them:
        pairs NAME.weight (N, K) and NAME.bias (N,), in the order of the numbers in their names.
        Whether a model uses them so, and nothing else between, names do not tell: batches of known
        predictions do. Half precision becomes float32.
    activation : str, LeakyReLU or ELU
        That of all hidden layers, which names do not tell.
    output, loss, seed
        As in `from_onnx`.

    Returns
    -------
    Network
        With copies of the parameters.

    Raises
    ------
    TypeError, ValueError
        If there is anything else in `state`, or the order is not certain; the message has the name.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> net = from_state_dict(model.state_dict(), activation="relu")  # doctest: +SKIP
    """
    from fastmlp.exchange import state_dict  # noqa: PLC0415  (only for those who import)

    return network_of(state_dict.from_state_dict(state, activation, output, loss, seed))


def from_sklearn(
    model: Any, *, loss: LossLike | None = None, seed: int | None = None, verify: bool = True
) -> Network:
    """Convert a fitted multilayer perceptron of scikit-learn, with its scalers, to a network.

    Parameters
    ----------
    model : MLPClassifier, MLPRegressor, Pipeline or TransformedTargetRegressor
        Fitted, an estimator of ``sklearn.neural_network`` or `fastmlp.sklearn`. In a Pipeline there
        may be StandardScaler, MinMaxScaler, MaxAbsScaler and RobustScaler before it, which become
        the scaling of the features; as the transformer of a TransformedTargetRegressor, that of the
        outputs. The outputs are in the order of ``classes_``, which become `class_names` if they
        are strings; a classifier of two classes has one output, the probability of the second.
    loss, seed
        As in `Network`.
    verify : bool, default True
        As in `from_onnx`.

    Returns
    -------
    Network
        With the probabilities, or the predictions, of `model` up to rounding.

    Raises
    ------
    TypeError, ValueError
        If `model` is not such an estimator, has other steps, is not fitted, or the predictions
        differ.
    ImportError
        If scikit-learn is not installed.

    Examples
    --------
    >>> net = from_sklearn(MLPClassifier().fit(X, y))  # doctest: +SKIP
    """
    reader = peer("sklearn", "sklearn", "from_sklearn")
    return network_of(reader.from_sklearn(model, loss, seed, switch("verify", verify)))
