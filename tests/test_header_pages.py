"""The site's pages of C and C++ have what the headers have; needs libclang, as the site does."""

import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

pytest.importorskip("clang.cindex", reason="libclang is not installed")
SITE = Path(__file__).parents[1] / "docs" / "site"
sys.path.insert(0, str(SITE))
try:
    import headers
finally:
    sys.path.pop(0)

HEADER = """/// What it is for.
#pragma once

namespace fastmlp {

struct Later;

/// A thing with a `name` and *stars*.
template <class T>
class Thing : public Base {
public:
    /// Of both, see `Thing::size`.
    T size() const { return size_; }
    T size(int unit = {}) const;

    Thing(const Thing&) = delete;
    int count = 3, other = 4;  ///< how many
    bool alone = false;

private:
    /// Nobody's business.
    T size_;
};

/// Kinds:
///
///   one    1
///   two    2
enum class Kind { kOne, kTwo };

extern template class Thing<float>;

}  // namespace fastmlp
"""


def test_a_header(tmp_path):
    path = tmp_path / "thing.hpp"
    path.write_text("struct Base {};\n" + HEADER)
    found = list(headers.declarations(headers.parse(path).cursor, path, path.read_bytes()))
    text = "\n".join(headers.written(declaration, "cpp") for declaration in found)
    assert ".. cpp:class:: template <class T> Thing : public Base" in text
    assert "A thing with a :cpp:expr:`name` and \\*stars\\*." in text
    assert "T size() const\n                     T size(int unit = {}) const" in text
    assert "int count = 3\n                   int other = 4\n\n      how many" in text
    assert ".. cpp:member:: bool alone = false\n" in text
    assert "Kinds:\n\n   ::\n\n       one    1\n       two    2" in text
    assert ".. cpp:enum-class:: Kind" in text
    assert ".. cpp:enumerator:: kTwo" in text
    assert text.index("Base") < text.index("Thing")
    assert "business" not in text
    assert "Later" not in text
    assert text.count(".. cpp:class::") == 1
    assert "= delete" not in text


def test_every_function_of_c_is_on_its_page():
    header = headers.INCLUDE / "fastmlp.h"
    functions = re.findall(r"FASTMLP_API\s[^;]*?(fastmlp_\w+)\(", header.read_text())
    page = headers.page(header, "C")
    assert len(functions) > 40
    assert all(re.search(rf"\b{name}\(", page) for name in functions)
    assert "Networks\n--------" in page
