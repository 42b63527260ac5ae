"""The schema: one history for every database, what it makes, and what is said about one that does not fit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bankbridge.store import Pruned
from bankbridge.store.sql import REVISION, Migrated, migrate, postgresql_store, schema
from bankbridge.store.sql.sealing import Sealer
from bankbridge.store.sql.store import database_of
from bankbridge.store.sql.tables import SCHEMA, moment_in
from bankbridge.words.errors import ConfigurationError
from tests.store import values as v

NAMES = {*SCHEMA.tables, schema.VERSION_TABLE}


def history() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", "bankbridge.store.sql:migrations")
    return ScriptDirectory.from_config(config)


def at(place, revision: str) -> None:
    """Bring a database to an older schema."""
    database = database_of(place.url)
    with database.upgrading() as connection:
        schema.upgrade_to(connection, revision)
    database.engine.dispose()


def test_there_is_one_history_and_its_end_is_what_the_code_needs():
    scripts = history()
    assert scripts.get_heads() == [REVISION]
    numbers = [script.revision for script in scripts.walk_revisions()]
    assert sorted(numbers, reverse=True) == numbers, "revisions are compared by their numbers"


def test_the_migrations_make_the_tables_that_the_code_knows(place):
    place.open()
    engine = place.open()._database.engine
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _: kind != "table" or name in SCHEMA.tables,
    }
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), SCHEMA) == []


def test_every_name_in_the_database_has_the_prefix(place):
    place.open()
    assert place.tables() == NAMES
    if place.url.startswith("sqlite"):
        names = place.raw(
            "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_autoindex_bankbridge_%'"
        )
    else:
        names = place.raw("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    assert [name for (name,) in names if not name.startswith("bankbridge_")] == []


def test_adatabase_of_the_first_revision_is_upgraded_with_what_is_in_it(place, key):
    at(place, "0001")
    seal = Sealer([key])
    home = v.link("link_1", v.RAIL, "acc_1", token="link_token_x")
    over, silent, running = (
        v.ended(v.intent("intent_1", home)),
        v.ended(v.intent("intent_2", home)),
        v.intent("intent_3", home),
    )
    place.raw(
        "INSERT INTO bankbridge_links VALUES (:id, 'rail', :document)",
        id=home.id,
        document=seal.seal_link(home),
    )
    place.raw("INSERT INTO bankbridge_accounts VALUES ('acc_1', 'rail', 'link_1')")
    for position, one in enumerate((over, silent, running), start=1):
        place.raw(
            "INSERT INTO bankbridge_intents"
            " (position, id, connection, link_id, created_at, open, wake_at, version, document)"
            " VALUES (:position, :id, 'rail', 'link_1', :created_at, :open, NULL, :version, :document)",
            position=position,
            id=one.id,
            created_at=moment_in(one.created_at),
            open=one is running,
            version=one.version,
            document=seal.seal_intent(one),
        )
    for one, minute in ((over, 3), (over, 5), (running, 7)):
        place.raw(
            "INSERT INTO bankbridge_log (intent_id, at, event, attempt, before, after)"
            " VALUES (:id, :at, 'WokeUp', 1, 'requested', 'failed')",
            id=one.id,
            at=moment_in(v.minutes(minute)),
        )
    arrived = v.delivery("d_1")
    place.raw(
        "INSERT INTO bankbridge_deliveries (id, received_at, result, document) VALUES ('d_1', :at, NULL, :document)",
        at=moment_in(v.NOON),
        document=seal.seal_delivery(arrived.delivery),
    )

    assert migrate(place.url) == Migrated(before="0001", after=REVISION)
    store = place.open(upgrade=False)
    ended_at = dict(place.raw("SELECT id, ended_at FROM bankbridge_intents"))
    assert ended_at == {
        over.id: moment_in(v.minutes(5)),
        silent.id: moment_in(silent.created_at),
        running.id: None,
    }

    def look(tx):
        assert tx.link_of_account("acc_1") == home
        assert tx.intents(home, limit=9) == [running, silent, over]
        assert tx.open_intent(home) == running
        assert tx.waiting_deliveries(limit=9) == [arrived]

    store.transact(look)
    assert store.prune(before=v.minutes(4), intents=True) == Pruned(intents=1)
    assert store.prune(before=v.minutes(9), intents=True) == Pruned(intents=1, log=2)


def test_an_upgrade_that_fails_leaves_everything_as_it_was(place):
    at(place, "0001")
    place.raw("ALTER TABLE bankbridge_log RENAME TO moved")
    with pytest.raises(sa.exc.DBAPIError):
        migrate(place.url)
    place.raw("ALTER TABLE moved RENAME TO bankbridge_log")
    assert place.raw("SELECT version_num FROM bankbridge_revision") == [("0001",)]
    assert migrate(place.url) == Migrated(before="0001", after=REVISION)


def test_an_older_schema_is_refused_with_the_command_that_mends_it(place):
    at(place, "0001")
    with pytest.raises(
        ConfigurationError,
        match=r"has schema 0001, this bankbridge needs \d+: run `bankbridge store upgrade`",
    ):
        place.open(upgrade=False)
    assert place.raw("SELECT version_num FROM bankbridge_revision") == [("0001",)]


def test_postgresql_is_not_touched_unless_told(postgresql_url, key):
    with pytest.raises(ConfigurationError, match="has no tables of ours yet: run `bankbridge store upgrade`"):
        postgresql_store(postgresql_url, keys=[key])
    engine = sa.create_engine(postgresql_url.replace("postgresql:", "postgresql+psycopg:"))
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    assert migrate(postgresql_url) == Migrated(before=None, after=REVISION)
    postgresql_store(postgresql_url, keys=[key]).close()


@pytest.mark.parametrize("upgrade", [True, False])
def test_a_newer_schema_is_refused_and_left_alone(place, upgrade):
    v.with_link(place.open(), v.link())
    place.raw("UPDATE bankbridge_revision SET version_num = '9999'")
    with pytest.raises(
        ConfigurationError, match=f"has schema 9999, this bankbridge knows {REVISION}: upgrade bankbridge"
    ):
        place.open(upgrade=upgrade)
    with pytest.raises(ConfigurationError, match="upgrade bankbridge"):
        migrate(place.url)
    assert place.raw("SELECT count(*) FROM bankbridge_links") == [(1,)]
    assert place.raw("SELECT version_num FROM bankbridge_revision") == [("9999",)]


def test_opening_twice_makes_the_schema_once(place):
    place.open()
    place.open()
    assert migrate(place.url) == Migrated(before=REVISION, after=REVISION)
    assert place.raw("SELECT version_num FROM bankbridge_revision") == [(REVISION,)]


def test_many_who_open_a_new_database_at_once_make_it_once(place):
    gate = threading.Barrier(4)

    def come(_):
        gate.wait()
        return migrate(place.url)

    with ThreadPoolExecutor(4) as pool:
        before = [migrated.before for migrated in pool.map(come, range(4))]
    assert sorted(before, key=str) == [REVISION] * 3 + [None]


def test_the_applications_own_tables_may_lie_beside(place):
    place.raw("CREATE TABLE links (url TEXT)")
    place.raw("CREATE TABLE alembic_version (version_num TEXT)")
    place.raw("INSERT INTO alembic_version VALUES ('of the application')")
    v.with_link(place.open(), v.link())
    assert place.raw("SELECT count(*) FROM links") == [(0,)]
    assert place.raw("SELECT * FROM alembic_version") == [("of the application",)]


def test_a_table_of_somebody_else_with_our_name_is_not_touched(place):
    place.raw("CREATE TABLE bankbridge_links (url TEXT)")
    place.raw("INSERT INTO bankbridge_links VALUES ('https://example.com')")
    with pytest.raises(ConfigurationError, match="has a table bankbridge_links that is not ours"):
        place.open()
    assert place.tables() == {"bankbridge_links"}
    assert place.raw("SELECT * FROM bankbridge_links") == [("https://example.com",)]
