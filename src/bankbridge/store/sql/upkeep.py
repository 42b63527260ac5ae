"""Keeping a store of years: forgetting what is over, sealing anew, counting. In steps that stand in nobody's way."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import attrs
import sqlalchemy as sa

from bankbridge.store import Pruned
from bankbridge.store.sql.schema import REVISION
from bankbridge.store.sql.sealing import Renew, Sealer
from bankbridge.store.sql.tables import (
    DELIVERIES,
    INTENTS,
    IS_OPEN,
    IS_WAITING,
    LINKS,
    LOG,
    PARKED,
    Moment,
    Text,
)

_T = TypeVar("_T")

STEP: Final = 500
"""Rows that one transaction looks at: some milliseconds, so that nobody waits long for it."""


class Run(Protocol):
    """Runs work in a transaction of its own, as often as it takes."""

    def __call__(self, work: Callable[[sa.Connection], _T], /) -> _T:
        """What the work returns."""
        ...


# --- forgetting ------------------------------------------------------------------------------------------

_BEFORE: Final = sa.bindparam("before", type_=Moment)
_AFTER: Final = sa.bindparam("after", type_=sa.BigInteger)
_LAST: Final = sa.bindparam("last", type_=sa.BigInteger)

_NOT_OVER: Final = sa.exists().where(
    INTENTS.c.id == LOG.c.intent_id,
    sa.or_(INTENTS.c.ended_at.is_(None), INTENTS.c.ended_at >= _BEFORE),
)
_IS_PARKED: Final = sa.exists().where(PARKED.c.delivery_id == DELIVERIES.c.id)


@attrs.frozen(kw_only=True)
class _Walk:
    """Through a table in the order of arrival, from its oldest row until nothing is old enough any more.

    So it needs no index of its own, which every insert would have to pay for.
    """

    table: sa.Table
    written_at: sa.Column[datetime]
    over: sa.ColumnElement[bool]

    @property
    def look(self) -> sa.Executable:
        """The positions of the next rows, and when the oldest of them was written."""
        position = self.table.c.position
        step = (
            sa.select(position, self.written_at.label("at"))
            .where(position > _AFTER)
            .order_by(position)
            .limit(STEP)
            .subquery()
        )
        return sa.select(sa.func.max(step.c.position).label("last"), sa.func.min(step.c.at).label("oldest"))

    @property
    def forget(self) -> sa.Delete:
        """What is over among them."""
        position = self.table.c.position
        return sa.delete(self.table).where(position > _AFTER, position <= _LAST, self.over)


_INTENTS: Final = _Walk(table=INTENTS, written_at=INTENTS.c.created_at, over=INTENTS.c.ended_at < _BEFORE)
_LOG: Final = _Walk(table=LOG, written_at=LOG.c.at, over=sa.and_(LOG.c.at < _BEFORE, ~_NOT_OVER))
_DELIVERIES: Final = _Walk(
    table=DELIVERIES,
    written_at=DELIVERIES.c.received_at,
    over=sa.and_(DELIVERIES.c.received_at < _BEFORE, ~IS_WAITING, ~_IS_PARKED),
)
_PARKED: Final = _Walk(table=PARKED, written_at=PARKED.c.until, over=PARKED.c.until < _BEFORE)


def prune(run: Run, *, before: datetime, intents: bool) -> Pruned:
    """Forget what has been over since before ``before``; see `bankbridge.store.Store.prune`."""
    return Pruned(
        intents=_walk(run, _INTENTS, before) if intents else 0,
        log=_walk(run, _LOG, before),
        # Before the deliveries, which are kept for them.
        parked=_walk(run, _PARKED, before),
        deliveries=_walk(run, _DELIVERIES, before),
    )


def _walk(run: Run, walk: _Walk, before: datetime) -> int:
    forgotten, after = 0, -1

    def step(connection: sa.Connection) -> tuple[int, int] | None:
        seen = connection.execute(walk.look, {"after": after}).one()
        if seen.last is None or seen.oldest >= before:
            return None
        given = {"after": after, "last": seen.last, "before": before}
        return seen.last, connection.execute(walk.forget, given).rowcount

    while (done := run(step)) is not None:
        after = done[0]
        forgotten += done[1]
    return forgotten


# --- sealing anew ----------------------------------------------------------------------------------------


def renew(run: Run, sealer: Sealer) -> int:
    """Seal every document with the first key; how many were sealed with another."""
    return (
        _renew(run, LINKS, sealer.renew_link)
        + _renew(run, INTENTS, sealer.renew_often)
        + _renew(run, DELIVERIES, sealer.renew_often)
        + _renew(run, LOG, sealer.renew_often, column=LOG.c.told)
    )


def _renew(run: Run, table: sa.Table, anew: Renew, column: sa.Column[bytes] | None = None) -> int:
    column = table.c.document if column is None else column
    keys = list(table.primary_key.columns)
    renewed = 0
    # Before every key there is: the empty text, or the number before the first.
    after: Sequence[Any] = ["" if isinstance(key.type, Text) else -1 for key in keys]

    def step(connection: sa.Connection) -> tuple[Sequence[Any], int] | None:
        next_ones = sa.tuple_(*keys) > sa.tuple_(*after) if len(keys) > 1 else keys[0] > after[0]
        rows = sa.select(*keys, column).where(next_ones).order_by(*keys).limit(STEP)
        found = connection.execute(rows).all()
        count = 0
        for *key, sealed in found:
            document = None if sealed is None else anew(sealed, f"{table.name} {key}")
            if document is not None:
                here = sa.and_(*(column == value for column, value in zip(keys, key, strict=True)))
                connection.execute(sa.update(table).where(here).values({column: document}))
                count += 1
        return (found[-1][:-1], count) if found else None

    while (done := run(step)) is not None:
        after = done[0]
        renewed += done[1]
    return renewed


# --- counting --------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Contents:
    """What a store holds. Times are ``None`` where there is nothing."""

    database: str
    schema: str
    links: int
    open_intents: int
    ended_intents: int
    next_wake_at: datetime | None
    waiting_deliveries: int
    oldest_waiting_at: datetime | None
    settled_deliveries: int
    parked: int
    log: int


def contents(connection: sa.Connection, database: str) -> Contents:
    """Count everything, as of one moment."""

    def count(table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        return connection.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0

    def first(column: sa.Column[datetime], where: sa.ColumnElement[bool]) -> datetime | None:
        return connection.scalar(sa.select(sa.func.min(column)).where(where))

    return Contents(
        database=database,
        schema=REVISION,
        links=count(LINKS),
        open_intents=count(INTENTS, IS_OPEN),
        ended_intents=count(INTENTS, ~IS_OPEN),
        next_wake_at=first(INTENTS.c.wake_at, INTENTS.c.wake_at.is_not(None)),
        waiting_deliveries=count(DELIVERIES, IS_WAITING),
        oldest_waiting_at=first(DELIVERIES.c.received_at, IS_WAITING),
        settled_deliveries=count(DELIVERIES, ~IS_WAITING),
        parked=count(PARKED),
        log=count(LOG),
    )
