"""`Model`: the paper's network. What it is made of, and its three steps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _core, _validation
from fastmlp._validation import FloatType
from fastmlp._validation.foreign_names import hints_at_arguments, missing_attribute
from fastmlp.data import _arrays, _memory
from fastmlp.layers import (
    ActivationName,
    Dense,
    NormalizationName,
    build_layers,
    refuse_single_softmax,
)
from fastmlp.losses import Loss, LossLike, choose_loss
from fastmlp.model.feature_names import Names, check_names, read_names
from fastmlp.model.live import LiveModel
from fastmlp.model.summary import Summary, describe, summarise
from fastmlp.model.views import Core
from fastmlp.settings.custom_loss import CustomLoss, LossFunction
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import Optimizer, StepOptimizerName, read_step_optimizer

_PARAMETERS: Final = "the parameters and gradients of the network"


class Model(LiveModel):
    """Layers, loss and seed, and the compiled core that owns the memory; see `Network`.

    It checks what comes, and hands on to the core.
    """

    _feature_names: Names | None = None

    @hints_at_arguments
    def __init__(
        self,
        layers: Sequence[int | Dense],
        activation: ActivationName = "relu",
        output: ActivationName = "softmax",
        loss: LossLike | None = None,
        seed: int | None = None,
        dtype: FloatType = "float32",
        normalization: NormalizationName | None = None,
        dropout: float = 0.0,
    ) -> None:
        features, dense = build_layers(layers, activation, output, normalization, dropout)
        refuse_single_softmax(dense)
        self._begin(features, dense, loss, seed, dtype)

    def _begin(
        self,
        features: int,
        layers: tuple[Dense, ...],
        loss: LossLike | None,
        seed: int | None,
        dtype: object,
    ) -> None:
        self._features, self._layers = features, layers
        self._loss = choose_loss(loss, layers[-1].activation)
        self._dtype = _validation.dtype(dtype)
        self._core = self._new_core(_validation.seed(seed))

    @classmethod
    def _of_layers(
        cls,
        features: int,
        layers: Sequence[Dense],
        loss: LossLike | None,
        seed: int | None,
        dtype: object,
    ) -> Self:
        """Make a network of layers that another program trained, one softmax node included."""
        network = cls.__new__(cls)
        network._begin(*build_layers([features, *layers], "relu", "softmax"), loss, seed, dtype)  # noqa: SLF001
        return network

    def _new_core(self, seed: int) -> Core:
        widths = [self._features, *(layer.nodes for layer in self._layers)]
        size = sum(map(Dense.parameters, self._layers, widths))
        needed = 2 * size * self._dtype.itemsize
        _memory.require(_PARAMETERS, needed)
        kind = _core.Network32 if self._dtype == np.float32 else _core.Network64
        layers = [
            (layer.nodes, layer.activation, layer.normalization or "none", layer.dropout)
            for layer in self._layers
        ]
        try:
            return kind(self._features, layers, self._loss[:2], seed)
        except MemoryError:
            raise _memory.error(_PARAMETERS, needed) from None

    def _copied_core(self) -> Core:
        """Return a copy of all that training changes, to go back to."""
        core = self._new_core(self._core.seed)
        core.assign(self._core)  # type: ignore[arg-type]
        return core

    @classmethod
    def _of_core(cls, core: Core) -> Self:
        """Make a network of a core that was loaded, which describes itself."""
        network = cls.__new__(cls)
        network._adopt(core)  # noqa: SLF001  (its own)
        return network

    def _adopt(self, core: Core) -> None:
        self._features = core.features
        self._layers = tuple(
            Dense(
                nodes,
                cast("ActivationName", activation),
                None if normalization == "none" else cast("NormalizationName", normalization),
                dropout,
            )
            for nodes, activation, normalization, dropout in core.layers
        )
        self._loss = Loss(*core.loss)
        self._dtype = core.parameters.dtype
        self._core = core

    @property
    def features(self) -> int:
        """Number of features of a sample."""
        return self._features

    @property
    def feature_names(self) -> Names | None:
        """Names of the features, or None: those of the first frame that `fit` was given.

        A frame of pandas, polars or pyarrow whose columns have other names, or another order, is
        refused with a ValueError from then on; arrays have no names and are taken as they are. Set
        it to a sequence of unique strings, one for each feature, or to None. Copies and pickles
        keep the names; files have no place for them (`Network.save`).
        """
        return self._feature_names

    @feature_names.setter
    def feature_names(self, names: Sequence[str] | None) -> None:
        self._feature_names = read_names(names, self._features)

    @property
    def layers(self) -> tuple[Dense, ...]:
        """The layers after the features."""
        return self._layers

    @property
    def loss(self) -> str:
        """Name of the loss, ``"custom"`` for a function."""
        return self._loss.name

    @property
    def loss_function(self) -> LossFunction | None:
        """The user's own loss, if `loss` is ``"custom"``; a loaded network wants it set again.

        Raises
        ------
        ValueError
            If the network was loaded, and its function not set yet; or set where there is none.
        """
        if self.loss == "custom" and self._loss.function is None:
            raise ValueError(
                "the network was loaded without its custom loss, which no file can hold: "
                "set net.loss_function = f"
            )
        return self._loss.function

    @loss_function.setter
    def loss_function(self, function: LossFunction) -> None:
        if self.loss != "custom":
            raise ValueError(f"the loss of this network is {self.loss!r}, not a function")
        if not callable(function):
            raise TypeError(
                f"loss_function must be callable, got {_validation.described(function)}"
            )
        self._loss = self._loss._replace(function=function)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the parameters, float32 or float64."""
        return self._dtype

    @property
    def seed(self) -> int:
        """The seed, given or drawn."""
        return self._core.seed

    @property
    def epoch(self) -> int:
        """Number of epochs ever trained: with the seed, the position of the sample order."""
        return self._core.epoch

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return self._core.parameters.size

    def forward(self, X: ArrayLike, training: bool = True) -> NDArray[Any]:
        """Compute the nodes of every layer (1.2).

        `training` makes a difference to networks with normalization or dropout only.

        Parameters
        ----------
        X : array-like, shape (B, features)
            A batch of samples. ``nodes[0]`` borrows it where it needs no conversion.
        training : bool, default True
            True goes on as a step of `fit` does: batch normalisation is by this batch and moves
            the running averages, unless B is 1, and dropout draws the masks of the next B samples
            of the epoch.
            False computes what `predict` does, and `backward` then the gradients of that.

        Returns
        -------
        ndarray, shape (B, N)
            The outputs, ``nodes[-1]``: read-only, valid until the next `forward` or `fit`.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C: as if there had been no `forward`, not even those before.
        TypeError, ValueError
            If X does not fit the network, or is not finite.
        RuntimeError
            If another thread is fitting the network.
        """
        check_names("X", X, self.feature_names)
        x = _arrays.features(
            "X", X, self._features, self._dtype, minimum=1, per_row=self._bytes_per_row()
        )
        return self._core.forward(x, _validation.switch("training", training))

    def _bytes_per_row(self) -> int:
        """Count what `forward` and `backward` keep of a sample: nodes, deltas, z, normalised z."""
        kept = sum(
            layer.nodes * (2 + (layer.dropout > 0) + 2 * (layer.normalization is not None))
            for layer in self._layers
        )
        return kept * self._dtype.itemsize

    def backward(self, y: ArrayLike) -> float:
        """Compute deltas and gradients for the batch of the last `forward` (2.8) to (2.12).

        Parameters
        ----------
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.

        Returns
        -------
        float
            The mean loss.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C: the gradients are then as before or zero, never some of them.
        TypeError, ValueError
            If y does not fit the network or the batch.
        RuntimeError
            If there was no `forward`, or another thread is fitting the network.
        """
        rows = len(self._core.nodes(0))  # asked again by the core, once no other thread steps
        outputs = self._layers[-1].nodes
        targets = _arrays.targets("y", y, rows, outputs, self.loss, self._dtype)
        function = self.loss_function
        given = targets if function is None else CustomLoss(function, targets)
        return self._core.backward(given, None, rows)

    def update(self, learning_rate: float | Optimizer | StepOptimizerName) -> None:
        """Take one step against `gradients`: ``w = w - learning_rate * gradient`` (2.13), (2.14).

        Parameters
        ----------
        learning_rate : float, Optimizer or str
            The step size eta, finite and above 0; or an optimizer, or the name of one with its
            defaults, whose step is taken, with a number as its learning rate. What it remembers is
            `optimizer_state`.

        Raises
        ------
        TypeError, ValueError
            If `learning_rate` is none of these.
        RuntimeError
            If another thread is fitting the network.
        """
        if not isinstance(learning_rate, Optimizer | LBFGS | str | type):
            self._core.update(_validation.learning_rate(learning_rate, self._dtype))
            return
        optimizer = read_step_optimizer(learning_rate, "update")
        if not isinstance(optimizer.learning_rate, float):
            raise TypeError("update takes an optimizer whose learning_rate is a number")
        self._core.update_by(optimizer.to_core(self._dtype))

    def summary(self) -> Summary:
        """Return a table of the layers with their parameters, flops and memory.

        Returns
        -------
        Summary
            Its text is the table: ``print(net.summary())``. A notebook shows it for the network
            itself, too.
        """
        return summarise(self)

    if not TYPE_CHECKING:  # for a type checker there is nothing but what is written down

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute(type(self).__name__, name)

    def __repr__(self) -> str:
        return describe(type(self).__name__, self, str(self._loss))

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()
