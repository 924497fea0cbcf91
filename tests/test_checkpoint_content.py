"""Checkpoints whose checksums are right and whose content is odd: refused as a whole, or taken."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import files

OLD = Path(__file__).parent / "golden" / "fit.ckpt"
X = ((np.arange(60).reshape(20, 3) * 7 % 11 - 5) / 8).astype(np.float32)
Y = (X[:, 0] > X[:, 1]).astype(int)
NAN, INFINITY = float("nan"), float("inf")
ODD = [
    *(None, True, -1, 0, 3, 2**63, 2**64, 10**400, 1.5, -0.5, NAN, INFINITY),
    *("", "text", [], [1, 2], [[1, 2, 3]], {}, {"a": 1}, [[[]]]),
]
OPTIMIZER = fm.Adam(fm.Plateau(0.125, patience=0, factor=0.5, min_delta=0.5))


def network():
    return fm.Network([3, 4, 2], "relu", seed=5)


def resume(net, path, stopping, epochs=4):
    return net.fit(
        X, Y, epochs, 8, OPTIMIZER, validation_data=(X[:8], Y[:8]), metrics="f1",
        early_stopping=stopping, checkpoint=path,
    )  # fmt: skip


def early_stopping():
    return fm.EarlyStopping("validation_loss", patience=4)


@pytest.fixture(params=["old", "new"])
def archive(request, tmp_path):
    """The tensors and the metadata of a checkpoint after two epochs."""
    path = tmp_path / "sound.ckpt"
    if request.param == "old":
        path.write_bytes(OLD.read_bytes())
    else:
        resume(network(), path, early_stopping(), 2)
    return files.read_archive(path)


@pytest.fixture
def refused(tmp_path):
    """Return what writes an archive, and checks that it is refused, or loads and resumes."""
    path = tmp_path / "odd.ckpt"

    def check(tensors, metadata, saved, *, never=False):
        text = saved if isinstance(saved, str) else json.dumps(saved)
        files.write_archive(path, tensors, metadata | {"checkpoint": text})
        net, stopping = network(), early_stopping()
        before = net.parameters.tobytes(), net.epoch, net.steps, stopping.state()
        loads = goes_on = True
        try:
            fm.load_checkpoint(path)
        except fm.ModelFormatError:
            loads = False
        try:
            history = resume(net, path, stopping)
            assert {len(values) for values in history.metrics.values()} == {len(history.loss)}
        except fm.DivergenceError:
            return
        except ValueError as error:
            goes_on = False
            problem = str(error)
        assert goes_on or (
            loads == ("of another fit" in problem or "not saved by a fit" in problem)
        )
        if not goes_on:
            assert (net.parameters.tobytes(), net.epoch, net.steps, stopping.state()) == before
        assert not (loads and never)
        assert loads or not goes_on

    return check


def places(value, path=()):
    """Yield the keys that lead to every part of a JSON value."""
    if path:
        yield path
    items = (
        value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    )
    for key in items:
        yield from places(value[key], (*path, key))


def changed(saved, path, change):
    result = copy.deepcopy(saved)
    part = result
    for key in path[:-1]:
        part = part[key]
    change(part, path[-1])
    return result


def test_any_part_is_any_other(archive, refused):
    tensors, metadata = archive
    saved = json.loads(metadata["checkpoint"])
    refused(tensors, metadata, saved)
    for i, path in enumerate(places(saved)):
        refused(tensors, metadata, changed(saved, path, lambda part, key: part.pop(key)))
        for odd in ODD[i % 5 :: 5]:
            odd_one = changed(saved, path, lambda part, key, odd=odd: part.__setitem__(key, odd))
            refused(tensors, metadata, odd_one)


TEXTS = {
    "no JSON": "{",
    "deep": "[" * 100_000,
    "deep objects": '{"a":' * 50_000,
    "a number": "1",
    "a list": "[]",
    "custom": "null",
    "an endless number": '{"optimizer": "ADAM", "steps": ' + "9" * 5000 + "}",
    "too many steps": '{"optimizer": "ADAM", "steps": 1e999}',
    "half a step": '{"optimizer": "ADAM", "steps": 1.5}',
    "no step": '{"optimizer": "ADAM", "steps": -1}',
    "NaN steps": '{"optimizer": "ADAM", "steps": NaN}',
    "another optimizer": '{"optimizer": "' + "x" * 10_000 + '", "steps": 1}',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_texts_that_are_no_checkpoint(archive, refused, text, tmp_path):
    refused(*archive, text, never=True)
    with pytest.raises(fm.ModelFormatError, match="checkpoint") as caught:
        fm.load_checkpoint(tmp_path / "odd.ckpt")
    assert len(str(caught.value)) - len(str(tmp_path)) < 450


def test_courses_that_make_no_sense(archive, refused):
    tensors, metadata = archive
    saved = json.loads(metadata["checkpoint"])
    course, stopping = ("course",), ("course", "early_stopping", 0)
    for path, value in [
        ((*course, "stopped"), 0),
        ((*course, "early_stopping"), {}),
        ((*course, "early_stopping"), [1]),
        ((*stopping, "best"), NAN),
        ((*stopping, "best"), None),
        ((*stopping, "best_epoch"), 0),
        ((*stopping, "waited"), -1),
        ((*course, "plateau", "factor"), 2.0),
        ((*course, "plateau", "best"), NAN),
        (("fit", "batch_size"), 8.0),
        (("fit",), {}),
    ]:
        odd = changed(saved, path, lambda part, key, value=value: part.__setitem__(key, value))
        refused(tensors, metadata, odd, never=True)


def test_tensors_that_make_no_sense(archive, refused):
    tensors, metadata = archive
    saved = json.loads(metadata["checkpoint"])
    kept, second = tensors["early_stopping.0.parameters"], tensors["optimizer.second"]
    odd = {
        "early_stopping.0.parameters": [kept[1:], kept.astype(np.float64), kept * np.float32(NAN)],
        "optimizer.second": [-second, second * np.float32(NAN), second[1:], second.reshape(2, -1)],
        "optimizer.first": [second.astype(np.float64)],
    }
    if "history.loss" in tensors:
        losses = tensors["history.loss"]
        odd["history.loss"] = [losses[1:], losses.astype(np.float32), losses * NAN, losses[:, None]]
        odd["history.validation_f1"] = [losses[1:]]
        odd["history.epoch_seconds"] = [-losses - 1]
    for name, values in odd.items():
        for value in values:
            refused(tensors | {name: value}, metadata, saved, never=True)
        if name != "history.validation_f1":
            less = {key: value for key, value in tensors.items() if key != name}
            refused(less, metadata, saved, never=True)


def test_a_part_that_contradicts_another(archive, tmp_path):
    """Sound in itself, and not what a fit of this optimizer could have saved."""
    tensors, metadata = archive
    saved = json.loads(metadata["checkpoint"])
    late = json.loads(metadata["architecture"]) | {"epoch": 2**32 - 1}
    early = json.loads(metadata["architecture"]) | {"epoch": 1}
    plain = {key: value for key, value in tensors.items() if not key.startswith("optimizer")}
    without = copy.deepcopy(saved)
    without["course"]["plateau"] = None
    compact = (",", ":")
    for parts, about, state in [
        (tensors, {"architecture": json.dumps(late, separators=compact)}, saved),
        (tensors, {"architecture": json.dumps(early, separators=compact)}, saved),
        (plain, {}, saved | {"optimizer": "SGD"}),
        (tensors, {}, without),
    ]:
        path = tmp_path / "odd.ckpt"
        files.write_archive(path, parts, metadata | about | {"checkpoint": json.dumps(state)})
        fm.load_checkpoint(path)
        net = network()
        before = net.parameters.tobytes()
        with pytest.raises(fm.ModelFormatError, match="checkpoint"):
            resume(net, path, early_stopping())
        assert (net.parameters.tobytes(), net.epoch) == (before, 0)
