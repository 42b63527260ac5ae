"""What Alembic runs: the steps that are missing, on the connection and in the transaction that it is handed.

The steps are in `versions`, in the order of their numbers, and are the same for every database. One that is released
never changes any more, and imports nothing of ours: it must mean the same for ever.
"""

from alembic import context

from bankbridge.store.sql.schema import VERSION_TABLE
from bankbridge.store.sql.tables import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SCHEMA,
    version_table=VERSION_TABLE,
)
context.run_migrations()
