"""Text on a terminal or in a pipe: wrapped between words, never within an address or a key, with nothing behind it."""

import textwrap
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text


def show_paragraph(console: Console, text: str, *, indent: int, style: str = "") -> None:
    """One paragraph, moved in."""
    for line in _wrapped(console, text, indent):
        console.print(Text(" " * indent + line, style=style), soft_wrap=True)


def show_pairs(console: Console, pairs: Iterable[tuple[str, str]], *, style: str) -> None:
    """Names on the left, what there is to say of each on the right; a new line in that begins a new one here."""
    rows = list(pairs)
    width = max((len(name) for name, _ in rows), default=0)
    for name, says in rows:
        lines = [line for part in says.split("\n") for line in _wrapped(console, part, width + 4)]
        for place, line in enumerate(lines):
            label = "" if place else name
            text = Text.assemble("  ", (label.ljust(width), style), "  ", line)
            console.print(text, soft_wrap=True)


def _wrapped(console: Console, text: str, indent: int) -> list[str]:
    # Rich would break what is longer than a line, and fill each line up with blanks.
    width = max(console.width - indent, 20)
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
