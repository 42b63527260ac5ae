"""The schema of a database: which revision it has, and the way to the one that this version needs."""

from collections.abc import Callable
from typing import Final

import attrs
import sqlalchemy as sa

from bankbridge.store.sql.databases import Database
from bankbridge.store.sql.tables import SCHEMA
from bankbridge.words.errors import ConfigurationError

REVISION: Final = "0003"
"""The newest migration's, which this version reads and writes."""

VERSION_TABLE: Final = "bankbridge_revision"

_VERSIONS: Final = sa.Table(VERSION_TABLE, sa.MetaData(), sa.Column("version_num", sa.Text))


@attrs.frozen(kw_only=True)
class Migrated:
    """The revisions before (``None``: a new database) and after."""

    before: str | None
    after: str


def open_schema(database: Database, *, upgrade: bool) -> None:
    """See that the database has the schema that is needed; where it has not, ``upgrade`` it or say so.

    Raises `ConfigurationError`.
    """
    with database.engine.connect() as connection:
        found = revision_of(connection)
    if found == REVISION:
        return
    if upgrade:
        migrate(database)
        return
    _refuse_newer(found)
    has = "no tables of ours yet" if found is None else f"schema {found}, this bankbridge needs {REVISION}"
    raise ConfigurationError([f"store: the database has {has}: run `bankbridge store upgrade`"])


def migrate(database: Database, also: Callable[[sa.Connection], None] | None = None) -> Migrated:
    """Bring the schema to what this version needs, all or nothing; whoever comes second finds it done.

    ``also`` is called after it in the same transaction, for what lies beside our tables. Raises `ConfigurationError`
    for a database that a newer version has written, and for one with tables of our names that are not ours.
    """
    with database.upgrading() as connection:
        found = revision_of(connection)
        if found is None:
            _refuse_foreign(connection)
        _refuse_newer(found)
        if found != REVISION:
            upgrade_to(connection, REVISION)
        if also is not None:
            also(connection)
    return Migrated(before=found, after=REVISION)


def upgrade_to(connection: sa.Connection, revision: str) -> None:
    """Run the migrations up to ``revision`` in the transaction that the connection is in."""
    from alembic import command  # noqa: PLC0415 (Alembic takes longer to import than most stores to open)
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "bankbridge.store.sql:migrations")
    config.set_main_option("path_separator", "os")
    command.upgrade(config, revision)


def revision_of(connection: sa.Connection) -> str | None:
    """The revision that a database has; ``None`` where there is none of ours."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(sa.select(_VERSIONS.c.version_num))
    return found


def _refuse_newer(found: str | None) -> None:
    if found is not None and found > REVISION:
        msg = f"store: the database has schema {found}, this bankbridge knows {REVISION}: upgrade bankbridge"
        raise ConfigurationError([msg])


def foreign_tables(connection: sa.Connection) -> list[str]:
    """In a database without a revision of ours: the tables that have our names all the same."""
    return sorted(SCHEMA.tables.keys() & set(sa.inspect(connection).get_table_names()))


def _refuse_foreign(connection: sa.Connection) -> None:
    if foreign := foreign_tables(connection):
        msg = (
            f"store: the database has a table {foreign[0]} that is not ours, since it has no {VERSION_TABLE}: "
            "use another database or another schema"
        )
        raise ConfigurationError([msg])
