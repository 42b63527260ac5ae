"""Markdown from code: tables, and the words that the code has for its own parts."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence

_ROLE = re.compile(r"``([^`]+)``|`([^`]+)`")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. What stands in a cell may hold markup, but neither a bar nor a new line of its own."""
    lines = [list(headings), ["---"] * len(headings), *map(list, rows)]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """A word of code."""
    return f"`{text}`"


def summary(what: object) -> str:
    """The first paragraph of a docstring, with its names as code."""
    doc = inspect.getdoc(what) or ""
    return as_markdown(doc.split("\n\n")[0])


def as_markdown(text: str) -> str:
    """A docstring's text: every name in backticks, single or double, becomes code."""
    return _ROLE.sub(lambda found: f"`{(found[1] or found[2]).removeprefix('~')}`", " ".join(text.split()))


def attribute_docs(kind: type) -> dict[str, str]:
    """The string that follows each attribute of a class, as Sphinx reads it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    owner = tree.body[0]
    assert isinstance(owner, ast.ClassDef)  # noqa: S101 (it is the source of a class)
    docs: dict[str, str] = {}
    name: str | None = None
    for node in owner.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=found)]) | ast.AnnAssign(target=ast.Name(id=found)):
                name = found
            case ast.Expr(value=ast.Constant(value=str(text))) if name is not None:
                docs[name], name = as_markdown(text), None
            case _:
                name = None
    return docs


def source(text: str) -> str:
    """Where a fact comes from, its addresses as links."""
    return re.sub(r"https://[^\s);,]*[^\s);,.]", lambda found: f"[{_short(found[0])}]({found[0]})", text)


def _short(url: str) -> str:
    """The last part of an address, which says enough in a narrow column."""
    return url.rstrip("/").rpartition("/")[2]
