"""`Objective`: the mean loss over fixed samples as a function of the flat parameters.

Its products with the Hessian are those of Pearlmutter (1994): what `forward` and `backward` compute
is differentiated in a direction v of the parameters, step by step. Derivatives in that direction
are called tangents here.
"""

from . import dense
from .activations import bend_back, pass_back
from .chosen_loss import ChosenLoss
from .dense import Matrix, Row
from .heads import LossOfHeads, joined
from .losses import weigh
from .propagation import Propagation, pass_rows_back
from .samples import CheckedSamples
from .sums import in_order, weighted_mean


class Objective:
    """The mean loss over fixed samples; see `Network.objective`."""

    def __init__(self, network: Propagation, samples: CheckedSamples) -> None:
        self._network = network
        self._samples = samples

    def __call__(self, theta: object) -> tuple[float, list[float]]:
        """Return the mean loss and its gradient at theta, which stays in the network."""
        network, samples = self._network, self._samples
        network.parameters = theta
        network._forward(samples.X, training=False)  # noqa: SLF001  (a part of the network)
        losses = network._backward(samples.y, samples.weight)  # noqa: SLF001
        return weighted_mean(losses, samples.weight), network.gradients

    def hvp(self, v: object) -> list[float]:
        """Return the product of the Hessian at the network's parameters with v, both flat.

        Parameters
        ----------
        v : array-like, shape (n_parameters,)
            A direction, in the order of `parameters`. What of it belongs to layers that are not
            trainable is ignored.

        Returns
        -------
        list of float, shape (n_parameters,)
            The product; 0 for layers that are not trainable.

        Raises
        ------
        TypeError, ValueError
            If v has another shape, or the network has a normalization or a custom loss.
        """
        network, samples = self._network, self._samples
        if network.loss == "custom":
            raise ValueError(
                "hvp supports only the losses of fastmlp, and this network has a custom loss"
            )
        each = (network.input_normalization, *(layer.normalization for layer in network.layers))
        for name in each:
            if name is not None:
                raise ValueError(
                    f"hvp does not support {name} normalization, which the network has"
                )
        direction = network.copy()
        direction.parameters = v
        for i, layer in enumerate(network.layers):
            if not layer.trainable:
                for row in direction._parameter_rows_of(i):  # noqa: SLF001
                    row[:] = [0.0] * len(row)
        return _Tangents(network, direction, samples).product()

    def hessp(self, theta: object, v: object) -> list[float]:
        """Return `hvp` of v at theta, which stays in the network: SciPy's ``hessp``."""
        self._network.parameters = theta
        return self.hvp(v)


class ObjectiveOfRanks:
    """The mean of the `Objective` of each rank, weighted by the sums of its weights.

    All of them are of one network: the ranks of a fit hold the same parameters.
    """

    def __init__(self, network: Propagation, parts: list[CheckedSamples]) -> None:
        self._each = [(in_order(part.weight), Objective(network, part)) for part in parts if part.X]

    def __call__(self, theta: object) -> tuple[float, list[float]]:
        """Return the mean loss and its gradient, as `Objective` does."""
        found = [objective(theta) for _, objective in self._each]
        loss, *gradient = self._mean([[loss, *gradient] for loss, gradient in found])
        return loss, gradient

    def hvp(self, v: object) -> list[float]:
        """Return the product of the Hessian with v, as `Objective` does."""
        return self._mean([objective.hvp(v) for _, objective in self._each])

    def hessp(self, theta: object, v: object) -> list[float]:
        """Return `hvp` of v at theta, which stays in the network."""
        return self._mean([objective.hessp(theta, v) for _, objective in self._each])

    def _mean(self, rows: list[Row]) -> Row:
        """Add the values of each rank times its weight in the order of the ranks, then divide."""
        weights = [weight for weight, _ in self._each]
        columns = zip(*weighted(rows, weights), strict=True)
        return [weighted_mean(column, weights) for column in columns]


class _Tangents:
    """The passes of one product; ``direction`` has V and c in the places of W and b."""

    def __init__(
        self, network: Propagation, direction: Propagation, samples: CheckedSamples
    ) -> None:
        self._layers = network.layers
        self._network, self._direction = network, direction
        self._samples = samples
        self._at = network._propagate(samples.X)  # noqa: SLF001
        self._z: list[Matrix] = []
        self._nodes: list[Matrix] = []

    def product(self) -> list[float]:
        """Return the tangents of all gradients."""
        network, weight = self._network, self._samples.weight
        self._forward()
        _, deltas = network._backpropagate(self._at, self._samples.y, weight)  # noqa: SLF001
        delta = [before for _, before in deltas]
        tangents = self._backward(delta)
        whole = in_order(weight)
        factor = 1.0 / whole if whole > 0.0 else 0.0
        result: list[float] = []
        for i, layer in enumerate(self._layers):
            weights, biases = dense.gradients(
                self._at.nodes[i], tangents[i], factor, self._at.parts
            )
            if i > 0:
                others, _ = dense.gradients(self._nodes[i - 1], delta[i], factor, self._at.parts)
                weights = [added(*rows) for rows in zip(weights, others, strict=True)]
            values = [value for row in (*weights, biases) for value in row]
            result += values if layer.trainable else [0.0] * len(values)
        return result

    def _forward(self) -> None:
        """Compute z' = (a V + c) + a' W, and the tangents of the nodes, h'(z) z'."""
        for i, layer in enumerate(self._layers):
            V, c = self._direction.weights[i], self._direction.biases[i]
            z = [dense.forward(row, V, c) for row in self._at.nodes[i]]
            if i > 0:
                W, zeros = self._network.weights[i], [0.0] * len(c)
                more = [dense.forward(row, W, zeros) for row in self._nodes[-1]]
                z = [added(*rows) for rows in zip(z, more, strict=True)]
            self._z.append(z)
            self._nodes.append(pass_rows_back(layer, z, self._at.h[i], self._at.z[i]))

    def _backward(self, delta: list[Matrix]) -> list[Matrix]:
        """Compute delta' for each layer: d' = delta' W^T + delta V^T, then through h."""
        tangent = self._of_output()
        tangents = [tangent]
        for i in range(len(self._layers) - 1, 0, -1):
            W, V = self._network.weights[i], self._direction.weights[i]
            d = [dense.backward(row, W) for row in delta[i]]
            change = [
                added(dense.backward(t, W), dense.backward(row, V))
                for t, row in zip(tangent, delta[i], strict=True)
            ]
            tangent = self._through(i - 1, d, change)
            tangents.insert(0, tangent)
        return tangents

    def _of_output(self) -> Matrix:
        """Compute delta' of the last layer."""
        h, y, scaling = self._at.h[-1], self._samples.y, self._network._output_scaling  # noqa: SLF001
        loss, layer = self._network._loss, self._layers[-1]  # noqa: SLF001
        if scaling is not None:
            y = loss.scaled(scaling, y) if isinstance(loss, LossOfHeads) else scaling.inverse(y)
        rows = (self._at.z[-1], h, y, self._z[-1], self._nodes[-1])
        if isinstance(loss, LossOfHeads):
            parts = zip(loss.heads.named, *map(loss.heads.split_rows, rows), strict=True)
            each = [
                weighted(of_loss(head.loss, head.activation, *part), [head.weight] * len(h))
                for (_, head), *part in parts
            ]
            tangent = [joined(row) for row in zip(*each, strict=True)]
        else:
            tangent = of_loss(loss, layer.activation, *rows)
        weights = self._network.loss_weights
        if weights is not None:
            tangent = weigh(tangent, weights)
        return weighted(tangent, self._samples.weight)

    def _through(self, i: int, d: Matrix, change: Matrix) -> Matrix:
        """Compute delta' of layer i from d = dL/dh and d'."""
        at = self._at
        return through(self._layers[i].activation, d, change, at.z[i], at.h[i], self._z[i])


def of_loss(
    loss: ChosenLoss,
    activation: str,
    z: Matrix,
    h: Matrix,
    y: Matrix,
    z_change: Matrix,
    h_change: Matrix,
) -> Matrix:
    """Compute delta' of outputs with one loss and activation."""
    tangent = loss.changes(h, y, h_change)
    if loss.fused:
        return tangent
    _, d = loss.of_batch(z, h, y)
    return through(activation, d, tangent, z, h, z_change)


def through(
    activation: str, d: Matrix, change: Matrix, z: Matrix, h: Matrix, z_change: Matrix
) -> Matrix:
    """Compute delta' = d' h'(z) + (d z') h''(z) from d = dL/dh and d'."""
    tangent = []
    for d_b, change_b, z_b, h_b, moved in zip(d, change, z, h, z_change, strict=True):
        row = pass_back(activation, change_b, h_b, z_b)
        product = [d_n * z_n for d_n, z_n in zip(d_b, moved, strict=True)]
        bend = bend_back(activation, product, h_b, z_b)
        tangent.append(row if bend is None else added(row, bend))
    return tangent


def weighted(rows: Matrix, weight: Row) -> Matrix:
    """Return each row times its weight."""
    return [[value * w for value in row] for row, w in zip(rows, weight, strict=True)]


def added(first: Row, second: Row) -> Row:
    """Return the sums of two rows, element by element."""
    return [a + b for a, b in zip(first, second, strict=True)]
