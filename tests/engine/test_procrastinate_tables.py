"""What Procrastinate's engine needs in the inside: put there once, brought forward, and not mistaken."""

import contextlib
from datetime import timedelta

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from bankbridge.engine.procrastinate import ProcrastinateEngine, install, tables
from bankbridge.store.memory import MemoryStore
from bankbridge.store.sql import postgresql_store, sqlite_store
from bankbridge.words.errors import ConfigurationError
from tests.store import values as v


@pytest.fixture
def opened(empty, the_key):
    """A store in a database of its own, without anything for Procrastinate."""
    store = postgresql_store(empty, keys=[the_key], upgrade=True)
    yield store
    store.close()


@pytest.fixture
def connection(empty):
    with psycopg.connect(empty, autocommit=True) as connection:
        yield connection


def shape(connection):
    """Everything that a schema of Procrastinate's and ours is made of."""
    return connection.execute(
        "SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " UNION ALL SELECT 'column', table_name || '.' || column_name, data_type || column_default"
        " FROM information_schema.columns WHERE table_schema = 'public'"
        " UNION ALL SELECT 'function', proname, regexp_replace(prosrc, '\\s+', ' ', 'g') FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace"
        " UNION ALL SELECT 'trigger', tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
        " ORDER BY 1, 2, 3"
    ).fetchall()


def test_without_its_tables_it_says_what_to_run(opened):
    with pytest.raises(
        ConfigurationError, match=r"no tables for Procrastinate yet.*`bankbridge store upgrade`"
    ):
        ProcrastinateEngine(opened)


def test_putting_them_there_twice_changes_nothing(opened, connection):
    ProcrastinateEngine(opened, upgrade=True)
    once = shape(connection)
    ProcrastinateEngine(opened, upgrade=True)
    assert shape(connection) == once
    ProcrastinateEngine(opened)


def test_it_is_all_or_nothing(opened, connection):
    before = shape(connection)

    def fail(one):
        install(one.connection.driver_connection)
        raise LookupError

    with pytest.raises(LookupError):
        opened.upgrade(fail)
    assert shape(connection) == before


def test_an_older_one_is_brought_forward(opened, connection, server, the_key):
    """As Procrastinate 3.3 left it: its migrations up to then, one by one."""
    for name in sorted(tables._migrations()):
        if name < "03.04":
            connection.execute(tables._sql(f"migrations/{name}.sql"))
    connection.execute(tables._BESIDE)
    said = '{"migration": "03.03.00_01_pre_priority_lock_fetch_job", "ours": 1}'
    connection.execute(f"COMMENT ON FUNCTION bankbridge_ask_for_drain() IS '{said}'")
    with pytest.raises(
        ConfigurationError, match=r"tables for Procrastinate 03\.03.*`bankbridge store upgrade`"
    ):
        ProcrastinateEngine(opened)

    ProcrastinateEngine(opened, upgrade=True)
    functions = {name for kind, name, _ in shape(connection) if kind == "function"}
    assert {"procrastinate_retry_job_v2", "bankbridge_ask_for_drain"} <= functions
    store = opened
    store.add_deliveries([v.delivery("delivery_1")])
    assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (1,)


def test_a_newer_one_is_left_alone(opened, connection):
    ProcrastinateEngine(opened, upgrade=True)
    connection.execute(
        'COMMENT ON FUNCTION bankbridge_ask_for_drain() IS \'{"migration": "99.00.00_01", "ours": 1}\''
    )
    for upgrade in (False, True):
        with pytest.raises(ConfigurationError, match=r"99\.00\.00_01.*upgrade bankbridge and procrastinate"):
            ProcrastinateEngine(opened, upgrade=upgrade)


def test_somebody_elses_are_not_touched(opened, connection):
    connection.execute(SchemaManager.get_schema())
    before = shape(connection)
    for upgrade in (False, True):
        with pytest.raises(
            ConfigurationError, match="that are not ours: use another database, or another schema"
        ):
            ProcrastinateEngine(opened, upgrade=upgrade)
    assert shape(connection) == before


def test_a_store_elsewhere_cannot_have_it(tmp_path, the_key):
    with contextlib.closing(sqlite_store(tmp_path / "store.db", keys=[the_key])) as sqlite:
        for store in (MemoryStore(), sqlite):
            with pytest.raises(ConfigurationError, match="needs a store in PostgreSQL"):
                ProcrastinateEngine(store)


def test_settings_that_cannot_work_are_said(store):
    with pytest.raises(ConfigurationError) as error:
        ProcrastinateEngine(
            store, concurrency=0, look_every=timedelta(0), heartbeat=timedelta(9), gone_after=timedelta(10)
        )
    assert error.value.problems == (
        "engine.look_every: must be longer than nothing",
        "engine.concurrency: must be at least 1",
        "engine.gone_after: must be at least two heartbeats, so that one may be late",
    )


def test_what_waits_is_not_read_to_find_what_is_ready(inside, store):
    """One page of an index or so, with thousands of timers that are to come."""
    inside.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, scheduled_at)"
        " SELECT 'bankbridge', 'bankbridge.wake', n, now() + '1 hour' FROM generate_series(1, 20000) AS n"
    )
    inside.execute("ANALYZE procrastinate_jobs")
    fetch = (
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT id FROM procrastinate_fetch_job_v2('{bankbridge}', 1)"
    )
    inside.execute(fetch)
    plan = inside.execute(fetch).fetchone()[0][0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 100
