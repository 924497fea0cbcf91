"""``fastmlp bench``: on small networks, as the large ones take their time."""

import json

import pytest

import fastmlp as fm
from fastmlp.cli import bench
from fastmlp.cli.main import main


@pytest.fixture
def quick(monkeypatch):
    """Two small cases, and no more time than they need."""
    monkeypatch.setattr(bench, "CASES", [((4, 3, 2), 5), ((4, 8, 1), 1)])
    monkeypatch.setattr(bench, "ROW_SECONDS", 0.0)


def test_the_cases_are_the_eight_of_the_table():
    assert len(bench.CASES) == 8
    assert bench.CASES[0] == ((64, 64, 10), 32)
    assert bench.CASES[-1] == ((1024, 2048, 2048, 1000), 256)
    assert len(bench.CASES) * bench.ROW_SECONDS <= 60  # "in under two minutes"


def test_the_table(quick, capsys):
    assert main(["bench"]) == 0
    head, blank, *table = capsys.readouterr().out.splitlines()
    assert head.startswith(f"fastmlp {fm.__version__}, {fm.get_config()['isa']}, float32, 1 thread")
    assert "FMA peak of the machine" in head
    assert blank == ""
    assert table[0].split() == ["layers,", "batch", "us/step", "GFLOP/s", "%", "of", "peak"]
    assert [line.split()[:2] for line in table[1:]] == [["4-3-2,", "5"], ["4-8-1,", "1"]]


def test_json(quick, capsys):
    assert main(["bench", "--json", "--threads", "2"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["threads"] == min(2, fm.get_num_threads())
    assert result["peak_gflops"] == max(row["peak_gflops"] for row in result["rows"])
    assert [row["layers"] for row in result["rows"]] == [[4, 3, 2], [4, 8, 1]]
    for row, flops in zip(result["rows"], (2 * 5 * (2 * 18 + 6), 2 * (2 * 40 + 8)), strict=True):
        assert row["gflops"] == pytest.approx(flops / row["us_per_step"] * 1e-3)
        assert row["peak_share"] == pytest.approx(row["gflops"] / row["peak_gflops"])
