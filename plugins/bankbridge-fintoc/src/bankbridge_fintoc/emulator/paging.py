"""Lists, a page at a time: `Link` and `X-Total-Count`, and the unstable order that was once recorded.

https://docs.fintoc.com/api/movements-api/movements/movements-list, and fintoc-com/fintoc-ruby's cassettes.
"""

from collections.abc import Sequence
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlencode

from bankbridge_fintoc.emulator.answers import Answered
from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.world import Json

PER_PAGE: Final = 30
MOST_PER_PAGE: Final = 300
REPEATED: Final = 3
"""In the recording 160 of 1495 rows never came, some three on every page of thirty."""

T = TypeVar("T")


def page_of(rows: Sequence[Json], ask: Ask, *, unstable: bool = False) -> Answered:
    """The page that was asked for, with the headers that tell of the others."""
    number = ask.positive("page", 1)
    size = ask.positive("per_page", PER_PAGE, most=MOST_PER_PAGE)
    last = max(1, -(-len(rows) // size))
    shown = _shuffled_slice(rows, number, size) if unstable else rows[(number - 1) * size : number * size]
    headers = {"Link": _links(ask, number, last), "X-Total-Count": str(len(rows))}
    return Answered(status=200, body=list(shown), headers=headers)


def _shuffled_slice(rows: Sequence[T], number: int, size: int) -> Sequence[T]:
    """A page whose first rows are the last ones of the page before, in the place of its own."""
    own = rows[(number - 1) * size : number * size]
    repeated = min(REPEATED, size, len(own)) if number > 1 else 0
    before = rows[(number - 1) * size - repeated : (number - 1) * size]
    return [*before, *own[repeated:]]


def _links(ask: Ask, number: int, last: int) -> str:
    pages = {"first": 1, "prev": number - 1, "next": number + 1, "last": last}
    if number == 1:
        del pages["prev"]
    if number >= last:
        del pages["next"]
    return ", ".join(f'<{_url(ask, page)}>; rel="{rel}"' for rel, page in pages.items())


def _url(ask: Ask, page: int) -> str:
    """The same request for another page: the whole query is kept, its `link_token` too."""
    query = [(name, value) for name, value in parse_qsl(ask.query, keep_blank_values=True) if name != "page"]
    return f"{ask.base_url}{ask.path}?{urlencode([*query, ('page', str(page))])}"
