"""Each rank of a training on a file reads its share of the rows, with the bits of rows sent."""

import gzip
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from threads_as_ranks import on_ranks

import fastmlp as fm
from fastmlp.tables.reading import file_rows
from fastmlp.tables.training import over_ranks

ROWS = 400


@pytest.fixture
def columns(rng):
    """Numbers with gaps and one bad cell, words, whole numbers that repeat, yes and no."""
    x = rng.normal(size=ROWS)
    number = [f"{value:.6f}" for value in x]
    number[17], number[360] = "", "n/a?"
    word = np.array([f"w{i}" for i in range(60)])[rng.integers(0, 60, ROWS)].tolist()
    person = [str(p) for p in rng.integers(0, 50, ROWS)]
    flag = np.array(["yes", "no"])[rng.integers(0, 2, ROWS)].tolist()
    y = [
        "high" if a + (b > "w3") + float(p) / 50 > 0.6 else "low"
        for a, b, p in zip(x, word, person, strict=True)
    ]
    return {"number": number, "word": word, "person": person, "flag": flag, "y": y}


def write_csv(path, columns, rows=slice(None), quote="", end="\n"):
    lines = zip(*(cells[rows] for cells in columns.values()), strict=True)
    text = end.join(
        [",".join(columns), *(",".join(f"{quote}{c}{quote}" for c in x) for x in lines)]
    )
    path.write_bytes((text + end).encode())
    return path


def write_parquet(path, columns, rows=slice(None), drop=()):
    pyarrow = pytest.importorskip("pyarrow")
    typed = {name: cells[rows] for name, cells in columns.items() if name not in drop}
    typed["number"] = [None if c in {"", "n/a?"} else float(c) for c in typed["number"]]
    typed["person"] = list(map(int, typed["person"]))
    table = pyarrow.table(typed)
    if path.suffix == ".arrow":
        with pyarrow.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table, max_chunksize=37)
    else:
        pyarrow.parquet.write_table(table, path, row_group_size=37)
    return path


def make_csv(folder, columns):
    return write_csv(folder / "table.csv", columns)


def make_windows_csv(folder, columns):
    return write_csv(folder / "table.csv", columns, end="\r\n")


def make_parquet(folder, columns):
    import pyarrow.parquet  # noqa: F401, PLC0415

    return write_parquet(folder / "table.parquet", columns)


def make_arrow(folder, columns):
    return write_parquet(folder / "table.arrow", columns)


def make_npy(folder, columns):
    numbers = [
        [float(p), float(f == "yes")]
        for p, f in zip(columns["person"], columns["flag"], strict=True)
    ]
    data = np.column_stack([numbers, [t == "high" for t in columns["y"]]])
    np.save(folder / "table.npy", data)
    return folder / "table.npy"


def make_folder(folder, columns):
    """Of CSV files in the folders of Hive, where the flag is the name of the folder."""
    root = folder / "data"
    for flag in ("no", "yes"):
        (root / f"flag={flag}").mkdir(parents=True)
        rows = [i for i, f in enumerate(columns["flag"]) if f == flag]
        for name, some in (("a.csv", rows[:50]), ("b.csv", rows[50:])):
            part = {n: [c[i] for i in some] for n, c in columns.items() if n != "flag"}
            write_csv(root / f"flag={flag}" / name, part)
    return root


def make_pattern(folder, columns):
    import pyarrow.parquet  # noqa: F401, PLC0415

    write_parquet(folder / "1.parquet", columns, slice(0, 150))
    write_parquet(folder / "2.parquet", columns, slice(150, None))
    return folder / "*.parquet"


def trained(path, size=3, **settings):
    """Return the model of each rank, and which ranks have read rows."""
    target = "column 2" if path.suffix == ".npy" else "y"

    def run(comm, rank):
        model = fm.TabularModel(networks=2, epochs=2, hidden=(8,), seed=1, **settings)
        # Rank 0 tells the file.
        return model.fit(str(path) if rank == 0 else None, target if rank == 0 else None, comm=comm)

    models = on_ranks(size, run)
    for model in models:
        if isinstance(model, BaseException):
            raise model
        for net, other in zip(model.networks, models[0].networks, strict=True):
            assert net.parameters.tobytes() == other.parameters.tobytes()
        assert model.notes == models[0].notes
    return models[0]


@pytest.fixture
def readers(monkeypatch):
    """The rows that ranks read themselves."""
    found = []
    read = over_ranks.read_rows

    def noting(source, parts, *rest):
        table = read(source, parts, *rest)
        found.append((parts, len(table)))
        return table

    monkeypatch.setattr(over_ranks, "read_rows", noting)
    return found


MAKERS = [make_csv, make_windows_csv, make_parquet, make_arrow, make_npy, make_folder, make_pattern]


@pytest.mark.parametrize("words", ["one-hot", "target means"])
@pytest.mark.parametrize("make", MAKERS)
def test_rows_read_by_ranks_have_the_bits_of_rows_sent(
    make, words, columns, tmp_path, monkeypatch, readers
):
    """Also with the notes of all rows, and the target means of training."""
    pytest.importorskip("pyarrow")
    path = make(tmp_path, columns)
    read = trained(path, words=words)
    assert len(readers) == 2
    assert all(rows < ROWS / 2 for _, rows in readers)
    monkeypatch.setattr(file_rows, "_counted", lambda path: None)
    sent = trained(path, words=words)
    assert len(readers) == 2
    assert read.notes == sent.notes
    assert any("n/a?" in note for note in read.notes) == (
        ".csv" in path.name or path.name == "data"
    )
    for net, other in zip(read.networks, sent.networks, strict=True):
        assert net.parameters.tobytes() == other.parameters.tobytes()
    assert [h.loss for h in read.histories] == [h.loss for h in sent.histories]


def test_words_that_are_numbers_in_the_rows_of_a_rank_are_words(columns, tmp_path, monkeypatch):
    """Nothing is sent then: the encoded rows are those of rank 0."""

    def matrices(_):
        pytest.fail("rank 0 sends the rows")

    monkeypatch.setattr(over_ranks._OnRank0, "matrices", matrices)
    half = ROWS // 2
    columns["word"] = [
        word if i < half else f"{i % 3}.50" for i, word in enumerate(columns["word"])
    ]
    model = trained(make_csv(tmp_path, columns))
    assert "'0.50'" not in str(model.notes)
    assert next(column for column in model.columns if column.name == "word").kind == "words"


def make_quoted(folder, columns):
    return write_csv(folder / "table.csv", columns, quote='"')


def make_compressed(folder, columns):
    path = write_csv(folder / "plain", columns)
    (folder / "table.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    return folder / "table.csv.gz"


def make_with_blank_line(folder, columns):
    path = write_csv(folder / "table.csv", columns)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:200], b"", *lines[200:]]))
    return path


def make_with_skipped_row(folder, columns):
    path = write_csv(folder / "table.csv", columns)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:200], b"too,short", *lines[200:]]))
    return path


def make_json(folder, columns):
    rows = zip(*columns.values(), strict=True)
    lines = (dict(zip(columns, row, strict=True)) for row in rows)
    path = folder / "table.jsonl"
    path.write_text("\n".join(map(str, lines)).replace("'", '"'))
    return path


@pytest.mark.parametrize(
    "make",
    [make_quoted, make_compressed, make_with_blank_line, make_with_skipped_row, make_json],
)
def test_rows_that_cannot_be_found_are_sent(make, columns, tmp_path, readers):
    trained(make(tmp_path, columns), size=2)
    assert not readers


def absent(read, source, parts, *rest):
    raise FileNotFoundError(2, "No such file", str(source))


def of_other_size(read, source, parts, *rest):
    return read(source, [replace(part, size=part.size - 1) for part in parts], *rest)


def of_other_rows(read, source, parts, *rest):
    table = read(source, parts, *rest)
    table.columns["person"] = table.columns["person"][::-1]
    return table


@pytest.mark.parametrize("elsewhere", [absent, of_other_size, of_other_rows])
def test_a_rank_that_finds_another_file_gets_its_rows(elsewhere, columns, tmp_path, monkeypatch):
    path = make_csv(tmp_path, columns)
    expected = trained(path)
    read = over_ranks.read_rows
    monkeypatch.setattr(over_ranks, "read_rows", partial(elsewhere, read))
    found = trained(path)
    for net, same in zip(found.networks, expected.networks, strict=True):
        assert net.parameters.tobytes() == same.parameters.tobytes()


def test_more_ranks_than_rows(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("a,y\n" + "".join(f"{i}.5,{'odd' if i % 2 else 'even'}\n" for i in range(9)))

    def run(comm, rank):
        model = fm.TabularModel(networks=1, epochs=2, hidden=(4,), seed=1)
        return model.fit(path, "y", validation_fraction=None, comm=comm).predict_proba(path)

    results = on_ranks(12, run)
    assert all(np.array_equal(each, results[0]) for each in results)
