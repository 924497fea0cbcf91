"""`TabularModel`: rows in, answers in the target's own words and units out.

Over 400 lines, as all tests use the same small tables.
"""

import importlib
import json
import tracemalloc
import warnings

import numpy as np
import pytest

import fastmlp as fm
import fastmlp.tables.encoding.features
import fastmlp.tables.reading.read
import fastmlp.tables.splits
import fastmlp.tables.training.networks
import fastmlp.tables.training.selection
from fastmlp.errors import DataError
from fastmlp.tables.encoding.fit_encoders import fit_encoders
from fastmlp.tables.reading.read import read
from fastmlp.tables.training.networks import Samples, network_seeds, weight_decay

QUICK = {"networks": 2, "epochs": 40, "hidden": (16,), "seed": 1}


@pytest.fixture
def houses(rng):
    """A table whose price is known from the rest."""
    n = 400
    size, kind = rng.uniform(20.0, 200.0, n), rng.choice(["flat", "house", "hut"], n)
    price = 1000.0 * size + np.select([kind == "flat", kind == "house"], [5e4, 9e4], 0.0)
    size[::17] = np.nan
    return {
        "id": np.arange(1, n + 1),
        "size": size,
        "kind": kind,
        "garden": rng.choice(["yes", "no"], n),
        "built": (np.datetime64("1990-01-01") + rng.integers(0, 9000, n)).astype(str),
        "price": np.round(price, 2),
    }


@pytest.fixture
def flowers(blobs):
    X, y = blobs
    columns = {f"x{j}": X[:, j] for j in range(X.shape[1])}
    return {**columns, "colour": np.array(["red", "green", "blue"])[y]}


def write_csv(path, table):
    rows = zip(*(np.asarray(column).tolist() for column in table.values()), strict=True)
    cells = (["" if cell != cell else str(cell) for cell in row] for row in rows)
    path.write_text("\n".join([",".join(table), *map(",".join, cells)]) + "\n")
    return path


def test_a_number_in_its_units(houses):
    model = fm.TabularModel(networks=2, epochs=100, seed=1).fit(houses, "price")
    answers = model.predict(houses)
    assert (answers.shape, answers.dtype) == ((400,), np.float64)
    scores = model.evaluate(houses)
    assert scores.r2 > 0.8
    assert scores.rmse == pytest.approx(np.sqrt(np.mean((answers - houses["price"]) ** 2)))
    assert scores.mae == pytest.approx(np.mean(np.abs(answers - houses["price"])))
    by_name = {column.name: column for column in model.columns}
    assert by_name["id"].how == "numbers the rows"
    assert [by_name[name].kind for name in ("size", "kind", "garden", "built")] == [
        "number", "words", "yes/no", "date",
    ]  # fmt: skip
    assert "whether it is missing" in by_name["size"].how
    assert "price" in repr(model)
    assert "numbers the rows" in str(model.columns)


def test_classes_in_their_own_words(flowers):
    model = fm.TabularModel(**QUICK).fit(flowers, "colour")
    assert model.classes.tolist() == ["blue", "green", "red"]
    answers, shares = model.predict(flowers), model.predict_proba(flowers)
    assert set(answers) <= {"red", "green", "blue"}
    assert shares.shape == (90, 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-6)
    assert answers.tolist() == model.classes[shares.argmax(axis=1)].tolist()
    scores = model.evaluate(flowers)
    assert scores.accuracy == np.mean(answers == flowers["colour"]) == 1.0
    assert scores.confusion.tolist() == np.diag([30, 30, 30]).tolist()
    assert [score.rows for score in scores.classes] == [30, 30, 30]
    assert "confusion" not in str(scores)
    assert "true \\ taken for" in str(scores)


def test_all_scores_of_classes_are_weighted(flowers, rng, tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    model = fm.TabularModel(**{**QUICK, "epochs": 1, "networks": 1}).fit(flowers, "colour")
    weights = rng.integers(0, 4, 90) * 0.75
    truth, said = np.array(flowers["colour"]), model.predict(flowers)
    assert 0.2 < np.mean(truth == said) < 1.0
    scores = model.evaluate(flowers, sample_weight=weights)
    weighted = {"labels": model.classes.tolist(), "sample_weight": weights}
    np.testing.assert_allclose(scores.confusion, metrics.confusion_matrix(truth, said, **weighted))
    each = metrics.precision_recall_fscore_support(truth, said, zero_division=0, **weighted)
    got = [(each.precision, each.recall, each.f1) for each in scores.classes]
    np.testing.assert_allclose(got, np.stack(each[:3], axis=1), rtol=1e-12)
    assert scores.accuracy == pytest.approx(np.trace(scores.confusion) / weights.sum())
    counts = [np.count_nonzero((truth == label) & (weights > 0)) for label in model.classes]
    assert [each.rows for each in scores.classes] == counts
    assert f"{scores.confusion[0].max():g}" in str(scores)
    model.scores = {"test": scores}
    model.save(tmp_path / "model.safetensors")
    again = fm.load(tmp_path / "model.safetensors").scores["test"]
    assert again.confusion.tolist() == scores.confusion.tolist()
    assert str(again) == str(scores)


@pytest.mark.parametrize(("rows", "decay"), [(60, 1.0), (400, 0.25), (5000, 0.1)])
def test_few_rows_of_classes_have_coarser_pieces_and_more_weight_decay(rng, rows, decay):
    numbers = rng.normal(size=rows)
    table = {"a": numbers, "class": np.where(numbers > 0, "p", "n"), "y": numbers + 1.0}
    drop = {"class": ["y"], "y": ["class"]}
    for target, fewest in ("class", 8), ("y", 16):
        pieces = max(fewest, min(128, rows // 8))
        model = fm.TabularModel(networks=1, epochs=1).fit(table, target, drop=drop[target])
        assert f"{pieces} pieces" in model.columns[0].how
        expected = decay if target == "class" else 0.1
        assert weight_decay(model.target, rows) == expected


@pytest.mark.parametrize(
    ("columns", "of_classes", "of_numbers"),
    [(1, 128, 128), (4, 32, 64), (32, 4, 8), (100, 4, 4), (170, 3, 3), (171, 0, 0)],
)
def test_more_columns_of_numbers_have_fewer_pieces(rng, columns, of_classes, of_numbers):
    table = {f"x{j}": rng.normal(size=1100) for j in range(columns)}
    for classes, pieces in (True, of_classes), (False, of_numbers):
        features, _ = fit_encoders(
            read(table), np.arange(1100), list(table), np.zeros((1100, 1)), classes=classes
        )
        assert features.columns[0].inputs == 1 + pieces


@pytest.mark.parametrize(("task", "patience"), [("regression", 30), ("classification", 12)])
def test_networks_stop_after_epochs_without_improvement(rng, task, patience):
    table = {"x": rng.normal(size=60), "y": rng.integers(0, 2, 60)}
    for given in (None, 3):
        model = fm.TabularModel((4,), networks=1, task=task, seed=1, patience=given)
        losses = model.fit(table, "y").histories[0].validation_loss
        assert len(losses) - 1 - int(np.argmin(losses)) == (given or patience)


def test_the_rate_of_classes_is_halved_where_their_loss_stagnates(rng):
    table = {"a": rng.normal(size=200), "class": rng.choice(["p", "n"], 200)}
    table["y"] = table["a"] * 2.0
    options = {"networks": 1, "hidden": (8,), "seed": 1, "epochs": 40}
    cases = [("class", 0.15, 0.01, True), ("class", None, 0.01, False), ("y", 0.15, 0.004, False)]
    for target, fraction, rate, halved in cases:
        model = fm.TabularModel(**options)
        model.fit(table, target, features=["a"], validation_fraction=fraction)
        rates = model.histories[0].learning_rate
        assert rates[0] == pytest.approx(rate)
        assert (min(rates) <= 0.5 * rate) == halved
    model = fm.TabularModel(**options, optimizer=fm.Adam(0.002)).fit(table, "class")
    assert set(model.histories[0].learning_rate) == {0.002}


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        ([7, -1, 7, 30], [-1, 7, 30]),
        ([2.0, 10.0, np.nan, 2.0], [2, 10]),
        ([0.5, 2.0, 0.5, 2.0], [0.5, 2.0]),
        ([True, False, True, False], [False, True]),
        (["b", "a", None, "NA"], ["NA", "a", "b"]),
        (["02", "01", "02", "10"], ["01", "02", "10"]),
        (["1", "2", "NA", "1"], ["1", "2"]),
        (["yes", "no", "NA", "no"], ["no", "yes"]),
    ],
)
def test_classes_keep_their_type(y, classes):
    table = {"a": np.tile([1.0, 2.0, 3.0, 4.0], 10), "y": y * 10}
    model = fm.TabularModel(networks=1, epochs=1, task="classification").fit(table, "y")
    assert model.classes.tolist() == classes
    assert [type(label) for label in model.classes.tolist()] == [type(label) for label in classes]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "rows",
    [[[1, 2, 3, 4.5]], [[1, 2, 3, 4]], [[1, 2, 3, 4], [2, 1, 1, 3]], [[0, 1, 2, 3], [1, 1, 9, 5]],
     [[1, 2, 3]]],
)  # fmt: skip
def test_a_model_of_a_file_without_names_predicts_one_without_names(tmp_path, rows):
    """Whole numbers that count up would be names of columns elsewhere."""
    path, new = tmp_path / "n.csv", tmp_path / "new.csv"
    path.write_text("".join(f"{i % 9},{i % 4},{i % 11},{i % 7}.5\n" for i in range(100)))
    model = fm.TabularModel(networks=1, epochs=2, hidden=(2,), seed=0).fit(path, "3")
    new.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    columns = {f"column {j}": [row[j] for row in rows] for j in range(3)}
    np.testing.assert_array_equal(model.predict(new), model.predict(columns))


def test_a_note_names_the_target_that_is_missing(tmp_path):
    cells = [f"{i},{i % 3},{i % 5}.5,{i % 7}.5" for i in range(40)]
    cells[4] = "4,1,4.5,NA"
    path = tmp_path / "n.csv"
    path.write_text("\n".join(["a,b,y1,y2", *cells]))
    where = f"{path}: line 6, column 'y2': the target is missing"
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,)).fit(path, ["y1", "y2"])
    assert model.notes == (f"{where}: the row is left out",)
    with pytest.raises(DataError, match="line 6, column 'y2': the target is missing"):
        fm.TabularModel().fit(path, ["y1", "y2"], missing_target="error")


def test_one_missing_cell_does_not_make_classes_of_numbers(tmp_path, rng):
    values = rng.normal(size=300)
    cells = [f"{value:.4f}" for value in values]
    for missing in ("NA", "?", "", "nan", ".", "-", "nil"):
        cells[7] = missing
        path = tmp_path / "data.csv"
        path.write_text("a,y\n" + "".join(f"{v},{c}\n" for v, c in zip(values, cells, strict=True)))
        model = fm.TabularModel(networks=1, epochs=1).fit(path, "y")
        assert model.target.task == "regression"
        assert model.notes == (
            f"{path}: line 9, column 'y': the target is missing: the row is left out",
        )
        with pytest.raises(DataError, match="line 9, column 'y': the target is missing"):
            fm.TabularModel().fit(path, "y", missing_target="error")
    cells[7] = "many"
    path.write_text("a,y\n" + "".join(f"{v},{c}\n" for v, c in zip(values, cells, strict=True)))
    with pytest.raises(
        DataError, match="line 9, column 'y': 'many' is not a number, as 299 others"
    ):
        fm.TabularModel().fit(path, "y")
    assert len(fm.TabularModel(task="classification", epochs=1).fit(path, "y").classes) > 200


def test_thousands_and_decimal_commas_in_the_target(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,y\n" + "".join(f'{i},"{1000 * i:,}"\n' for i in range(1, 60)))
    model = fm.TabularModel(networks=1, epochs=1).fit(path, "y")
    assert (model.target.task, model.target.mean[0]) == ("regression", 30_000.0)
    path.write_text("a;y\n" + "".join(f"{i};{i},5\n" for i in range(60)))
    assert fm.TabularModel(networks=1, epochs=1).fit(path, "y").target.mean[0] == 30.0


@pytest.mark.parametrize(
    ("y", "task", "message"),
    [
        (["x"] * 8, None, "a single class, 'x': nothing to tell apart"),
        ([3.0] * 8, "regression", "the target is always 3.0: nothing to learn"),
        ([f"n{i}" for i in range(8)], None, "all 8 values of the target 'y' are different"),
        ([None] * 8, None, "table: the target is missing in every row"),
        (["NA"] * 8, None, "the target is missing in every row"),
        (["x", "z"] * 4, "regression", "'x' is not a number; regression needs numbers"),
        ([1.0, np.inf] * 4, None, "row 1, column 'y': the target is not finite"),
        (np.zeros((8, 2)), None, "the target 'y' holds vectors"),
        (np.arange(8).astype("M8[D]"), None, "the target 'y' holds times"),
        ([1e300, -1e300] * 4, "regression", "beyond 1e150"),
    ],
)
def test_targets_with_nothing_to_learn(y, task, message):
    with pytest.raises(DataError, match=message):
        fm.TabularModel(task=task).fit({"a": np.arange(8) % 3, "y": y}, "y")


def test_whole_numbers_that_all_differ_are_no_classes():
    model = fm.TabularModel(networks=1, epochs=1).fit({"a": np.arange(8) % 3, "y": range(8)}, "y")
    assert model.target.task == "regression"


def test_several_numbers_and_several_labels(houses, rng):
    table = {**houses, "tax": houses["price"] * 0.1, "sold": rng.random(400) > 0.5}
    table["rented"] = rng.choice(["yes", "no"], 400)
    model = fm.TabularModel(**QUICK).fit(table, ["price", "tax"], drop=["sold", "rented"])
    assert model.predict(table).shape == (400, 2)
    np.testing.assert_allclose(model.predict(table).mean(axis=0), [1.6e5, 1.6e4], rtol=0.3)
    assert model.evaluate(table).r2 > 0.5
    model = fm.TabularModel(**QUICK).fit(table, ["sold", "rented"])
    assert model.predict_proba(table).shape == (400, 2)
    assert set(model.predict(table)[:, 1]) <= {"yes", "no"}
    assert 0.0 < model.evaluate(table).accuracy <= 1.0
    with pytest.raises(DataError, match="column 'price' is not"):
        fm.TabularModel(task="classification").fit(table, ["sold", "price"])


def test_the_same_bits_for_any_number_of_threads_and_source(houses, tmp_path):
    first = fm.TabularModel(**QUICK, n_threads=1).fit(houses, "price").predict(houses)
    path = write_csv(tmp_path / "houses.csv", houses)
    again = fm.TabularModel(**QUICK, n_threads=2).fit(path, "price").predict(path)
    assert first.tobytes() == again.tobytes()
    other = fm.TabularModel(**{**QUICK, "seed": 2}).fit(houses, "price").predict(houses)
    assert first.tobytes() != other.tobytes()


def test_the_mean_of_networks_that_are_there(houses):
    model = fm.TabularModel(**QUICK).fit(houses, "price")
    assert len(model.networks) == len(model.histories) == 2
    assert model.network is model.networks[0]
    assert model.network.layers[0].nodes == 16
    X = model._features.matrix(read(houses), np.arange(400))
    outputs = np.mean([net.predict(X).astype(float) for net in model.networks], axis=0)
    assert np.array_equal(model.target.in_units(outputs)[:, 0], model.predict(houses))
    assert not np.array_equal(model.networks[0].parameters, model.networks[1].parameters)


def test_everything_is_learned_from_the_training_part(houses):
    """Rows that are not trained on may hold anything without a trace in the model."""
    selection = fastmlp.tables.training.selection.select(read(houses), "price")
    changed = {name: np.array(column) for name, column in houses.items()}
    changed["size"][300:] = 1e9
    changed["kind"][300:] = "castle"[:5]
    changed["price"][300:] = -1.0
    other = fastmlp.tables.training.selection.select(read(changed), "price")
    some = {name: column[:300] for name, column in houses.items()}
    for words in ("one-hot", "target means"):
        models = [
            fm.TabularModel(**QUICK, words=words).fit_rows(each, np.arange(300))
            for each in (selection, other)
        ]
        first, second = (model.predict(some) for model in models)
        assert first.tobytes() == second.tobytes()


def test_words_never_seen_and_bad_cells_are_answered(houses):
    model = fm.TabularModel(**QUICK).fit(houses, "price")
    new = {
        "size": ["50", "many", None, "inf"],
        "kind": ["castle", None, "flat", "hut"],
        "garden": ["maybe", "yes", "no", None],
        "built": ["2000-01-01", "31.12.2000", None, "2000-02-30"],
    }
    with pytest.warns(UserWarning, match="taken as missing") as caught:
        answers = model.predict(new)
    assert np.isfinite(answers).all()
    said = [str(warning.message) for warning in caught]
    assert len(said) == 3
    assert "row 1, column 'size': 'many' is no number, as is 1 other: taken as missing" in said[0]
    assert "row 0, column 'garden': 'maybe' is neither yes nor no: taken as missing" in said[1]
    assert "row 1, column 'built': '31.12.2000' is no date as in training" in said[2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict({**new, "size": [50.0, 1.0, 2.0, 3.0], "garden": ["no"] * 4,
                       "built": ["2000-01-01"] * 4})  # fmt: skip


def test_tables_of_other_types_are_the_same_rows(houses):
    pandas = pytest.importorskip("pandas")
    model = fm.TabularModel(**QUICK).fit(houses, "price")
    expected = model.predict(houses).tobytes()
    frame = pandas.DataFrame(houses)
    frame["built"] = pandas.to_datetime(frame["built"])
    frame["garden"] = frame["garden"] == "yes"
    frame["kind"] = frame["kind"].astype("category")
    assert model.predict(frame).tobytes() == expected


def test_columns_that_lack_or_do_not_fit(houses, flowers):
    model = fm.TabularModel(**QUICK).fit(houses, "price")
    with pytest.raises(DataError, match="there is no column 'size', nor 2 others"):
        model.predict({"kind": ["flat"]})
    spelled = {"Size " if name == "size" else name: column for name, column in houses.items()}
    with pytest.raises(DataError, match=r"there is no column 'size'; columns.*; rename 'Size '$"):
        model.predict(spelled)
    with pytest.raises(DataError, match="there is no column 'price'"):
        model.evaluate({name: column for name, column in houses.items() if name != "price"})
    with pytest.raises(ValueError, match="predict_proba is for classes"):
        model.predict_proba(houses)
    model = fm.TabularModel(**QUICK).fit(flowers, "colour")
    with pytest.raises(DataError, match="'violet' is none of the classes of training"):
        model.evaluate({**flowers, "colour": np.array(["violet"] * 90)})
    with pytest.raises(RuntimeError, match="has not been fitted"):
        fm.TabularModel().predict(flowers)


def test_weights_and_groups(houses):
    weights = (np.arange(400) < 200).astype(float)
    table = {**houses, "w": weights, "block": np.arange(400) // 40}
    model = fm.TabularModel(**QUICK).fit(table, "price", sample_weight="w", groups="block")
    assert {"w", "block"}.isdisjoint(column.name for column in model.columns)
    again = fm.TabularModel(**QUICK).fit(
        houses, "price", sample_weight=weights, groups=np.arange(400) // 40
    )
    assert model.predict(houses).tobytes() == again.predict(houses).tobytes()
    changed = {**houses, "price": np.where(weights > 0, houses["price"], 7.0)}
    scores = [model.evaluate(each, sample_weight=weights).r2 for each in (houses, changed)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-12)


@pytest.mark.parametrize("share", [0.15, 0.5])
def test_rows_of_one_group_are_held_out_together(rng, share):
    groups = rng.integers(0, 20, 300)
    split = fm.tables.splits.split_rows
    train, held_out = split(np.zeros(300, int), share, 1, groups)
    assert not set(groups[train]) & set(groups[held_out])
    assert sorted([*train, *held_out]) == list(range(300))
    assert abs(len(held_out) / 300 - share) < 0.1
    with pytest.raises(DataError, match="all rows are of one group"):
        split(np.zeros(3, int), share, 1, np.zeros(3, int))


@pytest.mark.parametrize(("share", "count"), [(0.1, 1), (0.25, 1), (0.5, 2), (0.6, 2), (0.99, 3)])
def test_groups_up_to_the_share_are_held_out_but_one_at_least(share, count):
    groups = np.repeat(np.arange(4), 5)
    _, held_out = fm.tables.splits.split_rows(np.zeros(20, int), share, 1, groups)
    assert len(held_out) == 5 * count
    assert len(set(groups[held_out])) == count


def test_models_of_neighbouring_seeds_share_no_network():
    seeds = [own for seed in (0, 1, 2, 2**64 - 1) for own in network_seeds(seed, 4)]
    assert len(set(seeds)) == 16
    assert network_seeds(1, 2) == network_seeds(1, 4)[:2]
    model = fm.TabularModel(**QUICK).fit({"a": [1.5, 2.5] * 9, "y": ["b", "c"] * 9}, "y")
    assert [network.seed for network in model.networks] == network_seeds(1, 2)


def test_a_split_follows_from_its_seed():
    split = fm.tables.splits.split_rows
    labels = np.arange(40) % 2
    first, again, other = (split(labels, 0.25, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again != other
    # Written down, so that no platform and no version of NumPy changes a split unnoticed.
    assert split(np.zeros(12, int), 0.25, 2**64 - 1)[1].tolist() == [8, 9, 10]


def test_a_split_of_many_rows_takes_little_memory():
    rows = 100_000
    tracemalloc.start()
    try:
        train, held_out = fm.tables.splits.split_rows(np.zeros(rows, np.int8), 0.25, 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(train), len(held_out)) == (75_000, 25_000)
    assert peak < 36 * rows  # four numbers of 8 bytes for each


def test_a_column_of_row_numbers_is_better_than_nothing():
    table = {"t": np.arange(1.0, 60.0), "y": np.arange(1.0, 60.0) ** 2}
    model = fm.TabularModel(**QUICK).fit(table, "y")
    assert "numbers the rows, but there is nothing else" in model.columns[0].how
    with pytest.raises(DataError, match="no column is left to learn from: 't' is always 1"):
        fm.TabularModel().fit({**table, "t": np.ones(59)}, "y")


def test_rows_without_weight_are_no_rows(houses):
    weights = np.zeros(400)
    weights[:50] = 1.0
    changed = {name: np.array(column) for name, column in houses.items()}
    changed["price"][50:] = np.nan
    changed["kind"][50:] = "tent"
    models = [
        fm.TabularModel(**QUICK).fit(each, "price", sample_weight=weights)
        for each in (houses, changed)
    ]
    first, second = (model.predict(houses) for model in models)
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("rows", [2, 3, 5])
def test_a_handful_of_rows(rows):
    table = {"a": np.arange(rows), "y": np.arange(rows) * 1.5}
    model = fm.TabularModel(networks=1, epochs=2).fit(table, "y")
    assert np.isfinite(model.predict(table)).all()
    assert model.predict({"a": []}).shape == (0,)


def test_numbers_of_any_size():
    table = {"a": [1e308, -1e308, 5.0] * 9, "b": [1e-320, 2e-320, 0.0] * 9, "y": range(27)}
    with pytest.raises(DataError, match="column 'a': numbers beyond 1e150"):
        fm.TabularModel().fit(table, "y")
    model = fm.TabularModel(networks=1, epochs=2).fit(table, "y", drop="a")
    far = model.predict({"b": [1.7e308, -1.7e308, 1e-320]})
    assert np.isfinite(far).all()


def test_a_class_that_may_mean_missing_is_pointed_out():
    table = {"a": np.arange(30) % 7, "y": ["x", "z", "NA"] * 10}
    model = fm.TabularModel(networks=1, epochs=1).fit(table, "y")
    assert model.classes.tolist() == ["NA", "x", "z"]
    assert model.notes[0].startswith("'NA' is a class like the others")


def test_without_rows_held_out(houses):
    model = fm.TabularModel(**QUICK).fit(houses, "price", validation_fraction=None)
    assert [len(history.loss) for history in model.histories] == [40, 40]
    assert model.histories[0].validation_loss == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"task": "clustering"}, ValueError, "task must be"),
        ({"networks": 0}, ValueError, "networks must be at least 1"),
        ({"hidden": 64}, TypeError, "hidden must be"),
        ({"hidden": [0]}, ValueError, r"hidden\[0\] must be at least 1"),
        ({"activation": "swish"}, ValueError, "activation"),
        ({"dropout": 1.5}, ValueError, "dropout"),
        ({"seed": -1}, ValueError, "seed"),
        ({"patience": 0}, ValueError, "patience"),
        ({"numbers": "raw"}, ValueError, "numbers must be"),
        ({"words": "hash"}, ValueError, "words must be"),
    ],
)
def test_settings_that_do_not_fit(arguments, error, message):
    with pytest.raises(error, match=message):
        fm.TabularModel(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": None}, DataError, "name the target; columns are 'id', 'size'"),
        ({"target": "prize"}, DataError, "there is no column 'prize'.*did you mean 'price'"),
        ({"target": "Price "}, DataError, "there is no column 'Price '.*did you mean 'price'"),
        ({"target": ["yes"] * 400}, TypeError, "must name a column.*got 400 values, one for each"),
        ({"target": np.ones(400)}, TypeError, "must name a column.*got 400 values, one for each"),
        ({"target": ["price", "price"]}, ValueError, "target must name different columns"),
        ({"target": "price", "features": ["price"]}, ValueError, "must not contain 'price'"),
        ({"target": "price", "features": []}, DataError, "no column beside the target"),
        ({"target": "price", "drop": ["x"]}, DataError, "there is no column 'x'"),
        ({"target": "price", "sample_weight": [1.0]}, ValueError, r"must have shape \(400,\)"),
        ({"target": "price", "sample_weight": np.full(400, -1.0)}, ValueError, r"\[0\] is -1"),
        ({"target": "price", "sample_weight": np.zeros(400)}, ValueError, "must not be 0 for all"),
        ({"target": "price", "sample_weight": "kind"}, DataError, "must be numbers"),
        ({"target": "price", "groups": [1]}, ValueError, r"groups must have shape"),
        ({"target": "price", "missing_target": "skip"}, ValueError, "missing_target must be"),
        ({"target": "price", "validation_fraction": 1.0}, ValueError, "validation_fraction"),
    ],
)
def test_arguments_that_do_not_fit(houses, arguments, error, message):
    model = fm.TabularModel()
    with pytest.raises(error, match=message):
        model.fit(houses, **arguments)
    with pytest.raises(RuntimeError):
        model.predict(houses)


GAPS = [True, None, False] * 20


def tables_with_gaps(tmp_path):
    """Yield the name and a table whose target is true, false and missing, in every form."""
    x = [float(value is True) for value in GAPS]
    yield "list", {"x": x, "y": GAPS}
    yield "objects", {"x": x, "y": np.array(GAPS, object)}
    lines = [json.dumps({"x": number, "y": value}) for number, value in zip(x, GAPS, strict=True)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    yield "JSON lines", tmp_path / "rows.jsonl"
    if pandas := optional("pandas"):
        for dtype in (object, "boolean", "category"):
            yield (
                f"pandas {dtype}",
                pandas.DataFrame({"x": x, "y": pandas.Series(GAPS, dtype=dtype)}),
            )
    if pyarrow := optional("pyarrow"):
        table = pyarrow.table({"x": x, "y": GAPS})
        yield "arrow", table
        folder = tmp_path / "parts"
        folder.mkdir()
        for part, (start, end) in enumerate([(0, 1), (1, 2), (2, 3), (3, 60)]):
            parquet = pytest.importorskip("pyarrow.parquet")
            parquet.write_table(table.slice(start, end - start), folder / f"{part}.parquet")
        yield "a folder; parts without gaps, and with nothing else", folder


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def test_true_and_false_with_gaps_stay_true_and_false(tmp_path):
    for name, table in tables_with_gaps(tmp_path):
        model = fm.TabularModel(networks=1, epochs=60, seed=1).fit(table, "y")
        for trained in (model, saved_and_loaded(model, tmp_path)):
            assert trained.classes.tolist() == [False, True], name
            answers = trained.predict({"x": [0.0, 1.0]})
            assert answers.dtype == bool, name
            assert answers.tolist() == [False, True], name
            with pytest.warns(UserWarning, match="the target is missing: 20 rows"):
                assert trained.evaluate(table).accuracy == 1.0, name


def saved_and_loaded(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    return fm.load(tmp_path / "model.safetensors")


def test_true_and_false_with_gaps_as_a_feature_and_as_labels():
    yes, missing = ([value is wanted for value in GAPS] for wanted in (True, None))
    table = {"flag": GAPS, "y": yes, "z": missing}
    model = fm.TabularModel(networks=1, epochs=60, seed=1).fit(table, ["y", "z"])
    assert (model.columns[0].kind, model.columns[0].inputs) == ("yes/no", 2)
    answers = model.predict({"flag": GAPS[:3]}).tolist()
    assert answers == [[True, False], [False, True], [False, False]]
    assert model.predict({"flag": [True, True]}).tolist() == [[True, False]] * 2
    quick = {"networks": 1, "epochs": 2, "seed": 1}
    labels = {"x": np.arange(len(GAPS)) % 3, "y": GAPS, "z": yes}
    assert fm.TabularModel(**quick).fit(labels, ["y", "z"]).predict(labels).dtype == bool
    numbers = fm.TabularModel(**quick, task="regression").fit(labels, "y")
    assert numbers.predict(labels).dtype == np.float64


@pytest.mark.parametrize("values", [[True, False, 1, 0], [True, 2.5, 1.5, False, None]])
def test_a_target_of_numbers_and_booleans_is_refused(values):
    forms = [values * 20, np.array(values * 20, object)]
    if pandas := optional("pandas"):
        forms += [pandas.Series(values * 20, dtype=object)]
    for target in forms:
        table = {"x": np.arange(len(target)) % 7, "y": target}
        with pytest.raises(DataError, match="'y' is True in some rows and"):
            fm.TabularModel(**QUICK).fit(table, "y")


def test_a_feature_of_numbers_and_booleans_is_words_or_noted():
    table = {"some": [True, 3, 4] * 20, "one": [*range(59), True], "y": [1.5, 2.0, 7.25] * 20}
    model = fm.TabularModel(**QUICK).fit(table, "y")
    assert [column.kind for column in model.columns] == ["words", "number"]
    assert any("'True' is no number: taken as missing" in note for note in model.notes)


@pytest.mark.parametrize("of", ["predict", "predict_proba", "evaluate", "score"])
def test_warnings_point_to_the_line_of_the_user(of):
    table = {"a": [1.5, 2.5, 3.5, 4.5] * 10, "y": [True, False] * 20}
    model = fm.TabularModel(**QUICK | {"epochs": 2}).fit(table, "y")
    table["a"][3] = np.inf
    with pytest.warns(UserWarning, match="'inf' is not finite") as warned:
        getattr(model, of)(table)
    assert [warning.filename for warning in warned] == [__file__]


def test_a_report_shows_control_characters_of_names_as_escapes():
    table = {
        "two\nlines\x1b[31m": np.arange(40) ** 0.5,
        "größe": np.arange(40) % 7,
        "y": [1, 2] * 20,
    }
    lines = str(fm.TabularModel(**QUICK | {"epochs": 1}).fit(table, "y").columns).split("\n")
    assert [line.split("  ")[0] for line in lines] == [r"two\nlines\x1b[31m", "größe"]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("2020-01-0{}", "the target is dates, as words"),
        ("1{}:30", "the target is times of day, as words"),
        ("day {}", "the target is text"),
    ],
)
def test_the_reason_says_that_a_target_holds_dates(cell, reason):
    table = {"x": np.arange(60), "y": [cell.format(1 + i % 4) for i in range(60)]}
    model = fm.TabularModel(**QUICK | {"epochs": 1}).fit(table, "y")
    assert (model.target.task, model.target.reason) == ("classification", reason)


@pytest.mark.parametrize("weights", [None, np.arange(90.0)])
def test_score_is_accuracy_or_r2(houses, flowers, weights):
    metrics = pytest.importorskip("sklearn.metrics")
    model = fm.TabularModel(**QUICK | {"epochs": 2}).fit(flowers, "colour")
    expected = metrics.accuracy_score(
        flowers["colour"], model.predict(flowers), sample_weight=weights
    )
    assert model.score(flowers, sample_weight=weights) == pytest.approx(expected)
    model = fm.TabularModel(**QUICK | {"epochs": 2}).fit(houses, "price")
    weights = None if weights is None else np.resize(weights, len(houses["price"]))
    expected = metrics.r2_score(houses["price"], model.predict(houses), sample_weight=weights)
    assert model.score(houses, sample_weight=weights) == pytest.approx(expected)
    alike = {**houses, "price": np.full(len(houses["price"]), 3.0)}
    assert np.isnan(model.score(alike, sample_weight=weights))
    labels = {"x": np.arange(40), "y": [True, False] * 20, "z": [True] * 39 + [False]}
    model = fm.TabularModel(**QUICK | {"epochs": 2}).fit(labels, ["y", "z"])
    true = np.stack([labels["y"], labels["z"]], axis=1)
    assert model.score(labels) == pytest.approx((model.predict(labels) == true).mean())
    with pytest.raises(RuntimeError, match="has not been fitted"):
        fm.TabularModel().score(labels)


def test_predictions_in_blocks_are_those_of_all_rows(houses, monkeypatch):
    model = fm.TabularModel(**QUICK | {"epochs": 2}).fit(houses, "price")
    houses["size"] = np.array([*houses["size"].astype(str)[:-2], "big", "huge"])
    with pytest.warns(UserWarning, match="'big' is no number, as is 1 other"):
        expected = model.predict(houses)
    monkeypatch.setattr(fastmlp.tables.encoding.features, "_PREDICTED_BYTES", 1)
    monkeypatch.setattr(fastmlp.tables.encoding.features, "_FEWEST_ROWS", 7)
    with pytest.warns(UserWarning, match="'big' is no number, as is 1 other") as warned:
        assert model.predict(houses).tobytes() == expected.tobytes()
    assert len(warned) == 1


def test_pieces_are_released_as_they_are_joined():
    columns, rows, count = 12, 10_000, 5
    whole = 8 * columns * rows * count

    def piece(start):
        return {f"c{j}": np.arange(rows) + start / (j + 1.0) for j in range(columns)}

    tracemalloc.start()
    try:
        table = read(piece(i * rows) for i in range(count))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(table) == rows * count
    assert whole < peak < 1.7 * whole  # 2.2 if the pieces stayed
    again = read([table, table])  # whose columns are the caller's
    assert len(again) == 2 * len(table)
    assert table.columns["c3"].tobytes() * 2 == again.columns["c3"].tobytes()


def test_pieces_of_a_table_are_one_table(houses, tmp_path):
    def piece(rows):
        return {name: column[rows] for name, column in houses.items()}

    path = write_csv(tmp_path / "last.csv", piece(slice(300, 400)))
    whole = fm.TabularModel(**QUICK | {"epochs": 2}).fit(houses, "price")
    pieces = [piece(slice(0, 90)), piece(slice(90, 300)), path]
    for given in (pieces, iter(pieces), tuple(pieces)):
        model = fm.TabularModel(**QUICK | {"epochs": 2}).fit(given, "price")
        assert str(model.columns) == str(whole.columns)
    assert model.predict(iter(pieces)).tobytes() == whole.predict(houses).tobytes()
    with pytest.raises(DataError, match="table: there are no pieces"):
        model.predict(iter([]))
    with pytest.raises(
        TypeError, match=r"^piece 1 of the table must be a path, frame or mapping, got"
    ):
        model.predict([houses, [houses]])
    with pytest.raises(DataError, match="piece 1 and piece 0 have different columns"):
        model.predict([houses, {"id": [1]}])
    pieces[1]["price"][5] = np.nan
    model = fm.TabularModel(**QUICK | {"epochs": 2}).fit(pieces, "price")
    assert "table: piece 1, row 5, column 'price': the target is missing" in model.notes[0]


def test_a_large_matrix_is_split_in_place(rng, monkeypatch):
    X, y = rng.normal(size=(1000, 3)).astype(np.float32), np.arange(1000.0)[:, np.newaxis]
    rows = rng.random(1000) < 0.8
    train, held_out = np.flatnonzero(rows), np.flatnonzero(~rows)
    monkeypatch.setattr(fastmlp.tables.training.networks, "_BLOCK", 7)
    expected = [X[train], X[held_out]]
    samples = Samples(X, y, y[:, 0])
    parts = samples.parts_in_place(train, held_out)
    for part, values, places in zip(parts, expected, (train, held_out), strict=True):
        assert np.shares_memory(part[0], X)
        assert part[0].tobytes() == values.tobytes()
        assert part[1][:, 0].tolist() == part[2].tolist() == places.tolist()


@pytest.mark.parametrize("fraction", [0.2, None])
def test_networks_of_a_large_matrix_share_a_split(houses, monkeypatch, fraction):
    """That of the first network, which learns the same as from copies."""
    quick, known = QUICK | {"epochs": 2}, []
    for most, count in ((1 << 26, 1), (0, 3)):
        monkeypatch.setattr(fastmlp.tables.training.networks, "_OWN_SPLITS", most)
        model = fm.TabularModel(**quick | {"networks": count})
        model.fit(houses, "price", validation_fraction=fraction, sample_weight=np.arange(400.0))
        known.append([weights.tobytes() for weights in model.networks[0].weights])
    assert known[0] == known[1]


def test_tiny_targets_are_standardized(rng):
    """Their squares are 0 in float64."""
    x = rng.normal(size=200)
    ones, tiny = (
        fm.TabularModel(**QUICK).fit({"x": x, "y": (2.0 * x + 1.0) * unit}, "y")
        for unit in (1.0, 2.0**-550)
    )
    assert tiny.target.deviation == ones.target.deviation * 2.0**-550
    assert np.allclose(tiny.predict({"x": x}) * 2.0**550, ones.predict({"x": x}))
