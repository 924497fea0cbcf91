"""Build the documentation site, with warnings as errors.

    python docs/site/build.py                  # writes build/site/index.html
    python docs/site/build.py --outside        # checks the links that lead to other sites, too

Needs ``pip install '.[docs]'``. Links between the pages are checked by every build.
"""

import argparse
import shutil
import sys
from pathlib import Path

import headers
from sphinx.cmd.build import main as sphinx

import fastmlp as fm
import fastmlp.sklearn

DOCS = Path(__file__).parents[1]
SITE = DOCS.parent / "build" / "site"
GENERATED = DOCS / "site" / "generated"


def write_python() -> None:
    """Write the list of all public names, from which Sphinx makes a page for each."""
    parts = ["# Python", "Every public name, with its docstring."]
    for module in (fm, fastmlp.sklearn):
        names = [
            name
            for name in module.__all__
            if getattr(getattr(module, name), "__module__", "").startswith("fastmlp")
        ]
        listed = "\n".join(f"   {module.__name__}.{name}" for name in sorted(names, key=str.lower))
        options = "   :toctree: python\n   :nosignatures:"
        table = f"```{{eval-rst}}\n.. autosummary::\n{options}\n\n{listed}\n```"
        parts += [f"## {module.__name__}", table]
    metrics = "Functions of targets and outputs, by whose names `fit` measures."
    parts += ["## fastmlp.metrics", metrics, "```{toctree}\n\nmetrics\n```"]
    page = "fastmlp.metrics\n===============\n\n.. automodule:: fastmlp.metrics\n   :members:\n"
    page += "   :exclude-members: CLASSIFICATION, REGRESSION, MetricName\n"
    (GENERATED / "metrics.rst").write_text(page, encoding="utf-8")
    (GENERATED / "python.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def write_headers() -> None:
    """Write the pages of the references of C and C++, out of the headers."""
    (GENERATED / "c.rst").write_text(headers.page(headers.INCLUDE / "fastmlp.h", "C"), "utf-8")
    (GENERATED / "cpp").mkdir()
    rows, names = [], []
    for header in sorted((headers.INCLUDE / "fastmlp").glob("*.hpp")):
        if header.name not in {"cpp20.hpp", "fastmlp.hpp"}:  # which declare nothing themselves
            page = headers.page(header, header.name)
            (GENERATED / "cpp" / f"{header.stem}.rst").write_text(page, "utf-8")
            about = headers.about(header).split("\n\n")[0].replace("\n", " ")
            rows.append(f"   * - :doc:`cpp/{header.stem}`\n     - {about}")
            names.append(f"   cpp/{header.stem}")
    parts = [
        "C++\n===",
        "``#include <fastmlp/fastmlp.hpp>`` has all of these, in ``namespace fastmlp``.",
        ".. list-table::\n   :widths: 30 70\n\n" + "\n".join(rows),
        ".. toctree::\n   :hidden:\n\n" + "\n".join(names),
    ]
    (GENERATED / "cpp.rst").write_text("\n\n".join(parts) + "\n", "utf-8")


def main() -> int:
    """Generate the pages of the references, then build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--outside", action="store_true", help="check links to other sites")
    options = parser.parse_args()
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir()
    write_python()
    write_headers()
    builder = "linkcheck" if options.outside else "html"
    # -E -a: all pages, since each has the navigation.
    settings = ["-E", "-a", "-c", str(DOCS / "site"), "-W", "--keep-going", "-q", "-b", builder]
    status = sphinx([*settings, str(DOCS), str(SITE)])
    if status == 0 and not options.outside:
        (SITE / "index.html").write_text(
            '<meta http-equiv="refresh" content="0; url=site/index.html">\n'
        )
        print(f"built: {SITE / 'site' / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
