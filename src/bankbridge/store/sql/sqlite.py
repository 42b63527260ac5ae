"""SQLite: one file, written by one transaction at a time, durable at each commit."""

import sqlite3
import time
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError

from bankbridge.store.sql.databases import PATIENCE, Row, Verdict, origin_of
from bankbridge.words.errors import ConfigurationError

_T = TypeVar("_T")

# In seconds: how often it is looked whether the write lock is free; how long a transaction holds it that rests
# afterwards, and how long it does, so that whoever looks finds it free.
_PAUSE: Final = 0.0005
_LONG: Final = 0.005
_REST: Final = 0.0015

_ADD_DELIVERY: Final = (
    "INSERT INTO bankbridge_deliveries (id, received_at, document) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
)

# https://www.sqlite.org/rescode.html: the low byte says what it is about.
_UNAVAILABLE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)


class Sqlite:
    """A SQLite file. Raises `ConfigurationError` for a URL that names none."""

    errors = (DBAPIError, sqlite3.Error)

    def __init__(self, url: sa.URL) -> None:
        if not url.database or ":memory:" in url.database or url.query.get("mode") == "memory":
            msg = "store: a SQLite database in memory would be lost; name a file, or use MemoryStore"
            raise ConfigurationError([msg])
        if not Path(url.database).resolve().parent.is_dir():
            raise ConfigurationError([f"store: the folder of {url.database!r} does not exist; make it first"])
        # SQLite writes one transaction at a time; the threads of one process queue for one connection, which is
        # fairer and faster than polling for the file's lock.
        self.engine = sa.create_engine(
            url,
            hide_parameters=True,
            poolclass=sa.QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_timeout=PATIENCE.total_seconds(),
        )
        self.name = f"SQLite file {url.database!r}"
        self._began_at: float | None = None
        self._rests_until = 0.0
        event.listen(self.engine, "connect", _set_up)
        event.listen(self.engine, "begin", self._begin)
        event.listen(self.engine, "checkin", self._end)

    def add_deliveries(self, rows: Sequence[Row]) -> list[bool]:
        """One row is a transaction of its own; several share one."""
        with self.engine.connect() as checked_out:
            connection = cast("sqlite3.Connection", checked_out.connection.driver_connection)
            if len(rows) == 1:
                return [_in_turn(lambda: connection.execute(_ADD_DELIVERY, rows[0])).rowcount > 0]
            _in_turn(lambda: connection.execute("BEGIN IMMEDIATE"))
            new = [connection.execute(_ADD_DELIVERY, row).rowcount > 0 for row in rows]
            connection.execute("COMMIT")
            return new

    def _begin(self, connection: sa.Connection) -> None:
        time.sleep(max(0.0, self._rests_until - time.monotonic()))
        # The write lock at once: taken later, after a read, it could be refused for a stale snapshot.
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        _in_turn(lambda: driver.execute("BEGIN IMMEDIATE"))
        self._began_at = time.monotonic()

    def _end(self, *_: object) -> None:
        # Who held the lock for long leaves it free for a moment: others may wait, and nobody tells.
        now, began_at = time.monotonic(), self._began_at
        self._began_at = None
        if began_at is not None and now - began_at > _LONG:
            self._rests_until = now + _REST

    def mark(self, connection: sa.Connection, about: Collection[str]) -> None:
        """No two transactions run at once."""

    @contextmanager
    def upgrading(self) -> Generator[sa.Connection]:
        """Every transaction holds the write lock from its beginning, so this is one like the others."""
        with self.engine.begin() as connection:
            yield connection

    def judge(self, error: Exception) -> Verdict:
        """By the result code."""
        code = getattr(origin_of(error), "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        return Verdict.UNAVAILABLE if code & 0xFF in _UNAVAILABLE else Verdict.OURS

    def words(self, error: Exception) -> str:
        """SQLite never quotes a value."""
        return str(origin_of(error))


def _set_up(connection: DBAPIConnection, record: object) -> None:
    del record
    connection.isolation_level = None  # the driver must not begin transactions of its own: `_begin` does
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 1")  # `_in_turn` waits
    _in_turn(lambda: cursor.execute("PRAGMA journal_mode = WAL"))
    cursor.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _in_turn(take: Callable[[], _T]) -> _T:
    """Do what takes the write lock, waiting for its turn; raises SQLite's error when it does not come.

    SQLite would wait by looking ever more rarely, at last ten times a second, and between two looks a process that
    works without a pause has the lock again: others would hardly ever get it. For a new file that several processes
    open at once it would not wait at all.
    """
    give_up_at = time.monotonic() + PATIENCE.total_seconds()
    while True:
        try:
            return take()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
        time.sleep(_PAUSE)
