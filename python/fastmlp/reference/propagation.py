"""`Propagation`: the paper's three steps over a batch: forward, backward, update."""

from . import arrays, dense, validation
from .activations import activate, pass_back
from .dense import Matrix, Row
from .losses import LOSSES
from .model import Model
from .optimizers import descend
from .sums import mean


class Propagation(Model):
    """A `Model` that computes its outputs and its gradients."""

    def forward(self, X: object) -> Matrix:
        """Compute the nodes of every layer (1.2).

        Parameters
        ----------
        X : array-like, shape (B, features)
            A batch of samples, at least one.

        Returns
        -------
        list of list of float, shape (B, N)
            The outputs, ``nodes[-1]``.

        Raises
        ------
        TypeError, ValueError
            If X does not fit the network or is not finite.
        """
        return self._forward(arrays.features("X", X, self._features))

    def backward(self, y: object) -> float:
        """Compute deltas and gradients for the batch of the last `forward` (2.8) to (2.12).

        Parameters
        ----------
        y : array-like, shape (B,) or (B, N)
            Targets as in `Network.fit`.

        Returns
        -------
        float
            The mean loss of the batch.

        Raises
        ------
        TypeError, ValueError
            If y does not fit the network or the batch.
        RuntimeError
            If there was no `forward`.
        """
        if not self._nodes:
            raise RuntimeError("there is no batch: call forward before backward")
        return mean(self._backward(self._targets("y", y, len(self._z))))

    def update(self, learning_rate: float) -> None:
        """Take one step against the gradients (2.13), (2.14): ``w = w - learning_rate * gradient``.

        All gradients use the weights from before the step.

        Parameters
        ----------
        learning_rate : float
            The step size eta, finite and above 0.

        Raises
        ------
        TypeError, ValueError
            If `learning_rate` is not such a number.
        """
        self._update(validation.positive("learning_rate", learning_rate))

    def _forward(self, X: Matrix) -> Matrix:
        self._nodes, self._z = self._propagate(X)
        self._deltas = []
        return self._nodes[-1]

    def _propagate(self, X: Matrix) -> tuple[list[Matrix], Matrix]:
        """Return the nodes of all layers and z of the last; the network stays as it is."""
        nodes, z = [X], X
        for layer, W, b in zip(self._layers, self._weights, self._biases, strict=True):
            z = [dense.forward(row, W, b) for row in nodes[-1]]  # (2.1)
            nodes.append([activate(layer.activation, row) for row in z])  # (1.1), (2.3)
        return nodes, z

    def _backward(self, y: Matrix) -> Row:
        """Compute deltas and gradients, and return the loss of each sample."""
        losses, delta = self._output_delta(y)
        deltas = [delta]
        for i in range(len(self._layers) - 1, 0, -1):
            d = [dense.backward(row, self._weights[i]) for row in delta]
            delta = pass_rows_back(self._layers[i - 1].activation, d, self._nodes[i])  # (2.5)
            deltas.insert(0, delta)
        self._deltas = deltas
        for i, delta in enumerate(deltas):
            weight_gradients, bias_gradients = dense.gradients(self._nodes[i], delta)
            for row, new in zip(self._weight_gradients[i], weight_gradients, strict=True):
                row[:] = new  # in place: the lists are live
            self._bias_gradients[i][:] = bias_gradients
        return losses

    def _output_delta(self, y: Matrix) -> tuple[Row, Matrix]:
        """Return the loss of each sample (2.8), and delta of the last layer (2.9)."""
        loss, h = LOSSES[self._loss], self._nodes[-1]
        losses = [loss.value(*sample) for sample in zip(self._z, h, y, strict=True)]
        delta = [loss.delta(*sample) for sample in zip(h, y, strict=True)]
        if not loss.fused:
            delta = pass_rows_back(self._layers[-1].activation, delta, h)  # (2.2)
        return losses, delta

    def _update(self, learning_rate: float) -> None:
        rows = zip(self._parameter_rows(), self._gradient_rows(), strict=True)
        for parameters, gradients in rows:
            descend(parameters, gradients, learning_rate)

    def _train_epoch(
        self, X: Matrix, y: Matrix, order: list[int], batch_size: int, learning_rate: float
    ) -> float:
        """Go once through the samples in the order given, and return their mean loss."""
        losses = []
        for first in range(0, len(order), batch_size):
            batch = order[first : first + batch_size]
            self._forward([X[i] for i in batch])
            losses += self._backward([y[i] for i in batch])
            self._update(learning_rate)
        return mean(losses)

    def _batch(
        self, X: object, y: object, names: tuple[str, str] = ("X", "y")
    ) -> tuple[Matrix, Matrix]:
        """Check samples and targets, and return them as lists."""
        rows = arrays.features(names[0], X, self._features)
        return rows, self._targets(names[1], y, len(rows))

    def _targets(self, name: str, y: object, rows: int) -> Matrix:
        return arrays.targets(name, y, rows, self._layers[-1].nodes, self._loss)


def pass_rows_back(activation: str, d: Matrix, h: Matrix) -> Matrix:
    """Compute delta = d h'(z) for each sample of a batch (2.2).

    Parameters
    ----------
    activation : str
        The activation of the layer.
    d, h : list of list of float, shape (B, N)
        dL/dh, and the nodes of the layer.

    Returns
    -------
    list of list of float, shape (B, N)
        dL/dz. For relu, delta where z > 0 and 0 elsewhere (2.12).
    """
    return [pass_back(activation, d_row, h_row) for d_row, h_row in zip(d, h, strict=True)]
