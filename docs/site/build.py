"""Build the documentation site, with warnings as errors.

    python docs/site/build.py                  # writes build/site/index.html
    python docs/site/build.py --outside        # checks the links that lead to other sites, too

Needs ``pip install '.[docs]'``. Links between the pages are checked by every build.
"""

import argparse
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx

import fastmlp as fm
import fastmlp.sklearn

DOCS = Path(__file__).parents[1]
SITE = DOCS.parent / "build" / "site"
GENERATED = DOCS / "site" / "generated"
INCLUDE = DOCS.parent / "cpp" / "include"


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
    (GENERATED / "python.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def write_headers(name: str, title: str, headers: list[Path]) -> None:
    """Write a page of headers, which are the reference of C++ and C."""
    parts = [f"# {title}", "The headers are the reference; each function has its comment."]
    for header in headers:
        path = header.relative_to(INCLUDE)
        language = "c" if path.name == "fastmlp.h" else "cpp"
        include = f"```{{literalinclude}} ../../../cpp/include/{path}\n:language: {language}\n```"
        parts += [f"## `{path}`", include]
    (GENERATED / f"{name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def main() -> int:
    """Generate the pages of the references, then build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--outside", action="store_true", help="check links to other sites")
    options = parser.parse_args()
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir()
    write_python()
    write_headers("c", "C", [INCLUDE / "fastmlp.h"])
    write_headers("cpp", "C++", sorted((INCLUDE / "fastmlp").glob("*.hpp")))
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
