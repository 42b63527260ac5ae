"""The tables and their indexes, as the newest migration leaves them.

Links, intents, deliveries and the events that the log keeps are sealed (`bankbridge.store.sql.sealing`); what is asked
for by (ids, times, whether an intent is open) lies beside them in columns. Times are whole microseconds since 1970 in
UTC: they sort, compare and come back exactly, in every database. A test holds the tables against the migrations.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# PostgreSQL takes no NUL in a text, and no database takes half a surrogate pair. JSON can say both, so a provider
# can send them in an id or in its words; they are written as a backslash and four digits, and come back as sent.
_ODD: Final = re.compile("[\\\\\x00\ud800-\udfff]")
_WRITTEN: Final = re.compile(r"\\([0-9a-f]{4})")


def moment_in(value: datetime) -> int:
    """A time as it is stored."""
    return (value - _EPOCH) // _MICROSECOND


def text_in(value: str) -> str:
    """A text as it is stored."""
    if _ODD.search(value) is None:
        return value
    return _ODD.sub(lambda found: f"\\{ord(found[0]):04x}", value)


class Moment(sa.types.TypeDecorator[datetime]):
    """A time, exact to the microsecond."""

    impl = sa.BigInteger
    cache_ok = True
    """It has no state, so statements that hold it can be kept."""

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Python's value as the database's."""
        del dialect
        return None if value is None else moment_in(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ANN401 (as the base class)
        """The database's value as Python's."""
        del dialect
        return None if value is None else _EPOCH + value * _MICROSECOND


class Text(sa.types.TypeDecorator[str]):
    """Any text that Python can hold, sorted by its characters and not by a language."""

    impl = sa.Text
    cache_ok = True
    """It has no state, so statements that hold it can be kept."""

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """PostgreSQL's default order differs from server to server, and from one system library to the next."""
        return sa.Text(collation="C" if dialect.name == "postgresql" else None)

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Python's value as the database's."""
        del dialect
        return None if value is None else text_in(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> str | None:  # noqa: ANN401 (as the base class)
        """The database's value as Python's."""
        del dialect
        if value is None or "\\" not in value:
            return value
        return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), value)


# --- the schema ------------------------------------------------------------------------------------------
# All names have a prefix, so that the application can keep its own tables beside them, and follow a rule, so that a
# migration can name what it changes. `position` is the order of arrival. SQLite counts by itself only in a column
# of type INTEGER, which is 64 bits wide there.

SCHEMA: Final = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    }
)
_Position: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _position() -> sa.Column[int]:
    return sa.Column("position", _Position, primary_key=True, autoincrement=True)


LINKS: Final = sa.Table(
    "bankbridge_links",
    SCHEMA,
    sa.Column("id", Text, primary_key=True),
    sa.Column("connection", Text, primary_key=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
)

ACCOUNTS: Final = sa.Table(
    "bankbridge_accounts",
    SCHEMA,
    sa.Column("id", Text, primary_key=True),
    sa.Column("connection", Text, primary_key=True),
    sa.Column("link_id", Text, nullable=False),
    sa.ForeignKeyConstraint(["link_id", "connection"], [LINKS.c.id, LINKS.c.connection]),
)

INTENTS: Final = sa.Table(
    "bankbridge_intents",
    SCHEMA,
    _position(),
    sa.Column("id", Text, nullable=False, unique=True),
    sa.Column("connection", Text, nullable=False),
    sa.Column("link_id", Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("wake_at", Moment),
    sa.Column("ended_at", Moment),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.ForeignKeyConstraint(["link_id", "connection"], [LINKS.c.id, LINKS.c.connection]),
)
IS_OPEN: Final = INTENTS.c.open.is_(True)
WAKES: Final = INTENTS.c.wake_at.is_not(None)
sa.Index(
    "bankbridge_one_open_intent",
    *(INTENTS.c.link_id, INTENTS.c.connection),
    unique=True,
    sqlite_where=IS_OPEN,
    postgresql_where=IS_OPEN,
)
sa.Index(
    "bankbridge_intents_by_link",
    *(INTENTS.c.link_id, INTENTS.c.connection, INTENTS.c.created_at, INTENTS.c.position),
)
sa.Index(
    "bankbridge_intents_due",
    *(INTENTS.c.wake_at, INTENTS.c.position),
    sqlite_where=WAKES,
    postgresql_where=WAKES,
)

DELIVERIES: Final = sa.Table(
    "bankbridge_deliveries",
    SCHEMA,
    _position(),
    sa.Column("id", Text, nullable=False, unique=True),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("result", Text),
    sa.Column("settled_at", Moment),
    sa.Column("document", sa.LargeBinary, nullable=False),
)
IS_WAITING: Final = DELIVERIES.c.result.is_(None)
sa.Index(
    "bankbridge_deliveries_waiting",
    *(DELIVERIES.c.received_at, DELIVERIES.c.position),
    sqlite_where=IS_WAITING,
    postgresql_where=IS_WAITING,
)

PARKED: Final = sa.Table(
    "bankbridge_parked",
    SCHEMA,
    _position(),
    sa.Column("delivery_id", Text, nullable=False),
    sa.Column("notice", sa.Integer, nullable=False),
    sa.Column("connection", Text, nullable=False),
    sa.Column("refresh_id", Text),
    sa.Column("link_id", Text),
    sa.Column("account_id", Text),
    sa.Column("until", Moment, nullable=False),
    sa.UniqueConstraint("delivery_id", "notice"),
    sa.Index("bankbridge_parked_until", "until"),
)
SUBJECT: Final = ("refresh_id", "link_id", "account_id")
for _name in SUBJECT:
    sa.Index(f"bankbridge_parked_by_{_name}", PARKED.c[_name], PARKED.c.connection)

LOG: Final = sa.Table(
    "bankbridge_log",
    SCHEMA,
    _position(),
    sa.Column("intent_id", Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("event", Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("before", Text, nullable=False),
    sa.Column("after", Text, nullable=False),
    sa.Column("said", Text),
    sa.Column("delivery_id", Text),
    sa.Column("told", sa.LargeBinary),
    sa.Index("bankbridge_log_by_intent", "intent_id", "position"),
)

# What transactions were about, for the database in which they run at once (`bankbridge.store.sql.postgresql`).
MARKS: Final = sa.Table(
    "bankbridge_marks",
    SCHEMA,
    sa.Column("mark", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("times", sa.BigInteger, nullable=False),
)
