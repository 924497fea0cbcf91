"""The pages of the guide run unchanged: each page is one program."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import metrics
from fastmlp.__main__ import main
from fastmlp.layers import ACTIVATIONS
from fastmlp.losses import LOSSES

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))
ELSEWHERE = [ROOT / "docs/site/index.md", ROOT / "docs/file-format.md"]  # with programs of Python
OTHERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?:<!-- needs: (?P<needs>\S+) -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)


def blocks(page):
    """Return (code, the package it needs or None) of each block, at its line of the page."""
    text = page.read_text(encoding="utf-8")
    return [
        ("\n" * text.count("\n", 0, found.start("code")) + found["code"], found["needs"])
        for found in BLOCK.finditer(text)
    ]


def combinations():
    """Yield (page, packages): each of the optional packages of a page alone, and all of them."""
    for page in PAGES:
        packages = sorted({needs for _, needs in blocks(page) if needs})
        yield from ((page, (package,)) for package in packages)
        if len(packages) > 1:
            yield page, tuple(packages)


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


@pytest.mark.parametrize("page", [*PAGES, *ELSEWHERE], ids=lambda page: page.stem)
def test_page(page):
    run(page)


def test_the_commands_for_a_table(monkeypatch, capsys):
    """The first commands of the page; the table is ours."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    text = (GUIDE / "tables.md").read_text(encoding="utf-8")
    rng = np.random.default_rng(0)
    for name in ("houses", "new", "test"):
        rows = [f"{area},{'abc'[area % 3]},{2 * area}" for area in rng.integers(50, 200, 40)]
        Path(f"{name}.csv").write_text("\n".join(["area,street,price", *rows]) + "\n")
    commands = re.search(r"```sh\n(.*?)```", text, re.DOTALL)[1].splitlines()
    assert len(commands) >= 4
    for command in commands:
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        assert main() in {0, None}, capsys.readouterr().err
    assert len(Path("answers.csv").read_text().splitlines()) == 41


@pytest.mark.no_sanitizer  # compiles C
def test_the_c_of_the_exchange_page():
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    text = (GUIDE / "exchange.md").read_text(encoding="utf-8")
    predict, learn = re.findall(r"```c\n(.*?)```", text, re.DOTALL)
    include, _, predict = predict.partition("\n")
    fm.Network([64, 8, 10], seed=1).export_c("digits.h", name="digits", training=True)
    given = "float x[32 * 64] = {0};\nint labels[32] = {0}, batch = 32;"
    body = f"{given}\n{predict}\n{learn}\nreturn !(loss > 2.2 && loss < 2.4);"  # log(10) is 2.3
    Path("digits.c").write_text(f"#include <string.h>\n{include}\nint main(void) {{\n{body}\n}}\n")
    subprocess.run([compiler, "digits.c", "-o", "digits", "-lm"], check=True)
    subprocess.run([Path.cwd() / "digits"], check=True)


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


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    text = "".join(text.split("```")[::2])  # without its programs
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (page.parent / target).exists(), target


def rows(path):
    """Return the rows of a page's tables, each as what its cells have in backquotes."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    return [[re.findall(r"`([^`]*)`", cell) for cell in line.split("|")[1:-1]] for line in lines]


def test_the_tables_name_all_there_is():
    """What a page lists is what the library has: no name more, none less."""
    named = [row[0][0] for row in rows(GUIDE / "losses-and-activations.md") if row[0]]
    assert sorted(named) == sorted([*ACTIVATIONS, *LOSSES])
    known, numbers = ({*table} for table in (metrics.CLASSIFICATION, metrics.REGRESSION))
    page = rows(GUIDE / "callbacks-and-validation.md")
    assert [{*row[1]} for row in page if len(row[1]) > 1] == [known | {"top_5_accuracy"}, numbers]
    methods = {row[0][0].split("(")[0] for row in page if row[0]}
    assert methods == {name for name in vars(fm.Callback) if name.startswith("on_")}
    cells = {row[0][0]: " ".join(row[1]).split() for row in rows(ROOT / "docs/file-format.md")
             if row[0]}  # fmt: skip
    assert sorted(cells["activation"]) == sorted({*ACTIVATIONS} - {"gelu_tanh"})  # a form of gelu
    assert {*cells["loss"]} - {"kind", "parameter"} == {*LOSSES, "custom"}
