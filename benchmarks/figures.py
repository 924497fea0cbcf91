"""Write the figures of all pages from docs/performance.json, where they are kept once.

    python benchmarks/figures.py                # check that the pages show what the file holds
    python benchmarks/figures.py --write        # write the pages
    python benchmarks/race.py --threads 1       # measure, writes build/race-1.json, and then:
    python benchmarks/figures.py --take "training, 1 thread" build/race-1.json --write
    build/release/real_time >build/real_time.jsonl       # programs of C++ print a row in each line
    python benchmarks/figures.py --take "single calls" build/real_time.jsonl --write

A table stands between `<!-- figures: NAME -->` and `<!-- /figures -->`, with the machine, the date,
the commit and the command it was measured with below it. README.md has sentences written this way,
and a picture. What stands outside such a block has no measured number: a new one needs a row.
A row has a check that the benchmark writes (`checked_rows.py`), so that none is typed.
"""

import argparse
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from textwrap import TextWrapper
from typing import Any

from checked_rows import checked, is_as_measured
from step_picture import step_picture

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs/performance.json"
PAGES = (ROOT / "docs/performance.md", ROOT / "README.md", ROOT / "docs/guide/which-tool.md",
         ROOT / "docs/real-time.md", ROOT / "docs/installing.md", ROOT / "docs/ecosystem.md",
         ROOT / "docs/guide/reinforcement.md", ROOT / "docs/guide/migration.md")  # fmt: skip
PICTURE = ROOT / "docs/step-time.svg"
# What stands in a block does not begin another: an end that is missing is found, not skipped.
BLOCK = re.compile(
    r"<!-- figures: ([^\n]+?) -->\n(?:(?!<!-- figures:).)*?<!-- /figures -->", re.DOTALL
)
# Columns that name a row.
KEYS = {"call", "layers", "layers, batch", "rows", "part", "solver", "threads", "data", "Python",
        "package", "what was done", "pause", "candidates", "epochs", "normalization"}  # fmt: skip
SOURCE = ("machine", "date", "commit", "command", "versions")
FORMATS = {
    **dict.fromkeys(("of peak", "of SGD", "of memory"), ".0%"),
    **dict.fromkeys(("median score", "of boosting", "of the MLP"), ".3f"),
    **dict.fromkeys(("log loss", "log loss of boosting", "log loss of the MLP"), ".3f"),
    **dict.fromkeys(("score of scikit-learn", "score of fastmlp"), ".4f"),
    **dict.fromkeys(("mean accuracy", "standard deviation", "least", "most"), ".1%"),
    "train, or tell why not": ".1%",
    "above the best smaller batch": ".0%",
    "more instructions": ".1%",
    "difference": "+.5f",
    "standard error": ".5f",
}
fill = TextWrapper(width=100, break_on_hyphens=False).fill


def cell(column: str, value: Any) -> str:
    """Format one cell; without a format of its own, a number has three digits or two decimals."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return ", ".join(cell(name, part) for name, part in value.items())
    if isinstance(value, int):
        return f"{value:,}"
    digits = ".2f" if value < 10 else ".1f" if value < 100 else ",.0f"
    return format(value, FORMATS.get(column, digits)).replace("%", " %")


def source(table: dict[str, Any]) -> str:
    """Say where, when and how a table was measured, and rows that were measured apart from it."""

    def words(measured: dict[str, Any]) -> str:
        versions = [f"{name} {version}" for name, version in measured["versions"].items()]
        commit = [f"commit {measured['commit']}"] if measured["commit"] else []
        parts = [measured["machine"], measured["date"], *commit, *versions]
        return ", ".join([*parts, f"`{measured['command']}`"])

    note = f" ({table['note']})" if "note" in table else ""
    apart = [f"{'; '.join(other['rows'])}: {words(other)}." for other in table.get("apart", [])]
    return fill(" ".join([f"{words(table)}{note}.", *apart]))


def table_of(table: dict[str, Any]) -> str:
    """Return a table in Markdown, and its source."""
    rows = table["rows"]
    columns = list(dict.fromkeys(name for row in rows for name in row if name != "check"))
    numeric = [all(isinstance(row.get(name, 0), int | float) for row in rows) for name in columns]
    lines = [columns, ["---:" if to_the_right else "---" for to_the_right in numeric]]
    lines += [[cell(name, row[name]) if name in row else "" for name in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{source(table)}"


def sentence_of(tables: dict[str, Any]) -> str:
    """Return the sentences of README.md: a few figures of the smallest networks."""
    training, single = tables["training, 1 thread"], tables["single steps"]
    row, step = training["rows"][0], single["rows"][0]
    return fill(
        "On one thread of an AMD EPYC (Zen 5), 64-64-10 trains on batches of 32 in float32 at "
        f"{cell('of peak', row['of peak'])} of the core's peak, {row['JAX']:.1f} times as fast as "
        f"JAX and {row['torch.compile']:.0f} times as fast as torch.compile. A step of Adam called "
        f"from Python, with 64-64-2 and one row, takes {step['train_on_batch']:.1f} µs, "
        f"{step['PyTorch'] / step['train_on_batch']:.0f} times as fast as PyTorch. The commands "
        f"are `{training['command']}` and `{single['command']}`."
    )


def single_steps_of(tables: dict[str, Any]) -> str:
    """Return the sentence that says what one step costs, beside PyTorch and JAX."""
    table = tables["single steps"]
    costs = [
        f"{row['train_on_batch']:.1f} µs for a batch of {row['layers, batch'].partition(', ')[2]}, "
        f"{row['PyTorch'] / row['train_on_batch']:.0f} times as fast as PyTorch and "
        f"{row['JAX'] / row['train_on_batch']:.1f} times as fast as JAX"
        for row in table["rows"]
    ]
    agent = tables["deep Q-network"]
    row = agent["rows"][1]
    return fill(
        "A step of 64-64-2 with Adam, called from Python on one thread, takes "
        f"{'; '.join(costs)}. Everything that a deep Q-network of 4-64-64-2 does to learn from a "
        f"batch of 32, from drawing it to the soft update, takes {row['fastmlp']:.0f} µs, "
        f"{row['times as fast']:.0f} times as fast as in PyTorch. Measured on an "
        f"{table['machine']} by `{table['command']}` and `{agent['command']}`."
    )


def gpu_line_of(tables: dict[str, Any]) -> str:
    """Return the sentence that says from which work per step a GPU is faster."""
    rows = tables["beside a GPU"]["rows"]  # in order of their work
    first = next(i for i, row in enumerate(rows) if row["JAX, H100"] < row["fastmlp"])
    below, above = (
        f"{row['MFLOP']:.1f} MFLOP a step ({row['layers, batch'].replace(', ', ', batches of ')}: "
        f"{row['JAX, H100']:.0f} µs on the GPU, {row['fastmlp']:.0f} µs on the CPU)"
        for row in rows[first - 1 : first + 1]
    )
    return fill(
        "One H100 with JAX begins to be faster than fastmlp on the 16 cores beside it between "
        f"{below} and {above}; `{tables['beside a GPU']['command']}`."
    )


SENTENCES = {
    "sentence": sentence_of,
    "cost of a step": single_steps_of,
    "GPU line": gpu_line_of,
}


def written(page: str, tables: dict[str, Any]) -> str:
    """Return the text of a page with its figures filled in."""

    def replace(block: re.Match[str]) -> str:
        name = block[1]
        content = SENTENCES[name](tables) if name in SENTENCES else table_of(tables[name])
        return f"<!-- figures: {name} -->\n\n{content}\n\n<!-- /figures -->"

    text, count = BLOCK.subn(replace, page)
    if not count == page.count("<!-- figures: ") == page.count("<!-- /figures -->"):
        raise ValueError("a block of figures has no beginning or no end")
    return text


def measurement(path: Path) -> dict[str, Any]:
    """Read what a benchmark wrote, or the rows that a program of C++ printed on this machine."""
    from contest import commit, processor  # noqa: PLC0415  (which need fastmlp, as nothing else)

    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return {"commit": commit(), **json.loads(text)}
    return {
        "commit": commit(),
        "table": [checked(json.loads(line)) for line in text.splitlines()],
        "command": f"build/release/{path.stem}",
        "date": datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(),
        "processor": processor(),
        "versions": {},
    }


def name_of(row: dict[str, Any]) -> str:
    """Return what tells a row from the others of its table."""
    keys = {name: value for name, value in row.items() if name in KEYS}
    return ", ".join(v if isinstance(v, str) else f"{name} {v:,}" for name, v in keys.items())


def source_of(part: dict[str, Any]) -> dict[str, Any]:
    """Return where, when and how a table, or a part of it, was measured."""
    return {name: part[name] for name in SOURCE if name in part}


def take(table: dict[str, Any], measured: dict[str, Any]) -> None:
    """Replace the rows of a table that a benchmark measured again, and say where that was.

    Rows that it did not measure keep their source, so that a table can have several: `apart` has
    the rows of all but one.
    """
    if typed := [name_of(row) for row in measured["table"] if not is_as_measured(row)]:
        raise ValueError(f"rows that no benchmark wrote: {'; '.join(typed)}")
    main = source_of(table)
    sources = {name_of(row): main for row in table["rows"]}
    for other in table.pop("apart", []):
        sources |= dict.fromkeys(other["rows"], source_of(other))
    for new in measured["table"]:
        same = [i for i, old in enumerate(table["rows"]) if name_of(old) == name_of(new)]
        at = same[0] if same else len(table["rows"])
        table["rows"][at : at + 1] = [new]
        sources[name_of(new)] = source_of(
            {**measured, "machine": measured["processor"], "date": measured["date"][:10]}
        )
    groups: list[tuple[dict[str, Any], list[str]]] = []
    for name in map(name_of, table["rows"]):
        rows = next((rows for source, rows in groups if source == sources[name]), None)
        if rows is None:
            groups.append((sources[name], rows := []))
        rows.append(name)
    groups.sort(key=lambda group: group[0] != main)  # the table's own first, if it has rows left
    if groups[0][0] != main:
        table.pop("note", None)
    table |= groups[0][0]
    if apart := [{"rows": rows, **source} for source, rows in groups[1:]]:
        table["apart"] = apart


def dump(content: dict[str, Any]) -> str:
    """Return JSON with a line for each row."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return re.sub(r"\{[^{}]*\}", lambda row: " ".join(row[0].split()), text) + "\n"


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the pages, not only check them")
    parser.add_argument(
        "--take", nargs=2, metavar=("TABLE", "FILE"), help="rows from the JSON of a benchmark"
    )
    return parser.parse_args()


def main() -> int:
    """Take, write or check; return 1 if a page differs from the figures."""
    options = arguments()
    content = json.loads(FIGURES.read_text(encoding="utf-8"))
    if options.take:
        name, path = options.take
        table = content["tables"].setdefault(name, {"rows": []})
        take(table, measurement(Path(path)))
        FIGURES.write_text(dump(content), encoding="utf-8")
    new_texts = {path: written(path.read_text("utf-8"), content["tables"]) for path in PAGES}
    new_texts[PICTURE] = step_picture(content["tables"])
    differing = []
    for path, new in new_texts.items():
        if not path.exists() or path.read_text(encoding="utf-8") != new:
            differing.append(path.name)
            if options.write:
                path.write_text(new, encoding="utf-8")
    if differing and not options.write:
        print(f"{', '.join(differing)}: differs from {FIGURES.name}; run with --write")
    return int(bool(differing) and not options.write)


if __name__ == "__main__":
    sys.exit(main())
