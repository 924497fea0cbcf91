"""`Model`: the paper's network. Its layers, its memory, its three steps, its copies."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _arrays, _core, _validation, files
from fastmlp.checkpoints import save_checkpoint
from fastmlp.custom_loss import CustomLoss, LossFunction
from fastmlp.layers import Dense, build_layers
from fastmlp.losses import Loss, LossLike, choose_loss
from fastmlp.normalized import NormalizedModel
from fastmlp.optimizers import Optimizer, read_optimizer
from fastmlp.summary import Summary, summarise
from fastmlp.views import ArrayViews, Core, WritableArrayViews, copy_into, refuse_while_fitting

_STATE_FORMAT = 2


class Model(NormalizedModel):
    """Layers, loss and seed, and the compiled core that owns the memory; see `Network`.

    It checks what comes, and hands on to the core.
    """

    def __init__(
        self,
        layers: Sequence[int | Dense],
        activation: str = "relu",
        output: str = "softmax",
        loss: LossLike | None = None,
        seed: int | None = None,
        dtype: Any = "float32",
        normalization: str | None = None,
        dropout: float = 0.0,
    ) -> None:
        self._features, self._layers = build_layers(
            layers, activation, output, normalization, dropout
        )
        self._loss = choose_loss(loss, self._layers[-1].activation)
        self._dtype = _validation.dtype(dtype)
        self._core = self._new_core(_validation.seed(seed))

    def _new_core(self, seed: int) -> Core:
        size = sum(self._parameters_by_layer())
        _validation.fitting_memory(size, self._dtype.itemsize)
        kind = _core.Network32 if self._dtype == np.float32 else _core.Network64
        layers = [
            (layer.nodes, layer.activation, layer.normalization or "none", layer.dropout)
            for layer in self._layers
        ]
        try:
            return kind(self._features, layers, self._loss[:2], seed)
        except MemoryError:
            needed = 2 * size * self._dtype.itemsize
            raise MemoryError(
                f"the network needs {needed:,} bytes for its parameters and gradients"
            ) from None

    @classmethod
    def _of_core(cls, core: Core) -> Self:
        """Make a network of a core that was loaded, which describes itself."""
        network = cls.__new__(cls)
        network._adopt(core)  # noqa: SLF001  (its own)
        return network

    def _adopt(self, core: Core) -> None:
        self._features = core.features
        self._layers = tuple(
            Dense(nodes, activation, None if normalization == "none" else normalization, dropout)
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

    @property
    def weights(self) -> WritableArrayViews:
        """Live views, one (K, N) per layer: ``weights[i][j, k]`` of the equations (1.1)."""
        return self._writable("weights", self._core.weights)

    @property
    def biases(self) -> WritableArrayViews:
        """Live views, one (N,) per layer."""
        return self._writable("biases", self._core.biases)

    @property
    def weight_gradients(self) -> WritableArrayViews:
        """Live views (K, N) of dL/dw (2.7); zero before the first `backward`."""
        return self._writable("weight_gradients", self._core.weight_gradients)

    @property
    def bias_gradients(self) -> WritableArrayViews:
        """Live views (N,) of dL/db (2.6); zero before the first `backward`."""
        return self._writable("bias_gradients", self._core.bias_gradients)

    @property
    def nodes(self) -> ArrayViews:
        """Read-only views of the last `forward`: ``nodes[0]`` is its X, ``nodes[p]`` (B, N)."""
        return ArrayViews("nodes", self._core.nodes, len(self._layers) + 1)

    @property
    def deltas(self) -> ArrayViews:
        """Read-only views (B, N) of dL/dz of the last `backward` (2.2), per sample."""
        return ArrayViews("deltas", self._core.deltas, len(self._layers))

    @property
    def parameters(self) -> NDArray[Any]:
        """The whole buffer as one flat live view: W0, b0, W1, b1, ... in C order.

        Scales and shifts of a normalised layer follow its biases.
        """
        return self._core.parameters

    @parameters.setter
    def parameters(self, value: ArrayLike) -> None:
        copy_into("parameters", self._core.parameters, value, self._core)

    @property
    def gradients(self) -> NDArray[Any]:
        """All gradients as one flat live view, in the order of `parameters`."""
        return self._core.gradients

    @gradients.setter
    def gradients(self, value: ArrayLike) -> None:
        copy_into("gradients", self._core.gradients, value, self._core)

    def forward(self, X: ArrayLike, training: bool = True) -> NDArray[Any]:
        """Compute the nodes of every layer (1.2).

        `training` makes a difference to networks with normalization or dropout only.

        Parameters
        ----------
        X : array-like, shape (B, features)
            A batch of samples. ``nodes[0]`` borrows it where it needs no conversion.
        training : bool, default True
            True goes on as a step of `fit` does: batch normalisation is by this batch and moves
            the running averages, and dropout draws the masks of the next B samples of the epoch.
            False computes what `predict` does, and `backward` then the gradients of that.

        Returns
        -------
        ndarray, shape (B, N)
            The outputs, ``nodes[-1]``: read-only, valid until the next `forward` or `fit`.

        Raises
        ------
        TypeError, ValueError
            If X does not fit the network, or is not finite.
        RuntimeError
            If another thread is fitting the network.
        """
        x = _arrays.features("X", X, self._features, self._dtype, minimum=1)
        return self._core.forward(x, _validation.switch("training", training))

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
        TypeError, ValueError
            If y does not fit the network or the batch.
        RuntimeError
            If there was no `forward`, or another thread is fitting the network.
        """
        rows = len(self._core.nodes(0))
        outputs = self._layers[-1].nodes
        targets = _arrays.targets("y", y, rows, outputs, self.loss, self._dtype)
        function = self.loss_function
        return self._core.backward(targets if function is None else CustomLoss(function, targets))

    def update(self, learning_rate: float | Optimizer) -> None:
        """Take one step against `gradients`: ``w = w - learning_rate * gradient`` (2.13), (2.14).

        Parameters
        ----------
        learning_rate : float or Optimizer
            The step size eta, finite and above 0; or an optimizer, whose step is taken, with a
            number as its learning rate. What it remembers is `optimizer_state`.

        Raises
        ------
        TypeError, ValueError
            If `learning_rate` is none of these.
        RuntimeError
            If another thread is fitting the network.
        """
        if not isinstance(learning_rate, Optimizer):
            self._core.update(_validation.learning_rate(learning_rate, self._dtype))
            return
        if not isinstance(learning_rate.learning_rate, float):
            raise TypeError("update takes an optimizer whose learning_rate is a number")
        self._core.update_by(read_optimizer(learning_rate).to_core(self._dtype))

    @property
    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        """What the last optimizer remembers, flat live views in the order of `parameters`.

        ``"velocity"`` of momentum, ``"mean"`` of Adam, ``"mean_square"`` of Adam and RMSprop. The
        next ``fit`` goes on from it if its optimizer is of the same kind.
        """
        kind, first, second, _ = self._core.optimizer_state
        name = "mean" if kind is _core.OptimizerKind.ADAM else "velocity"
        state = {name: first, "mean_square": second}
        return {key: value for key, value in state.items() if value is not None}

    @property
    def steps(self) -> int:
        """Number of steps since the optimizer's state was zero."""
        return self._core.optimizer_state[3]

    def reset_optimizer(self) -> None:
        """Forget what the last optimizer remembers: the next ``fit`` begins with a fresh one.

        Raises
        ------
        RuntimeError
            If another thread is fitting the network.
        """
        self._core.set_optimizer_state(_core.OptimizerKind.SGD, None, None, 0)

    def save_checkpoint(self, path: files.Path) -> None:
        """Write the network and what its optimizer remembers, for `load_checkpoint`.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists, as a whole or not at all.

        Raises
        ------
        TypeError
            If `path` is not a path.
        ValueError
            If a parameter, or what the optimizer remembers, is not finite; the old file is as it
            was.
        OSError
            If the system refuses; the old file is as it was.
        RuntimeError
            If another thread is fitting the network.
        """
        save_checkpoint(self._core, path)

    def summary(self) -> Summary:
        """Return a table of the layers with their parameters, flops and memory.

        Returns
        -------
        Summary
            Its text is the table: ``print(net.summary())``. A notebook shows it for the network
            itself, too.
        """
        return summarise(self)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def save(self, path: files.Path, *, allow_nonfinite: bool = False) -> None:
        """Write the network to a file that `load` reads back to the same bits.

        The file is a safetensors file, which other programs read as it is: parameters, layers,
        loss, seed and epoch. Gradients, nodes and deltas stay behind. It appears as a whole or not
        at all, also if the process is killed or the machine loses power: see
        ``docs/file-format.md``.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists. Of a symbolic link the file it leads to is replaced.
        allow_nonfinite : bool, default False
            Save parameters that are NaN or infinite, too, which `load` takes with the same word.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind.
        ValueError
            If a parameter is not finite; the old file is as it was.
        OSError
            If the system refuses, with errno and the file's name; the old file is as it was.
        RuntimeError
            If another thread is fitting the network.
        """
        allow = _validation.switch("allow_nonfinite", allow_nonfinite)
        self._core.save(files.checked_path(path), allow)

    def _writable(self, name: str, get: Callable[[int], NDArray[Any]]) -> WritableArrayViews:
        return WritableArrayViews(name, get, len(self._layers), self._core)

    def _parameters_by_layer(self) -> list[int]:
        widths = [self._features, *(layer.nodes for layer in self._layers)]
        return [layer.parameters(K) for K, layer in zip(widths, self._layers, strict=False)]

    def __repr__(self) -> str:
        rows = []
        previous = self._features
        for i, (layer, count) in enumerate(
            zip(self._layers, self._parameters_by_layer(), strict=True)
        ):
            rows.append(
                (f"  layer {i}", f"{previous} -> {layer.nodes}", layer.function(), f"{count:,}")
            )
            previous = layer.nodes
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        title = (
            f"{type(self).__name__}: {self._features} features, {self._loss}, {self._dtype}, "
            f"{self.n_parameters:,} parameters"
        )
        lines = [
            f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {activation:<{widths[2]}}  "
            f"{count:>{widths[3]}} parameters"
            for name, shape, activation, count in rows
        ]
        return "\n".join([title, *lines])

    def __getstate__(self) -> dict[str, Any]:
        """Give plain values and one array, so that copies are independent and equal.

        Gradients, nodes and deltas stay behind. With pickle protocol 5 the array can travel out of
        band: it is the buffer itself.
        """
        refuse_while_fitting(self._core, "copy or pickle the network")
        attributes = {name: value for name, value in self.__dict__.items() if name != "_core"}
        return {
            "format": _STATE_FORMAT,
            "attributes": attributes,
            "seed": self._core.seed,
            "epoch": self._core.epoch,
            "parameters": self._core.parameters,
            "statistics": self._core.statistics if self._core.statistics.size else None,
            "optimizer": self._core.optimizer_state,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["format"] != _STATE_FORMAT:
            raise ValueError(
                f"the network was pickled in format {state['format']}, "
                f"this version reads format {_STATE_FORMAT}"
            )
        self.__dict__.update(state["attributes"])
        self._core = self._new_core(state["seed"])
        self._core.epoch = state["epoch"]
        copy_into("parameters", self._core.parameters, state["parameters"], self._core)
        if state["statistics"] is not None:
            copy_into("statistics", self._core.statistics, state["statistics"], self._core)
        kind, first, second, steps = state["optimizer"]
        # Copies: what a pickle maps from a file need not be aligned.
        first, second = (None if a is None else np.array(a) for a in (first, second))
        self._core.set_optimizer_state(kind, first, second, steps)
