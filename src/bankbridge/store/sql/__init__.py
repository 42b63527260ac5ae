"""A store in a database, by SQLAlchemy Core: the only package that knows SQLAlchemy. SQLite is what is served now."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from bankbridge.store import Transaction
from bankbridge.store.sql.engines import engine_of
from bankbridge.store.sql.sealing import Sealer, new_key
from bankbridge.store.sql.tables import DELIVERIES, INTENTS, LINKS, SCHEMA_VERSION, open_schema
from bankbridge.store.sql.transaction import transaction_on

__all__ = ["SCHEMA_VERSION", "SqlStore", "new_key", "sqlite_store"]

_T = TypeVar("_T")


def sqlite_store(path: str | Path, *, keys: Sequence[str]) -> "SqlStore":
    """The store in the SQLite file ``path``, which is made if it is missing. Raises like `SqlStore`."""
    return SqlStore(sa.URL.create("sqlite", database=str(path)), keys=keys)


class SqlStore:
    """A store in the database at ``url`` (``sqlite:///path/to/file.db``), made on opening if it is missing.

    ``keys`` encrypt what is stored: the first seals, all open. Several threads and processes may share one
    database. Raises `StoreKeyError` without a key, `ConfigurationError` for a URL that is not served and for
    a database that a newer version has written.
    """

    def __init__(self, url: str | sa.URL, *, keys: Sequence[str]) -> None:
        self._sealer = Sealer(keys)
        self._engine = engine_of(url)
        try:
            with self._engine.begin() as connection:
                open_schema(connection)
        except BaseException:
            self._engine.dispose()
            raise

    def transact(self, work: Callable[[Transaction], _T]) -> _T:
        """Run ``work`` alone, and commit durably if it returns."""
        with self._engine.begin() as connection:
            return work(transaction_on(connection, self._sealer))

    def renew(self) -> int:
        """Seal every document with the first key, so that the others can be retired; how many there were."""
        with self._engine.begin() as connection:
            return sum(_renew(connection, table, self._sealer) for table in (LINKS, INTENTS, DELIVERIES))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def _renew(connection: sa.Connection, table: sa.Table, sealer: Sealer) -> int:
    keys = list(table.primary_key.columns)
    rows = connection.execute(sa.select(*keys, table.c.document)).all()
    for *key, sealed in rows:
        here = sa.and_(*(column == value for column, value in zip(keys, key, strict=True)))
        renewed = sealer.renew(sealed, f"{table.name} {key}")
        connection.execute(sa.update(table).where(here).values(document=renewed))
    return len(rows)
