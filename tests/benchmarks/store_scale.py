"""What waking, receiving and asking an outcome cost when a store holds many links: the same, whatever the number.

`grow` fills a store with links, each with an account, an intent that waits, one that is over with its log, and a
settled delivery; then it wakes some of the waiting intents (which poll a provider that answers at once), receives
the event that ends each of them, and asks for its outcome.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import sqlalchemy as sa

from bankbridge import BankBridge, policy_for
from bankbridge.codec import encode
from bankbridge.machine.advance import advance
from bankbridge.machine.attempt import WakePurpose
from bankbridge.machine.events import RefreshStarted, WokeUp
from bankbridge.machine.intent import RefreshIntent, Scope, WakeUp, new_intent
from bankbridge.machine.link import Link
from bankbridge.machine.status import Status
from bankbridge.store.sql import SqlStore, new_key, postgresql_store, sqlite_store
from bankbridge.store.sql.tables import ACCOUNTS, DELIVERIES, INTENTS, LINKS, LOG, moment_in
from bankbridge.webhooks import Delivery
from bankbridge.words.ids import AccountId, ConnectionName, IntentId, LinkId, RefreshId
from bankbridge_rail import Rail
from tests.databases import database, server
from tests.deliveries import payload, signed

NAME, SECRET = ConnectionName("rail"), "whsec_0123456789abcdef0123456789abcdef"
POLICY = policy_for(Rail.capabilities)
FLAT = 1.5
CALLS = 300
CHUNK = 5000

# Scattered over the indexes, as ids are that nobody counts up.
_SPREAD = 0x9E3779B97F4A7C15


def number_of(index: int) -> str:
    return f"{index * _SPREAD % 2**64:016x}"


def grow(numbers: Sequence[int]) -> None:
    """Print the cost at each number of links, and whether it is flat."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server_url = stack.enter_context(server(f"benchmark-{time.time_ns()}", durable=True))
        for kind in ("SQLite", "PostgreSQL"):
            costs = []
            for number in numbers:
                with ExitStack() as inner:
                    key = new_key()
                    if kind == "SQLite":
                        store = sqlite_store(folder / f"{number}.db", keys=[key])
                    else:
                        url = inner.enter_context(database(server_url))
                        store = postgresql_store(url, keys=[key], upgrade=True)
                    inner.callback(store.close)
                    began = time.monotonic()
                    fill(store, number)
                    print(f"{kind}: {number:,} links written in {time.monotonic() - began:.0f} s", flush=True)
                    costs.append(measured(store, number))
                    print("".join(f"  {what} {cost:7.0f} us" for what, cost in costs[-1].items()), flush=True)
            for what in costs[0]:
                ratio = costs[-1][what] / costs[0][what]
                verdict = "yes" if ratio <= FLAT else "NO"
                print(
                    f"{kind}, {what:20} {numbers[-1]:,} against {numbers[0]:,}: {ratio:5.2f} (at most {FLAT}: {verdict})"
                )


# --- filling

START = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO, FAR_AWAY = START - timedelta(days=30), START + timedelta(days=3650)


def link_of(index: int) -> Link:
    name = number_of(index)
    return Link(id=LinkId(f"link_{name}"), connection=NAME, accounts=(AccountId(f"acc_{name}"),))


def waiting(index: int, wake_at: datetime) -> RefreshIntent:
    """An intent that the provider works on, to be looked at again at ``wake_at``."""
    name, asked_at = number_of(index), wake_at - timedelta(minutes=1)
    intent = new_intent(
        intent_id=IntentId(f"rfi_{name}"),
        connection=NAME,
        link_id=link_of(index).id,
        scope=Scope.LATEST,
        attended=False,
        now=asked_at,
    )
    started = RefreshStarted(refresh_id=RefreshId(f"ri_{name}"), started_at=asked_at)
    woken = advance(intent, WokeUp(purpose=WakePurpose.CREATE), now=asked_at, policy=POLICY).intent
    running = advance(woken, started, now=asked_at, policy=POLICY).intent
    return attrs.evolve(running, wake=WakeUp(at=wake_at, purpose=WakePurpose.POLL), version=2)


def fill(store: SqlStore, number: int) -> None:
    """Write everything but what `measured` looks at, by the drivers' own ways for many rows."""
    load = _copy if store._database.engine.dialect.name == "postgresql" else _insert
    for first in range(0, number, CHUNK):
        rows = list(_rows(store, range(first, min(number, first + CHUNK))))
        for table in (LINKS, ACCOUNTS, INTENTS, DELIVERIES, LOG):
            load(store, table, [row for where, row in rows if where is table])


def _rows(store: SqlStore, indexes: range) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    seal: Callable[[bytes], bytes] = store._sealer._fernet.encrypt
    link, intent = encode(link_of(0)), encode(waiting(0, FAR_AWAY))
    over = intent.replace("in_progress", "succeeded").replace("rfi_", "old_")
    delivery = store._sealer.seal_delivery(
        Delivery(
            connection=NAME,
            headers={},
            body=json.dumps(payload("rail", "refresh_intent.succeeded")).encode(),
            received_at=LONG_AGO,
        )
    )
    created, ended, wakes = moment_in(LONG_AGO), moment_in(LONG_AGO) + 1, moment_in(FAR_AWAY)
    for index in indexes:
        name, link_id = number_of(index), link_of(index).id
        named = {"id": link_id, "connection": NAME}
        home = {"connection": NAME, "link_id": link_id, "created_at": created}
        mine: Callable[[str], bytes] = lambda text, name=name: seal(text.replace(number_of(0), name).encode())  # type: ignore[misc]  # noqa: E731
        yield LINKS, named | {"document": mine(link)}
        yield ACCOUNTS, {"id": f"acc_{name}", "connection": NAME, "link_id": link_id}
        yield (
            INTENTS,
            home
            | {
                "id": f"old_{name}",
                "open": False,
                "wake_at": None,
                "ended_at": ended,
                "version": 4,
                "document": mine(over),
            },
        )
        yield (
            INTENTS,
            home
            | {
                "id": f"rfi_{name}",
                "open": True,
                "wake_at": wakes,
                "ended_at": None,
                "version": 2,
                "document": mine(intent),
            },
        )
        yield (
            DELIVERIES,
            {"id": f"rail/evt_{name}", "received_at": created, "result": "applied", "document": delivery},
        )
        for event in ("RefreshStarted", "RefreshSucceeded"):
            yield (
                LOG,
                {
                    "intent_id": f"old_{name}",
                    "at": ended,
                    "event": event,
                    "attempt": 1,
                    "before": "requested",
                    "after": "in_progress",
                },
            )


def _insert(store: SqlStore, table: sa.Table, rows: list[Mapping[str, Any]]) -> None:
    columns = ", ".join(f'"{column}"' for column in rows[0])
    marks = ", ".join("?" for _ in rows[0])
    with store._database.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        driver.executemany(
            f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", [tuple(row.values()) for row in rows]
        )


def _copy(store: SqlStore, table: sa.Table, rows: list[Mapping[str, Any]]) -> None:
    columns = ", ".join(f'"{column}"' for column in rows[0])
    with store._database.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(tuple(row.values()))


# --- measuring


def measured(store: SqlStore, number: int) -> dict[str, float]:
    """The median cost of each thing, over intents that lie scattered among the others."""
    now = START
    event = payload("rail", "refresh_intent.succeeded")
    answers = httpx.MockTransport(
        lambda request: httpx.Response(
            200, json={"id": request.url.path.rpartition("/")[2], "status": "created"}
        )
    )
    rail = Rail(secret_key="rail_sk_test_1", webhook_secrets=(SECRET,))
    costs: dict[str, list[float]] = {"waking": [], "receiving": [], "asking an outcome": []}

    def timed(what: str, call: Callable[..., Any], *given: Any) -> Any:
        began = time.perf_counter()
        result = call(*given)
        costs[what].append((time.perf_counter() - began) * 1e6)
        return result

    with httpx.Client(transport=answers) as client:
        bridge = BankBridge({NAME: rail}, store=store, client=client, clock=lambda: now)
        for turn in range(CALLS):
            index = number * turn // CALLS
            now += timedelta(hours=1)
            intent = waiting(index, now)
            store.transact(lambda tx, due=intent: tx.save_intent(due, replaces=2))
            name = number_of(index)
            said = event | {"id": f"evt_new_{name}", "created_at": now.isoformat()}
            said["data"] = event["data"] | {
                "id": f"ri_{name}",
                "link_id": f"link_{name}",
                "completed_at": now.isoformat(),
            }
            body = json.dumps(said).encode()
            headers = signed("Rail-Signature", SECRET, body, now)
            assert timed("waking", bridge.wake_due) == 1
            assert timed("receiving", bridge.receive, NAME, headers, body).status == 200
            outcome = timed("asking an outcome", bridge.outcome, intent.id)
            assert outcome.status is Status.SUCCEEDED
    return {what: statistics.median(found[CALLS // 10 :]) for what, found in costs.items()}
