"""The code blocks of a Markdown page: which are run, what they must print, and which are only fragments."""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_OPTIONS = re.compile(r"\A(?:[ ]*:(?P<name>\w+):[ ]*(?P<value>.*)\n)+")


@attrs.frozen
class Block:
    """One fenced block. ``kind`` is its class: ``fragment``, ``output``, or nothing."""

    page: Path
    line: int
    language: str
    kind: str
    text: str


def blocks_of(page: Path) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    text = page.read_text("utf-8")
    for fence in _FENCE.finditer(text):
        body, kind = fence["body"], ""
        language = fence["info"].removeprefix("{code-block}").strip()
        if options := _OPTIONS.match(body):
            kind = "".join(re.findall(r"^ *:class: *(\S+)", options[0], re.MULTILINE))
            body = "\n" * options[0].count("\n") + body[options.end() :]
        yield Block(page, text.count("\n", 0, fence.start()) + 2, language, kind, body)


def run(page: Path, names: dict[str, Any]) -> int:
    """Run a page's Python in one namespace, and hold what each block prints against the output below it.

    Returns how many blocks ran. A failure's traceback names the page and the line.
    """
    printed, ran = "", 0
    for block in blocks_of(page):
        if block.language == "python" and block.kind != "fragment":
            out = io.StringIO()
            source = "\n" * (block.line - 1) + block.text
            with contextlib.redirect_stdout(out):
                exec(compile(source, str(page), "exec"), names)  # noqa: S102 (it is our own page)
            printed, ran = out.getvalue(), ran + 1
        elif block.kind == "output":
            assert printed == block.text.lstrip("\n"), f"{page}:{block.line}: it prints otherwise"
    return ran
