"""Accounts and their movements: what the bank shows, at what moment, in which order.

undocumented: the movement; no page of Rail's shows one. A movement follows from its account and its number alone, so
that none needs to be kept: 0 and up are those of the new account and then of its syncs, below 0 older ones.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

import attrs

from bankbridge_rail.emulator.ids import Ids

MOVEMENTS_PER_ACCOUNT: Final = (65, 8, 31)
"""How many movements the first, second, third … account of a new link has; then from the start again."""

NEW_MOVEMENTS: Final = (3, 2, 0)
"""How many a successful sync finds at the first, second, third … account; then from the start again."""

UNCONFIRMED: Final = 2
"""How many of an account's newest movements the bank has not confirmed yet."""

JITTER: Final = 10
"""How far, in rows, an unstable page moves a row. Of 1,495 it then loses about 160, as was recorded of Fintoc."""

_BETWEEN_OWN: Final = timedelta(hours=6)


@attrs.frozen
class AccountKind:
    """A product of a bank, as https://docs.rail.cl/concepts/accounts types it."""

    name: str
    type: str
    currency: str
    limit: int | None = None


ACCOUNT_KINDS: Final = (
    AccountKind("Cuenta Vista", "checking", "CLP"),
    AccountKind("Tarjeta de Crédito Visa", "credit_card", "CLP", limit=5_000_000),
    AccountKind("Cuenta de Ahorro", "savings", "CLP"),
    AccountKind("Cuenta Corriente Dólar", "checking", "USD"),
)


@attrs.define(eq=False)
class Oddity:
    """What is different about one movement: when it can be read, its date, how often it was changed."""

    visible_at: datetime | None = None
    gone_at: datetime | None = None
    posted_at: datetime | None = None
    revision: int = 0

    def is_shown(self, now: datetime) -> bool:
        """Whether the movement can be read at that moment."""
        return (self.visible_at is None or self.visible_at <= now) and (
            self.gone_at is None or now < self.gone_at
        )


@attrs.define(eq=False, kw_only=True)
class Account:
    """An account: its first movements, those that syncs found, and those from before the first."""

    id: str
    link_id: str
    index: int
    kind: AccountKind
    number: str = attrs.field(repr=False)
    created_at: datetime
    last_sync_at: datetime
    removed_at: datetime | None = None
    syncs: int = 0
    found: list[datetime] = attrs.field(factory=list[datetime])
    older: list[datetime] = attrs.field(factory=list[datetime])
    oddities: dict[int, Oddity] = attrs.field(factory=dict[int, Oddity])
    is_unstable: bool = False
    pages_read: Counter[int] = attrs.field(factory=Counter[int])

    @property
    def own(self) -> int:
        """How many movements the account had when it was first seen."""
        return MOVEMENTS_PER_ACCOUNT[self.index % len(MOVEMENTS_PER_ACCOUNT)]

    @property
    def numbers(self) -> range:
        """The numbers of all movements, the newest first."""
        return range(self.own + len(self.found) - 1, -len(self.older) - 1, -1)

    @property
    def oldest_at(self) -> datetime:
        """The moment of the oldest movement that is dated as its number says."""
        return self.older[-1] if self.older else self.posted_at(0, is_odd=False)

    def is_confirmed(self, number: int) -> bool:
        """Whether the bank has confirmed a movement: all but the newest ones."""
        return number < self.own + len(self.found) - UNCONFIRMED

    def posted_at(self, number: int, *, is_odd: bool = True) -> datetime:
        """When a movement happened."""
        oddity = self.oddities.get(number) if is_odd else None
        if oddity is not None and oddity.posted_at is not None:
            return oddity.posted_at
        if number < 0:
            return self.older[-number - 1]
        if number < self.own:
            return self.created_at - _BETWEEN_OWN * (self.own - number)
        return self.found[number - self.own]

    def odd(self, number: int) -> Oddity:
        """What is different about a movement, to be changed."""
        return self.oddities.setdefault(number, Oddity())

    def shown(self, now: datetime) -> list[int]:
        """The numbers of the movements that can be read now, the newest first."""
        if not self.oddities:
            return list(self.numbers)
        rows = [
            number
            for number in self.numbers
            if (oddity := self.oddities.get(number)) is None or oddity.is_shown(now)
        ]
        if any(oddity.posted_at for oddity in self.oddities.values()):
            rows.sort(key=lambda number: (self.posted_at(number), number), reverse=True)
        return rows

    def sync(self, at: datetime) -> range:
        """Find what is new; its numbers."""
        before = self.own + len(self.found)
        self.found.extend([at] * NEW_MOVEMENTS[self.index % len(NEW_MOVEMENTS)])
        self.last_sync_at = at
        self.syncs += 1
        return range(before, before + NEW_MOVEMENTS[self.index % len(NEW_MOVEMENTS)])

    def add_older(self, count: int, every: timedelta) -> None:
        """Let the bank show ``count`` movements from before the oldest, so far apart."""
        first = self.oldest_at
        self.older.extend(first - every * number for number in range(1, count + 1))


def unsettled(ids: Ids, account: Account, rows: list[int], page: int) -> list[int]:
    """The rows in the order that this reading of this page happens to see; the next one sees another."""
    account.pages_read[page] += 1
    key = ("page", account.id, page, account.pages_read[page])
    digest = ids.hex(64, *key)
    moved = sorted(
        enumerate(rows),
        key=lambda row: (row[0] + _spread(digest, row[1]) * JITTER, row[0]),
    )
    return [number for _, number in moved]


def _spread(digest: str, number: int) -> float:
    """From -1 to 1, by page and row; a hash per row would be slow."""
    mixed = (int(digest[:16], 16) ^ (number * 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9
    return ((mixed >> 32) & 0xFFFF) / 0x8000 - 1
