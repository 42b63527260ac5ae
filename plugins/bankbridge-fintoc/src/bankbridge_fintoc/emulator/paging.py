"""Lists, a page at a time, with `Link` and `X-Total-Count`.

https://docs.fintoc.com/api/movements-api/movements/movements-list, and fintoc-com/fintoc-ruby's cassettes.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlencode

from bankbridge_fintoc.emulator.answers import Answered
from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.objects import Json

PER_PAGE: Final = 30
MOST_PER_PAGE: Final = 300

T = TypeVar("T")

# What the one recording of an unstable list shows: 49 turns of a page of 30 repeated 160 rows in the place of others,
# and 12 of those were repeated for the second time.
RECORDED_TURNS: Final = 49
RECORDED_REPEATS: Final = 160
RECORDED_THIRD_TIMES: Final = 12


def page_of(ask: Ask, rows: Sequence[T], write: Callable[[T], Json], *, unstable: bool = False) -> Answered:
    """The page of ``rows`` that was asked for; where they are ``unstable``, some of another in their place."""

    def take(start: int, stop: int) -> Sequence[T]:
        if not unstable or start >= len(rows):
            return rows[start:stop]
        return unstable_page(rows, start // (stop - start) + 1, stop - start)

    return page(ask, len(rows), lambda start, stop: (write(row) for row in take(start, stop)))


def page(ask: Ask, count: int, take: Callable[[int, int], Iterable[Json]]) -> Answered:
    """A page of a list that has ``count`` rows, of which ``take`` gives those from one place to another."""
    number = ask.positive("page", 1)
    size = ask.positive("per_page", PER_PAGE, most=MOST_PER_PAGE)
    last = max(1, -(-count // size))
    headers = {"Link": _links(ask, number, last), "X-Total-Count": str(count)}
    return Answered(status=200, body=list(take((number - 1) * size, number * size)), headers=headers)


def unstable_page(rows: Sequence[T], number: int, size: int) -> Sequence[T]:
    """A page that begins with rows of the page before, in the place of its own, which never come.

    In the proportions of fintoc-ruby's cassette ``get_account_s_movements_with_arguments.yml``: of 1495 rows on 50
    pages 160 never came, 136 came twice and 12 three times.
    """
    own = rows[(number - 1) * size : number * size]
    repeated = min(_repeats(number - 1), size // 2, len(own))
    if not repeated:
        return own
    before = rows[(number - 2) * size : (number - 1) * size]
    again = list(before[-repeated:])
    if _is_third_time(number - 1) and (first := unstable_page(rows, number - 1, size)[0]) is not before[0]:
        again[0] = first
    return [*again, *own[repeated:]]


def _repeats(turn: int) -> int:
    """How many rows are repeated when the page is turned for the so manieth time."""
    return _step(RECORDED_REPEATS, turn)


def _is_third_time(turn: int) -> bool:
    return _step(RECORDED_THIRD_TIMES, turn) > 0


def _step(total: int, turn: int) -> int:
    """The share of one turn, so that all of the recording's together have the total."""
    return total * turn // RECORDED_TURNS - total * max(turn - 1, 0) // RECORDED_TURNS


def _links(ask: Ask, number: int, last: int) -> str:
    pages = {"first": 1, "prev": number - 1, "next": number + 1, "last": last}
    if number == 1:
        del pages["prev"]
    if number >= last:
        del pages["next"]
    return ", ".join(f'<{_url(ask, page)}>; rel="{rel}"' for rel, page in pages.items())


def _url(ask: Ask, number: int) -> str:
    """The same request for another page: the whole query is kept, its `link_token` too."""
    query = [(name, value) for name, value in parse_qsl(ask.query, keep_blank_values=True) if name != "page"]
    return f"{ask.base_url}{ask.path}?{urlencode([*query, ('page', str(number))])}"
