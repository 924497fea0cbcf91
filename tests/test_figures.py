"""Figures are kept once: pages show what docs/performance.json holds, and sentences have none."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import checked_rows
    import figures
finally:
    sys.path.pop(0)

pytestmark = pytest.mark.once

TABLES = json.loads(figures.FIGURES.read_text(encoding="utf-8"))["tables"]
NUMBER = r"(?:\d[\d.,]*|two|three|four|five|ten|half|twice)"
MEASURED = re.compile(
    rf"\b{NUMBER} (?:GFLOP/s|MFLOP|%|[µun]s|ms|[MG]B|times (?:as|the (?:time|memory|speed)))(?!\w)"
    r"|\b(?:twice|half) (?:as (?:fast|long)|the (?:time|memory|speed))\b"
    r"|\b(?:half|a (?:third|quarter|tenth)) of (?:a|the) (?:step|time|memory)\b"
)
SETTINGS = {
    "embedding.md": ["every 50 ms"],
    "data.md": ["would take 16 MB or more"],
    "tables.md": ["above 8 MB", "more than 64 MB", "above 64 MB", "above 128 MB", "of 32 MB",
                  "15 % of the rows", "20 % of the rows"],
    "performance.md": ["from about 0.8 MFLOP", "from 4 MB on", "up to 8 MB are kept"],
}  # fmt: skip
"""Numbers that the code sets, which no command measures."""
UNMEASURED = ("docs/changes.md", "docs/arithmetic.md", "docs/file-format.md")


@pytest.mark.parametrize("page", figures.PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_figures(page):
    text = page.read_text(encoding="utf-8")
    assert figures.written(text, TABLES) == text


def test_every_table_is_on_a_page():
    shown = [
        m[1] for page in figures.PAGES for m in figures.BLOCK.finditer(page.read_text("utf-8"))
    ]
    assert {*shown} == {*TABLES, *figures.SENTENCES}
    assert len(shown) == len({*shown}) + 1  # the line of the GPU is also in the README


def test_the_picture_shows_the_figures():
    picture = figures.step_picture(TABLES)
    assert figures.PICTURE.read_text(encoding="utf-8") == picture
    other = json.loads(json.dumps(TABLES))
    other["training, 1 thread"]["rows"][0]["JAX"] *= 2
    assert figures.step_picture(other) != picture


def test_the_picture_of_a_terminal_shows_what_the_commands_print(monkeypatch):
    """All of it but the speed and the machine, which are the last lines of a training."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    pytest.importorskip("sklearn")
    terminal_picture = pytest.importorskip("terminal_picture")
    printed = terminal_picture.output_of(terminal_picture.COMMANDS)
    shown = (ROOT / "docs/train.svg").read_text(encoding="utf-8")
    lines = [line for line in printed if "samples/s" not in line and " thread" not in line]
    assert len(lines) > len(printed) - 3
    for line in lines:
        assert f">{terminal_picture.escape(line)}</text>" in shown, line


def figures_in(text, settings=()):
    """Return the figures in sentences: beside the blocks and the code of a page."""
    text = re.sub("```.*?```", "", figures.BLOCK.sub("", text), flags=re.DOTALL)
    text = " ".join(text.split())
    for phrase in settings:
        assert phrase in text
        text = text.replace(phrase, "")
    return MEASURED.findall(text)


def test_sentences_have_no_figures():
    pages = {ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")}
    for page in sorted(pages - {ROOT / name for name in UNMEASURED}):
        text = page.read_text(encoding="utf-8")
        assert figures_in(text, SETTINGS.get(page.name, ())) == [], page


def test_a_figure_in_a_sentence_is_found():
    page = "Of 5 rows,\ntwice\nas many.\n\n<!-- figures: t -->\n\n5 %\n\n<!-- /figures -->\n"
    assert figures_in(page) == []
    assert figures_in(page + "It takes 2.5\nµs.") == ["2.5 µs"]
    assert figures_in(page + "Four times as fast, or four times as fast") == ["four times as"]
    assert figures_in("It is half of a step, twice as long.") == ["half of a step", "twice as long"]
    assert figures_in("after 50 ms, in 3 ms", ["after 50 ms"]) == ["3 ms"]


def measured(command, rows):
    """Return what a benchmark writes, of a later date than `old_table` has."""
    table = [checked_rows.checked(row) for row in rows]
    return {"table": table, "command": command, "versions": {}, "processor": "P",
            "commit": "b", "date": "2026-11-28T12:00:00"}  # fmt: skip


def old_table():
    source = {"machine": "M", "date": "2026-11-01", "commit": "a", "command": "old", "versions": {}}
    return {**source, "note": "slowly", "rows": [{"rows": 1, "x": 2.0}, {"rows": 8, "x": 3.0}]}


def test_a_new_measurement_replaces_its_rows():
    table = old_table()
    rows = [{"rows": 8, "x": 1.5}, {"rows": 64, "x": 1234.5}, {"rows": 1, "x": 1.0}]
    figures.take(table, measured("python b.py", rows))
    assert figures.table_of(table) == (
        "| rows | x |\n| ---: | ---: |\n| 1 | 1.00 |\n| 8 | 1.50 |\n| 64 | 1,234 |\n\n"
        "P, 2026-11-28, commit b, `python b.py`."
    )


def test_rows_that_were_measured_apart_say_so():
    table = old_table()
    old = "M, 2026-11-01, commit a, `old` (slowly)."
    figures.take(table, measured("new", [{"rows": 8, "x": 1.5}]))
    assert figures.source(table) == f"{old} rows 8: P, 2026-11-28, commit b, `new`."
    assert [row["x"] for row in table["rows"]] == [2, 1.5]
    figures.take(table, measured("newer", [{"rows": 64, "x": 1}, {"rows": 8, "x": 1}]))
    assert figures.source(table) == f"{old} rows 8; rows 64: P, 2026-11-28, commit b, `newer`."
    figures.take(table, measured("newest", [{"rows": 1, "x": 1}]))  # nothing is left of the old
    assert figures.source(table) == (
        "P, 2026-11-28, commit b, `newest`. rows 8; rows 64: P, 2026-11-28, commit b, `newer`."
    )
    same = [{"rows": n, "x": 1} for n in (1, 8, 64)]
    figures.take(table, measured("all", same))
    assert "apart" not in table


def test_rows_measured_one_after_another_by_one_command_have_one_source():
    table = {"rows": []}
    for rows in (1, 8, 64):
        figures.take(table, measured("python b.py", [{"rows": rows, "x": 1.0}]))
    assert figures.source(table) == "P, 2026-11-28, commit b, `python b.py`."
    assert "apart" not in table


def test_a_typed_row_is_refused():
    new = measured("python b.py", [{"rows": 8, "x": 1.5, "parts": {"y": 2.0}}])
    new["table"][0]["x"] = 1.4
    table = old_table()
    with pytest.raises(ValueError, match="that no benchmark wrote: rows 8"):
        figures.take(table, new)
    assert table == old_table()
    del new["table"][0]["check"]
    with pytest.raises(ValueError, match="that no benchmark wrote: rows 8"):
        figures.take(table, new)


@pytest.mark.parametrize("inside", ["", "\n", "\n\n", "\n\n5 %\n\n"])
def test_a_block_ends_at_its_own_end(inside):
    """Also an empty one, which once took all that follows with it, up to the next end."""
    tables = {"one": old_table(), "two": old_table()}
    block = f"<!-- figures: one -->\n{inside}<!-- /figures -->"
    page = f"above\n\n{block}\n\nbetween\n\n{block.replace('one', 'two')}\n\nbelow\n"
    text = figures.written(page, tables)
    assert [text.count(word) for word in ("above", "between", "below", "commit a")] == [1, 1, 1, 2]
    assert figures.written(text, tables) == text


@pytest.mark.parametrize(
    "page",
    [
        "<!-- figures: t -->\n\ntext\n",
        "<!-- figures: t -->\n\n<!-- figures: t -->\n\n<!-- /figures -->\n",
        "<!-- figures: t -->\n\n<!-- /figures -->\n\n<!-- /figures -->\n",
    ],
)
def test_a_block_without_an_end_is_refused(page):
    with pytest.raises(ValueError, match="no beginning or no end"):
        figures.written(page, {"t": old_table()})


PROGRAMS_OF_CPP = {"build/release/real_time", "build/release/predict_latency"}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_says_where_it_comes_from(name):
    """The machine, the day, the commit and a command that is there."""
    for source in (TABLES[name], *TABLES[name].get("apart", [])):
        assert source["machine"]
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", source["date"])
        assert re.fullmatch(r"[0-9a-f]{7,}( to [0-9a-f]{7,})?", source["commit"])
        program = re.match(r"(?:[A-Z_]+=\S+ )*(?:python )?(\S+)", source["command"])[1]
        assert (ROOT / program).exists() or program in PROGRAMS_OF_CPP


COPIED = {"a thousand networks on a GPU"}
"""From what a command printed on a machine that is gone; the page says so."""


@pytest.mark.parametrize("name", sorted({*TABLES} - COPIED))
def test_no_row_is_typed(name):
    """Its check is the one that a benchmark wrote with its numbers."""
    assert all(map(checked_rows.is_as_measured, TABLES[name]["rows"]))


def test_rows_that_a_program_printed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    path = tmp_path / "real_time.jsonl"
    path.write_text('{"call": "predict_row", "median": 0.5}\n{"call": "other", "median": 2}\n')
    found = figures.measurement(path)
    assert [row["call"] for row in found["table"]] == ["predict_row", "other"]
    assert all(map(checked_rows.is_as_measured, found["table"]))
    assert found["command"] == "build/release/real_time"
    assert re.match(r"20\d\d-\d\d-\d\dT", found["date"])


def test_what_a_benchmark_writes_can_be_taken(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    contest = pytest.importorskip("contest")
    monkeypatch.setattr(contest, "SETTINGS", ["FASTMLP_ISA=avx2"])
    monkeypatch.setattr(contest, "commit", lambda: "1234567")
    monkeypatch.setattr(sys, "argv", ["benchmarks/b.py", "--output", "b.json", "--rows", "5",
                                      "--shapes", "784"])  # fmt: skip
    path = tmp_path / "b.json"
    contest.write_json(path, [{"rows": 8, "x": 1.5}], {"jax": "0.1"})
    table = {"rows": []}
    figures.take(table, figures.measurement(path))
    source = ", commit 1234567, JAX 0.1, `FASTMLP_ISA=avx2 python benchmarks/b.py --rows 5`."
    assert figures.source(table).replace("\n", " ").endswith(source)
