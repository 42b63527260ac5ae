"""The tables and their indexes, and their making.

Links, intents and deliveries are sealed documents (`bankbridge.store.sql.sealing`); what is asked for by (ids,
times, whether an intent is open) lies beside them in columns. Times are whole microseconds since 1970 in UTC: they
sort, compare and come back exactly, in every database.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from bankbridge.words.errors import ConfigurationError

SCHEMA_VERSION: Final = 1

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class _Moment(sa.types.TypeDecorator[datetime]):
    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        del dialect
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ANN401 (as the base class)
        del dialect
        return None if value is None else _EPOCH + value * _MICROSECOND


# --- the schema ------------------------------------------------------------------------------------------
# The names have a prefix, so that the application can keep its own tables beside them. `position` is the order
# of arrival. SQLite counts by itself only in a column of type INTEGER, which is 64 bits wide there.

SCHEMA: Final = sa.MetaData()
_Position: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _position() -> sa.Column[int]:
    return sa.Column("position", _Position, primary_key=True, autoincrement=True)


SCHEMA_ROW: Final = sa.Table(
    "bankbridge_schema", SCHEMA, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False)
)

LINKS: Final = sa.Table(
    "bankbridge_links",
    SCHEMA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
)

ACCOUNTS: Final = sa.Table(
    "bankbridge_accounts",
    SCHEMA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("link_id", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["link_id", "connection"], [LINKS.c.id, LINKS.c.connection]),
)

INTENTS: Final = sa.Table(
    "bankbridge_intents",
    SCHEMA,
    _position(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("link_id", sa.Text, nullable=False),
    sa.Column("created_at", _Moment, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("wake_at", _Moment),
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
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("received_at", _Moment, nullable=False),
    sa.Column("result", sa.Text),
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
    sa.Column("delivery_id", sa.Text, nullable=False),
    sa.Column("notice", sa.Integer, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("refresh_id", sa.Text),
    sa.Column("link_id", sa.Text),
    sa.Column("account_id", sa.Text),
    sa.Column("until", _Moment, nullable=False, index=True),
    sa.UniqueConstraint("delivery_id", "notice"),
)
SUBJECT: Final = ("refresh_id", "link_id", "account_id")
for _name in SUBJECT:
    sa.Index(f"bankbridge_parked_by_{_name}", PARKED.c[_name], PARKED.c.connection)

LOG: Final = sa.Table(
    "bankbridge_log",
    SCHEMA,
    _position(),
    sa.Column("intent_id", sa.Text, nullable=False),
    sa.Column("at", _Moment, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("said", sa.Text),
    sa.Column("delivery_id", sa.Text),
    sa.Index("bankbridge_log_by_intent", "intent_id", "position"),
)


def open_schema(connection: sa.Connection) -> None:
    """Make what is missing. Raises `ConfigurationError` when a newer version has been here."""
    SCHEMA_ROW.create(connection, checkfirst=True)
    version = connection.scalar(sa.select(SCHEMA_ROW.c.version))
    if version is None:
        SCHEMA.create_all(connection)
        connection.execute(sa.insert(SCHEMA_ROW).values(version=SCHEMA_VERSION))
    elif version > SCHEMA_VERSION:
        msg = f"store: the database has schema {version}, this bankbridge knows {SCHEMA_VERSION}: upgrade bankbridge"
        raise ConfigurationError([msg])
