"""Figures are kept once: pages show what docs/performance.json holds, and sentences have none."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import figures
finally:
    sys.path.pop(0)

pytestmark = pytest.mark.once

TABLES = json.loads(figures.FIGURES.read_text(encoding="utf-8"))["tables"]
NUMBER = r"(?:\d[\d.,]*|two|three|four|five|ten|half|twice)"
MEASURED = re.compile(
    rf"\b{NUMBER} (?:GFLOP/s|MFLOP|%|[µun]s|ms|[MG]B|times (?:as|the (?:time|memory|speed)))(?!\w)"
)
SETTINGS = {
    "embedding.md": ["every 50 ms", "spins for about 30 µs"],
    "data.md": ["would take 16 MB or more"],
    "tables.md": ["above 8 MB", "more than 64 MB", "above 64 MB", "of 32 MB", "15 % of the rows",
                  "20 % of the rows"],
    "performance.md": ["from about 0.8 MFLOP", "from 4 MB on"],
}  # fmt: skip
"""Numbers that the code sets, which no command measures."""
UNMEASURED = ("docs/changes.md", "docs/arithmetic.md", "docs/file-format.md")


@pytest.mark.parametrize("page", figures.PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_figures(page):
    text = page.read_text(encoding="utf-8")
    assert figures.written(text, TABLES) == text


def test_every_table_is_on_a_page():
    shown = [
        m[2] for page in figures.PAGES for m in figures.BLOCK.finditer(page.read_text("utf-8"))
    ]
    assert {*shown} == {*TABLES, *figures.SENTENCES}
    assert len(shown) == len({*shown}) + 1  # the line of the GPU is also in the README


def test_the_picture_shows_the_figures():
    picture = figures.step_picture(TABLES)
    assert figures.PICTURE.read_text(encoding="utf-8") == picture
    other = json.loads(json.dumps(TABLES))
    other["training, 1 thread"]["rows"][0]["JAX"] *= 2
    assert figures.step_picture(other) != picture


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
    assert figures_in("after 50 ms, in 3 ms", ["after 50 ms"]) == ["3 ms"]


def test_a_new_measurement_replaces_its_rows():
    table = {"commit": "a", "note": "old", "rows": [{"rows": 1, "x": 2.0}, {"rows": 8, "x": 3.0}]}
    measured = {"table": [{"rows": 8, "x": 1.5}, {"rows": 64, "x": 12.0}], "command": "python b.py",
                "versions": {}, "processor": "P", "date": "2026-11-28T12:00:00"}  # fmt: skip
    figures.take(table, measured, "b")
    page = figures.written("<!-- figures: t -->\n\n\n\n<!-- /figures -->", {"t": table})
    assert (
        "| 1 | 2.00 |\n| 8 | 1.50 |\n| 64 | 12.0 |\n\nP, 2026-11-28, commit b, `python b.py`."
        in page
    )
    assert "(old)" not in page


def test_rows_that_a_program_printed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    path = tmp_path / "real_time.jsonl"
    path.write_text('{"call": "predict_row", "median": 0.5}\n{"call": "other", "median": 2}\n')
    found = figures.measurement(path)
    assert [row["call"] for row in found["table"]] == ["predict_row", "other"]
    assert found["command"] == "build/release/real_time"
    assert re.match(r"20\d\d-\d\d-\d\dT", found["date"])
