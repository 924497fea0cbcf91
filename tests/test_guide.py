"""The pages of the guide run as they stand: each page is one program."""

import itertools
import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parent.parent / "docs" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))
BLOCK = re.compile(r"(?:<!-- needs: (?P<needs>\S+) -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)


def blocks(page):
    """Return (code, the package it needs or None) of each block, at its line of the page."""
    text = page.read_text(encoding="utf-8")
    return [
        ("\n" * text.count("\n", 0, found.start("code")) + found["code"], found["needs"])
        for found in BLOCK.finditer(text)
    ]


def combinations():
    """Yield (page, packages): every choice of the optional packages of each page."""
    for page in PAGES:
        packages = sorted({needs for _, needs in blocks(page) if needs})
        for size in range(1, len(packages) + 1):
            yield from ((page, chosen) for chosen in itertools.combinations(packages, size))


OPTIONAL = list(combinations())


def run(page, packages=()):
    """Run what needs no optional package, and what needs one of these."""
    names = {"__name__": page.stem}
    for code, needs in blocks(page):
        if needs is None or needs in packages:
            exec(compile(code, str(page), "exec"), names)


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page):
    run(page)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
@pytest.mark.parametrize(
    ("page", "packages"),
    OPTIONAL,
    ids=["-".join((page.stem, *chosen)) for page, chosen in OPTIONAL],
)
def test_what_needs_more(page, packages):
    for package in packages:
        pytest.importorskip(package, reason=f"{package} is not installed")
    run(page, packages)


def test_there_are_pages_with_code():
    assert len(PAGES) >= 3
    assert all(blocks(page) for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
