# ruff: noqa: T201 - what it measured is told on the terminal
"""How many deliveries a second come all the way: HTTP in, verified, stored, answered, drained, intents right.

    python -m tests.benchmarks.end_to_end [--database sqlite|postgresql|both] [--links 6000] [--connections 64]

Layout as in a deployment: one receiver (uvicorn with our ASGI application), one worker that drains, the database;
and the line that sends, raw HTTP prepared beforehand on connections kept alive. The store holds one link with a
refresh in progress for each story; Fintoc's and Rail's are mixed. At the end every acknowledged delivery is settled
and every intent is held against its story; what accounts of Fintoc have hinted at is then confirmed by a read of the
provider, which is timed apart.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs
import httpx
import psycopg
import sqlalchemy as sa

from bankbridge import BankBridge, RefreshIntent
from bankbridge.store import Transaction
from bankbridge.store.sql import SqlStore, new_key
from bankbridge.store.sql.tables import DELIVERIES
from tests.benchmarks.end_to_end_parts import cpu_seconds, heard, part, send
from tests.benchmarks.end_to_end_stories import (
    PROVIDERS,
    Tale,
    as_told,
    ended,
    fill,
    requests_of,
    tales,
    truth,
)
from tests.databases import database, server

FLOORS: Final = {"sqlite": 3000, "postgresql": 2000}
"""Deliveries a second on two cores, those of the sender and the database included."""


@attrs.frozen(kw_only=True)
class Run:
    """What one run has measured. Times are in seconds."""

    deliveries: int
    taken: float
    statuses: Counter[int]
    answers: list[float]
    lags: list[float]
    batches: int
    cpu: dict[str, float | None]


def run(url: str, key: str, told: Sequence[Tale], *, connections: int, database_pid: int | None) -> Run:
    """Send all that is told, and wait until it is drained."""
    requests = requests_of(told, datetime.now(UTC), seed=1)
    different = len(set(requests))
    with part("receiver", url, key) as receiver, part("worker", url, key, str(different)) as worker:
        port = heard(receiver, "ready")
        heard(worker, "ready")
        pids = {"receiver": receiver.pid, "worker": worker.pid, "sender": os.getpid()}
        if database_pid is not None:
            pids["database"] = database_pid
        before, began = _cpu(pids), time.time()
        statuses, answers = send(port, requests, connections)
        done = heard(worker, "done")
        after = _cpu(pids)
        assert worker.stdin is not None
        worker.stdin.write("enough\n")
        worker.stdin.flush()
        batches = heard(worker, "batches")
    cpu = {name: _less(after[name], before[name]) for name in pids}
    if cpu["sender"] is not None:
        # The others are its children.
        cpu["sender"] -= sum(cpu[name] or 0 for name in ("receiver", "worker"))
    return Run(
        deliveries=len(requests),
        taken=done - began,
        statuses=statuses,
        answers=answers,
        lags=_lags(url, key, {_micros(now): committed for now, committed, _ in batches}),
        batches=len(batches),
        cpu=cpu,
    )


def _cpu(pids: dict[str, int]) -> dict[str, float | None]:
    return {name: cpu_seconds(pid) for name, pid in pids.items()}


def _less(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _micros(moment: float) -> int:
    return round(moment * 1e6)


def _lags(url: str, key: str, committed: dict[int, float]) -> list[float]:
    """From the moment in which a delivery was received to the commit of what it did."""
    store = SqlStore(url, keys=[key])
    with store._database.engine.begin() as connection:
        rows = connection.execute(sa.select(DELIVERIES.c.received_at, DELIVERIES.c.settled_at)).all()
    store.close()
    return [committed[_micros(row.settled_at.timestamp())] - row.received_at.timestamp() for row in rows]


# --- was it right?


def wrong(url: str, key: str, told: Sequence[Tale]) -> list[str]:
    """What is not as the stories say, before and after the provider has confirmed it."""
    store = SqlStore(url, keys=[key])
    deliveries = sum(len(tale.plot.told) for tale in told)
    problems: list[str] = []
    with store._database.engine.begin() as connection:
        stored = connection.scalar(sa.select(sa.func.count()).select_from(DELIVERIES))
        waiting = connection.scalar(
            sa.select(sa.func.count()).select_from(DELIVERIES).where(DELIVERIES.c.result.is_(None))
        )
    if (stored, waiting) != (deliveries, 0):
        problems.append(f"{deliveries} acknowledged, {stored} stored, {waiting} not settled")
    problems += _unlike(store, told, "heard", as_told)
    client = httpx.Client(transport=truth(told))
    began = time.perf_counter()
    with client, BankBridge(PROVIDERS, store=store, client=client) as bridge:
        confirmed = 0
        while woken := bridge.wake_due(limit=200):
            confirmed += woken
        seconds = time.perf_counter() - began
        print(
            f"  confirmed afterwards    {confirmed:8,} intents by a read each, {confirmed / seconds:,.0f}/s"
        )
        problems += _unlike(store, told, "ended", ended)
    return problems


def _unlike(
    store: SqlStore, told: Sequence[Tale], what: str, is_so: Callable[[Tale, RefreshIntent], bool]
) -> list[str]:
    def look(tx: Transaction) -> list[str]:
        found: list[str] = []
        for tale in told:
            intent = tx.intent(tale.intent.id)
            assert intent is not None
            if not is_so(tale, intent):
                found.append(
                    f"{what} otherwise: {tale.plot.told}: {intent.status.value} {intent.failure} {intent.wake}"
                )
        return found

    return store.transact(look)


# --- the report


def report(kind: str, run: Run) -> bool:
    """Say it; whether the floor was held."""
    rate = run.deliveries / run.taken
    print(f"{kind}: {run.deliveries:,} deliveries, statuses {dict(run.statuses)}, {run.batches:,} batches")
    held = rate >= FLOORS[kind]
    print(
        f"  end to end              {rate:8,.0f} deliveries/s   (at least {FLOORS[kind]:,}: {'yes' if held else 'NO'})"
    )
    print(f"  answered after          {_percentiles(run.answers)}")
    print(f"  received to applied     {_percentiles(run.lags)}")
    for name, seconds in run.cpu.items():
        if seconds is not None:
            print(f"  processor, {name:12} {seconds / run.deliveries * 1e6:8.0f} us each")
    known = [seconds for seconds in run.cpu.values() if seconds is not None]
    if known:
        each = sum(known) / run.deliveries
        print(
            f"  processor, together     {each * 1e6:8.0f} us each: {2 / each:,.0f}/s if two cores had nothing else"
        )
    return held


def _percentiles(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return ", ".join(
        f"{name} {cuts[at - 1] * 1000:.1f} ms" for name, at in (("half", 50), ("95 %", 95), ("99 %", 99))
    )


def measure(kind: str, *, links: int, connections: int) -> bool:
    """One run on one database, and its report. Whether all was right."""
    key = new_key()
    with ExitStack() as stack:
        pid: int | None = None
        if kind == "sqlite":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = f"sqlite:///{folder / 'store.db'}"
        else:
            running = stack.enter_context(server(f"benchmark-{time.time_ns()}", durable=True))
            url = stack.enter_context(database(running))
            pid = _postmaster(running)
        told = tales(links, datetime.now(UTC), seed=links)
        store = SqlStore(url, keys=[key], upgrade=True)
        fill(store, told)
        store.close()
        measured = run(url, key, told, connections=connections, database_pid=pid)
        report(kind, measured)
        problems = wrong(url, key, told)
    for problem in problems[:10]:
        print(f"  WRONG: {problem}")
    right = not problems and set(measured.statuses) == {200}
    print(f"  every delivery settled, every intent as its story says: {'yes' if right else 'NO'}", flush=True)
    return right


def _postmaster(url: str) -> int | None:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    return None if found is None else int(str(found[0]).split()[0])


def main() -> None:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database", choices=[*FLOORS, "both"], default="both")
    parser.add_argument("--links", type=int, default=6000, help="links, each with one refresh in progress")
    parser.add_argument("--connections", type=int, default=64, help="on which deliveries come at once")
    arguments = parser.parse_args()
    kinds = list(FLOORS) if arguments.database == "both" else [arguments.database]
    results = [measure(kind, links=arguments.links, connections=arguments.connections) for kind in kinds]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
