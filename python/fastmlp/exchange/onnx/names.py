"""Names of features and classes in an ONNX model: metadata of ours, labels of classifiers."""

import json
from collections.abc import Sequence
from typing import Final

from onnx import AttributeProto, ModelProto, NodeProto, helper

from fastmlp.exchange.onnx.constants import Constants, decoded

FEATURE_NAMES: Final = "feature_names"
CLASS_NAMES: Final = "class_names"
HEAD_NAMES: Final = "head_names"


def add_names(
    proto: ModelProto,
    features: Sequence[str] | None,
    classes: Sequence[str] | None,
    heads: Sequence[str] | None,
) -> None:
    """Add names that are known to the metadata of a model, as JSON."""
    names = {FEATURE_NAMES: features, CLASS_NAMES: classes, HEAD_NAMES: heads}
    known = {key: json.dumps(list(value)) for key, value in names.items() if value is not None}
    if known:
        helper.set_model_props(proto, known)


def names_in(proto: ModelProto, key: str) -> list[object] | None:
    """Return the names in the metadata of a model; None if there are none."""
    text = next((entry.value for entry in proto.metadata_props if entry.key == key), None)
    try:
        names = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return names if isinstance(names, list) else None


def names_of_labels(node: NodeProto, constants: Constants) -> list[str] | None:
    """Return the labels that a node gives the classes, if they are texts."""
    if node.op_type == "ArrayFeatureExtractor" and node.input:
        return constants.texts(node.input[0])
    labels = next((a for a in node.attribute if a.name == "classlabels_strings"), None)
    if labels is None or labels.type != AttributeProto.STRINGS:
        return None
    return decoded(labels.strings)
