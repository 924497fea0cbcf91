"""Export of a model as an ONNX graph, from raw columns to predictions, in standard operators.

Every column is an input of shape (rows, 1): numbers as double, NaN if missing; text as strings, ""
if missing; vectors as double (rows, k). The arithmetic before the networks has the bits of the
encoders. A string is cast only after a regular expression has matched it: ONNX Runtime converts the
leading number of any text, and fails if there is none.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

import fastmlp
from fastmlp._validation import brief
from fastmlp.exchange.onnx.ensemble import MeanOfNetworks
from fastmlp.network import Network, model_of
from fastmlp.tables.encoding.encoders import Number, Numbers, RawNumber, Vector, Words
from fastmlp.tables.encoding.features import Feature, Features
from fastmlp.tables.encoding.scaling import LIMIT
from fastmlp.tables.encoding.target import Target, class_array
from fastmlp.tables.encoding.target_means import NumberMeans, TargetMeans
from fastmlp.tables.reading import cells

_OPSET: Final = 20  # the first with RegexFullMatch and StringSplit
_IR_VERSION: Final = 9
_DAYS: Final = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def table_model(features: Features, target: Target, networks: Sequence[Network]) -> ModelProto:
    """Return a checked ONNX model.

    Raises
    ------
    ValueError
        If a column cannot be expressed; it names the column.
    """
    graph = _Graph()
    parts = [_encoded(graph, i, feature) for i, feature in enumerate(features.features)]
    matrix = graph.add("Concat", *parts, name="inputs", axis=1)
    if features.is_raw:
        matrix = _standardized(graph, matrix, networks[0])
    mean = _mean(graph, matrix, networks)
    _answers(graph, target, mean)
    graph.name_columns([feature.name for feature in features.features])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "fastmlp", graph.inputs, graph.outputs, graph.constants),
        producer_name="fastmlp",
        producer_version=fastmlp.__version__,
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", _OPSET)],
    )
    checker.check_model(model, full_check=True)
    return model


class _Graph:
    """The nodes, constants, inputs and outputs of a graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def add(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:
        """Add a node and return its output, which has the same name."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: Any, kind: Any = np.float64) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def input(self, kind: int, width: int = 1) -> str:
        """Add an input of some columns; return its name, which `name_columns` will change."""
        name = f"column {len(self.inputs)}"
        self.inputs.append(helper.make_tensor_value_info(name, kind, ["rows", width]))
        return name

    def name_columns(self, columns: Sequence[str]) -> None:
        """Give the inputs the names of columns; other names that are equal get an underscore."""
        constants = [constant.name for constant in self.constants]
        inner = {*constants, *(name for node in self.nodes for name in node.output)}
        taken, names = {*columns, *inner}, {}
        for old in sorted(inner & set(columns)):
            names[old] = f"{old}_"
            while names[old] in taken:
                names[old] += "_"
            taken.add(names[old])
        names |= {given.name: name for given, name in zip(self.inputs, columns, strict=True)}
        for each in (*self.inputs, *self.outputs, *self.constants, *self.nodes):
            each.name = names.get(each.name, each.name)
        for node in self.nodes:
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]

    def output(self, name: str, kind: int, *shape: int) -> None:
        """Make a node's output one of the graph."""
        self.outputs.append(helper.make_tensor_value_info(name, kind, ["rows", *shape]))

    def cast(self, value: str, kind: int, name: str) -> str:
        """Add a Cast."""
        return self.add("Cast", value, name=name, to=kind)


def _encoded(graph: _Graph, i: int, feature: Feature) -> str:
    """Add the encoding of a column; return its float output (rows, width)."""
    at, encoder, kind = f"{i}/", feature.encoder, feature.kind.name
    if isinstance(encoder, Vector):
        return _vector(graph, at, graph.input(TensorProto.DOUBLE, len(encoder.mean)), encoder)
    if isinstance(encoder, Words | TargetMeans):
        text = graph.input(TensorProto.STRING)
        return _words(graph, at, text, encoder)
    if isinstance(encoder, Number | RawNumber) and kind == "number":
        number = graph.input(TensorProto.DOUBLE)
        infinite = graph.add("IsInf", number, name=f"{at}infinite")
        nan = graph.add("IsNaN", number, name=f"{at}nan")
        missing = graph.add("Or", infinite, nan, name=f"{at}missing")
        if isinstance(encoder, RawNumber):
            return _raw_number(graph, at, number, missing, encoder)
        return _number(graph, at, number, missing, encoder)
    if isinstance(encoder, Number) and kind == "yes/no":
        number, missing = _yes_no(graph, at, graph.input(TensorProto.STRING))
        return _number(graph, at, number, missing, encoder)
    if isinstance(encoder, Numbers) and feature.kind.order == "iso":
        parts, missing = _iso_date(graph, at, graph.input(TensorProto.STRING))
        encoded = [
            _number(graph, f"{at}{part}/", parts[part], missing, number)
            for part, number in zip(encoder.parts, encoder.numbers, strict=True)
        ]
        return graph.add("Concat", *encoded, name=f"{at}encoded", axis=1)
    written = feature.kind.order or kind
    raise ValueError(
        f"column {brief(feature.name)} cannot be written to ONNX: {kind}, {written}; of dates and "
        "times it has days such as 2020-12-31 only. Train without it, or with it in another form"
    )


def _number(graph: _Graph, at: str, number: str, missing: str, encoder: Number) -> str:
    median = graph.constant(f"{at}median", encoder.median)
    filled = graph.add("Where", missing, median, number, name=f"{at}filled")
    centred = graph.add(
        "Sub", filled, graph.constant(f"{at}mean", encoder.mean), name=f"{at}centred"
    )
    deviation = graph.constant(f"{at}deviation", encoder.deviation)
    parts = [_limited(graph, at, graph.add("Div", centred, deviation, name=f"{at}scaled"))]
    if len(encoder.edges):
        lower = graph.constant(f"{at}lower", encoder.edges[np.newaxis, :-1])
        widths = graph.constant(f"{at}widths", np.diff(encoder.edges)[np.newaxis])
        above = graph.add("Sub", filled, lower, name=f"{at}above")
        share = graph.add("Div", above, widths, name=f"{at}share")
        bounds = [graph.constant(f"{at}{name}", value) for name, value in (("zero", 0), ("one", 1))]
        parts.append(graph.add("Clip", share, *bounds, name=f"{at}pieces"))
    absent = graph.cast(missing, TensorProto.DOUBLE, f"{at}is missing")
    if encoder.missing:
        parts.append(absent)
    if encoder.means is not None:
        of_means = f"{at}means/"
        values = graph.constant(f"{of_means}values", encoder.means.values[np.newaxis])
        equal = graph.add("Equal", number, values, name=f"{of_means}equal")
        same = graph.cast(equal, TensorProto.DOUBLE, f"{of_means}known")
        parts.append(_target_means(graph, of_means, same, absent, encoder.means))
    together = graph.add("Concat", *parts, name=f"{at}together", axis=1)
    return graph.cast(together, TensorProto.FLOAT, f"{at}float")


def _target_means(
    graph: _Graph, at: str, same: str, missing: str, encoder: TargetMeans | NumberMeans
) -> str:
    """Add the target means of cells that equal (rows, values), or are missing (rows, 1)."""
    others = _none_of(graph, at, same, missing)
    hot = graph.add("Concat", same, missing, others, name=f"{at}hot", axis=1)
    scaled = graph.constant(f"{at}means", encoder.scaled(encoder.table()))
    return graph.add("MatMul", hot, scaled, name=f"{at}target mean")


def _none_of(graph: _Graph, at: str, same: str, missing: str = "") -> str:
    """Return 1 where a cell is none of the values, nor missing, if that is given; 0 elsewhere."""
    axis = graph.constant(f"{at}axis", [1], np.int64)
    found = graph.add("ReduceSum", same, axis, name=f"{at}found", keepdims=1)
    others = graph.add("Sub", graph.constant(f"{at}one", 1.0), found, name=f"{at}not found")
    return graph.add("Sub", others, missing, name=f"{at}others") if missing else others


def _raw_number(graph: _Graph, at: str, number: str, missing: str, encoder: RawNumber) -> str:
    median = graph.constant(f"{at}median", encoder.median)
    filled = graph.add("Where", missing, median, number, name=f"{at}filled")
    limits = [graph.constant(f"{at}{name}", getattr(encoder, name)) for name in ("least", "most")]
    return graph.add("Clip", filled, *limits, name=f"{at}limited")


def _standardized(graph: _Graph, matrix: str, network: Network) -> str:
    """Scale the features in double, as the networks do; all scale them alike."""
    scale = graph.constant("scale of inputs", network.input_scale)
    offset = graph.constant("offset of inputs", network.input_offset)
    scaled = graph.add("Mul", matrix, scale, name="scaled inputs")
    shifted = graph.add("Add", scaled, offset, name="shifted inputs")
    return graph.cast(shifted, TensorProto.FLOAT, "standardized inputs")


def _limited(graph: _Graph, at: str, value: str) -> str:
    bounds = [graph.constant(f"{at}{sign}limit", float(f"{sign}{LIMIT}")) for sign in "-+"]
    return graph.add("Clip", value, *bounds, name=f"{at}standardized")


def _words(graph: _Graph, at: str, text: str, encoder: Words | TargetMeans) -> str:
    """Add a column for each word, for others and for missing; or the target mean of each."""
    words = graph.constant(f"{at}words", [encoder.words], object)
    same = graph.cast(
        graph.add("Equal", text, words, name=f"{at}equal"), TensorProto.DOUBLE, f"{at}known"
    )
    empty = graph.add(
        "Equal", text, graph.constant(f"{at}empty", [[""]], object), name=f"{at}is empty"
    )
    missing = graph.cast(empty, TensorProto.DOUBLE, f"{at}missing")
    if isinstance(encoder, TargetMeans):
        means = _target_means(graph, at, same, missing, encoder)
        return graph.cast(means, TensorProto.FLOAT, f"{at}float")
    others = _none_of(graph, at, same, missing if encoder.missing else "")
    parts = [same] * bool(encoder.words) + [others] * encoder.others + [missing] * encoder.missing
    together = graph.add("Concat", *parts, name=f"{at}together", axis=1)
    return graph.cast(together, TensorProto.FLOAT, f"{at}float")


def _yes_no(graph: _Graph, at: str, text: str) -> tuple[str, str]:
    """Return 1 and 0 for yes and no, and whether it is neither."""
    counts = []
    for answer in (True, False):
        words = [word for word, value in cells.PAIRS.items() if value is answer]
        constant = graph.constant(f"{at}{answer} words", [[*words, str(int(answer))]], object)
        equal = graph.add("Equal", text, constant, name=f"{at}{answer} equal")
        number = graph.cast(equal, TensorProto.DOUBLE, f"{at}{answer} number")
        axis = graph.constant(f"{at}{answer} axis", [1], np.int64)
        counts.append(graph.add("ReduceSum", number, axis, name=f"{at}{answer}", keepdims=1))
    either = graph.add("Add", *counts, name=f"{at}either")
    zero = graph.constant(f"{at}none", 0.0)
    return counts[0], graph.add("Equal", either, zero, name=f"{at}missing")


def _vector(graph: _Graph, at: str, values: str, encoder: Vector) -> str:
    nan = graph.add("IsNaN", values, name=f"{at}nan")
    number = graph.cast(nan, TensorProto.DOUBLE, f"{at}nan number")
    axis = graph.constant(f"{at}axis", [1], np.int64)
    count = graph.add("ReduceMax", number, axis, name=f"{at}any", keepdims=1)
    missing = graph.cast(count, TensorProto.BOOL, f"{at}missing")
    mean = graph.constant(f"{at}mean", encoder.mean[np.newaxis])
    centred = graph.add("Sub", values, mean, name=f"{at}centred")
    deviation = graph.constant(f"{at}deviation", encoder.deviation)
    scaled = _limited(graph, at, graph.add("Div", centred, deviation, name=f"{at}scaled"))
    zero = graph.constant(f"{at}zero", 0.0)
    parts = [graph.add("Where", missing, zero, scaled, name=f"{at}filled")]
    if encoder.missing:
        parts.append(count)
    together = graph.add("Concat", *parts, name=f"{at}together", axis=1)
    return graph.cast(together, TensorProto.FLOAT, f"{at}float")


class _Integers:
    """Arithmetic on int64 in a graph, written as it is in Python."""

    def __init__(self, graph: _Graph, at: str) -> None:
        self._graph, self._at, self._count = graph, at, 0

    def __call__(self, operator: str, *values: str | int) -> str:
        self._count += 1
        name = f"{self._at}{self._count} {operator}"
        inputs = [
            value
            if isinstance(value, str)
            else self._graph.constant(f"{name} {place}", value, np.int64)
            for place, value in enumerate(values)
        ]
        return self._graph.add(operator, *inputs, name=name)

    def number(self, truth: str) -> str:
        """Return 1 for true, 0 for false."""
        self._count += 1
        return self._graph.cast(truth, TensorProto.INT64, f"{self._at}{self._count} number")


def _iso_date(graph: _Graph, at: str, text: str) -> tuple[dict[int, str], str]:
    """Return the parts of a date as doubles, and whether the text is not a date."""
    matched = graph.add(
        "RegexFullMatch", text, name=f"{at}matched", pattern="[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    )
    some = graph.constant(f"{at}some", "2000-01-01", object)
    safe = graph.add("Where", matched, text, some, name=f"{at}safe")
    words, count = f"{at}split", f"{at}count"
    graph.nodes.append(
        helper.make_node("StringSplit", [safe], [words, count], name=words, delimiter="-")
    )
    three = graph.cast(words, TensorProto.INT64, f"{at}three")
    year, month, day = (
        graph.add(
            "Gather", three, graph.constant(f"{at}place {k}", k, np.int64), name=f"{at}{k}", axis=2
        )
        for k in range(3)
    )
    do = _Integers(graph, at)
    known = do("Max", do("Min", month, 12), 1)
    leap = do.number(
        do("And", do("Equal", do("Mod", year, 4), 0),
           do("Or", do("Not", do("Equal", do("Mod", year, 100), 0)),
              do("Equal", do("Mod", year, 400), 0)))
    )  # fmt: skip
    lengths = graph.constant(f"{at}lengths", _DAYS, np.int64)
    february = do.number(do("Equal", known, 2))
    last = do("Add", do("Gather", lengths, do("Sub", known, 1)), do("Mul", leap, february))
    right = do("And", do("Equal", known, month),
               do("And", do("GreaterOrEqual", day, 1), do("LessOrEqual", day, last)))  # fmt: skip
    right = do("And", right, do("GreaterOrEqual", year, 1))
    missing = do("Not", do("And", matched, right))
    since = _days_since_1970(do, year, known, day)
    parts = {
        0: since,
        1: year,
        2: known,
        3: do("Mod", do("Add", since, 3), 7),
        4: do("Add", do("Sub", since, _days_since_1970(do, year, 1, 1)), 1),
    }
    return {
        part: graph.cast(value, TensorProto.DOUBLE, f"{at}part {part}")
        for part, value in parts.items()
    }, missing


def _days_since_1970(do: _Integers, year: str, month: str | int, day: str | int) -> str:
    """Return the day number, with years that begin in March and so end with the leap day."""
    early = do.number(do("LessOrEqual", month, 2))
    year = do("Sub", year, early)
    era = do("Div", year, 400)
    of_era = do("Sub", year, do("Mul", era, 400))
    of_year = do("Sub", do("Add", month, do("Mul", early, 12)), 3)
    days = do("Add", do("Div", do("Add", do("Mul", of_year, 153), 2), 5), do("Sub", day, 1))
    leaps = do("Sub", do("Div", of_era, 4), do("Div", of_era, 100))
    days = do("Add", do("Add", do("Mul", of_era, 365), leaps), days)
    return do("Sub", do("Add", do("Mul", era, 146_097), days), 719_468)


def _mean(graph: _Graph, matrix: str, networks: Sequence[Network]) -> str:
    """Add the networks; return the mean of their outputs, summed in order in double."""
    models = []
    for network in networks:
        twin = network.copy()
        twin.input_scale = None  # its inputs are standardized already
        models.append(model_of(twin))
    together = MeanOfNetworks(models, matrix, "mean")
    graph.nodes.extend(together.nodes)
    graph.constants.extend(together.constants)
    return "mean"


def _answers(graph: _Graph, target: Target, mean: str) -> None:
    """Add the outputs: `answer`, and `probabilities` of classes."""
    if target.task == "regression":
        scaled = graph.add(
            "Mul", mean, graph.constant("scale", target.deviation[np.newaxis]), name="scaled"
        )
        graph.add("Add", scaled, graph.constant("offset", target.mean[np.newaxis]), name="answer")
        graph.output("answer", TensorProto.DOUBLE, len(target.names))
        return
    graph.add("Identity", mean, name="probabilities")
    graph.output("probabilities", TensorProto.DOUBLE, target.outputs)
    if target.task == "classification":
        best = graph.add("ArgMax", mean, name="best", axis=1, keepdims=0)
        classes = class_array(target.classes)
        graph.add("Gather", graph.constant("classes", classes, classes.dtype), best, name="answer")
        kind = helper.np_dtype_to_tensor_dtype(classes.dtype)
        graph.output("answer", kind)
        return
    yes = graph.add("Greater", mean, graph.constant("half", 0.5), name="yes")
    kinds = set(target.kinds)
    if kinds == {"bool"}:
        graph.add("Identity", yes, name="answer")
        graph.output("answer", TensorProto.BOOL, target.outputs)
    elif kinds <= {"bool", "number"}:
        graph.cast(yes, TensorProto.INT64, "answer")
        graph.output("answer", TensorProto.INT64, target.outputs)
    else:
        no, words = zip(*(target.written(j) for j in range(target.outputs)), strict=True)
        choices = [
            graph.constant(name, [each], object) for name, each in (("words", words), ("no", no))
        ]
        graph.add("Where", yes, *choices, name="answer")
        graph.output("answer", TensorProto.STRING, target.outputs)
