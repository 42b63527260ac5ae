"""What a database says about itself, looked at without changing or making anything, for `bankbridge doctor`.

Only facts: what is good about them and what is not is for others to say.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import attrs
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bankbridge.store.sql.schema import REVISION, foreign_tables, revision_of
from bankbridge.store.sql.sealing import Renew, Sealer
from bankbridge.store.sql.statements import NEXT_WAKE_AT
from bankbridge.store.sql.store import database_of
from bankbridge.store.sql.tables import DELIVERIES, INTENTS, IS_WAITING, LINKS, LOG, SCHEMA
from bankbridge.words.errors import ConfigurationError, StoreKeyError, StoreUnavailableError

_T = TypeVar("_T")

PATIENCE: Final = timedelta(seconds=5)
"""How long a database may take for each thing that it is asked."""

SAMPLE: Final = 20
"""As many of the first and as many of the last rows of a table are opened, to see which key it takes."""

_SYNCHRONOUS: Final = ("off", "normal", "full", "extra")
_POSTGRESQL: Final = (
    "server_version",
    "server_encoding",
    "transaction_read_only",
    "synchronous_commit",
    "fsync",
    "full_page_writes",
    "max_connections",
)
_PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")


@attrs.frozen(kw_only=True)
class Server:
    """The database's settings as our sessions see them; how many connections are open, where it is a server."""

    settings: Mapping[str, str]
    connections: int | None = None


@attrs.frozen(kw_only=True)
class Schema:
    """The revision that is there (``None``: none of ours) and the needed one; what is in the way of working with it.

    ``foreign``: tables with our names that are not ours. ``forbidden``: what our role must not do with which table.
    """

    found: str | None
    needed: str = REVISION
    foreign: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Waiting:
    """What waits longest: a delivery since it was received, an intent since it was due."""

    oldest_delivery_at: datetime | None
    oldest_wake_at: datetime | None


@attrs.frozen(kw_only=True)
class Sealed:
    """Of so many rows that were opened, how many needed another key than the first, and how many none opens."""

    seen: int = 0
    older: int = 0
    locked: int = 0


class Inspection:
    """A look at one database, at a URL or in a SQLite file, which must be there: opening would make it.

    Nothing is asked before it is wanted, and everything by itself, so that what fails hides nothing else. Every
    method raises `StoreUnavailableError` where the database does not answer within `PATIENCE`, and
    `ConfigurationError` where it cannot serve us at all.
    """

    def __init__(self, where: str | Path) -> None:
        self._database = database_of(_impatient(where))
        self._backend = self._database.engine.dialect.name
        self.name = self._database.name
        file = self._database.engine.url.database
        if self._backend == "sqlite" and file is not None and not Path(file).exists():
            raise ConfigurationError([f"store: {self.name} does not exist"])
        self.makes_itself = self._backend == "sqlite"
        """Whether opening the store upgrades the schema."""
        event.listen(self._database.engine, "connect", _shorten[self._backend])

    def server(self) -> Server:
        """What the database is set to."""
        return self.ask(_sqlite if self._backend == "sqlite" else _postgresql)

    def clock(self) -> datetime | None:
        """Its time, where it has one of its own."""
        return self.ask(_clock)

    def schema(self) -> Schema:
        """What is in it."""
        return self.ask(_schema)

    def work(self) -> Waiting:
        """What waits. The schema must be the one that is needed."""
        return self.ask(_work)

    def sealed(self, keys: Sequence[str]) -> Sealed:
        """Which of the ``keys`` open some of what is stored. Raises `StoreKeyError` for keys that are none."""
        sealer = Sealer(keys)
        return self.ask(lambda connection: _sealed(connection, sealer))

    def close(self) -> None:
        """Let go of it."""
        self._database.engine.dispose()

    def ask(self, question: Callable[[sa.Connection], _T]) -> _T:
        """What a question on a connection finds. Nothing that it writes is kept."""
        try:
            with self._database.engine.connect() as connection:
                return question(connection)
        except PoolTimeoutError:  # pragma: no cover (we have the only connection)
            raise StoreUnavailableError(f"{self.name}: no connection became free") from None
        except self._database.errors as error:
            raise StoreUnavailableError(f"{self.name}: {self._database.words(error)}") from None


def _impatient(where: str | Path) -> str | Path:
    if isinstance(where, Path) or not where.startswith("postgres"):
        return where
    url = sa.make_url(where)
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": f"{PATIENCE.total_seconds():.0f}"})
    return url.render_as_string(hide_password=False)


def _shorten_sqlite(connection: DBAPIConnection, record: object) -> None:
    del record
    connection.cursor().execute(f"PRAGMA busy_timeout = {PATIENCE // timedelta(milliseconds=1)}")


def _shorten_postgresql(connection: DBAPIConnection, record: object) -> None:
    del record
    connection.cursor().execute(f"SET statement_timeout = '{PATIENCE.total_seconds():.0f}s'")
    connection.commit()


_shorten: Final[Mapping[str, Callable[[DBAPIConnection, object], None]]] = {
    "sqlite": _shorten_sqlite,
    "postgresql": _shorten_postgresql,
}


# --- questions -------------------------------------------------------------------------------------------


def _sqlite(connection: sa.Connection) -> Server:
    mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
    synchronous = int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    return Server(settings={"journal_mode": mode, "synchronous": _SYNCHRONOUS[synchronous]})


def _postgresql(connection: sa.Connection) -> Server:
    settings = sa.select(*(sa.func.current_setting(name).label(name) for name in _POSTGRESQL))
    found = connection.execute(settings).one()
    connections = sa.text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    return Server(
        settings=dict(zip(_POSTGRESQL, found, strict=True)),
        connections=connection.scalar(connections),
    )


def _clock(connection: sa.Connection) -> datetime | None:
    if connection.dialect.name == "sqlite":
        return None
    return connection.scalar(sa.select(sa.func.clock_timestamp()))


def _schema(connection: sa.Connection) -> Schema:
    found = revision_of(connection)
    if found is None:
        return Schema(found=None, foreign=tuple(foreign_tables(connection)))
    return Schema(found=found, forbidden=_forbidden(connection) if found == REVISION else ())


def _forbidden(connection: sa.Connection) -> tuple[str, ...]:
    if connection.dialect.name == "sqlite":
        return ()
    may = {
        f"{privilege} on {table}": sa.func.has_table_privilege(table, privilege)
        for table in SCHEMA.tables
        for privilege in _PRIVILEGES
    }
    answers = connection.execute(sa.select(*may.values())).one()
    return tuple(what for what, allowed in zip(may, answers, strict=True) if not allowed)


def _work(connection: sa.Connection) -> Waiting:
    received_at = DELIVERIES.c.received_at
    return Waiting(
        oldest_delivery_at=connection.scalar(sa.select(sa.func.min(received_at)).where(IS_WAITING)),
        oldest_wake_at=connection.scalar(NEXT_WAKE_AT),
    )


def _sealed(connection: sa.Connection, sealer: Sealer) -> Sealed:
    opens: Mapping[sa.Table, tuple[sa.Column[bytes], Renew]] = {
        LINKS: (LINKS.c.document, sealer.renew_link),
        INTENTS: (INTENTS.c.document, sealer.renew_often),
        DELIVERIES: (DELIVERIES.c.document, sealer.renew_often),
        LOG: (LOG.c.told, sealer.renew_often),
    }
    counted = Sealed()
    for table, (column, anew) in opens.items():
        for document in _sample(connection, table, column):
            counted = _with(counted, document, anew)
    return counted


def _sample(connection: sa.Connection, table: sa.Table, column: sa.Column[bytes]) -> set[bytes]:
    first = tuple(table.primary_key.columns)
    last = tuple(column.desc() for column in first)
    return {
        bytes(document)
        for order in (first, last)
        for document in connection.scalars(
            sa.select(column).where(column.is_not(None)).order_by(*order).limit(SAMPLE)
        )
    }


def _with(counted: Sealed, document: bytes, anew: Renew) -> Sealed:
    seen = counted.seen + 1
    try:
        older = anew(document, "") is not None
    except StoreKeyError:
        return attrs.evolve(counted, seen=seen, locked=counted.locked + 1)
    return attrs.evolve(counted, seen=seen, older=counted.older + older)
