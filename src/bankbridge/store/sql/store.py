"""The store itself: where transactions are run, and run again."""

import itertools
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bankbridge.store import Pruned, StoredDelivery, Transaction
from bankbridge.store.sql import schema, upkeep
from bankbridge.store.sql.databases import PATIENCE, Database, Verdict
from bankbridge.store.sql.sealing import Sealer
from bankbridge.store.sql.tables import moment_in, text_in
from bankbridge.store.sql.transaction import Outbox, run_on
from bankbridge.words.errors import ConfigurationError, StoreUnavailableError

_T = TypeVar("_T")

_LONGEST_PAUSE: Final = 0.25


def sqlite_store(path: str | Path, *, keys: Sequence[str], upgrade: bool = True) -> "SqlStore":
    """The store in the SQLite file ``path``, which is made if it is missing. Raises like `SqlStore`.

    A file of an older version is upgraded on opening, unless ``upgrade`` is false.
    """
    return SqlStore(Path(path), keys=keys, upgrade=upgrade)


def postgresql_store(
    url: str, *, keys: Sequence[str], pool_size: int = 10, upgrade: bool = False
) -> "SqlStore":
    """The store in the PostgreSQL database at ``url`` (``postgresql://user:password@host/database``).

    ``pool_size`` connections are opened at most, each when it is first needed. The schema is not touched unless
    ``upgrade`` is true: where several machines share a database, one of them upgrades it, with
    ``bankbridge store upgrade`` or `migrate`. Raises like `SqlStore`.
    """
    return SqlStore(url, keys=keys, upgrade=upgrade, pool_size=pool_size)


def migrate(where: str | Path, also: Callable[[sa.Connection], None] | None = None) -> schema.Migrated:
    """Bring the schema of a database to what this version needs: all of it or, if anything fails, nothing.

    ``where`` is a URL, or the path of a SQLite file. ``also`` is called after it in the same transaction, for what
    lies beside our tables. Raises like `SqlStore`.
    """
    database = database_of(where)
    try:
        return _again(database, lambda: schema.migrate(database, also))
    finally:
        database.engine.dispose()


def database_of(where: str | Path, *, pool_size: int = 1) -> Database:
    """The database at a URL, or in a SQLite file. Connects to nothing yet. Raises like `SqlStore`."""
    try:
        # No sign in a path means anything but itself.
        url = sa.URL.create("sqlite", database=str(where)) if isinstance(where, Path) else where
        parsed = sa.make_url(url)
    except ArgumentError:
        raise ConfigurationError([f"store: not a database URL; {_URLS}"]) from None
    match parsed.get_backend_name():
        case "sqlite":
            from bankbridge.store.sql.sqlite import Sqlite  # noqa: PLC0415 (one of the two)

            return Sqlite(parsed)
        case "postgresql" | "postgres":
            try:
                from bankbridge.store.sql.postgresql import Postgresql  # noqa: PLC0415 (needs a driver of its own)
            except ImportError as error:
                msg = f"store: {error.name} is missing: pip install 'bankbridge[postgresql]'"
                raise ConfigurationError([msg]) from None
            return Postgresql(parsed, pool_size=pool_size)
        case other:
            raise ConfigurationError([f"store: {other} is not served; {_URLS}"])


_URLS: Final = "write sqlite:///path/to/file.db or postgresql://user@host/database"


class SqlStore:
    """A store in a database: a SQLite file by its path, or one by its URL (``postgresql://user@host/database``).

    ``keys`` encrypt what is stored: the first seals, all open. Several threads and processes may share one
    database. Raises `StoreKeyError` without a key, `ConfigurationError` for a URL that is not served and for
    a database whose schema is newer, or older and not to be upgraded, `StoreUnavailableError` where it does not
    answer.
    """

    def __init__(
        self, where: str | Path, *, keys: Sequence[str], upgrade: bool = False, pool_size: int = 10
    ) -> None:
        self._sealer = Sealer(keys)
        self._database = database_of(where, pool_size=pool_size)
        self._outbox: Outbox | None = None
        try:
            _again(self._database, lambda: schema.open_schema(self._database, upgrade=upgrade))
        except BaseException:
            self._database.engine.dispose()
            raise

    @property
    def database(self) -> Database:
        """The database, for what shares it with the store."""
        return self._database

    def attach(self, outbox: Outbox) -> None:
        """Let ``outbox`` write down, in each transaction, which wake-ups it set; in the place of another one."""
        self._outbox = outbox

    def upgrade(self, also: Callable[[sa.Connection], None] | None = None) -> schema.Migrated:
        """As `migrate`, for this store."""
        return _again(self._database, lambda: schema.migrate(self._database, also))

    def transact(self, work: Callable[[Transaction], _T]) -> _T:
        """Run ``work`` isolated, and commit durably if it returns; again from its beginning if it was in the way."""
        return _again(self._database, lambda: self._once(work))

    def _once(self, work: Callable[[Transaction], _T]) -> _T:
        with self._database.engine.connect() as connection, connection.begin() as begun:
            result = run_on(self._database, connection, self._sealer, work, self._outbox)
            try:
                begun.commit()
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                msg = "store: the connection was lost at the commit: whether it went through is not known"
                raise StoreUnavailableError(msg) from None
        return result

    def add_deliveries(self, stored: Sequence[StoredDelivery]) -> Sequence[bool]:
        """Put deliveries into the inbox by one durable commit, without a round trip more than that needs."""
        if not stored:
            return []
        rows = [
            (text_in(one.id), moment_in(one.delivery.received_at), self._sealer.seal_delivery(one.delivery))
            for one in stored
        ]
        return _again(self._database, lambda: self._database.add_deliveries(rows))

    def prune(self, *, before: datetime, intents: bool = False) -> Pruned:
        """Forget what has been over since before ``before``; see `bankbridge.store.Store.prune`."""
        return upkeep.prune(self.run, before=before, intents=intents)

    def renew(self) -> int:
        """Seal every document with the first key, so that the others can be retired; how many there were.

        A little at a time, while others go on. What was renewed stays so if it is stopped, and is passed over
        when it is started again.
        """
        return upkeep.renew(self.run, self._sealer)

    def contents(self) -> upkeep.Contents:
        """What the store holds, in numbers. Counts every row, so it is not for a loop."""
        return self.run(lambda connection: upkeep.contents(connection, self._database.name))

    def close(self) -> None:
        """Let go of the database."""
        self._database.engine.dispose()

    def run(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Run ``work`` in a transaction, for what shares the database; as often as `transact` would."""

        def once() -> _T:
            with self._database.engine.begin() as connection:
                return work(connection)

        return _again(self._database, once)


def _again(database: Database, once: Callable[[], _T]) -> _T:
    """The one place where anything is run on a database: what met others is run again, what failed is said clearly.

    Raises `StoreUnavailableError`; an error of the database that means a mistake in here is let through.
    """
    give_up_at = time.monotonic() + PATIENCE.total_seconds()
    for tries in itertools.count():
        try:
            return once()
        except PoolTimeoutError:
            msg = f"store: no connection became free within {PATIENCE.total_seconds():g} s"
            raise StoreUnavailableError(msg) from None
        except database.errors as error:
            verdict = database.judge(error)
            if verdict is Verdict.OURS:
                raise
            if verdict is Verdict.UNAVAILABLE or time.monotonic() > give_up_at:
                msg = f"store: {database.name}: {database.words(error)}"
                raise StoreUnavailableError(msg) from None
        # Those who met must not meet again at the same moment.
        time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.001 * 2**tries)))  # noqa: S311 (not a secret)
    raise AssertionError  # pragma: no cover (the loop has no end)
