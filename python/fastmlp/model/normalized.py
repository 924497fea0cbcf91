"""What a network with normalised layers has besides weights and biases."""

from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastmlp.layers import Dense
from fastmlp.model.views import Core, LayerViews, copy_into


class NormalizedModel:
    """Views of scales, shifts and running averages: a part of `Model`.

    While another thread fits, or takes a step, they may be torn, as all views of a network.
    """

    _layers: tuple[Dense, ...]
    _core: Core

    @property
    def scales(self) -> LayerViews:
        """Live views (N,) by layer, of the normalised layers: at first 1."""
        return self._of_normalized("scales", self._core.scales)

    @property
    def shifts(self) -> LayerViews:
        """Live views (N,) by layer, of the normalised layers: at first 0."""
        return self._of_normalized("shifts", self._core.shifts)

    @property
    def scale_gradients(self) -> LayerViews:
        """Live views (N,) of dL/dscale by layer; zero before the first `backward`."""
        return self._of_normalized("scale_gradients", self._core.scale_gradients)

    @property
    def shift_gradients(self) -> LayerViews:
        """Live views (N,) of dL/dshift by layer; zero before the first `backward`."""
        return self._of_normalized("shift_gradients", self._core.shift_gradients)

    @property
    def running_means(self) -> LayerViews:
        """Live views (N,) by layer, of the batch-normalised layers: at first 0.

        After a batch they are ``0.9 * running + 0.1 * mean``. Prediction normalises by them.
        """
        return self._of_normalized("running_means", self._core.running_means, "batch")

    @property
    def running_variances(self) -> LayerViews:
        """Live views (N,) by layer, of the batch-normalised layers: at first 1.

        As `running_means`, of the unbiased variance of the batch.
        """
        return self._of_normalized("running_variances", self._core.running_variances, "batch")

    @property
    def statistics(self) -> NDArray[Any]:
        """All running averages as one flat live view: means, variances, layer after layer."""
        return self._core.statistics

    @statistics.setter
    def statistics(self, value: ArrayLike) -> None:
        copy_into("statistics", self._core.statistics, value, self._core)

    def _of_normalized(
        self, name: str, get: Callable[[int], NDArray[Any]], kind: str | None = None
    ) -> LayerViews:
        layers = [
            i
            for i, layer in enumerate(self._layers)
            if layer.normalization is not None and kind in {None, layer.normalization}
        ]
        return LayerViews(name, get, layers, self._core)
