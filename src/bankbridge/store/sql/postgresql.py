"""PostgreSQL, through psycopg: for more than one machine.

A transaction reads as of its first statement (``REPEATABLE READ``), and what it changes must not have been changed
since. That leaves what it only looked at: two links of one bank login, each with a login left of the same budget; a
link that is not there, so that a notice is parked while somebody adds it. So a transaction that wrote anything counts
up a mark for everything that it was about, there or not; of two at once that were about the same thing, the second
one fails, and is run again. https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ

PostgreSQL's own ``SERIALIZABLE`` finds such pairs by itself, but takes what lies on the same page of an index for the
same thing: here a batch that drains a hundred deliveries hardly ever got through beside a few short transactions.
"""

import zlib
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError

from bankbridge.store.sql.databases import PATIENCE, Row, Verdict, origin_of
from bankbridge.words.errors import ConfigurationError

# One statement is a transaction of its own, and decides nothing on what others write.
_ADD_DELIVERY: Final = (
    "INSERT INTO bankbridge_deliveries (id, received_at, document) VALUES (%s, %s, %b) ON CONFLICT DO NOTHING"
)
_ADD_DELIVERIES: Final = (
    "INSERT INTO bankbridge_deliveries (id, received_at, document)"
    " SELECT * FROM unnest(%s::text[], %s::bigint[], %b::bytea[]) ON CONFLICT DO NOTHING RETURNING id"
)

# In the order of their numbers, so that no two wait for each other. So many that two things hardly share one, and so
# few that the table stays small.
_MARK: Final = (
    "INSERT INTO bankbridge_marks (mark, times) SELECT unnest(%s::int[]), 1"
    " ON CONFLICT (mark) DO UPDATE SET times = bankbridge_marks.times + 1"
)
_MARKS: Final = 2**20

# For our own sessions only. Every query of ours has an index that gives its rows in their order, and while a table's
# statistics are young the planner may still prefer to read all of it, to sort it for its first rows, or to join all of
# it to three hundred rows of another (20,000 open intents: 100 ms instead of 2). What has to be read or sorted whole
# still is. A commit that PostgreSQL has not written down is none. The times are `PATIENCE`.
_SETTINGS: Final = """
    SELECT set_config('statement_timeout', '30s', false),
        set_config('lock_timeout', '30s', false),
        set_config('idle_in_transaction_session_timeout', '30s', false),
        set_config('enable_seqscan', 'off', false),
        set_config('enable_sort', 'off', false),
        set_config('enable_hashjoin', 'off', false),
        set_config('enable_mergejoin', 'off', false),
        CASE current_setting('synchronous_commit')
            WHEN 'off' THEN set_config('synchronous_commit', 'on', false)
        END
"""

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_AGAIN: Final = frozenset({"40001", "40P01"})  # somebody else was first; deadlock
_UNAVAILABLE: Final = ("08", "25006", "28", "3D", "53", "55P03", "57", "58", "F0", "XX")

_UPGRADES: Final = 0x62616E6B  # the number of our advisory lock; any will do that no other program takes
_APPLICATION: Final = "bankbridge"


class Postgresql:
    """A PostgreSQL database. Raises `ConfigurationError` for a URL with another driver."""

    errors = (DBAPIError, psycopg.Error)

    def __init__(self, url: sa.URL, *, pool_size: int) -> None:
        driver = url.drivername.partition("+")[2]
        if driver not in ("", "psycopg"):
            raise ConfigurationError([f"store: the driver {driver} is not served; write postgresql://…"])
        if "password" in url.query:
            # Where SQLAlchemy knows that it must not be shown.
            url = url.set(password=str(url.query["password"])).difference_update_query(["password"])
        self._password = url.password
        self.engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="REPEATABLE READ",
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=PATIENCE.total_seconds(),
            connect_args=_not_in(url),
        )
        # Not the URL, which can hold a password in more than one place.
        self.name = f"PostgreSQL database {url.database!r} at {url.host or url.query.get('host')!r}"
        # Before SQLAlchemy looks at the database itself, which an encoding that is not served confuses.
        event.listen(self.engine, "connect", _set_up, insert=True)

    @property
    def arguments(self) -> dict[str, Any]:
        """What libpq needs to connect, for what opens connections of its own. Holds the password."""
        url = self.engine.url
        _, arguments = self.engine.dialect.create_connect_args(url)
        return {**_not_in(url), **arguments}

    def add_deliveries(self, rows: Sequence[Row]) -> list[bool]:
        """One statement, however many there are."""
        with self.engine.connect() as checked_out:
            connection = cast("psycopg.Connection", checked_out.connection.driver_connection)
            connection.autocommit = True
            try:
                if len(rows) == 1:
                    return [connection.execute(_ADD_DELIVERY, rows[0], prepare=True).rowcount > 0]
                columns = [list(column) for column in zip(*rows, strict=True)]
                added = {name for (name,) in connection.execute(_ADD_DELIVERIES, columns, prepare=True)}
                return _each_once(added, columns[0])
            finally:
                if not connection.closed:
                    connection.autocommit = False

    def mark(self, connection: sa.Connection, about: Collection[str]) -> None:
        """Count up the marks of what the transaction was about."""
        marks = sorted({zlib.crc32(what.encode(errors="surrogatepass")) % _MARKS for what in about})
        if marks:
            connection.exec_driver_sql(_MARK, (marks,))

    @contextmanager
    def upgrading(self) -> Generator[sa.Connection]:
        """Under a lock that only upgrades take; without its limit on time, since filling in a column may take long."""
        # What whoever was here before has changed must be seen, so the snapshot must not be older than the lock.
        committed = self.engine.execution_options(isolation_level="READ COMMITTED")
        with committed.begin() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADES)))
            yield connection

    def judge(self, error: Exception) -> Verdict:
        """By the SQLSTATE; an error of the connection has none."""
        original = origin_of(error)
        state = getattr(original, "sqlstate", None)
        if state in _AGAIN or _lost(error):
            return Verdict.AGAIN
        if state is None:
            return Verdict.UNAVAILABLE if isinstance(original, psycopg.OperationalError) else Verdict.OURS
        return Verdict.UNAVAILABLE if state.startswith(_UNAVAILABLE) else Verdict.OURS

    def words(self, error: Exception) -> str:
        """The first line; what follows may quote a row."""
        original = origin_of(error)
        first = next(iter(str(original).splitlines()), type(original).__name__)
        return first.replace(self._password, "***") if self._password else first


def _lost(error: Exception) -> bool:
    """Whether a connection that once stood is gone. The driver's own errors come from one that did."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or "57P")[:3] == "57P"


def _each_once(added: set[str], names: list[str]) -> list[bool]:
    """For each name whether it was added; of two copies the first was."""
    new: list[bool] = []
    for name in names:
        new.append(name in added)
        added.discard(name)
    return new


_CONNECTING: Final = {
    "application_name": _APPLICATION,
    "connect_timeout": 10,
    # A server that vanished without a word is noticed while we wait for it, not after the system's two hours.
    "tcp_user_timeout": 30_000,
}


def _not_in(url: sa.URL) -> dict[str, Any]:
    """What the URL says itself goes first."""
    return {name: value for name, value in _CONNECTING.items() if name not in url.query}


def _set_up(connection: DBAPIConnection, record: object) -> None:
    del record
    driver = cast("psycopg.Connection", connection)
    encoding = driver.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        driver.close()
        msg = f"store: the database's encoding is {encoding}; make one with ENCODING 'UTF8'"
        raise ConfigurationError([msg])
    driver.execute(_SETTINGS)
    driver.commit()
