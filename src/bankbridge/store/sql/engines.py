"""From a URL to an engine, by database: everything that is special about one database is here."""

import sqlite3
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError

from bankbridge.words.errors import ConfigurationError

_PATIENCE: Final = timedelta(seconds=30)
"""How long a transaction waits for the one before it."""
_PAUSE: Final = timedelta(milliseconds=5)


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    if not url.database or ":memory:" in url.database or url.query.get("mode") == "memory":
        msg = "store: a SQLite database in memory would be lost; name a file, or use MemoryStore"
        raise ConfigurationError([msg])
    if not Path(url.database).resolve().parent.is_dir():
        raise ConfigurationError([f"store: the folder of {url.database!r} does not exist; make it first"])
    # SQLite writes one transaction at a time; the threads of one process queue for one connection, which is
    # fairer and faster than polling for the file's lock.
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        poolclass=sa.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=_PATIENCE.total_seconds(),
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: DBAPIConnection, record: object) -> None:
    del record
    connection.isolation_level = None  # the driver must not begin transactions of its own: `_begin` does
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_PATIENCE // timedelta(milliseconds=1)}")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _write_ahead(cursor: DBAPICursor) -> None:
    # Several processes may open a new file at once. SQLite does not wait here, since two that switch could wait
    # for each other for ever; whoever comes second finds it done.
    last_try_at = time.monotonic() + _PATIENCE.total_seconds()
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


_SERVED: Final[Mapping[str, Callable[[sa.URL], sa.Engine]]] = {"sqlite": _sqlite_engine}

# `ON CONFLICT` is not in Core itself; the databases that have it spell it alike.
_INSERTS: Final = {"sqlite": sqlite.insert}


def engine_of(url: str | sa.URL) -> sa.Engine:
    """The engine for a URL. Raises `ConfigurationError` for one that is not served."""
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        msg = "store: not a database URL; write sqlite:///path/to/file.db"
        raise ConfigurationError([msg]) from None
    backend = parsed.get_backend_name()
    if backend not in _SERVED:
        raise ConfigurationError([f"store: {backend} is not served; write sqlite:///path/to/file.db"])
    return _SERVED[backend](parsed)


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
