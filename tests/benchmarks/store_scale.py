# ruff: noqa: T201 - what it measured is told on the terminal
"""What waking, receiving and asking an outcome cost when a store holds many links: the same, whatever the number.

Some of the waiting intents are woken (each polls a provider that answers at once), the event that ends each of them
is received, and its outcome is asked for. The stores take turns, so that what else the machine does hits all.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from bankbridge import BankBridge, RefreshIntent, Status
from bankbridge.store import Transaction
from bankbridge.store.sql import SqlStore, new_key, postgresql_store, sqlite_store
from bankbridge_rail import Rail
from tests.benchmarks.store_rows import NAME, START, fill, name_of, waiting
from tests.databases import database, server
from tests.deliveries import payload, signed

SECRET = "whsec_0123456789abcdef0123456789abcdef"
FLAT = 1.5


def grow(numbers: Sequence[int], calls: int) -> None:
    """Print the cost at each number of links, and whether it is flat."""
    for kind in ("SQLite", "PostgreSQL"):
        with ExitStack() as stack:
            measures = {number: _filled(kind, number, stack) for number in numbers}
            for turn in range(calls):
                for number, measure in measures.items():
                    measure.take(number * turn // calls)
            first, *_, last = numbers
            for what in measures[first].costs:
                costs = {number: measures[number].median(what) for number in numbers}
                shown = ", ".join(f"{number:,} links {cost:.0f} us" for number, cost in costs.items())
                ratio = costs[last] / costs[first]
                verdict = "yes" if ratio <= FLAT else "NO"
                print(f"{kind}, {what}: {shown}: ratio {ratio:.2f} (at most {FLAT}: {verdict})", flush=True)


def _filled(kind: str, number: int, stack: ExitStack) -> "Measure":
    key = new_key()
    if kind == "SQLite":
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = sqlite_store(folder / "store.db", keys=[key])
    else:
        running = stack.enter_context(server(f"benchmark-{time.time_ns()}", durable=True))
        store = postgresql_store(stack.enter_context(database(running)), keys=[key], upgrade=True)
    stack.callback(store.close)
    began = time.monotonic()
    fill(store, number)
    print(f"{kind}: {number:,} links written in {time.monotonic() - began:.0f} s", flush=True)
    return Measure(store)


class Measure:
    """One store, and what things have cost on it so far, in microseconds."""

    def __init__(self, store: SqlStore) -> None:
        self.store, self.now = store, START
        self.costs: dict[str, list[float]] = {"waking": [], "receiving": [], "asking an outcome": []}
        rail = Rail(secret_key="rail_sk_test_1", webhook_secrets=(SECRET,))
        self.bridge = BankBridge(
            {NAME: rail}, store=store, client=httpx.Client(transport=_ANSWERS), clock=lambda: self.now
        )

    def take(self, index: int) -> None:
        """Wake one intent, receive its end, ask for its outcome."""
        self.now += timedelta(hours=1)
        intent = waiting(index, self.now)
        self.store.transact(partial(_make_due, intent))
        headers, body = _end_of(index, self)
        assert self._timed("waking", self.bridge.wake_due) == 1
        assert self._timed("receiving", self.bridge.receive, NAME, headers, body).status == 200
        outcome = self._timed("asking an outcome", self.bridge.outcome, intent.id)
        assert outcome.status is Status.SUCCEEDED

    def median(self, what: str) -> float:
        """Of all but the first, which warm up."""
        found = self.costs[what]
        return statistics.median(found[len(found) // 10 :])

    def _timed(self, what: str, call: Callable[..., Any], *given: Any) -> Any:
        began = time.perf_counter()
        result = call(*given)
        self.costs[what].append((time.perf_counter() - began) * 1e6)
        return result


def _running(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"id": request.url.path.rpartition("/")[2], "status": "created"})


_ANSWERS = httpx.MockTransport(_running)


def _make_due(intent: RefreshIntent, tx: Transaction) -> None:
    tx.save_intent(intent, replaces=intent.version)


def _end_of(index: int, at: Measure) -> tuple[dict[str, str], bytes]:
    name, now = name_of(index), at.now.isoformat()
    event = payload("rail", "refresh_intent.succeeded") | {"id": f"evt_new_{name}", "created_at": now}
    event["data"] |= {"id": f"ri_{name}", "link_id": f"link_{name}", "completed_at": now}
    body = json.dumps(event).encode()
    return signed("Rail-Signature", SECRET, body, at.now), body
