"""Links, accounts, intents, deliveries, parked notices, the log, and marks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# PostgreSQL would sort a text by a language of the server's choice.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
# SQLite counts by itself only in a column of this type.
_POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _links()
    _intents()
    _deliveries()
    _log()
    op.create_table(
        "bankbridge_marks",
        sa.Column("mark", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("times", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("mark", name="bankbridge_marks_pkey"),
    )


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=nullable)


def _position() -> sa.Column[int]:
    return sa.Column("position", _POSITION, nullable=False, autoincrement=True)


def _document() -> sa.Column[bytes]:
    return sa.Column("document", sa.LargeBinary, nullable=False)


def _link_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["link_id", "connection"],
        ["bankbridge_links.id", "bankbridge_links.connection"],
        name=f"{table}_link_id_connection_fkey",
    )


def _some(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    """An index of some rows only."""
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _links() -> None:
    op.create_table(
        "bankbridge_links",
        _id("id"),
        _id("connection"),
        _document(),
        sa.PrimaryKeyConstraint("id", "connection", name="bankbridge_links_pkey"),
    )
    op.create_table(
        "bankbridge_accounts",
        _id("id"),
        _id("connection"),
        _id("link_id"),
        sa.PrimaryKeyConstraint("id", "connection", name="bankbridge_accounts_pkey"),
        _link_key("bankbridge_accounts"),
    )


def _intents() -> None:
    op.create_table(
        "bankbridge_intents",
        _position(),
        _id("id"),
        _id("connection"),
        _id("link_id"),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("wake_at", sa.BigInteger),
        sa.Column("version", sa.Integer, nullable=False),
        _document(),
        sa.PrimaryKeyConstraint("position", name="bankbridge_intents_pkey"),
        sa.UniqueConstraint("id", name="bankbridge_intents_id_key"),
        _link_key("bankbridge_intents"),
    )
    is_open = "open IS true" if op.get_bind().dialect.name == "postgresql" else "open IS 1"
    _some("bankbridge_one_open_intent", "bankbridge_intents", ["link_id", "connection"], is_open, unique=True)
    op.create_index(
        "bankbridge_intents_by_link",
        "bankbridge_intents",
        ["link_id", "connection", "created_at", "position"],
    )
    _some("bankbridge_intents_due", "bankbridge_intents", ["wake_at", "position"], "wake_at IS NOT NULL")


def _deliveries() -> None:
    op.create_table(
        "bankbridge_deliveries",
        _position(),
        _id("id"),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        _id("result", nullable=True),
        _document(),
        sa.PrimaryKeyConstraint("position", name="bankbridge_deliveries_pkey"),
        sa.UniqueConstraint("id", name="bankbridge_deliveries_id_key"),
    )
    _some(
        "bankbridge_deliveries_waiting",
        "bankbridge_deliveries",
        ["received_at", "position"],
        "result IS NULL",
    )
    op.create_table(
        "bankbridge_parked",
        _position(),
        _id("delivery_id"),
        sa.Column("notice", sa.Integer, nullable=False),
        _id("connection"),
        _id("refresh_id", nullable=True),
        _id("link_id", nullable=True),
        _id("account_id", nullable=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("position", name="bankbridge_parked_pkey"),
        sa.UniqueConstraint("delivery_id", "notice", name="bankbridge_parked_delivery_id_notice_key"),
    )
    op.create_index("bankbridge_parked_until", "bankbridge_parked", ["until"])
    for subject in ("refresh_id", "link_id", "account_id"):
        op.create_index(f"bankbridge_parked_by_{subject}", "bankbridge_parked", [subject, "connection"])


def _log() -> None:
    op.create_table(
        "bankbridge_log",
        _position(),
        _id("intent_id"),
        sa.Column("at", sa.BigInteger, nullable=False),
        _id("event"),
        sa.Column("attempt", sa.Integer, nullable=False),
        _id("before"),
        _id("after"),
        _id("said", nullable=True),
        _id("delivery_id", nullable=True),
        sa.PrimaryKeyConstraint("position", name="bankbridge_log_pkey"),
    )
    op.create_index("bankbridge_log_by_intent", "bankbridge_log", ["intent_id", "position"])
