# ruff: noqa: T201 - what it measured is told on the terminal
"""What the durable ingest of a delivery costs, held against the bare floor measured beside it.

    python -m tests.benchmarks.store                        # alone and in batches, on SQLite and PostgreSQL
    python -m tests.benchmarks.store --links 10000,1000000  # what grows with the number of links; should be nothing

Every number is the median over calls in which floor and store take turns, so that what else the machine does hits
both. The floor is what a receiver without us would write: check the signature, parse the JSON, one insert that
de-duplicates by the event's id, one commit (WAL and synchronous=FULL; PostgreSQL as it comes).
"""

import argparse
import hashlib
import hmac
import itertools
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from bankbridge.store import StoredDelivery
from bankbridge.store.sql import SqlStore, new_key, postgresql_store, sqlite_store
from bankbridge.webhooks import Delivery, Verified
from bankbridge.words.ids import ConnectionName, DeliveryId
from bankbridge_rail import Rail
from tests.benchmarks.store_scale import grow
from tests.databases import database, server
from tests.deliveries import payload, signed

NAME, SECRET = ConnectionName("rail"), "whsec_0123456789abcdef0123456789abcdef"
BATCH = 100

Arrival = tuple[dict[str, str], bytes]
Take = Callable[[Sequence[Arrival]], None]


def arrivals() -> Iterator[Arrival]:
    """Genuine deliveries of some 500 bytes without end, each another event."""
    event = payload("rail", "refresh_intent.succeeded")
    for number in itertools.count():
        # Ids of events do not come in their order.
        scattered = hashlib.sha256(str(number).encode()).hexdigest()[:24]
        body = json.dumps(event | {"id": f"evt_{scattered}"}).encode()
        yield signed("Rail-Signature", SECRET, body, datetime.now(UTC)), body


# --- the floors


def checked(headers: dict[str, str], body: bytes) -> str:
    """The id of a genuine event."""
    written, _, given = headers["Rail-Signature"].partition(",")
    message = written[2:].encode() + b"." + body
    digest = hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(digest, given[3:])
    name: str = json.loads(body)["id"]
    return name


@contextmanager
def bare_sqlite(folder: Path) -> Iterator[Take]:
    """Python's own driver and nothing else."""
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE inbox (id TEXT PRIMARY KEY, received_at INTEGER NOT NULL, body BLOB NOT NULL)"
    )

    def take(some: Sequence[Arrival]) -> None:
        rows = [(checked(*one), time.time_ns(), one[1]) for one in some]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO inbox VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)
        connection.execute("COMMIT")

    yield take
    connection.close()


@contextmanager
def bare_postgresql(url: str) -> Iterator[Take]:
    """psycopg and nothing else: one statement that is its own transaction, or a pipeline of them in one."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE inbox (id text PRIMARY KEY, received_at bigint NOT NULL, body bytea NOT NULL)"
        )
        insert = "INSERT INTO inbox VALUES (%s, %s, %b) ON CONFLICT DO NOTHING"

        def take(some: Sequence[Arrival]) -> None:
            rows = [(checked(*one), time.time_ns(), one[1]) for one in some]
            if len(rows) == 1:
                connection.execute(insert, rows[0], prepare=True)
                return
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(insert, rows)

        yield take


# --- ours


def ingest(store: SqlStore) -> Take:
    """What a receiver does before it answers."""
    rail = Rail(secret_key="rail_sk_test_1", webhook_secrets=(SECRET,))

    def stored(headers: dict[str, str], body: bytes) -> StoredDelivery:
        now = datetime.now(UTC)
        delivery = Delivery(connection=NAME, headers=headers, body=body, received_at=now)
        assert isinstance(rail.verify(delivery, now=now), Verified)
        return StoredDelivery(id=DeliveryId(f"{NAME}/{rail.identity(delivery)}"), delivery=delivery)

    def take(some: Sequence[Arrival]) -> None:
        assert all(store.add_deliveries([stored(*one) for one in some]))

    return take


# --- the measurement


def microseconds(
    takes: dict[str, Take], source: Iterator[Arrival], *, size: int, calls: int
) -> dict[str, float]:
    """The median cost of one delivery in each way."""
    costs: dict[str, list[float]] = {name: [] for name in takes}
    for _ in range(calls):
        for name, take in takes.items():
            group = list(itertools.islice(source, size))
            began = time.perf_counter()
            take(group)
            costs[name].append((time.perf_counter() - began) / size * 1e6)
    warm = calls // 10
    return {name: statistics.median(found[warm:]) for name, found in costs.items()}


def report(what: str, costs: dict[str, float], most: float | None) -> None:
    """One line: the floor, ours, and how many times the floor that is."""
    floor, ours = costs.values()
    line = "" if most is None else f"   (at most {most}: {'yes' if ours / floor <= most else 'NO'})"
    print(f"{what:28} floor {floor:7.1f} us   ours {ours:7.1f} us   ratio {ours / floor:5.2f}{line}")


def ingesting(calls: int) -> None:
    """Print the ratios of one delivery and of a hundred, on both databases."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        key = new_key()
        lite = stack.enter_context(bare_sqlite(folder)), sqlite_store(folder / "store.db", keys=[key])
        url = stack.enter_context(
            database(stack.enter_context(server(f"benchmark-{time.time_ns()}", durable=True)))
        )
        post = stack.enter_context(bare_postgresql(url)), postgresql_store(url, keys=[key], upgrade=True)
        source = arrivals()
        for name, (floor, store), limits in (
            ("SQLite", lite, (1.5, 2.5)),
            ("PostgreSQL", post, (None, None)),
        ):
            takes = {"floor": floor, "ours": ingest(store)}
            report(f"{name}, one", microseconds(takes, source, size=1, calls=calls), limits[0])
            together = microseconds(takes, source, size=BATCH, calls=max(calls // 10, 1))
            report(f"{name}, {BATCH} together", together, limits[1])
            store.close()


def main() -> None:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--links", help="numbers of links, separated by commas, to hold against each other")
    parser.add_argument(
        "--calls", type=int, help="how often each way is taken (default: 3000, with --links 300)"
    )
    arguments = parser.parse_args()
    if arguments.links is None:
        ingesting(arguments.calls or 3000)
    else:
        grow([int(number) for number in arguments.links.split(",")], arguments.calls or 300)


if __name__ == "__main__":
    main()
