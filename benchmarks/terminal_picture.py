"""A picture of `fastmlp train` in a terminal: runs it on a table of flowers and draws its output.

Run: python benchmarks/terminal_picture.py [--output docs/train.svg]; needs scikit-learn, whose
iris data are the table.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

from sklearn.datasets import load_iris

from step_picture import svg

ROOT = Path(__file__).parent.parent
COMMANDS = (
    "fastmlp train flowers.csv --target species --save flowers.safetensors",
    "fastmlp predict flowers.safetensors new.csv",
)
NEW = ("sepal_length,sepal_width,petal_length,petal_width", "5.1,3.4,1.5,0.2", "6.1,2.9,4.8,1.6")
LINE, CHARACTER, MARGIN, TOP = 17, 7.83, 18, 46  # of a monospaced font of 13 px
STYLE = """
  .card { fill: #0d1117; stroke: #30363d; }
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
         fill: #c9d1d9; white-space: pre; }
  .command { fill: #7ee787; }
"""


def output_of(commands: tuple[str, ...]) -> list[str]:
    """Return what a terminal shows: each command and what it prints."""
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flowers = load_iris()
        names = (*NEW[0].split(","), "species")
        rows = zip(flowers.data.tolist(), flowers.target_names[flowers.target], strict=True)
        table = [",".join(names), *(",".join(map(str, [*row, kind])) for row, kind in rows)]
        (folder / "flowers.csv").write_text("\n".join(table) + "\n")
        (folder / "new.csv").write_text("\n".join(NEW) + "\n")
        for command in commands:
            program = [sys.executable, "-m", *command.split()]
            done = subprocess.run(
                program,
                cwd=folder,
                env=os.environ | {"COLUMNS": "90"},
                capture_output=True,
                text=True,
                check=True,
            )
            lines += [f"$ {command}", *done.stdout.rstrip().split("\n"), ""]
    return lines[:-1]


def picture_of(lines: list[str]) -> str:
    """Return the SVG: a window with the lines."""
    width = round(2 * MARGIN + CHARACTER * max(map(len, lines)))
    height = TOP + LINE * len(lines) + MARGIN // 2
    dots = ("#ff5f57", "#febc2e", "#28c840")
    drawn = [
        f'  <circle cx="{24 + 18 * i}" cy="17" r="5" fill="{dot}"/>' for i, dot in enumerate(dots)
    ]
    for i, line in enumerate(lines):
        kind = "command" if line.startswith("$") else "output"
        place = f'x="{MARGIN}" y="{TOP + LINE * i}" class="{kind}" xml:space="preserve"'
        drawn.append(f"  <text {place}>{escape(line)}</text>")
    return svg(width, height, " and ".join(COMMANDS), STYLE, drawn)


def main() -> None:
    """Run, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs/train.svg")
    options = parser.parse_args()
    options.output.write_text(picture_of(output_of(COMMANDS)), encoding="utf-8")


if __name__ == "__main__":
    main()
