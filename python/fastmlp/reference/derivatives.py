"""`Derivatives`: derivatives with respect to the features."""

from . import arrays, validation
from .dense import Matrix, Row
from .heads import LossOfHeads, joined
from .passes import Pass
from .propagation import Propagation, pass_rows_back
from .rescaled import Rescaled
from .samples import read_samples
from .scaling import power


class Derivatives(Propagation):
    """A `Propagation` whose backward pass continues to the features."""

    def jacobian(self, X: object, n_threads: int | None = None) -> list[Matrix]:
        """Compute the derivatives of the outputs with respect to the features.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples; B may be 0.
        n_threads : int, optional
            Accepted and ignored.

        Returns
        -------
        list of list of list of float, shape (B, N, features)
            ``jacobian[b][n][j]`` is d output_n / d x_j at sample b, of what `predict` computes. For
            a `Rescaled` X it is with respect to x_j before it is rescaled.

        Raises
        ------
        TypeError, ValueError
            If X does not match the network or is not finite.
        """
        validation.n_threads(n_threads)
        at = self._propagate(arrays.features("X", X, self._features, minimum=0))
        by_output = [
            by(X, self._features_delta(at, self._unit(at, n))) for n in range(self._outputs())
        ]
        return [list(rows) for rows in zip(*by_output, strict=True)]

    def input_gradient(self, X: object, y: object, n_threads: int | None = None) -> Matrix:
        """Compute the derivatives of each sample's loss with respect to its features.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples, at least one.
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.
        n_threads : int, optional
            Accepted and ignored.

        Returns
        -------
        list of list of float, shape (B, features)
            dL_b / d x_bj, with L_b the loss of sample b in `evaluate`. For a `Rescaled` X it is
            with respect to x_bj before it is rescaled.

        Raises
        ------
        TypeError, ValueError
            If X or y does not match the network or is not finite.
        """
        validation.n_threads(n_threads)
        samples = read_samples(self, X, y)
        at = self._propagate(samples.X)
        _, delta = self._output_delta(at, samples.y)
        if self._output_scaling is not None:
            units = self._units_of_losses(self._output_scaling.scale)
            delta = [[d * u for d, u in zip(row, units, strict=True)] for row in delta]
        return by(X, self._features_delta(at, delta))

    def _outputs(self) -> int:
        return self._layers[-1].nodes

    def _units_of_losses(self, scale: Row) -> Row:
        """Return the unit of the loss of each output."""
        if not isinstance(self._loss, LossOfHeads):
            return [s ** power(self.loss) for s in scale]
        heads = self._loss.heads
        pairs = zip(heads.named, heads.split(scale), strict=True)
        return joined([s ** power(head.loss.name) for s in part] for (_, head), part in pairs)

    def _features_delta(self, at: Pass, delta: Matrix) -> Matrix:
        """Pass dL/dz of the last layer back to the features."""
        first, _ = self._pass_back(at, delta)[0]
        return self._to_features(at, first)

    def _unit(self, at: Pass, n: int) -> Matrix:
        """Return d output_n / dz of the last layer, for each sample."""
        h = at.nodes[-1]
        if self._layers[-1].activation == "softmax":
            return [softmax_derivative(row, n) for row in h]
        unit = [[1.0 if k == n else 0.0 for k in range(len(row))] for row in h]
        if self._output_scaling is not None:
            unit = self._output_scaling.times_scale(unit)
        return pass_rows_back(self._layers[-1], unit, at.h[-1], at.z[-1])


def by(X: object, derivatives: Matrix) -> Matrix:
    """Convert derivatives by the rescaled features to derivatives by X."""
    return [X.chain(row) for row in derivatives] if isinstance(X, Rescaled) else derivatives


def softmax_derivative(h: Row, n: int) -> Row:
    """Return line n of the softmax's Jacobian: dh_n / dz_k = h_n ([k = n] - h_k)."""
    return [h[n] * (1.0 - h[n]) if k == n else -(h[n] * h_k) for k, h_k in enumerate(h)]
