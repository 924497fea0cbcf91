"""`TabularModel.fit` over ranks: rank 0 prepares the table, and all train on shares of its rows."""

import numpy as np
import pytest
from threads_as_ranks import on_ranks

import fastmlp as fm
from fastmlp.tables.training import encoded_rows, networks, over_ranks
from fastmlp.tables.training.networks import Samples

SETTINGS = {"networks": 2, "epochs": 5, "hidden": (16,)}


@pytest.fixture
def table(rng):
    a, b = rng.normal(size=(2, 300))
    word = np.array(["x", "y", "z"])[rng.integers(0, 3, 300)]
    weight = rng.choice([0.0, 1.0, 2.0], 300)
    y = 2 * a + (word == "x") + 0.1 * rng.normal(size=300)
    return {"a": a, "b": b, "word": word, "weight": weight, "y": y}


def fitted(size, table, **settings):
    """Return the model of each rank, which all have the same bits."""
    arguments = {"target": "y", "sample_weight": "weight"}

    def run(comm, rank):
        model = fm.TabularModel(**(SETTINGS | settings), seed=1 if rank == 0 else None)
        mine = (table, arguments) if rank == 0 else (None, {})
        return model.fit(mine[0], **mine[1], comm=comm)

    models = on_ranks(size, run)
    for model in models:
        if isinstance(model, BaseException):
            raise model
        assert model.seed == 1
        assert len(model.histories) == 2
        np.testing.assert_array_equal(model.predict(table), models[0].predict(table))
    return models[0]


@pytest.mark.parametrize("numbers", ["piecewise", "standardized"])
@pytest.mark.parametrize("own_parts", [True, False])
def test_one_rank_has_the_bits_of_a_fit_without(table, numbers, own_parts, monkeypatch):
    """Also where all networks hold out the same rows, as of a large table."""
    if not own_parts:
        monkeypatch.setattr(networks, "_OWN_SPLITS", 0)
    if numbers == "standardized":
        del table["word"]  # the networks scale numbers themselves
    alone = fm.TabularModel(**SETTINGS, numbers=numbers, seed=1)
    alone.fit(table, "y", sample_weight="weight")
    one = fitted(1, table, numbers=numbers)
    for net, other in zip(one.networks, alone.networks, strict=True):
        assert net.parameters.tobytes() == other.parameters.tobytes()
    assert one.notes == alone.notes


@pytest.mark.parametrize("numbers", ["piecewise", "standardized"])
def test_several_ranks_learn_as_well(table, numbers):
    """The order of the samples is another one; 40 epochs explain 0.98 of the variance."""
    if numbers == "standardized":
        table["y"] -= table.pop("word") == "x"
    model = fitted(3, table, numbers=numbers, epochs=40)
    assert model.evaluate(table).r2 > 0.98
    alone = fm.TabularModel(**SETTINGS, numbers=numbers, seed=1)
    alone.fit(table, "y", sample_weight="weight")
    assert [h.samples for h in model.histories] == [h.samples for h in alone.histories]


def test_classes_and_few_rows(table):
    """A rank may have no row at all."""
    few = {"a": table["a"][:9], "y": np.where(table["a"][:9] > 0, "yes", "no")}

    def run(comm, rank):
        model = fm.TabularModel(networks=1, epochs=2, hidden=(4,), seed=1)
        model.fit(few, "y", validation_fraction=None, comm=comm)
        return model.predict_proba(few).tobytes()

    assert len(set(on_ranks(12, run))) == 1


def test_an_error_of_rank_0_or_other_settings_end_all(table):
    def run(comm, rank):
        fm.TabularModel(**SETTINGS).fit(table, "no column" if rank == 0 else "y", comm=comm)

    first, second = on_ranks(2, run)
    assert isinstance(first, fm.DataError)
    assert "rank 0: DataError: " in str(second)

    def run_other(comm, rank):
        fm.TabularModel(hidden=(16 + rank,)).fit(table, "y", comm=comm)

    for error in on_ranks(2, run_other):
        assert "hidden must be the same on all ranks, those of rank 1 differ" in str(error)

    def run_optimizer(comm, rank):
        model = fm.TabularModel(**SETTINGS, optimizer=fm.Adam(0.01 + rank))
        model.fit(table, "y", comm=comm)

    for error in on_ranks(2, run_optimizer):
        assert "optimizer must be the same on all ranks, those of rank 1 differ" in str(error)


def everything(rng, rows):
    """A table of words, repeated numbers, dates and vectors, with gaps and a bad cell."""
    size = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(50.0, 9.0, rows))
    size[rows - 2] = np.inf
    return {
        "town": np.array([f"town {i}" for i in range(40)])[rng.integers(0, 40, rows)],
        "opened": (np.datetime64("1990-01-01") + rng.integers(0, 900, rows)).astype(str),
        "size": size,
        "person": rng.integers(0, 60, rows),
        "photo": rng.normal(size=(rows, 3)),
        "kind": np.where(rng.random(rows) < 0.05, None, rng.choice(["a", "b", "c"], rows)),
    }


@pytest.fixture
def matrices(monkeypatch):
    """The matrices that ranks make."""
    made = []
    monkeypatch.setattr(over_ranks, "Samples", lambda *of: made.append(of) or Samples(*of))
    return made


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("words", ["one-hot", "target means"])
@pytest.mark.parametrize("source", ["frame", "csv"])
def test_large_tables_are_encoded_as_they_are_trained_on(
    tmp_path, rng, monkeypatch, matrices, ranks, words, source
):
    """With the bits of a matrix, whether ranks read their rows or rank 0 sends them."""
    table = everything(rng, 400)
    if source == "csv":
        del table["photo"]
        rows = zip(*(column.tolist() for column in table.values()), strict=True)
        cells = (",".join("" if c is None or c != c else str(c) for c in row) for row in rows)
        path = tmp_path / "table.csv"
        path.write_text("\n".join([",".join(table), *cells]) + "\n")
        table = path
    monkeypatch.setattr(networks, "_OWN_SPLITS", 0)
    monkeypatch.setattr(encoded_rows, "_BLOCK", 5000)
    found = []
    for large in (1 << 40, 0):
        monkeypatch.setattr(encoded_rows, "_LARGE", large)
        matrices.clear()

        def run(comm, rank):
            model = fm.TabularModel(**SETTINGS, words=words, seed=1)
            model.fit(table if rank == 0 or source == "csv" else None, "kind", comm=comm)
            return [net.parameters.tobytes() for net in model.networks], model.notes

        results = on_ranks(ranks, run)
        assert all(result == results[0] for result in results), results
        found.append(results[0])
        assert len(matrices) == (ranks if large else 0)
    assert found[0] == found[1]
    assert any("column 'size': 'inf' is not finite" in note for note in found[0][1])


@pytest.mark.parametrize("kept", ["many ranks", "all held out", "sorted groups"])
def test_a_rank_may_have_no_row_of_a_large_table(monkeypatch, matrices, kept):
    """To train on, or to hold out: with the bits of a matrix."""
    rows, ranks = (18, 20) if kept == "many ranks" else (120, 4)
    table = {"a": np.tile(["x", "y", "z"], rows // 3), "y": np.tile([0.0, 1.0, 2.0], rows // 3)}
    table["group"] = np.arange(rows) // (30 if kept == "all held out" else 5)
    arguments = {"validation_fraction": None} if kept == "many ranks" else {"groups": "group"}
    if kept == "all held out":
        arguments["validation_fraction"] = 0.3
    monkeypatch.setattr(networks, "_OWN_SPLITS", 0)
    found = []
    for large in (1 << 40, 0):
        monkeypatch.setattr(encoded_rows, "_LARGE", large)
        matrices.clear()

        def run(comm, rank):
            model = fm.TabularModel(networks=1, epochs=2, hidden=(4,), seed=1)
            model.fit(table, "y", comm=comm, **arguments)
            return model.networks[0].parameters.tobytes()

        results = on_ranks(ranks, run)
        assert all(isinstance(result, bytes) for result in results), results
        assert len(set(results)) == 1
        found.append(results[0])
        assert len(matrices) == (ranks if large else 0)
    assert found[0] == found[1]


def test_networks_over_ranks_look_up_different_rows_of_one_matrix(rng, monkeypatch):
    table = everything(rng, 200)
    shared = []
    MatrixRows = encoded_rows.MatrixRows
    monkeypatch.setattr(over_ranks, "MatrixRows", lambda X: shared.append(X) or MatrixRows(X))
    found = []
    for rows in (1 << 40, 0):
        monkeypatch.setattr(encoded_rows, "_MANY_ROWS", rows)

        def run(comm, rank):
            model = fm.TabularModel(networks=2, epochs=2, hidden=(4,), seed=1)
            model.fit(table, "kind", comm=comm)
            return [net.parameters.tobytes() for net in model.networks]

        results = on_ranks(3, run)
        assert all(result == results[0] for result in results), results
        found.append(results[0])
        assert len(shared) == (0 if rows else 3)
    assert found[0] == found[1]
    assert len(set(found[0])) == 2
