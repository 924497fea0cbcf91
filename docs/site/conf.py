"""The documentation site. Run: python docs/site/build.py (needs: pip install '.[docs]')."""

import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

project = "fastmlp"
author = "the fastmlp developers"
version = release = version_of("fastmlp")

root_doc = "site/index"
exclude_patterns = ["README.md", "site/templates"]  # the navigation lists the pages
extensions = ["myst_parser", "sphinx.ext.autosummary", "sphinx.ext.autodoc", "numpydoc"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a page may begin at any level

templates_path = [str(ROOT / "docs" / "site" / "templates")]
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings have the types
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"fastmlp {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = html_show_copyright = False
pygments_style, pygments_dark_style = "friendly", "monokai"
highlight_language = "text"  # of blocks that name none: what programs print

linkcheck_timeout = 20

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]*)(#[^)]*)?\)")


def _without_links_outside(_app: Any, name: str, source: list[str]) -> None:
    """Make links to files of the repository that are no pages plain text: no address is known."""
    folder = (ROOT / "docs" / name).parent

    def replace(link: re.Match[str]) -> str:
        target = (folder / link[2]).resolve()
        return link[0] if target.is_relative_to(ROOT / "docs") else link[1]

    source[0] = _OUTSIDE.sub(replace, source[0])


def setup(app: Any) -> None:
    """Connect it; Sphinx calls this."""
    app.connect("source-read", _without_links_outside)
