"""Rows for a store of many links, written by the drivers' own ways for many rows.

Each link has an account, an intent that waits, one that is over with its log, and a settled delivery.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import sqlalchemy as sa

from bankbridge import policy_for
from bankbridge.codec import encode
from bankbridge.machine.advance import advance
from bankbridge.machine.attempt import WakePurpose
from bankbridge.machine.events import RefreshStarted, WokeUp
from bankbridge.machine.intent import RefreshIntent, Scope, WakeUp, new_intent
from bankbridge.machine.link import Link
from bankbridge.store.sql import SqlStore
from bankbridge.store.sql.tables import ACCOUNTS, DELIVERIES, INTENTS, LINKS, LOG, moment_in
from bankbridge.webhooks import Delivery
from bankbridge.words.ids import AccountId, ConnectionName, IntentId, LinkId, RefreshId
from bankbridge_rail import Rail
from tests.deliveries import payload

NAME = ConnectionName("rail")
START = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO, FAR_AWAY = START - timedelta(days=30), START + timedelta(days=3650)

_POLICY = policy_for(Rail.capabilities)
_CHUNK = 5000
# Scattered over the indexes, as ids are that nobody counts up.
_SPREAD = 0x9E3779B97F4A7C15


def name_of(index: int) -> str:
    """What the ids of one link and all that belongs to it have in common."""
    return f"{index * _SPREAD % 2**64:016x}"


def link_of(index: int) -> Link:
    """One of the links."""
    name = name_of(index)
    return Link(id=LinkId(f"link_{name}"), connection=NAME, accounts=(AccountId(f"acc_{name}"),))


def waiting(index: int, wake_at: datetime) -> RefreshIntent:
    """An intent that the provider works on, to be looked at again at ``wake_at``."""
    name, asked_at = name_of(index), wake_at - timedelta(minutes=1)
    wish = new_intent(
        intent_id=IntentId(f"rfi_{name}"),
        connection=NAME,
        link_id=link_of(index).id,
        scope=Scope.LATEST,
        attended=False,
        now=asked_at,
    )
    started = RefreshStarted(refresh_id=RefreshId(f"ri_{name}"), started_at=asked_at)
    woken = advance(wish, WokeUp(purpose=WakePurpose.CREATE), now=asked_at, policy=_POLICY).intent
    running = advance(woken, started, now=asked_at, policy=_POLICY).intent
    return attrs.evolve(running, wake=WakeUp(at=wake_at, purpose=WakePurpose.POLL), version=2)


def fill(store: SqlStore, number: int) -> None:
    """Write so many links and all that belongs to them."""
    if store._database.engine.dialect.name == "postgresql":
        _fill(store, number, _copy)
        return
    with _cache(store, "-2000000"):
        _fill(store, number, _insert)


@contextmanager
def _cache(store: SqlStore, size: str) -> Iterator[None]:
    """Room for the pages of all indexes, while they are written in no order."""
    _set_cache(store, size)
    yield
    _set_cache(store, "-2000")


def _set_cache(store: SqlStore, size: str) -> None:
    with store._database.engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA cache_size = {size}")


def _fill(store: SqlStore, number: int, load: Callable[..., None]) -> None:
    for first in range(0, number, _CHUNK):
        rows: dict[sa.Table, list[Mapping[str, Any]]] = {}
        for table, row in _rows(store, range(first, min(number, first + _CHUNK))):
            rows.setdefault(table, []).append(row)
        for table in (LINKS, ACCOUNTS, INTENTS, DELIVERIES, LOG):
            load(store, table, rows[table])


def _rows(store: SqlStore, indexes: range) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    link, running = encode(link_of(0)), encode(waiting(0, FAR_AWAY))
    over = running.replace("in_progress", "succeeded").replace("rfi_", "old_")
    event = json.dumps(payload("rail", "refresh_intent.succeeded")).encode()
    arrived = Delivery(connection=NAME, headers={}, body=event, received_at=LONG_AGO)
    delivery = store._sealer.seal_delivery(arrived)
    long_ago, far_away = moment_in(LONG_AGO), moment_in(FAR_AWAY)
    shown = {"attempt": 1, "before": "requested", "after": "in_progress"}

    def named(text: str, name: str) -> bytes:
        return text.replace(name_of(0), name).encode()

    seal_link, seal_intent = store._sealer._fernet.encrypt, store._sealer._seal

    for name in map(name_of, indexes):
        where = {"connection": NAME, "link_id": f"link_{name}"}
        ended = {"open": False, "wake_at": None, "ended_at": long_ago, "version": 4}
        open_ = {"open": True, "wake_at": far_away, "ended_at": None, "version": 2}
        yield LINKS, {"id": f"link_{name}", "connection": NAME, "document": seal_link(named(link, name))}
        yield ACCOUNTS, where | {"id": f"acc_{name}"}
        for prefix, columns, text in (("old", ended, over), ("rfi", open_, running)):
            document = {"id": f"{prefix}_{name}", "created_at": long_ago}
            document |= {"document": seal_intent(named(text, name))}
            yield INTENTS, where | columns | document
        received = {"id": f"rail/evt_{name}", "received_at": long_ago}
        yield DELIVERIES, received | {"result": "applied", "document": delivery}
        for word in ("RefreshStarted", "RefreshSucceeded"):
            yield LOG, shown | {"intent_id": f"old_{name}", "at": long_ago, "event": word}


def _insert(store: SqlStore, table: sa.Table, rows: list[Mapping[str, Any]]) -> None:
    columns, marks = ", ".join(f'"{column}"' for column in rows[0]), ", ".join("?" * len(rows[0]))
    statement = f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"  # noqa: S608 (our own names)
    with store._database.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        driver.executemany(statement, [tuple(row.values()) for row in rows])


def _copy(store: SqlStore, table: sa.Table, rows: list[Mapping[str, Any]]) -> None:
    columns = ", ".join(f'"{column}"' for column in rows[0])
    with store._database.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(tuple(row.values()))
