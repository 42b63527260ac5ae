"""Reading movements through lists that shift under the reader, without losing a row unnoticed.

Offset paging is not stable at Fintoc: in a list of 50 pages that its own Ruby SDK recorded (fintoc-com/fintoc-ruby,
``spec/vcr``) 148 rows came more than once and 160 never. So rows are de-duplicated by id, distinct rows are compared
with the announced count (https://docs.fintoc.com/api/movements-api/movements/movements-list), and a shortfall is read
again in halves of its dates until it is made good or pinned to a day.
"""

from collections import deque
from collections.abc import Generator, Iterable
from datetime import date, timedelta
from typing import Final, TypeAlias

import attrs

from bankbridge.banking import Movement, MovementPage
from bankbridge.machine.link import Link
from bankbridge.provider import Provider
from bankbridge.wire import Flow
from bankbridge.words.ids import AccountId, MovementId

_DAY: Final = timedelta(days=1)

# A list that goes on without a new row is one whose pages are ignored.
_FRUITLESS_PAGES: Final = 3

# How often a stretch that cannot be halved is read before it is called incomplete.
_PASSES: Final = 3


@attrs.frozen(kw_only=True)
class Gap:
    """A stretch of days (both count; ``None``: open) with fewer rows than the provider announced.

    ``announced`` is ``None`` where it announces nothing and the list would not hold still.
    """

    since: date | None
    until: date | None
    announced: int | None
    found: int

    def __str__(self) -> str:
        days = f"{self.since or 'the beginning'} to {self.until or 'now'}"
        return f"{days}: {self.found} of {'an unknown number of' if self.announced is None else self.announced} rows"


Reading: TypeAlias = Generator[
    Flow[MovementPage] | tuple[Movement, ...], MovementPage | None, tuple[Gap, ...]
]
"""Yields flows, each answered with its page, and rows as they are found; returns what stayed incomplete."""


@attrs.define(kw_only=True)
class _Stretch:
    """One window of dates and what one pass over it found."""

    since: date | None
    until: date | None
    passes: int = 0
    ids: set[MovementId] = attrs.field(factory=set[MovementId])
    days: list[date] = attrs.field(factory=list[date])
    anonymous: int = 0
    repeated: bool = False
    announced: int | None = None

    @property
    def found(self) -> int:
        return len(self.ids) + self.anonymous

    def take(self, page: MovementPage) -> int:
        """Note the page's rows; how many are new to this pass."""
        before = self.found
        self.announced = page.announced if page.announced is not None else self.announced
        for row in page.rows:
            if row.id is None:
                self.anonymous += 1
            elif row.id in self.ids:
                self.repeated = True
            else:
                self.ids.add(row.id)
            if row.post_date is not None:
                self.days.append(row.post_date)
        return self.found - before


def read_movements(
    provider: Provider, link: Link, account_id: AccountId, *, since: date | None, until: date | None
) -> Reading:
    """Every row with a ``post_date`` in ``since``..``until`` (both count; ``None``: open), each id once."""
    given: set[MovementId] = set()
    gaps: list[Gap] = []
    todo = deque([_Stretch(since=since, until=until)])
    first_pass = True
    while todo:
        stretch = todo.popleft()
        number, fruitless = 1, 0
        while True:
            page = yield provider.movements(
                link, account_id, since=stretch.since, until=stretch.until, page=number
            )
            assert page is not None  # noqa: S101 (the driver answers a flow with its page)
            fruitless = 0 if stretch.take(page) else fruitless + 1
            wanted = _wanted(page.rows, since, until, given, anonymous_too=first_pass)
            given.update(row.id for row in wanted if row.id is not None)
            if wanted:
                yield wanted
            if not page.has_next or fruitless >= _FRUITLESS_PAGES:
                break
            number += 1
        first_pass = False
        again = _again(stretch, windows=provider.capabilities.date_windows)
        if again is None:
            continue
        todo.extend(again)
        if not again:
            gaps.append(
                Gap(
                    since=stretch.since, until=stretch.until, announced=stretch.announced, found=stretch.found
                )
            )
    return tuple(gaps)


def _wanted(
    rows: Iterable[Movement],
    since: date | None,
    until: date | None,
    given: set[MovementId],
    *,
    anonymous_too: bool,
) -> tuple[Movement, ...]:
    """The rows to hand out: each id once, rows without an id only in the first pass, rows without a day always."""
    wanted: list[Movement] = []
    fresh: set[MovementId] = set()
    for row in rows:
        inside = row.post_date is None or (
            (since is None or row.post_date >= since) and (until is None or row.post_date <= until)
        )
        new = anonymous_too if row.id is None else row.id not in given and row.id not in fresh
        if inside and new:
            wanted.append(row)
            if row.id is not None:
                fresh.add(row.id)
    return tuple(wanted)


def _again(stretch: _Stretch, *, windows: bool) -> list[_Stretch] | None:
    """What to read again: ``None`` when the stretch is whole, nothing when it is given up."""
    short = stretch.announced is not None and stretch.found < stretch.announced
    if not short and (stretch.announced is not None or not stretch.repeated):
        return None
    if windows and short and (halves := _halves(stretch)):
        return halves
    if stretch.passes + 1 < _PASSES:
        return [_Stretch(since=stretch.since, until=stretch.until, passes=stretch.passes + 1)]
    return []


def _halves(stretch: _Stretch) -> list[_Stretch]:
    """Cut a stretch in two where half of what was found lies on either side; nothing for a single day."""
    since, until = stretch.since, stretch.until
    days = sorted(
        day for day in stretch.days if (since is None or day >= since) and (until is None or day <= until)
    )
    if not days or (since is not None and since == until):
        return []
    middle = days[(len(days) - 1) // 2]
    # Where everything found lies on the last day, the cut goes before it; on the first, after it.
    cut = middle if middle < (until or days[-1]) or middle == since else middle - _DAY
    return [_Stretch(since=since, until=cut), _Stretch(since=cut + _DAY, until=until)]
