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
    """One fenced block. ``kind`` is its class: ``fragment``, ``output``, ``file``, or nothing.

    ``caption`` is its file's name, where it is one.
    """

    page: Path
    line: int
    language: str
    kind: str
    caption: str
    text: str


def blocks_of(page: Path) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    text = page.read_text("utf-8")
    for fence in _FENCE.finditer(text):
        body, kind, caption = fence["body"], "", ""
        language = fence["info"].removeprefix("{code-block}").strip()
        if options := _OPTIONS.match(body):
            kind, caption = _option("class", options[0]), _option("caption", options[0])
            body = "\n" * options[0].count("\n") + body[options.end() :]
        yield Block(page, text.count("\n", 0, fence.start()) + 2, language, kind, caption, body)


def _option(name: str, options: str) -> str:
    return "".join(re.findall(rf"^ *:{name}: *(\S+)", options, re.MULTILINE))


def write_files(page: Path, folder: Path) -> list[Path]:
    """Write the files that a page shows; their paths."""
    files = [block for block in blocks_of(page) if block.kind == "file"]
    for block in files:
        (folder / block.caption).write_text(block.text.lstrip("\n"), encoding="utf-8")
    return [folder / block.caption for block in files]


def run(page: Path, names: dict[str, Any]) -> int:
    """Run a page's Python in one namespace, and hold what each block prints against the output below it.

    Returns how many blocks ran. A failure's traceback names the page and the line.
    """
    printed: str | None = None
    ran = 0
    for block in blocks_of(page):
        if block.language == "python" and not block.kind:
            out = io.StringIO()
            source = "\n" * (block.line - 1) + block.text
            with contextlib.redirect_stdout(out):
                exec(compile(source, str(page), "exec"), names)  # noqa: S102 (it is our own page)
            printed, ran = out.getvalue(), ran + 1
        elif block.language == "shell":
            printed = None  # what follows is not ours
        elif block.kind == "output" and printed is not None:
            assert printed == block.text.lstrip("\n"), f"{page}:{block.line}: it prints otherwise: {printed}"
    return ran
