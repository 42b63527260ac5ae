# ruff: noqa: T201 - what it measured is told on the terminal
"""What it costs to apply deliveries that wait in the inbox, on SQLite and on PostgreSQL.

    python -m tests.benchmarks.drain
    python -m tests.benchmarks.drain --links 5000 --limit 100
    python -m tests.benchmarks.drain --database sqlite --profile drain.prof

At each provider so many links wait for a refresh. What the providers say of them is in the inbox, first the first
word of every refresh, then the second of every one, as it is when many run side by side: a batch hardly ever holds
two words about one link. Then the inbox is drained, and every intent must be where it belongs.

CPU is what our process used, and what PostgreSQL's did. Wall time is with nothing else in the way.
"""

import argparse
import cProfile
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from bankbridge import BankBridge, Status, policy_for
from bankbridge.engine import BATCH
from bankbridge.machine.advance import advance
from bankbridge.machine.attempt import WakePurpose
from bankbridge.machine.events import RefreshStarted, WokeUp
from bankbridge.machine.intent import RefreshIntent, Scope, new_intent
from bankbridge.machine.link import Link
from bankbridge.provider import Provider
from bankbridge.shells.inbox import drain
from bankbridge.store import Store, StoredDelivery, Transaction
from bankbridge.store.sql import new_key, postgresql_store, sqlite_store
from bankbridge.webhooks import Delivery
from bankbridge.words.ids import AccountId, ConnectionName, DeliveryId, IntentId, LinkId, RefreshId
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail
from tests.databases import database, server
from tests.deliveries import payload, signed

SECRET = "whsec_0123456789abcdef0123456789abcdef"
START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
DURING, LATER = START + timedelta(seconds=40), START + timedelta(minutes=1)
RAIL, FINTOC = ConnectionName("rail"), ConnectionName("fintoc")
PROVIDERS: Mapping[str, Provider] = {
    RAIL: Rail(secret_key="rail_sk_test_1", webhook_secrets=(SECRET,)),
    FINTOC: Fintoc(secret_key="sk_test_1", webhook_secrets=(SECRET,)),
}
HEADERS = {RAIL: "Rail-Signature", FINTOC: "Fintoc-Signature"}
ACCOUNTS = 2
# Scattered over the indexes, as ids are that nobody counts up.
_SPREAD = 0x9E3779B97F4A7C15


def name_of(index: int) -> str:
    """What the ids of one link and all that belongs to it have in common."""
    return f"{index * _SPREAD % 2**64:016x}"


# --- before


def link_of(connection: ConnectionName, index: int) -> Link:
    """One of the links."""
    name = name_of(index)
    accounts = tuple(AccountId(f"acc_{name}_{number}") for number in range(ACCOUNTS))
    token = f"link_{name}_token_0123456789" if connection == FINTOC else None
    return Link(id=LinkId(f"link_{name}"), connection=connection, token=token, accounts=accounts)


def running(link: Link) -> RefreshIntent:
    """An intent of its own, which the provider works on."""
    name = link.id.removeprefix("link_")
    policy = policy_for(PROVIDERS[link.connection].capabilities)
    wish = new_intent(
        intent_id=IntentId(f"rfi_{link.connection}_{name}"),
        connection=link.connection,
        link_id=link.id,
        scope=Scope.LATEST,
        attended=False,
        now=START,
    )
    started = RefreshStarted(
        refresh_id=RefreshId(f"ri_{name}"),
        started_at=START,
        expected=link.accounts if link.connection == FINTOC else None,
    )
    asked = advance(wish, WokeUp(purpose=WakePurpose.CREATE), now=START, policy=policy).intent
    return advance(asked, started, now=START, policy=policy).intent


def fill(store: Store, connection: ConnectionName, indexes: range) -> None:
    """Store links with their intents under way."""

    def add(tx: Transaction) -> None:
        for index in indexes:
            link = link_of(connection, index)
            tx.save_link(link)
            tx.add_intent(running(link))

    store.transact(add)


# --- what the providers say


def rail_story(name: str) -> list[dict[str, Any]]:
    """One refresh at Rail, from its first word to its last."""
    created, succeeded = (
        payload("rail", "refresh_intent.created"),
        payload("rail", "refresh_intent.succeeded"),
    )
    refreshed = payload("rail", "link.refreshed")
    for event in (created, succeeded):
        event["data"] |= {"id": f"ri_{name}", "link_id": f"link_{name}"}
    refreshed["data"]["id"] = f"link_{name}"
    return [created, refreshed, succeeded]


def fintoc_story(name: str) -> list[dict[str, Any]]:
    """One refresh at Fintoc: a word for each account, and none for the whole."""
    words = []
    for number in range(ACCOUNTS):
        word = payload("fintoc", "account.refresh_intent.succeeded.public_error_null")
        word["mode"] = "live"
        word["data"] |= {"refreshed_object_id": f"acc_{name}_{number}", "created_at": START.isoformat()}
        words.append(word)
    return words


STORIES = {RAIL: rail_story, FINTOC: fintoc_story}


def deliveries(links: int) -> Iterator[StoredDelivery]:
    """Everything that is said of every refresh, all first words first."""
    events = [
        (step, index, connection, event)
        for connection, story in STORIES.items()
        for index in range(links)
        for step, event in enumerate(story(name_of(index)))
    ]
    for number, (_, _, connection, event) in enumerate(sorted(events, key=lambda said: said[:2])):
        event |= {"id": f"evt_{name_of(number)}", "created_at": DURING.isoformat()}
        body = json.dumps(event).encode()
        arrived = Delivery(
            connection=connection,
            headers=signed(HEADERS[connection], SECRET, body, LATER),
            body=body,
            received_at=LATER + timedelta(microseconds=number),
        )
        yield StoredDelivery(id=DeliveryId(f"{connection}/{event['id']}"), delivery=arrived)


# --- the measurement


def measure(
    name: str,
    store: Store,
    links: int,
    limit: int,
    server_cpu: "ServerCpu | None",
    profile: cProfile.Profile | None,
) -> None:
    """Fill a store, drain it, look whether everything is right, and print what it cost."""
    for connection in STORIES:
        for first in range(0, links, 500):
            fill(store, connection, range(first, min(links, first + 500)))
    waiting = list(deliveries(links))
    for first in range(0, len(waiting), 500):
        store.add_deliveries(waiting[first : first + 500])
    news: list[object] = []
    bridge = BankBridge(PROVIDERS, store=store, on_news=news.append, clock=lambda: LATER)
    wall, cpu = time.perf_counter(), time.process_time()
    theirs = 0.0 if server_cpu is None else server_cpu.seconds()
    drained = 0
    with profile or nullcontext():
        while some := bridge._run(drain(bridge._core, limit=limit)):
            drained += some
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert drained == len(waiting), drained
    check(store, links, news)
    each = 1e6 / drained
    line = f"{name:10} {drained} deliveries: {drained / wall:7.0f}/s   CPU {cpu * each:6.1f} us each"
    if server_cpu is not None:
        line += f", and the server's {(server_cpu.seconds() - theirs) * each:6.1f} us"
    print(line, flush=True)


def check(store: Store, links: int, news: Sequence[object]) -> None:
    """Rail's are over; Fintoc's have heard of every account, and are to be read at once."""
    for index in range(links):
        rail, fintoc = store.transact(partial(_both, index))
        assert rail.status is Status.SUCCEEDED, rail
        assert fintoc.status is Status.IN_PROGRESS, fintoc
        assert len(fintoc.attempt.accounts) == ACCOUNTS, fintoc
        assert fintoc.wake is not None, fintoc
        assert fintoc.wake.at <= LATER, fintoc
    # Rail's end, and the first and the second account of Fintoc's.
    assert len(news) == (1 + ACCOUNTS) * links, len(news)


def _both(index: int, tx: Transaction) -> list[RefreshIntent]:
    (rail, fintoc) = (tx.intents(link_of(connection, index), limit=1)[0] for connection in STORIES)
    return [rail, fintoc]


class ServerCpu:
    """What the processes of a local PostgreSQL have used so far."""

    def __init__(self, url: str) -> None:
        with psycopg.connect(url) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        self._postmaster = (Path(row[0]) / "postmaster.pid").read_text().split()[0]

    def seconds(self) -> float:
        """Of the server and its children, those that have ended too."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if stat.parent.name == self._postmaster:
                ticks += sum(map(int, fields[11:15]))
            elif fields[1] == self._postmaster:
                ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def opened(kind: str) -> Iterator[tuple[Store, ServerCpu | None]]:
    """An empty store of this kind."""
    with ExitStack() as stack:
        server_cpu, store = None, None
        if kind == "sqlite":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            store = sqlite_store(folder / "store.db", keys=[new_key()])
        else:
            running_server = stack.enter_context(server(f"benchmark-{time.time_ns()}", durable=True))
            if Path("/proc/self/stat").exists():
                server_cpu = ServerCpu(running_server)
            url = stack.enter_context(database(running_server))
            store = postgresql_store(url, keys=[new_key()], upgrade=True)
        stack.callback(store.close)
        yield store, server_cpu


def main() -> None:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--links", type=int, default=2000, help="links at each provider (default: 2000)")
    parser.add_argument("--limit", type=int, default=BATCH, help=f"deliveries in a batch (default: {BATCH})")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="only this one")
    parser.add_argument("--profile", type=Path, help="write cProfile's findings to this file")
    arguments = parser.parse_args()
    profile = None if arguments.profile is None else cProfile.Profile()
    for kind in [arguments.database] if arguments.database else ["sqlite", "postgresql"]:
        with opened(kind) as (store, server_cpu):
            measure(kind, store, arguments.links, arguments.limit, server_cpu, profile)
    if profile is not None:
        profile.dump_stats(arguments.profile)


if __name__ == "__main__":
    main()
