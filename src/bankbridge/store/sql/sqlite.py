"""SQLite: one file, written by one transaction at a time, durable at each commit."""

import sqlite3
import time
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError

from bankbridge.store.sql.databases import PATIENCE, Row, Verdict, origin_of
from bankbridge.words.errors import ConfigurationError

_PAUSE: Final = timedelta(milliseconds=5)

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
        event.listen(self.engine, "connect", _set_up)
        event.listen(self.engine, "begin", _begin)

    def add_deliveries(self, rows: Sequence[Row]) -> list[bool]:
        """One row is a transaction of its own; several share one."""
        with self.engine.connect() as checked_out:
            connection = cast("sqlite3.Connection", checked_out.connection.driver_connection)
            if len(rows) == 1:
                return [connection.execute(_ADD_DELIVERY, rows[0]).rowcount > 0]
            connection.execute("BEGIN IMMEDIATE")
            new = [connection.execute(_ADD_DELIVERY, row).rowcount > 0 for row in rows]
            connection.execute("COMMIT")
            return new

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
    cursor.execute(f"PRAGMA busy_timeout = {PATIENCE // timedelta(milliseconds=1)}")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _write_ahead(cursor: DBAPICursor) -> None:
    # Several processes may open a new file at once. SQLite does not wait here, since two that switch could wait
    # for each other for ever; whoever comes second finds it done.
    last_try_at = time.monotonic() + PATIENCE.total_seconds()
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > last_try_at:
                raise
            time.sleep(_PAUSE.total_seconds())
        else:
            return


def _begin(connection: sa.Connection) -> None:
    # The write lock at once: taken later, after a read, it could be refused for a stale snapshot.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
