"""What lies in the database for the engine: Procrastinate's own tables, and what we put beside them.

The one place that touches Procrastinate's tables directly. Its own functions fail the transaction where a job with the
same key waits: so a timer is set in the place of another one, and a drain asked for where none waits, by statements of
our own. Everything else goes through Procrastinate's `JobManager`.

- ``procrastinate_*``: tables, types, functions and triggers as Procrastinate's own schema makes them.
- two indexes on ``procrastinate_jobs``. Procrastinate looks for a job by reading all that wait in the order of their
  priority, also those whose time has not come: 30 ms with 200,000 waiting timers, and 0.1 ms with these indexes.
- ``bankbridge_ask_for_drain()``, a trigger on our inbox, so that the job that drains a delivery is enqueued by the
  statement that stores it. Its comment says which of Procrastinate's migrations were run.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from importlib import resources
from typing import Final

import attrs
import psycopg
from psycopg import sql

from bankbridge.engine import Timer
from bankbridge.words.errors import ConfigurationError
from bankbridge.words.ids import IntentId

QUEUE: Final = "bankbridge"
WAKE: Final = "bankbridge.wake"
DRAIN: Final = "bankbridge.drain"

_CHANNEL: Final = f"procrastinate_queue_v1#{QUEUE}"
_OURS: Final = 1
"""Counted up when what we put beside Procrastinate's tables changes."""

# --- statements ------------------------------------------------------------------------------------------------------
# A queueing lock is the key of which one job at most waits. Timers have no lock: one that is to come would keep those
# that are ready from running. Drains have one: one at a time, since two would meet at the same links.

_SET_TIMERS: Final = f"""
    WITH put AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args, scheduled_at)
        SELECT '{QUEUE}', '{WAKE}', '{WAKE} ' || intent_id,
            jsonb_build_object('intent_id', intent_id, 'version', version), at
        FROM unnest(%s::text[], %s::int[], %s::timestamptz[]) AS timers (intent_id, version, at)
        ORDER BY intent_id
        ON CONFLICT (queueing_lock) WHERE status = 'todo'
        DO UPDATE SET args = excluded.args, scheduled_at = excluded.scheduled_at
        RETURNING id, scheduled_at
    ), due AS (
        SELECT min(id) AS id FROM put WHERE scheduled_at <= clock_timestamp()
    )
    -- Procrastinate tells its workers of a new row only, not of one that is due now instead of later.
    SELECT pg_notify('{_CHANNEL}', json_build_object('type', 'job_inserted', 'job_id', id)::text)
    FROM due WHERE id IS NOT NULL
"""  # noqa: S608 (names of our own)
_FORGET_TIMERS: Final = "DELETE FROM procrastinate_jobs WHERE queueing_lock = ANY(%s) AND status = 'todo'"
ASK_FOR_DRAIN: Final = f"""
    INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock)
    VALUES ('{QUEUE}', '{DRAIN}', 1, '{DRAIN}', '{DRAIN}')
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
"""  # noqa: S608 (names of our own)


def set_timers(connection: psycopg.Connection, timers: Sequence[Timer]) -> None:
    """Set timers, each in the place of its intent's earlier one, by one statement. Each intent comes once."""
    columns = (
        [timer.intent_id for timer in timers],
        [timer.version for timer in timers],
        [timer.at for timer in timers],
    )
    connection.execute(_SET_TIMERS, columns)


def forget_timers(connection: psycopg.Connection, intent_ids: Sequence[IntentId]) -> None:
    """Forget the timers that wait."""
    connection.execute(_FORGET_TIMERS, ([f"{WAKE} {intent_id}" for intent_id in intent_ids],))


# --- the schema ------------------------------------------------------------------------------------------------------

_MIGRATIONS: Final = resources.files("procrastinate.sql") / "migrations"
_BESIDE: Final = f"""
    CREATE INDEX IF NOT EXISTS bankbridge_jobs_due ON procrastinate_jobs (scheduled_at) WHERE status = 'todo';
    CREATE INDEX IF NOT EXISTS bankbridge_jobs_locked ON procrastinate_jobs (lock) WHERE lock IS NOT NULL;
    CREATE OR REPLACE FUNCTION bankbridge_ask_for_drain() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM added) THEN {ASK_FOR_DRAIN}; END IF;
        RETURN NULL;
    END $$;
    DROP TRIGGER IF EXISTS bankbridge_ask_for_drain ON bankbridge_deliveries;
    CREATE TRIGGER bankbridge_ask_for_drain AFTER INSERT ON bankbridge_deliveries
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION bankbridge_ask_for_drain();
"""
_LIVE: Final = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > clock_timestamp() - %s"
_FOUND: Final = """
    SELECT to_regclass('procrastinate_jobs') IS NOT NULL,
        obj_description(to_regproc('bankbridge_ask_for_drain'), 'pg_proc')
"""


@attrs.frozen(order=True)
class Installed:
    """How far what is in a database has come: the last of Procrastinate's migrations, and our own number."""

    migration: str
    ours: int = _OURS


def newest() -> Installed:
    """What the installed packages need."""
    return Installed(max(_migrations()))


def install(connection: psycopg.Connection) -> None:
    """Put in what is missing, in the transaction that the connection is in.

    Raises `ConfigurationError` where somebody else uses Procrastinate in the same schema, whose workers would take our
    jobs; and where a newer version has been here.
    """
    found, needed = installed(connection), newest()
    if found == needed:
        return
    if found is None:
        connection.execute(_sql("schema.sql"))
    else:
        _refuse_newer(found, needed)
        for name in sorted(name for name in _migrations() if name > found.migration):
            connection.execute(_sql(f"migrations/{name}.sql"))
    connection.execute(_BESIDE)
    said = sql.SQL("COMMENT ON FUNCTION bankbridge_ask_for_drain() IS {}")
    connection.execute(said.format(json.dumps(attrs.asdict(needed))))


def check(connection: psycopg.Connection) -> None:
    """Raises `ConfigurationError` where what is in the database is not what the installed packages need."""
    found, needed = installed(connection), newest()
    if found == needed:
        return
    if found is not None:
        _refuse_newer(found, needed)
    has = (
        "no tables for Procrastinate yet" if found is None else f"tables for Procrastinate {found.migration}"
    )
    raise ConfigurationError(
        [f"engine: the database has {has}, and {needed.migration} is needed: run `bankbridge store upgrade`"]
    )


def installed(connection: psycopg.Connection) -> Installed | None:
    """What is in the database. Raises `ConfigurationError` where it is not ours."""
    row = connection.execute(_FOUND).fetchone()
    assert row is not None  # noqa: S101 (it has no FROM)
    has_tables, said = row
    if said is not None:
        return Installed(**json.loads(said))
    if has_tables:
        msg = (
            "engine: the database has tables for Procrastinate that are not ours: use another database, or another "
            "schema (…?options=-csearch_path%3Dname)"
        )
        raise ConfigurationError([msg])
    return None


def live_workers(connection: psycopg.Connection, *, gone_after: timedelta) -> int:
    """How many workers have said within ``gone_after`` that they live, by the database's clock."""
    row = connection.execute(_LIVE, (gone_after,)).fetchone()
    assert row is not None  # noqa: S101 (it counts)
    return int(row[0])


def _refuse_newer(found: Installed, needed: Installed) -> None:
    if found > needed:
        msg = (
            f"engine: the database has tables for Procrastinate {found.migration}, installed is what needs "
            f"{needed.migration}: upgrade bankbridge and procrastinate"
        )
        raise ConfigurationError([msg])


def _migrations() -> list[str]:
    names = (file.name for file in _MIGRATIONS.iterdir())
    return [name.removesuffix(".sql") for name in names if name.endswith(".sql")]


def _sql(name: str) -> bytes:
    return (resources.files("procrastinate.sql") / name).read_bytes()
