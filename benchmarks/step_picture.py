"""The picture of README.md: the time of a training step beside other libraries, as bars.

`python benchmarks/figures.py --write` draws it from docs/performance.json.
"""

from typing import Any
from xml.sax.saxutils import escape

SHAPES = ("64-64-10, 32", "784-128-10, 64", "784-512-512-10, 128")
OTHERS = ("JAX", "torch.compile", "PyTorch", "scikit-learn")
TABLE = "training, 1 thread"

WIDTH, MARGIN = 760, 20
PANEL, BAR, GAP = 226, 18, 8  # the width of a panel; the height of a bar and of what is below it
TOP, BOTTOM = 92, 40
LABELS = {"torch.compile": "PyTorch, compiled"}
STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de; }
  text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f; }
  .title { font-size: 16px; font-weight: 600; }
  .small { font-size: 12px; fill: #57606a; }
  .ours { fill: #0969da; } .other { fill: #afb8c1; }
  .bold { font-weight: 600; }
"""


def times_of(row: dict[str, Any]) -> dict[str, float]:
    """Return the microseconds of a step of each library: ours, and ours times the ratio."""
    ours = row["µs/step"]
    return {"fastmlp": ours} | {name: ours * row[name] for name in OTHERS}


def time_text(microseconds: float) -> str:
    """Format a time with three digits."""
    value, unit = (microseconds, "µs") if microseconds < 1000 else (microseconds / 1000, "ms")
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def text(x: float, y: float, content: str, kind: str = "") -> str:
    """Return a line of text."""
    return f'  <text x="{x:g}" y="{y:g}" class="{kind}">{escape(content)}</text>'


def bar(x: float, y: float, width: float, ours: bool) -> str:
    """Return a bar, ours in another colour."""
    size = f'width="{width:.1f}" height="{BAR}"'
    return f'  <rect x="{x:g}" y="{y:g}" {size} rx="2" class="{"ours" if ours else "other"}"/>'


def svg(width: int, height: int, title: str, style: str, lines: list[str]) -> str:
    """Return an SVG with a frame of the class "card" below its lines."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    frame = f'x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"'
    start = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"  <title>{escape(title)}</title>",
        f"  <style>{style}  </style>",
        f'  <rect {frame} class="card"/>',
    ]
    return "\n".join([*start, *lines, "</svg>\n"])


def panel_of(row: dict[str, Any], left: float) -> list[str]:
    """Return the bars of one network: the name and the time of a library above its bar."""
    layers, batch = row["layers, batch"].split(", ")
    lines = [
        text(left, TOP - 26, layers, "bold"),
        text(left, TOP - 8, f"batches of {batch}", "small"),
    ]
    times = times_of(row)
    longest = max(times.values())
    for i, (name, time) in enumerate(times.items()):
        y = TOP + 8 + i * (BAR + 18 + GAP)
        width = max(2.0, (PANEL - 10) * time / longest)
        ours = name == "fastmlp"
        label = f"{LABELS.get(name, name)}: {time_text(time)}"
        lines += [text(left, y + 12, label, "bold" * ours), bar(left, y + 18, width, ours)]
    return lines


def step_picture(tables: dict[str, Any]) -> str:
    """Return the SVG."""
    table = tables[TABLE]
    rows = {row["layers, batch"]: row for row in table["rows"]}
    height = TOP + (len(OTHERS) + 1) * (BAR + 18 + GAP) + BOTTOM
    title = "Time of one training step, float32, one thread (shorter is better)"
    lines = [text(MARGIN, 34, title, "title")]
    for i, shape in enumerate(SHAPES):
        lines += panel_of(rows[shape], MARGIN + i * (WIDTH - 2 * MARGIN - PANEL) / 2)
    source = f"{table['machine']}, {table['date']}: {table['command']}"
    lines.append(text(MARGIN, height - 16, source, "small"))
    described = []
    for shape in SHAPES:
        times = [f"{name} {time_text(time)}" for name, time in times_of(rows[shape]).items()]
        described.append(f"{shape}: {', '.join(times)}")
    return svg(WIDTH, height, "; ".join(described), STYLE, lines)
