"""`Exports`: what takes a network to other libraries and formats, the methods of `Network`."""

from typing import Any

from numpy.typing import ArrayLike

from fastmlp import _validation
from fastmlp.exchange._peer import peer
from fastmlp.files import Path
from fastmlp.model.model import Model


class Exports(Model):
    """A part of `Network`; its methods leave the network as it is."""

    def to_onnx(self, path: Path) -> None:
        """Write the network as an ONNX file, for ONNX Runtime and all else that reads it.

        The graph has the input ``X`` (batch, features), with any number of rows, and the output
        ``Y`` (batch, N), which is `predict` up to rounding. The same network gives the same bytes.
        Needs ``pip install 'fastmlp[onnx]'``.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists, as a whole or not at all.

        Raises
        ------
        ValueError
            If the parameters do not fit in a file of 2 GiB, the limit of the format.
        OSError
            If the file cannot be written; the old one is as it was.
        ImportError
            If onnx is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> net.to_onnx("model.onnx")  # doctest: +SKIP
        """
        convert = peer("onnx_export", "onnx", "to_onnx").to_onnx
        with self._core.reading():
            convert(self, path)

    def to_torch(self, *, share: bool = False) -> Any:
        """Return the network as a ``torch.nn.Sequential``.

        Parameters
        ----------
        share : bool, default False
            True lets the modules have the network's own memory, through DLPack: training one is
            training the other. PyTorch's weights are (N, K): they are transposed views.

        Returns
        -------
        torch.nn.Sequential
            Linear modules and activations; the last one is the network's too, so that a
            cross-entropy of logits takes ``model[:-1]``.

        Raises
        ------
        ImportError
            If torch is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> model = net.to_torch(share=True)  # doctest: +SKIP
        >>> model[0].weight.shape  # doctest: +SKIP
        torch.Size([64, 64])
        """
        convert = peer("torch", "torch", "to_torch").to_torch
        share = _validation.switch("share", share)
        with self._core.reading():
            return convert(self, share)

    def to_keras(self) -> Any:
        """Return the network as a ``keras.Sequential`` with copies of the weights.

        Returns
        -------
        keras.Sequential
            Built, not compiled: loss and optimizer are the caller's choice. Weights of float64
            stay float64 where the backend has it (JAX with ``jax_enable_x64`` only), but some
            backends of Keras multiply matrices in float32 all the same.

        Raises
        ------
        ImportError
            If keras is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> model = net.to_keras()  # doctest: +SKIP
        """
        convert = peer("keras", "keras", "to_keras").to_keras
        with self._core.reading():
            return convert(self)

    def to_sklearn(self, *, labels: ArrayLike | None = None) -> Any:
        """Return the network as a fitted estimator of scikit-learn.

        Parameters
        ----------
        labels : array-like, optional
            What the outputs of a classifier stand for, sorted as scikit-learn keeps them: one for
            each output, or two for one sigmoid output. None is 0, 1, ...

        Returns
        -------
        MLPClassifier or MLPRegressor
            A classifier for softmax and sigmoid outputs, several sigmoids meaning several labels
            at once; a regressor for identity and exp.

        Raises
        ------
        ValueError
            If scikit-learn has no such network, or `labels` do not fit it.
        ImportError
            If scikit-learn is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> model = net.to_sklearn(labels=["cat", "dog", "fox"])  # doctest: +SKIP
        """
        convert = peer("sklearn", "sklearn", "to_sklearn").to_sklearn
        with self._core.reading():
            return convert(self, labels)

    def export_c(self, path: Path, name: str = "model", *, training: bool = False) -> None:
        """Write the network as one C header that needs nothing else.

        It compiles as C99 and as C++17, allocates nothing, and has the weights in it to the bit.
        ``model_predict(parameters, x, y, workspace)`` computes one sample; with ``training`` there
        is ``model_train(parameters, x, targets, batch, learning_rate, workspace)``, a step of SGD
        on a copy of the parameters, and ``model_train_labels`` for class numbers. The order of all
        operations is that of the core: with ``-ffp-contract=off`` results have the bits of
        `predict` and of `fit`. Its first lines tell how to use it.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists, as a whole or not at all.
        name : str, default "model"
            An identifier of C that every name in the header starts with.
        training : bool, default False
            Whether it can train as well.

        Raises
        ------
        TypeError
            If `name` is not a string.
        ValueError
            If `name` is no identifier, or a parameter is not finite.
        OSError
            If the file cannot be written; the old one is as it was.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> net.export_c("digits.h", "digits", training=True)  # doctest: +SKIP
        """
        from fastmlp.exchange.c import export_c  # noqa: PLC0415  (only for those who export)

        training = _validation.switch("training", training)
        with self._core.reading():
            export_c(self, path, name, training)
