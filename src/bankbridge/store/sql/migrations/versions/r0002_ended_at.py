"""When an intent ended, so that logs and intents can be pruned by age."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# The documents are sealed, so the end is taken from the log, whose last line is written at it or after.
_FROM_THE_LOG = """
    UPDATE bankbridge_intents
    SET ended_at = coalesce(
        (SELECT max(at) FROM bankbridge_log WHERE bankbridge_log.intent_id = bankbridge_intents.id), created_at
    )
    WHERE NOT open
"""


def upgrade() -> None:
    """Add the column, and fill it in for what has ended."""
    op.add_column("bankbridge_intents", sa.Column("ended_at", sa.BigInteger))
    op.execute(_FROM_THE_LOG)
