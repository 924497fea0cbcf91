"""Labels as targets: encoding, class weights, and scores."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import unique_labels

from fastmlp.model.feature_names import usable_names
from fastmlp.network import Network, model_of
from fastmlp.sklearn import losses
from fastmlp.sklearn.estimator import BaseMLP
from fastmlp.sklearn.samples import EstimatorSamples


class LabelTargets(BaseMLP):
    """The estimator whose targets are labels; use `MLPClassifier`."""

    def _take_targets(self, y: Any, *, incremental: bool) -> None:
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._label_binarizer = fitted_binarizer(y)
            self.classes_ = self._label_binarizer.classes_
            return
        classes = labels_in(y)
        if self.warm_start and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same "
                "classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {classes}"
            )
        self._refuse_unknown(classes)

    def _complete(self, network: Network) -> None:
        super()._complete(network)
        if hasattr(self, "_label_binarizer"):
            return
        several = self.out_activation_ == "logistic" and self.n_outputs_ > 1
        if not several and not hasattr(self, "classes_"):
            raise NotFittedError(
                "This MLPClassifier instance is not fitted yet: arrays were assigned to it, but "
                "not classes_."
            )
        known = np.repeat([[0], [1]], self.n_outputs_, axis=1) if several else self.classes_
        self._label_binarizer = LabelBinarizer().fit(known)

    def _name(self, network: Network) -> None:
        super()._name(network)  # of classes that are numbers there are no names
        network.class_names = usable_names(self.classes_, model_of(network).n_classes)

    def _check_evaluated(self, y: Any) -> None:
        self._refuse_unknown(labels_in(y))

    def _refuse_unknown(self, classes: NDArray[Any]) -> None:
        known = np.asarray(self.classes_)  # perhaps a list that was assigned
        if not set(known.tolist()).issuperset(classes.tolist()):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _encode(self, y: Any) -> NDArray[Any]:
        """Return the class index of each sample, for softmax, or indicators for each output."""
        if self._is_multilabel():
            return self._label_binarizer.transform(y)
        numbers = np.searchsorted(self.classes_, y)
        if self._label_binarizer.y_type_ == "multiclass":
            return numbers.astype(np.int32)
        return numbers.reshape(-1, 1)

    def _decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the class of each sample, or indicators, for the outputs (n, N)."""
        binarizer = self._label_binarizer
        if binarizer.y_type_ == "multiclass":
            classes: NDArray[Any] = binarizer.classes_
            return classes.take(outputs.argmax(axis=1), mode="clip")
        labels: NDArray[Any] = binarizer.inverse_transform(
            outputs.ravel() if self.n_outputs_ == 1 else outputs
        )
        return labels

    def _class_weights(
        self, y: Any, weights: NDArray[Any] | None, *, incremental: bool
    ) -> NDArray[Any] | None:
        if self.class_weight is None:
            return None
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all of y, which partial_fit does not have: pass "
                "sample_weight, or a dict as sklearn.utils.class_weight.compute_class_weight "
                "computes it from all classes"
            )
        if self.class_weight != "balanced" or weights is None or weights.all():
            return compute_sample_weight(self.class_weight, y)
        balanced = np.zeros(len(weights))
        counting = np.flatnonzero(weights)
        balanced[counting] = compute_sample_weight("balanced", y[counting])
        return balanced

    def _output_and_loss(self) -> tuple[str, Any]:
        named = isinstance(self.loss, str)
        if self._label_binarizer.y_type_ == "multiclass":
            return "softmax", losses.CROSS_ENTROPY if named else self.loss
        if not named:
            raise ValueError(
                f"loss={self.loss!r} needs more than two classes, and one class per sample"
            )
        return "logistic", losses.BINARY_CROSS_ENTROPY

    def _is_multilabel(self) -> bool:
        return str(self._label_binarizer.y_type_).startswith("multilabel")

    def _stratify(self, samples: EstimatorSamples) -> NDArray[Any] | None:
        return samples.targets.astype(bool) if self.n_outputs_ == 1 else None

    def _score_outputs(
        self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None
    ) -> float:
        """Return the accuracy; for multilabel targets, all labels of a sample must be correct.

        With a single class, which ``predict`` then always returns, the accuracy is 1.
        """
        if targets.ndim == 1:
            right = outputs.argmax(axis=1) == targets
        elif len(self.classes_) == 1 and not self._is_multilabel():
            right = np.ones(len(targets), dtype=bool)
        else:
            right = ((outputs > 0.5) == targets).all(axis=1)
        return float(np.average(right, weights=weights))


def labels_in(y: Any) -> NDArray[Any]:
    """Return ``unique_labels(y)``."""
    plain = _few_integers(y)
    labels: NDArray[Any] = unique_labels(y) if plain is None else plain
    return labels


def fitted_binarizer(y: Any) -> LabelBinarizer:
    """Return ``LabelBinarizer().fit(y)``."""
    binarizer = LabelBinarizer()
    plain = _few_integers(y)
    if plain is None:
        return binarizer.fit(y)
    binarizer.classes_, binarizer.sparse_input_ = plain, False
    binarizer.y_type_ = "multiclass" if len(plain) > 2 else "binary"
    return binarizer


def _few_integers(y: Any) -> NDArray[Any] | None:
    """Return the labels in integers of few classes, ascending; None of any other targets.

    The checks of scikit-learn, a tenth of what Python does in a short fit and a third of
    ``partial_fit``, find nothing in them. Of many classes it may warn.
    """
    if type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iu" and y.dtype.isnative:
        classes = np.unique(y)
        if 0 < len(classes) <= max(2, len(y) // 2):
            return classes
    return None
