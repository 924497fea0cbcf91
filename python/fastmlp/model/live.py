"""What a network holds in memory, to read and to write while it lives."""

from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastmlp import _core
from fastmlp.model.normalized import NormalizedModel
from fastmlp.model.views import ArrayViews, WritableArrayViews, copy_into


class LiveModel(NormalizedModel):
    """Views of parameters, gradients, nodes and moments: a part of `Model`.

    A view is the memory itself. One that is read while another thread fits, or takes a step, may
    show some elements from before a step and some from after it.
    """

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
        """Read-only views of the last `forward`: ``nodes[0]`` is its X, ``nodes[p]`` (B, N).

        An item is a RuntimeError before the first `forward`, and while another thread fits.
        """
        return ArrayViews("nodes", self._core.nodes, len(self._layers) + 1)

    @property
    def deltas(self) -> ArrayViews:
        """Read-only views (B, N) of dL/dz of the last `backward` (2.2), per sample.

        An item is a RuntimeError before the first `forward`, and while another thread fits.
        """
        return ArrayViews("deltas", self._core.deltas, len(self._layers))

    @property
    def parameters(self) -> NDArray[Any]:
        """The whole buffer as one flat live view: W0, b0, W1, b1, ... in C order.

        Scales and shifts of a normalised layer follow its biases. While another thread fits, the
        view is torn: `predict` answers from a whole set of parameters, this does not.
        """
        return self._core.parameters

    @parameters.setter
    def parameters(self, value: ArrayLike) -> None:
        copy_into("parameters", self._core.parameters, value, self._core)

    @property
    def gradients(self) -> NDArray[Any]:
        """All gradients as one flat live view, in the order of `parameters`, torn like them."""
        return self._core.gradients

    @gradients.setter
    def gradients(self, value: ArrayLike) -> None:
        copy_into("gradients", self._core.gradients, value, self._core)

    @property
    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        """What the last optimizer remembers, flat live views in the order of `parameters`.

        ``"velocity"`` of momentum, ``"mean"`` of Adam, ``"mean_square"`` of Adam and RMSprop. The
        next ``fit`` goes on from it if its optimizer is of the same kind. RuntimeError while
        another thread fits; views taken before may be torn then.
        """
        kind, first, second, _ = self._core.optimizer_state
        name = "mean" if kind is _core.OptimizerKind.ADAM else "velocity"
        state = {name: first, "mean_square": second}
        return {key: value for key, value in state.items() if value is not None}

    @property
    def steps(self) -> int:
        """Number of steps since the optimizer's state was zero.

        RuntimeError while another thread fits.
        """
        return self._core.optimizer_state[3]

    def reset_optimizer(self) -> None:
        """Forget what the last optimizer remembers: the next ``fit`` begins with a fresh one.

        Raises
        ------
        RuntimeError
            If another thread is fitting the network.
        """
        self._core.set_optimizer_state(_core.OptimizerKind.SGD, None, None, 0)

    def _writable(self, name: str, get: Callable[[int], NDArray[Any]]) -> WritableArrayViews:
        return WritableArrayViews(name, get, len(self._layers), self._core)
