"""Figures are kept once: pages show what docs/performance.json holds, and no other page has any."""

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
MEASURED = re.compile(r"\d (?:GFLOP/s|times as (?:fast|long)|% of (?:the )?peak)|[µu]s (?:per|a) ")


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


def test_no_other_page_repeats_them():
    pages = {ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")}
    for page in sorted(pages - {ROOT / "docs/performance.md"}):
        text = figures.BLOCK.sub("", page.read_text(encoding="utf-8"))
        assert not MEASURED.search(text), page


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
