"""What the databases do differently, behind one face: `bankbridge.store.sql.sqlite` and `.postgresql` fulfil it."""

import enum
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import cache
from typing import Final, Protocol, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

PATIENCE: Final = timedelta(seconds=30)
"""How long a transaction waits for others, for a connection and for one statement before it gives up."""

Row: TypeAlias = tuple[str, int, bytes]
"""A new delivery as the database holds it: id, when it was received, the sealed document."""


class Verdict(enum.Enum):
    """What an error of a database means."""

    AGAIN = "again"
    """Nothing was done, and trying again can help: somebody else was in the way, or a connection had died."""
    UNAVAILABLE = "unavailable"
    """It does not answer, or cannot do it now."""
    OURS = "ours"
    """A statement that the database does not understand, or data that it refuses: a mistake in here."""


class Database(Protocol):
    """One database, with its pool of connections."""

    @property
    def name(self) -> str:
        """What it is called, for people."""
        ...

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What can be raised by it: SQLAlchemy's errors, and the driver's where it is called directly."""
        ...

    @property
    def engine(self) -> sa.Engine:
        """Where its connections come from. Their transactions are isolated as `bankbridge.store.Store` promises."""
        ...

    def add_deliveries(self, rows: Sequence[Row]) -> list[bool]:
        """Put deliveries into the inbox in one durable commit, by the driver; for each, whether it is new."""
        ...

    def mark(self, connection: sa.Connection, about: Collection[str]) -> None:
        """At the end of a transaction that wrote: say what it was about.

        Of two that run at once and are about the same thing, whether it was there or not, one must then fail.
        """
        ...

    def upgrading(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that no other upgrade, and nothing that it must not meet, runs beside."""
        ...

    def judge(self, error: Exception) -> Verdict:
        """What an error means."""
        ...

    def words(self, error: Exception) -> str:
        """The database's own words for an error, without any secret."""
        ...


def origin_of(error: Exception) -> BaseException | None:
    """The driver's error, whether or not SQLAlchemy has wrapped it."""
    return error.orig if isinstance(error, DBAPIError) else error


# `ON CONFLICT` is not in Core itself; the databases that have it spell it alike.
_INSERTS: Final[dict[str, Callable[[sa.Table], sqlite.Insert | postgresql.Insert]]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}


@cache
def insert_new(backend: str, table: sa.Table) -> sa.Insert:
    """Insert a row unless any unique constraint stands against it; the row count tells which."""
    insert = _INSERTS[backend](table).on_conflict_do_nothing()
    return insert.inline().execution_options(preserve_rowcount=True)


@cache
def put(backend: str, table: sa.Table, *keys: str) -> sa.Insert:
    """Insert a row, or replace what the row with the same ``keys`` holds."""
    insert = _INSERTS[backend](table)
    held = {
        column.name: insert.excluded[column.name]
        for column in table.columns
        if column.name not in keys and column.name != "position"
    }
    return insert.on_conflict_do_update(index_elements=keys, set_=held).inline()
