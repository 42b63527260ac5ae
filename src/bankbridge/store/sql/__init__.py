"""A store in a database, by SQLAlchemy Core: in SQLite on one machine, in PostgreSQL on many.

The only package that knows SQLAlchemy.
"""

from bankbridge.store.sql.condition import Inspection, Schema, Sealed, Server, Waiting
from bankbridge.store.sql.schema import REVISION, Migrated
from bankbridge.store.sql.sealing import new_key
from bankbridge.store.sql.store import SqlStore, migrate, postgresql_store, sqlite_store
from bankbridge.store.sql.upkeep import Contents

__all__ = [
    "REVISION",
    "Contents",
    "Inspection",
    "Migrated",
    "Schema",
    "Sealed",
    "Server",
    "SqlStore",
    "Waiting",
    "migrate",
    "new_key",
    "postgresql_store",
    "sqlite_store",
]
