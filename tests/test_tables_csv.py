"""CSV files: the result for each, and that nothing is silently misread."""

import bz2
import csv
import gc
import gzip
import lzma
import subprocess
import sys
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastmlp.errors import DataError
from fastmlp.tables.reading.formats import csv_by_pyarrow, csv_files, opening
from fastmlp.tables.reading.known import Known
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.table import Text

pytestmark = pytest.mark.once

ENGINES = ["pyarrow", "csv"]


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    """Both ways to take a file apart, which must agree."""
    if request.param == "pyarrow":
        pytest.importorskip("pyarrow")
    else:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    return request.param


@pytest.fixture
def table(tmp_path, engine):
    """Return a function that writes a file and reads it."""

    def table(content, name="data.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(path, Known(**options))

    return table


def plain(table):
    """Return the columns as lists: numbers, or words with None where missing."""
    return {
        name: [None if code < 0 else column.values[code] for code in column.codes.tolist()]
        if isinstance(column, Text)
        else column.tolist()
        for name, column in table.columns.items()
    }


EXPECTED = {"a": [1.0, 3.0], "b": [2.0, 4.5], "y": ["x", "z"]}


@pytest.mark.parametrize(
    "content",
    [
        "a,b,y\n1,2,x\n3,4.5,z\n",
        "a,b,y\r\n1,2,x\r\n3,4.5,z\r\n",
        "a,b,y\r1,2,x\r3,4.5,z",
        "\ufeffa,b,y\n1,2,x\n3,4.5,z\n",
        'a , "b",y\n\n" 1",2, x\n\n3,+4.50E0,"z"\n\n',
        '"a","b","y" \n1,2,x\n3,4.5,z\n',
        "a;b;y\n1;2;x\n3;4.5;z\n",
        "a;b;y\n1;2,0;x\n3;4,5;z\n",
        '"a";"b";"y"\n1;2;"x"\n3;4.5;"z"\n',
        "a\tb\ty\n1\t2\tx\n3\t4.5\tz\n",
        "a|b|y\n1|2|x\n3|4.5|z\n",
        "a b y\n 1   2 x\n 3 4.5 z\n",
        "sep=;\na;b;y\n1;2;x\n3;4.5;z\n",
        "# of 1936\n# by Fisher\na,b,y\n1,2,x\n3,4.5,z\n",
        "#a,b,y\n1,2,x\n3,4.5,z\n",
        "a,b,y\n1,2,x\n3,4.5,z\n  \n",
        "a,b,y\n1,2,x\n3,4.5,z\n\x1a",
        "a,b,y\n1,2,x\n3,4.5,z\n".encode("utf-16"),
    ],
)
def test_the_same_table_however_it_is_written(table, content):
    assert plain(table(content)) == EXPECTED


@pytest.mark.parametrize(
    ("ending", "compress"),
    [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("csv", gzip.compress)],
)
def test_compressed_by_content(table, ending, compress):
    assert plain(table(compress(b"a,b,y\n1,2,x\n3,4.5,z\n"), f"data.csv.{ending}")) == EXPECTED


def test_zip_archives_of_one_file(tmp_path):
    for names in (["data.csv"], ["a.csv", "b.csv"]):
        path = tmp_path / "data.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "a,b,y\n1,2,x\n3,4.5,z\n")
        if len(names) == 1:
            assert plain(read(path)) == EXPECTED
        else:
            with pytest.raises(DataError, match="the archive holds 2 files; one is needed"):
                read(path)


def test_zstandard(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    path = tmp_path / "data.csv.zst"
    path.write_bytes(pyarrow.compress(b"a,b,y\n1,2,x\n3,4.5,z\n", "zstd", asbytes=True))
    assert plain(read(path)) == EXPECTED


@pytest.mark.parametrize(
    "damage",
    [b"\x1f\x8b\x08" + b"x" * 30, gzip.compress(b"a,b\n1,2\n")[:-9]],
    ids=["noise", "cut short"],
)
def test_damaged_compression(table, damage):
    with pytest.raises(DataError, match="the compressed file is damaged"):
        table(damage)


@pytest.mark.parametrize(
    ("content", "names", "note"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,virginica\n4.7,3.2,setosa\n" * 5, 3, "line 1 holds data"),
        ("1,2\n4,5\n7,9\n", 2, "line 1 holds data, not names"),
        ("A title\n\na,b,y\n1,2,x\n3,4,z\n", 3, "the text above line 3 is a title and is not read"),
        ("Report;;\n;;\na;b;y\n1;2;x\n3;4;z\n", 3, "the text above line 3 is a title and is not"),
        (",,\nQ1,,\na,b,y\n,,\n3,4,z\n", 3, "the text above line 3 is a title and is not read"),
        ("My report\nx,y\n" + "1,2\n3,4\n" * 5, 2, "the text above line 2 is a title"),
        ("My report,\nx,y\n" + "1,2\n3,4\n" * 5, 2, "the text above line 2 is a title"),
        ("By:,Ann,,,\na,b,c,d,e\n" + "1,2,3,4,5\n" * 5, 5, "the text above line 2 is a title"),
        ("By:,Ann,,,\n,b,c,d,e\n" + "1,2,3,4,5\n" * 5, 5, "the text above line 2 is a title"),
        ("x\n1\n\n3\n\n\n4\n\n", 1, '3 blank lines are no rows: write "" where the only cell'),
        ('x\na\n\n"b\n\nc"\n\n', 1, "1 blank line is no row"),
        ("x\r\n1\r\n\r\n2", 1, "1 blank line is no row"),
        ("569,30,m,b\n" + "1,2,3,4,5,6,7\n2,3,4,5,6,7,9\n" * 9, 7, "the text above line 2"),
        ("a,a,y\n1,2,x\n3,4,z\n", 3, "another column is named 'a'"),
        (
            "a,y\nr1,2,x\nr2,4,z\n",
            3,
            "the header names 2 columns, but rows have 3 cells: the first",
        ),
        ("b,c\n5,'w,0'\n6,'w,1'\n", 3, "the first cell of each row is taken for its name"),
        ("a,y\ncaf\xe9,1\nb,2\n".encode("cp1252"), 2, "line 2 is not UTF-8: the file is read as W"),
    ],
)
def test_what_was_decided_is_said(table, content, names, note):
    got = table(content)
    assert len(got.columns) == names
    assert any(note in sentence for sentence in got.notes)


@pytest.mark.parametrize(
    "content",
    ["a,\nred,big\nblue,small\n", "value\nr1,red\nr2,blue\n", "value\nr1,1\nr2,2\n",
     "a,,\nred,big,\nblue,small,1\n", "a,,\n,big,x\nblue,small,y\n", "x\n1\n2\n\n\n",
     'x\n1\n""\n2\n', "x\n1", "x,y\n1,2\n\n3,4\n"],
)  # fmt: skip
def test_the_first_row_is_no_title_and_no_line_is_lost(table, content):
    got = table(content)
    assert list(got.columns)[-1] in {"value", "column 1", "column 2", "x", "y"}
    assert not any("title" in note or "blank" in note for note in got.notes)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("1990,1991,1992\n1,2,3\n4,5,6\n", ["1990", "1991", "1992"]),
        ("country,1990,1991\nA,2,3\nB,5,6\n", ["country", "1990", "1991"]),
        ("a,b\nr1,1,2\nr2,3,4\n", ["column 0", "a", "b"]),
        ("a,b\n1,2,\n3,4,\n", ["a", "b", "column 2"]),
        ("a,b,\n1,2,\n3,4,\n", ["a", "b", "column 2"]),
        ("a,b,\n1,2\n3,4\n", ["a", "b"]),
        ("a,,\n1,2,7\n3,4,9\n", ["a", "column 1", "column 2"]),
        ("a,,\n1,2,w\n3,4,w\n", ["a", "column 1", "column 2"]),
        ('"","a"\n"1",2\n"2",3\n', ["column 0", "a"]),
        ("x\n1\n2\n", ["x"]),
        ("income_centered\n-1.5\n2.5\n", ["income_centered"]),
    ],
)
def test_headers(table, content, columns):
    got = table(content)
    assert list(got.columns) == columns
    assert got.columns[columns[-1]] is not None
    if "a" in columns and "r1" in content:
        assert got.columns["a"].tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2.5", "-3e2"], [1.0, 2.5, -300.0]),
        (["1", "NA", "3"], [1.0, None, 3.0]),
        (["1", "?", "."], [1.0, None, None]),
        (["", "nil", "3"], [None, None, 3.0]),
        (["NAN", "Nan", "2.5"], [None, None, 2.5]),
        (["-NAN", "1", "2"], ["-NAN", "1", "2"]),
        (["nan(1)", "1.5", "2"], ["nan(1)", "1.5", "2"]),
        (["1.5"] * 600 + ["nAn"], ["1.5"] * 600 + ["nAn"]),
        (["NA", "Na", "Nb"], ["NA", "Na", "Nb"]),
        (["None", "Driver", ""], ["None", "Driver", None]),
        (["00501", "10001", "94110"], ["00501", "10001", "94110"]),
        (["0x10", "1_000", "2"], ["0x10", "1_000", "2"]),
        (["1e999", "1", "2"], [float("inf"), 1.0, 2.0]),
        ([str(2**60 + 1), "1", "2"], [str(2**60 + 1), "1", "2"]),
        ([str(2**60), "1", "2"], [float(2**60), 1.0, 2.0]),
    ],
)
def test_cells(table, cells, expected):
    rows = "".join(f"{i},{cell},k\n" for i, cell in enumerate(cells))
    got = plain(table(f"n,a,y\n{rows}"))["a"]
    assert [None if value != value else value for value in got] == expected


def test_a_column_can_be_asked_for_as_text(table):
    got = table("a,y\n01,1\n10,2\n", words={"y"})
    assert plain(got) == {"a": ["01", "10"], "y": ["1", "2"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,y\n", "there are no rows below the header"),
        (
            "a,b,y\n1,2,3\n1\n2\n" + "1,2,3\n" * 9,
            "line 3: number of cells is 1, but the header names 3 columns",
        ),
        (b"a,y\n1,x\0\n", "line 2 is not text in UTF-8; is this a CSV file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "is not text in UTF-8"),
        (b"a,y\n1,\x81\n", "line 2 is not text in UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused(table, content, message):
    with pytest.raises(DataError, match=message) as caught:
        table(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("where", [5, 150, 298])
@pytest.mark.parametrize("column", [0, 2])
def test_a_quote_that_is_not_closed_loses_no_rows(table, where, column):
    rows = [[f"{i / 7:.3f}", str(i), "setosa"] for i in range(300)]
    rows[where][column] = f'"{rows[where][column]}'
    text = "a,b,y\n" + "".join(",".join(row) + "\n" for row in rows)
    with pytest.raises(DataError, match="quote"):
        table(text)


def test_line_breaks_within_quotes_are_text(table):
    got = table("a,note,y\n" + 'x,"line one\nline, two",1\n' * 30 + "z,short,2\n")
    assert len(got) == 31
    assert got.columns["note"].values == ["line one\nline, two", "short"]
    assert got.locate(30) == "line 62"


def test_rows_of_another_length_are_left_out_with_a_note_or_refused(table):
    text = "a,b,y\n" + "1,2,3\n" * 300
    got = table(text + "1,2,3,extra\n")
    assert len(got) == 300
    assert got.notes == [
        "line 302: number of cells is 4, but the header names 3 columns: 1 row is left out"
    ]
    with pytest.raises(DataError, match="line 302: number of cells is 4"):
        table(text + "1,2,3,extra\n", complete=True)
    with pytest.raises(DataError, match=r"line 302: number of cells is 1.*\(10 rows are so\)"):
        table(text + "1\n" * 10)


@pytest.mark.parametrize("text", ["a,y\n\n1,2\n\n\n3,4\n", "a,y\n1,2\n3,4\n"])
def test_lines_are_those_of_the_file(table, text):
    got = table(text)
    lines = text.split("\n")
    assert [lines[int(got.locate(row).removeprefix("line ")) - 1] for row in (0, 1)] == [
        "1,2",
        "3,4",
    ]


def test_quotes_of_other_kinds(table):
    rows = "".join(f"O'Neil {i},{i}\n" for i in range(30))
    assert table("name,x\n" + rows).columns["name"].values[3] == "O'Neil 3"
    rows = "".join(f'"say \\"hi\\" {i}",{i}\n' for i in range(30))
    assert table("name,x\n" + rows).columns["name"].values[3] == 'say "hi" 3'
    rows = "".join(f'"say ""hi"" {i}",{i}\n' for i in range(30))
    assert table("name,x\n" + rows).columns["name"].values[3] == 'say "hi" 3'


def test_cells_that_end_in_a_backslash(table):
    rows = "".join(f'"C:\\a, b\\","c, d\\",{i}\n' for i in range(60))
    got = table("f,g,y\n" + rows)
    assert {*plain(got)["f"], *plain(got)["g"]} == {"C:\\a, b\\", "c, d\\"}
    got = table("f,g\n" + '"say \\"hi, you\\"",""\n' * 60)
    assert set(plain(got)["f"]) == {'say "hi, you"'}
    got = table("f,g\n" + '"5\\", long" ,"x"\n' * 60)
    assert set(plain(got)["f"]) == {'5", long'}


@pytest.fixture(params=["held", "read again"])
def memory(request, monkeypatch):
    """Text that is held in memory or read again from the file, and a small sample of it."""
    monkeypatch.setattr(opening, "_SAMPLE", 1 << 12)
    if request.param == "read again":
        monkeypatch.setattr(opening, "_LARGE", 1 << 10)
        monkeypatch.setattr(opening, "_SCANNED", 1000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("written", "cell"),
    [
        ('"2"" pipe"', '2" pipe'),
        ('"a, b"', "a, b"),
        ('"a, b\\"', "a, b\\"),
        ('"a \\"b\\""', 'a "b"'),
        ('"a\nb"', "a\nb"),
        ('2" pipe', '2" pipe'),
    ],
)
def test_the_first_quote_far_below(table, memory, encoding, written, cell):
    text = "p,y\n" + "größe,1\n" * 2_000 + f"{written},2\n" * 50
    got = table(text.encode(encoding))
    assert (got.notes, len(got)) == ([], 2_050)
    assert list(got.columns["p"].values) == ["größe", cell]
    assert got.columns["p"].codes[-50:].all()


def test_decimal_commas_far_below(table, memory):
    """Among words with commas, and far above a number that tells what the commas are."""
    text = "a;t;y\n" + "1;x, y;3\n" * 2_000
    got = table(text + "1,234;x;0,5\n" + "2;x;4\n" * 5)
    assert (got.decimal, got.certainty, got.notes) == (",", "clear", [])
    assert got.columns["a"][2_000:].tolist() == [1.234] + [2.0] * 5
    assert got.columns["y"][2_000:].tolist() == [0.5] + [4.0] * 5


def test_quoted_numbers_and_unclosed_quotes_far_below(table, memory):
    text = "a,y\n" + "1,x\n" * 2_000
    assert table(text + '"2",x\n').columns["a"].tolist() == [1.0] * 2_000 + [2.0]
    with pytest.raises(DataError, match="quote is opened and not closed: 9 lines follow"):
        table(text + '1,"x\n' + "1,x\n" * 9)


@pytest.mark.parametrize(
    ("last", "number"),
    [("1.234", 1234.0), ("1.234,5", 1234.5), ("", np.nan), ("NA", np.nan), ("-7", -7.0),
     ("2e3", 2e3), ("0,1", 0.1), (",5", 0.5), ("0.5", 0.5), ("1 234,5", 1234.5), ("007", 7.0)],
)  # fmt: skip
def test_numbers_with_decimal_commas(table, last, number):
    """The first cells of a column are plain, the last one is not."""
    got = table("a;y\n" + "0,25;x\n" * 2_000 + f"{last};x\n").columns["a"]
    np.testing.assert_array_equal(got, [0.25] * 2_000 + [number])


def test_a_word_below_decimal_commas(table):
    got = table("a;y\n" + "0,25;x\n" * 2_000 + "few;x\n").columns["a"]
    assert plain_cells(got) == ["0,25"] * 2_000 + ["few"]


def test_a_gap_far_below_in_one_column(table, memory):
    column = table("v\n" + "1.5\n" * 2_000 + '""\n').columns["v"]
    assert column[:-1].tolist() == [1.5] * 2_000
    assert np.isnan(column[-1])


@pytest.mark.parametrize("length", [140_000, 300_000])
def test_long_lines(table, length):
    """Longer than the limit of Python's `csv`, which stays, and than the sample."""
    limit = csv.field_size_limit()
    name, cell = "a" * length, "b" * length
    got = table(f"{name},y\n" + f"{cell},2.5\n" * 2)
    assert plain(got) == {name: [cell, cell], "y": [2.5, 2.5]}
    assert got.notes == []
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("names", ["a,t,y", "a,y,t"])
def test_line_breaks_within_quotes_of_the_last_row(table, names):
    text = "Pros:\nfast, light, cheap\nend"
    cells = {"a": "1", "t": f'"{text}"', "y": "2"}
    last = ",".join(cells[name] for name in names.split(","))
    got = table(f"{names}\n" + "3,4,5\n" * 50 + last)
    assert (len(got), plain(got)["t"][-1]) == (51, text)
    with pytest.raises(DataError, match="quote is opened and not closed: 1 line follows"):
        table("a,y,t\n" + "3,4,5\n" * 50 + '1,2,"x\n3,4,x\n')


def test_a_known_header_decides_the_delimiter(table):
    assert list(table("a,b;c\n1,2;3\n", names={"a,b", "c"}).columns) == ["a,b", "c"]
    assert list(table("a,b;c\n1,2;3\n", names={"a", "b;c"}).columns) == ["a", "b;c"]


def test_both_engines_agree_on_random_tables(tmp_path, monkeypatch, rng):
    pytest.importorskip("pyarrow")
    words = ["1", "2.5", "NA", "", "x y", '"q,u""x"', "007", "-3", "1e5", "?", "è"]
    for trial in range(30):
        columns = [rng.choice(words, 4, replace=False) for _ in range(3)]
        rows = [",".join(rng.choice(column) for column in columns) for _ in range(40)]
        text = f"a,b,c,n{trial}\n" + "".join(f"{row},k\n" for row in rows)
        path = tmp_path / "data.csv"
        path.write_text(text, encoding="utf-8")
        fast = plain(read(path))
        with monkeypatch.context() as patch:
            patch.setattr(csv_files, "pyarrow_csv", lambda dialect: None)
            slow = plain(read(path))
        assert repr(fast) == repr(slow)


@pytest.mark.parametrize("last", ["x", "NA", "05", "5.5", "1,234", "inf"])
def test_a_cell_far_below_decides_as_one_at_the_top(table, last):
    column = ["1"] * 2500 + [f'"{last}"']
    below = table("a,y\n" + "".join(f"{cell},k\n" for cell in column)).columns["a"]
    above = table("a,y\n" + "".join(f"{cell},k\n" for cell in reversed(column))).columns["a"]
    assert plain_cells(below) == plain_cells(above)[::-1]


def plain_cells(column):
    if isinstance(column, Text):
        return [column.values[code] for code in column.codes]
    return list(map(str, column.tolist()))


def test_reading_imports_no_other_library_of_tables(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "data.csv").write_text("a,b,y\n1,NA,x\nNA,2.5,z\n")
    program = (
        "import sys; from fastmlp.tables.reading.read import read; read('data.csv');"
        "print({'pandas', 'polars'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert result.stdout == "set()\n"


@pytest.mark.parametrize("large", [1, 1 << 23])
def test_a_thread_of_pyarrow_releases_nothing_of_python(tmp_path, monkeypatch, large):
    pyarrow = pytest.importorskip("pyarrow")
    csv_of_pyarrow = pytest.importorskip("pyarrow.csv")
    monkeypatch.setattr(opening, "_LARGE", large)
    sources = []
    original = csv_of_pyarrow.open_csv

    def open_csv(source, *arguments):
        sources.append(source)
        return original(source, *arguments)

    monkeypatch.setattr(csv_of_pyarrow, "open_csv", open_csv)
    path = tmp_path / "table.csv"
    path.write_text("a,y\n1,x\n2,y\n")
    assert len(read(path)) == 2
    (source,) = sources
    assert isinstance(source, pyarrow.OSFile if large == 1 else pyarrow.BufferReader)


@pytest.mark.parametrize(
    ("text", "is_said"),
    [("y\n3,5\n-4,25\n", True), ("y\n3,5\nrow,2\n", False), ("y\n3;5\n4;25\n", False)],
)
def test_a_column_of_decimal_commas_without_quotes_is_told(table, text, is_said):
    note = table(text).notes[0]
    assert ("if commas are decimal marks here, quote the cells" in note) == is_said
    assert "the first cell of each row is taken for its name" in note
    quoted = table('y\n"3,5"\n"-4,25"\n')
    assert quoted.columns["y"].tolist() == [3.5, -4.25]


def test_large_cells_and_blocks(table, monkeypatch):
    monkeypatch.setattr(csv_by_pyarrow, "_BLOCK", 1 << 10)
    long = "z" * 5000
    got = table(f'a,y\n"{long}",1\nb,2\n' + "c,3\n" * 1000)
    assert (got.columns["a"].values[0], len(got)) == (long, 1002)


@pytest.mark.parametrize("counts", [[3, 300], [127, 128, 129], [1, 127], [5, 40_000], [128]])
def test_text_of_several_blocks_with_few_words_and_many(tmp_path, monkeypatch, counts):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(csv_by_pyarrow, "_BLOCK", 1 << 12)
    monkeypatch.setattr(csv_by_pyarrow, "_JOINED", 4)
    cells = [f"w{row % count}" if row % 7 else "" for count in counts for row in range(50_000)]
    path = tmp_path / "table.csv"
    path.write_text("word,y\n" + "".join(f"{cell},x\n" for cell in cells))
    column = read(path).columns["word"]
    assert [column.values[code] if code >= 0 else "" for code in column.codes.tolist()] == cells
    counted = dict(zip(column.values, column.counts().tolist(), strict=True))
    assert counted == Counter(cell for cell in cells if cell)


def test_numbers_are_rounded_once(table):
    values = np.random.default_rng(1).standard_normal(200)
    got = table("a,y\n" + "".join(f"{value!r},x\n" for value in values.tolist()))
    assert got.columns["a"].tolist() == values.tolist()


def test_words_of_any_script_blanks_and_gaps_are_kept(tmp_path):
    words = ["größe", "a", "日本", "", " padded ", "\u00a0nbsp", "x y", "é", "a", "tab\t"]
    path = tmp_path / "words.csv"
    lines = "\n".join(f"{row},{word}" for row, word in enumerate(words * 3))
    path.write_text(f"n,word\n{lines}\n", encoding="utf-8")
    column = read(path).columns["word"]
    found = [column.values[code] if code >= 0 else "" for code in column.codes]
    assert found == [word.strip() for word in words * 3]


def test_whole_numbers_beyond_doubles_keep_their_digits(table):
    numbers = [2**60 + 1, 2**60 + 2, -(10**25) - 1]
    column = table("a,b\n" + "".join(f"{number},1.5\n" for number in numbers)).columns["a"]
    assert list(column.values) == list(map(str, numbers))
    exact = table("a,b\n9007199254740992,1.5\n-4,2.5\n").columns["a"]
    assert exact.tolist() == [2.0**53, -4.0]


def test_lists_of_one_length_are_vectors(table):
    column = table('a,b\n"[1, -2.5]",1\n,2\nNA,3\n"[1e3,4]",4\n').columns["a"]
    np.testing.assert_array_equal(column, [[1, -2.5], [np.nan] * 2, [np.nan] * 2, [1000, 4]])


@pytest.mark.parametrize("last", ["[1]", "[1,2,3]", "[1,x]", "[1,inf]", "1,2", "[1,]", "[1 2]"])
def test_other_lists_are_text(table, last):
    column = table(f'a,b\n"[1,2]",1\n"{last}",2\n').columns["a"]
    assert list(column.values) == ["[1,2]", last]


def test_reading_leaves_the_memory_pool_of_pyarrow(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    path = tmp_path / "numbers.csv"
    path.write_text("a,b\n" + "".join(f"{row}.5,{row}\n" for row in range(500)))
    gc.collect()  # what other tests have left
    before, bytes_before = pyarrow.default_memory_pool(), pyarrow.total_allocated_bytes()
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(read, [path] * 24))
    assert all(len(table) == 500 for table in tables)
    assert pyarrow.default_memory_pool().backend_name == before.backend_name
    assert pyarrow.system_memory_pool().bytes_allocated() == 0
    assert pyarrow.total_allocated_bytes() == bytes_before


@pytest.mark.usefixtures("engine")
def test_rows_that_repeat_the_names_are_left_out(table):
    rows = [f"{i},{i / 4},{f'x {i % 3}' if i % 7 else ''},c2" for i in range(50)]
    header = 'size, b ,"x 1",c2'
    text = "\n".join([header, *rows[:20], "size,b,x 1,c2", *rows[20:40], header, *rows[40:]])
    expected, found = table("\n".join([header, *rows])), table(text + "\n", "put together.csv")
    assert plain(found) == plain(expected)
    assert found.columns["b"].dtype == np.float64
    assert found.columns["x 1"].codes.max() == 2
    assert found.notes == ["line 22 repeats the names of the columns: 2 such rows are left out"]
    assert [found.locate(row) for row in (0, 19, 20, 39, 40, 49)] == [
        "line 2", "line 21", "line 23", "line 42", "line 44", "line 53"
    ]  # fmt: skip
    with pytest.raises(DataError, match="line 22 repeats the names of the columns: leave it out"):
        table(text, complete=True)
    assert isinstance(table(text, words={"b"}).columns["b"], Text)


def test_a_row_with_some_of_the_names_is_one(table):
    found = table("a,b\n1,x\na,x\n2,b\n")
    assert plain(found) == {"a": ["1", "a", "2"], "b": ["x", "x", "b"]}
    assert found.notes == []


def test_a_word_of_an_only_column_may_be_its_name(table):
    assert plain(table("word\nthe\nword\n", complete=True)) == {"word": ["the", "word"]}
