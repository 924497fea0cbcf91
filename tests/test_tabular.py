"""Reading CSV files: what is accepted, and what is said about the rest."""

import os

import numpy as np
import pytest

from fastmlp.cli.tabular import read_csv, target_numbers
from fastmlp.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "data.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        "a,b,y\n1,2,x\n3,4.5,z\n",
        "a,b,y\r\n1,2,x\r\n3,4.5,z\r\n",
        "a,b,y\r1,2,x\r3,4.5,z",
        "\ufeffa,b,y\n1,2,x\n3,4.5,z\n",
        'a , "b",y\n\n" 1",2, x\n\n3,+4.50E0,"z"\n\n',
        "a,y,b\n1,x,2\n3,z,4.5",
        "y,a,b\nx,1,2\nz,3,4.5",
    ],
    ids=["unix", "windows", "mac", "mark", "blanks", "middle", "first"],
)
def test_a_table_is_read(write, content):
    table = read_csv(write(content), "y")
    assert (table.target_name, table.features) == ("y", ["a", "b"])
    assert table.target == ["x", "z"]
    assert np.array_equal(table.matrix(), [[1.0, 2.0], [3.0, 4.5]])


def test_lines_are_those_of_the_file(write):
    table = read_csv(write('a,y\n1,"two\nlines"\n\n2,z\n'), "y")
    assert table.target == ["two\nlines", "z"]
    assert table.lines.tolist() == [3, 5]


def test_names_and_labels_may_hold_anything(write):
    table = read_csv(write('"größe, cm",種\n1,"a,b"\n2,ö\n'), "種")
    assert (table.features, table.target) == (["größe, cm"], ["a,b", "ö"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("1,2,3\n4,5,6\n", "line 1 holds only numbers; it must name the columns"),
        ("\n1.5,nan\n", "line 2 holds only numbers"),
        ("a,,y\n1,2,3\n", r"line 1: column 2 has no name \(from pandas, write with index=False\)"),
        ("a,a,y\n1,2,3\n", "line 1: two columns are named 'a'"),
        ("a;y\n1;2\n", "line 1: there is only one column, 'a;y'; .* separated by commas"),
        ("a,b\n1,2\n", "there is no column 'y'; columns are 'a', 'b'$"),
        ("a,y\n", "there are no rows below the header"),
        ("a,y\n1,2\n1\n", "line 3: number of cells is 1, but the header names 2 columns"),
        ("a,y\n1,2,3\n", "line 2: number of cells is 3, but the header names 2 columns"),
        ("a,y\n1,x\nred,x\n", "line 3, column 'a': 'red' is not a number"),
        ("a,b,y\n1,2,x\n1,,x\n", "line 3, column 'b': the cell is empty"),
        ("a,y\n1, \n", "line 2, column 'y': the cell is empty"),
        ("a,y\nnan,x\n", "line 2, column 'a': 'nan' is not finite"),
        ("a,y\n1,x\n-inf,x\n", "line 3, column 'a': '-inf' is not finite"),
        ("a,y\n1e999,x\n", "line 2, column 'a': '1e999' is not finite"),
        ("a,y\n1_000,x\n", "line 2, column 'a': '1_000' is not a number"),
        ('a,y\n"1,5",x\n', "line 2, column 'a': '1,5' is not a number"),
        (f"a,y\n{'z' * 1000},x\n", "line 2, column 'a': 'z{37}...' is not a number"),
        ('a,y\n1,"x\n', "line 2: unexpected end of data"),
        (f"a,y\n1,{'z' * 200_000}\n", "line 2: field larger than field limit"),
        (b"a,y\n1,x\n1,\xff\n", "line 3 is not text in UTF-8; is this a CSV file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "line 1 is not text in UTF-8"),
        (b"a,y\n1,x\0\n", "line 2 is not text in UTF-8"),
        ("a,y\n1,2\n".encode("utf-16"), "line 1 is not text in UTF-8"),
    ],
)
def test_what_cannot_be_used_is_refused(write, content, message):
    path = write(content)
    with pytest.raises(DataError, match=message) as caught:
        read_csv(path, "y")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_the_columns_are_listed_where_the_target_is_missing(write):
    names = [f"c{i}" for i in range(100)]
    with pytest.raises(DataError, match=r"--target; columns are 'c0', .* 'c19', ... \(100 in all"):
        read_csv(write(",".join(names) + "\n"), None)


def test_numbers_of_the_target(write):
    path = write("a,y\n1,2\n1,-3.5\n")
    assert target_numbers(path, read_csv(path, "y")).tolist() == [2.0, -3.5]
    path = write("a,y\n1,2\n\n1,many\n")
    with pytest.raises(DataError, match="line 4, column 'y': 'many' is not a number"):
        target_numbers(path, read_csv(path, "y"))


def test_the_file_system_says_no(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "none.csv", "y")
    with pytest.raises(IsADirectoryError):
        read_csv(tmp_path, "y")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file(write):
    path = write("a,y\n1,2\n")
    path.chmod(0)
    with pytest.raises(PermissionError):
        read_csv(path, "y")
