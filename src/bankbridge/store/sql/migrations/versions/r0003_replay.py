"""What a replay needs: the events that no delivery says, and when a delivery was drained."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns, empty: what is older cannot be replayed."""
    op.add_column("bankbridge_log", sa.Column("told", sa.LargeBinary))
    op.add_column("bankbridge_deliveries", sa.Column("settled_at", sa.BigInteger))
