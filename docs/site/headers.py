"""Read the public headers with libclang, and write a page of Sphinx's directives for each.

What a header says is all that the pages say: a declaration has the comment above or behind it, and
declarations that follow one with a comment, without an empty line between, share it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from clang.cindex import AccessSpecifier, Cursor, CursorKind, Index, TranslationUnit

ROOT = Path(__file__).parents[2]
INCLUDE = ROOT / "cpp" / "include"

DIRECTIVES = {
    CursorKind.CLASS_DECL: "class",
    CursorKind.CLASS_TEMPLATE: "class",
    CursorKind.STRUCT_DECL: "struct",
    CursorKind.UNION_DECL: "union",
    CursorKind.ENUM_DECL: "enum",
    CursorKind.ENUM_CONSTANT_DECL: "enumerator",
    CursorKind.FIELD_DECL: "member",
    CursorKind.VAR_DECL: "var",
    CursorKind.CONSTRUCTOR: "function",
    CursorKind.CXX_METHOD: "function",
    CursorKind.CONVERSION_FUNCTION: "function",
    CursorKind.FUNCTION_DECL: "function",
    CursorKind.FUNCTION_TEMPLATE: "function",
    CursorKind.TYPEDEF_DECL: "type",
    CursorKind.TYPE_ALIAS_DECL: "type",
    CursorKind.TYPE_ALIAS_TEMPLATE_DECL: "type",
}
DOMAINS = {".h": "c", ".hpp": "cpp"}
RECORDS = {"class", "struct", "union", "enum", "enum-class"}
SECTION = re.compile(r"^/\* -+ (.+?) -+ \*/$", re.MULTILINE)


@dataclass
class Declaration:
    """One declaration of a header, in the order of the file."""

    directive: str
    signatures: list[str]
    comment: str
    members: list["Declaration"]
    lines: tuple[int, int]  # its first and last
    shared: bool  # whether the comment is also for those that follow

    def takes(self, directive: str, comment: str, line: int) -> bool:
        """Whether a declaration that begins at this line shares the comment."""
        if directive != self.directive or self.members:
            return False
        follows = self.shared and self.comment != "" and not comment and line <= self.lines[1] + 1
        return follows or (comment == self.comment != "" and line == self.lines[0])


def parse(header: Path) -> TranslationUnit:
    """Parse one header; comments of every kind count."""
    language = ["-x", "c", "-std=c11"] if header.suffix == ".h" else ["-x", "c++", "-std=c++20"]
    # libclang comes without the headers of a compiler: take those of GCC, if that is there.
    builtin = [f"-isystem{path}" for path in sorted(Path("/usr/lib/gcc").glob("*/*/include"))[-1:]]
    return Index.create().parse(
        str(header), [*language, "-fparse-all-comments", f"-I{INCLUDE}", *builtin]
    )


def text_of(comment: str | None, domain: str) -> str:
    """Return what a comment says, in reStructuredText."""
    if comment is None or SECTION.match(comment):
        return ""
    lines = [re.sub(r"^\s*(///<?|/\*+<?|\*/|\*)? ?", "", line) for line in comment.splitlines()]
    paragraphs = re.sub(r"\s*\*/$", "", "\n".join(lines)).strip("\n").split("\n\n")
    return "\n\n".join(
        "::\n\n" + indent(paragraph, "  ") if paragraph.startswith("  ")
        else prose(paragraph, domain).strip()
        for paragraph in paragraphs if not paragraph.startswith("Over 400 lines")
    )  # fmt: skip


def prose(paragraph: str, domain: str) -> str:
    """Escape what reStructuredText would take for its own; make names links."""
    pieces = paragraph.split("`")
    for i, piece in enumerate(pieces):
        if i % 2:
            is_name = re.fullmatch(r"[A-Za-z][\w:]*(\(\))?", piece)
            pieces[i] = f":{domain}:expr:`{piece}`" if is_name else f"``{piece}``"
            continue
        text = re.sub(r"([\\*|])", r"\\\1", piece)
        text = re.sub(r"_(?!\w)", r"\\_", text)
        if domain == "c":
            text = re.sub(r"\bfastmlp_\w+(\(\))?", r":c:expr:`\g<0>`", text)
        pieces[i] = text
    return "".join(pieces)


def source_of(cursor: Cursor, source: bytes) -> str:
    """Return a declaration as the header has it, without its body and attributes."""
    text = source[cursor.extent.start.offset : cursor.extent.end.offset].decode()
    text = re.sub(r"//.*|/\*(.|\n)*?\*/", "", text)
    text = re.sub(r"\bFASTMLP_(API|EXPORT)\b", "", text)
    brackets = 0
    for i, character in enumerate(text):
        brackets += (character == "(") - (character == ")")
        if brackets == 0 and (character == "{" or text[i - 1 : i + 2] == " : "):
            text = text[:i]
            break
    return " ".join(text.split()).removesuffix("=").strip()


def record_of(cursor: Cursor, text: str) -> str:
    """Return the name of a class, with its parameters and its base classes."""
    template = re.match(r"template <.*?> (?=class|struct)", text)
    bases = [base.type.spelling for base in cursor.get_children()
             if base.kind == CursorKind.CXX_BASE_SPECIFIER]  # fmt: skip
    base = f" : {', '.join(f'public {name}' for name in bases)}" if bases else ""
    return f"{template[0] if template else ''}{cursor.spelling}{base}"


def signature_of(cursor: Cursor, directive: str, source: bytes) -> str:
    """Return what Sphinx's directive takes."""
    text = source_of(cursor, source)
    if directive in RECORDS:
        return record_of(cursor, text)
    if directive == "type":
        return re.sub(r"^(template <.*?> )?(using|typedef) ", lambda found: found[1] or "", text)
    if directive == "member" and "," in re.sub(r"<.*>|\(.*\)", "", text):  # int a, b;
        return f"{cursor.type.spelling} {cursor.spelling}{text.rpartition(cursor.spelling)[2]}"
    return re.sub(r"^(explicit|inline|friend) ", "", text)


def is_behind(comment: str | None, cursor: Cursor, source: bytes) -> bool:
    """Whether the comment stands behind a declaration, not above it."""
    line = source[cursor.extent.end.offset :].partition(b"\n")[0].decode()
    return comment is not None and comment.partition("\n")[0].strip() in line


def directive_of(cursor: Cursor) -> str:
    """Return Sphinx's name for a kind of declaration."""
    return "enum-class" if cursor.is_scoped_enum() else DIRECTIVES[cursor.kind]


def is_shown(cursor: Cursor, source: bytes) -> bool:
    """Whether it is for users: public, defined here if it is a type, and not deleted."""
    hidden = {AccessSpecifier.PRIVATE, AccessSpecifier.PROTECTED}
    if cursor.kind not in DIRECTIVES or cursor.access_specifier in hidden:
        return False
    text = source_of(cursor, source)
    if text.startswith("extern template") or text.endswith("= delete"):
        return False
    return DIRECTIVES[cursor.kind] not in RECORDS or bool(cursor.is_definition())


def declarations(parent: Cursor, header: Path, source: bytes) -> Iterator[Declaration]:
    """Yield what a scope declares for users, with declarations that share a comment as one."""
    domain = DOMAINS[header.suffix]
    last: Declaration | None = None
    for cursor in parent.get_children():
        if cursor.location.file is None or Path(cursor.location.file.name) != header:
            continue
        if cursor.kind in {CursorKind.NAMESPACE, CursorKind.LINKAGE_SPEC}:
            if last is not None:
                yield last
                last = None
            yield from declarations(cursor, header, source)
        if not is_shown(cursor, source):
            continue
        directive = directive_of(cursor)
        lines = cursor.extent.start.line, cursor.extent.end.line
        if last is not None and directive == "type" and lines == last.lines:
            continue  # typedef struct x {...} x
        comment = text_of(cursor.raw_comment, domain)
        shared = not is_behind(cursor.raw_comment, cursor, source)
        signature = signature_of(cursor, directive, source)
        if last is not None and last.takes(directive, comment, lines[0]):
            last.signatures.append(signature)
            last.lines = lines
            continue
        if last is not None:
            yield last
        members = list(declarations(cursor, header, source)) if directive in RECORDS else []
        last = Declaration(directive, [signature], comment, members, lines, shared)
    if last is not None:
        yield last


def written(found: Declaration, domain: str) -> str:
    """Return the directive of a declaration, with its comment and its members."""
    head = f".. {domain}:{found.directive}:: "
    signatures = ("\n" + " " * len(head)).join(found.signatures)
    body = [found.comment, *(written(member, domain) for member in found.members)]
    return f"{head}{signatures}\n\n" + indent("\n\n".join(part for part in body if part), "   ")


def about(header: Path) -> str:
    """Return what the header says of itself, at its top."""
    found = re.match(r"(///.*\n)+|/\*(.|\n)*?\*/", header.read_text(encoding="utf-8"))
    return text_of(found[0], DOMAINS[header.suffix]) if found else ""


def page(header: Path, title: str) -> str:
    """Return the page of a header."""
    source = header.read_bytes()
    domain = DOMAINS[header.suffix]
    parts = [f"{title}\n{'=' * len(title)}", about(header)]
    parts.append(f"``#include <{header.relative_to(INCLUDE)}>``")
    if domain == "cpp":
        parts.append(".. cpp:namespace:: fastmlp")
    text = source.decode()
    sections = [(text.count("\n", 0, found.start()), found[1]) for found in SECTION.finditer(text)]
    for found in declarations(parse(header).cursor, header, source):
        while sections and sections[0][0] < found.lines[0]:
            section = sections.pop(0)[1].capitalize()
            parts.append(f"{section}\n{'-' * len(section)}")
        parts.append(written(found, domain))
    return "\n\n".join(part for part in parts if part) + "\n"
