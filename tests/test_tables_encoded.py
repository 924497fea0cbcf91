"""Large tables: rows are encoded as they are trained on, without a matrix of all."""

import tracemalloc

import numpy as np
import pytest

import fastmlp as fm
import fastmlp.tables.reading.stored_numbers
import fastmlp.tables.training.encoded_rows
import fastmlp.tables.training.networks
from fastmlp.tables.encoding.fit_encoders import fit_encoders
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.stored_numbers import GrowingNumbers
from fastmlp.tables.training.encoded_rows import EncodedRows, outgrows_table

QUICK = {"networks": 2, "epochs": 3, "hidden": (8,), "seed": 1, "batch_size": 32}


@pytest.fixture
def shops(rng):
    """A table of every kind of column, with gaps."""
    n = 700
    return {
        "town": np.array([f"town {i}" for i in range(40)])[rng.integers(0, 40, n)],
        "street": np.array([f"street {i}" for i in range(90)])[rng.integers(0, 90, n)],
        "opened": (np.datetime64("1990-01-01") + rng.integers(0, 9000, n)).astype(str),
        "size": np.where(rng.random(n) < 0.1, np.nan, rng.normal(50.0, 9.0, n)),
        "person": rng.integers(0, 60, n),
        "photo": rng.normal(size=(n, 5)),
        "sales": rng.normal(size=n),
        "kind": np.array(["big", "small", "old"])[rng.integers(0, 3, n)],
        "weight": rng.uniform(0.0, 2.0, n),
        "chain": rng.integers(0, 30, n),
    }


def in_parts(monkeypatch):
    """Make every matrix large, and no split of a network its own."""
    monkeypatch.setattr(fastmlp.tables.training.networks, "_OWN_SPLITS", 0)
    monkeypatch.setattr(fastmlp.tables.training.encoded_rows, "_BLOCK", 5000)


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({}, {}),
        ({"task": "regression"}, {"target": "sales", "sample_weight": "weight"}),
        ({"words": "target means"}, {"groups": "chain"}),
        ({}, {"validation_fraction": None}),
    ],
)
def test_rows_that_are_encoded_on_the_way_give_the_same_bits(
    shops, monkeypatch, settings, arguments
):
    in_parts(monkeypatch)
    known = []
    for large in (1 << 40, 0):
        monkeypatch.setattr(fastmlp.tables.training.encoded_rows, "_LARGE", large)
        model = fm.TabularModel(**QUICK | settings)
        model.fit(shops, **{"target": "kind"} | arguments)
        known.append((model, [net.parameters.tobytes() for net in model.networks]))
    (whole, expected), (parts, found) = known
    assert found == expected
    assert str(parts.columns) == str(whole.columns)
    for ours, theirs in zip(parts.histories, whole.histories, strict=True):
        assert ours.loss == theirs.loss
        assert ours.validation_loss == pytest.approx(theirs.validation_loss, rel=1e-12)


@pytest.mark.parametrize("arguments", [{"sample_weight": "weight"}, {"groups": "chain"}])
def test_networks_look_up_different_rows_of_one_matrix(shops, monkeypatch, arguments):
    known = []
    for rows in (1 << 40, 0):
        monkeypatch.setattr(fastmlp.tables.training.encoded_rows, "_MANY_ROWS", rows)
        model = fm.TabularModel(**QUICK).fit(shops, "kind", **arguments)
        known.append((model, [net.parameters.tobytes() for net in model.networks]))
    (copied, expected), (shared, found) = known
    assert found == expected
    assert len(set(found)) == 2
    for ours, theirs in zip(shared.histories, copied.histories, strict=True):
        assert ours.loss == theirs.loss
        assert ours.validation_loss == pytest.approx(theirs.validation_loss, rel=1e-12)


@pytest.mark.once
def test_networks_that_share_a_matrix_have_no_copies(rng, monkeypatch):
    table = {f"c{j}": rng.normal(size=20_000) for j in range(20)}
    table["y"] = rng.normal(size=20_000)
    peaks = []
    for rows in (1 << 40, 0):
        monkeypatch.setattr(fastmlp.tables.training.encoded_rows, "_MANY_ROWS", rows)
        model = fm.TabularModel(**QUICK | {"epochs": 1, "networks": 4, "batch_size": 512})
        tracemalloc.start()
        try:
            model.fit(table, "y")
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    matrix = 4 * 20_000 * model.networks[0].features
    assert peaks[0] - peaks[1] > 2 * matrix


def test_bad_cells_are_noted_before_the_training(shops, monkeypatch):
    in_parts(monkeypatch)
    shops["size"][3] = np.inf
    notes = []
    for large in (1 << 40, 0):
        monkeypatch.setattr(fastmlp.tables.training.encoded_rows, "_LARGE", large)
        notes.append(fm.TabularModel(**QUICK).fit(shops, "kind").notes)
    assert notes[0] == notes[1]
    assert any("row 3, column 'size': 'inf' is not finite" in note for note in notes[0])


def test_only_a_matrix_much_larger_than_its_table_is_not_made(shops, monkeypatch):
    def outgrows(*names):
        table = read({name: shops[name] for name in names})
        features, _ = fit_encoders(table, np.arange(700), names, np.zeros((700, 1)), **plain)
        return outgrows_table(features, 700)

    plain = {"numbers": "standardized"}
    assert not outgrows("town")  # it is small
    monkeypatch.setattr(fastmlp.tables.training.encoded_rows, "_LARGE", 1000)
    assert outgrows("town")
    assert outgrows("opened")
    assert not outgrows("size", "sales")
    assert not outgrows("photo")


def test_a_large_table_needs_no_matrix(rng, monkeypatch):
    rows, columns = 6000, 12
    words = np.array([f"w{i}" for i in range(40)], object)
    table = {f"c{j}": words[rng.integers(0, 40, rows)] for j in range(columns)}
    table["y"] = rng.normal(size=rows)
    matrix = 4 * rows * 40 * columns
    in_parts(monkeypatch)
    monkeypatch.setattr(fastmlp.tables.training.encoded_rows, "_LARGE", 1 << 20)
    tracemalloc.start()
    try:
        model = fm.TabularModel(**QUICK | {"epochs": 1}).fit(table, "y")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert model.networks[0].features == 40 * columns
    assert peak < 0.3 * matrix


def test_numbers_of_a_file_are_looked_up_in_memory(shops, monkeypatch):
    monkeypatch.setattr(fastmlp.tables.reading.stored_numbers, "LARGE", 0)
    growing = GrowingNumbers(["size", "person"], 700)
    for name in ("size", "person"):
        growing.append(name, np.asarray(shops[name], np.float64))
    for name, stored in growing.columns.items():
        alone = stored.in_memory()
        assert alone is not stored
        assert alone.in_memory() is alone
        assert alone.places == stored.places
        np.testing.assert_array_equal(alone[:], shops[name])


def test_rows_are_those_of_the_matrix(shops):
    table, rows = read(shops), np.arange(5, 690)
    features, trained = fit_encoders(
        table, rows, ["town", "street", "opened", "person"], shops["sales"][rows, np.newaxis],
        words="target means",
    )  # fmt: skip
    assert trained
    expected = features.training_matrix(table, rows, trained)
    some = np.array([600, 3, 3, 0, 684])
    found = EncodedRows(features, table, rows, trained)[some]
    assert found.tobytes() == expected[some].tobytes()
