# ruff: noqa: T201 - what it measured is told on the terminal
"""Can an emulator with 1,000 links send 200 webhooks in a second, on one core, without falling behind?

::

    python -m tests.benchmarks.emulators
    python -m tests.benchmarks.emulators rail --rate 400 --seconds 60
    python -m tests.benchmarks.emulators fintoc --profile fintoc.prof

The emulator has this process, and a core of its own where the system lets a process choose. Another process is the
application: it takes the webhooks and asks for refreshes, one after the other, at a steady pace.

The lag of a webhook runs, in real time, from the virtual moment it was due to the moment it came. An
emulator that falls behind is one whose lag grows, or that sends less than was asked of it.
"""

import argparse
import asyncio
import cProfile
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles

import attrs
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import bankbridge_fintoc.emulator
import bankbridge_rail.emulator
from bankbridge.emulation import Clock, EmulatedLink, Emulator, Server

SPEED = 300
"""Virtual seconds in a real one: refreshes take a minute, and a link may be refreshed again only after five."""

LAST_REFRESH = 0.5
"""Real seconds after which the last refresh has long been over."""


@attrs.frozen(kw_only=True)
class Kind:
    """How a provider's client asks for a refresh, and how many webhooks one brings."""

    create_emulator: Callable[..., Emulator]
    authorization: str
    refresh: Callable[[EmulatedLink], dict[str, str]]
    events: int


KINDS: Mapping[str, Kind] = {
    "rail": Kind(
        create_emulator=bankbridge_rail.emulator.create_emulator,
        authorization="Bearer {}",
        refresh=lambda link: {"link_id": link.link_id, "type": "full"},
        events=3,  # created, succeeded, and the link's own
    ),
    "fintoc": Kind(
        create_emulator=bankbridge_fintoc.emulator.create_emulator,
        authorization="{}",
        refresh=lambda link: {"link_token": str(link.link_token), "refresh_type": "only_last"},
        events=3,  # one for each account
    ),
}


@attrs.frozen(kw_only=True)
class Orders:
    """What the application is to do: send these bodies in turn, so many a second, for so many seconds."""

    url: str
    authorization: str
    bodies: list[dict[str, str]]
    per_second: float
    seconds: float


@attrs.frozen(kw_only=True)
class Told:
    """What the application saw: when each webhook came and when it was due, how its requests were answered."""

    webhooks: list[tuple[float, str]]
    statuses: dict[str, int]
    answer_times: list[float]


# --- The application, in a process of its own ------------------------------------------------------------------------


def be_application(pipe: Connection) -> None:
    """Listen for webhooks, say where, and follow the orders that come."""
    _unpin()
    webhooks: list[tuple[float, str]] = []

    async def take(request: Request) -> Response:
        webhooks.append((time.time(), json.loads(await request.body())["created_at"]))
        return Response()

    with Server(Starlette(routes=[Route("/hook", take, methods=["POST"])])) as server:
        pipe.send(f"{server.url}/hook")
        statuses, times = asyncio.run(_ask_for_refreshes(pipe.recv()))
        pipe.send(Told(webhooks=webhooks, statuses=dict(statuses), answer_times=times))
        # What is still on its way is taken, too.
        pipe.recv()


async def _ask_for_refreshes(orders: Orders) -> tuple[Counter[str], list[float]]:
    statuses, times = Counter[str](), list[float]()

    async def ask(client: httpx.AsyncClient, body: dict[str, str]) -> None:
        began = time.perf_counter()
        try:
            answer = await client.post("/v1/refresh_intents", json=body)
            statuses[str(answer.status_code)] += 1
        except httpx.TransportError as error:
            statuses[type(error).__name__] += 1
        times.append(time.perf_counter() - began)

    headers = {"authorization": orders.authorization}
    async with (
        httpx.AsyncClient(base_url=orders.url, headers=headers, timeout=30, trust_env=False) as client,
        asyncio.TaskGroup() as group,
    ):
        began = time.perf_counter()
        bodies = cycle(orders.bodies)
        for number in range(int(orders.per_second * orders.seconds)):
            await asyncio.sleep(began + number / orders.per_second - time.perf_counter())
            group.create_task(ask(client, next(bodies)))
    await asyncio.sleep(LAST_REFRESH)
    return statuses, times


@contextmanager
def application() -> Iterator[Connection]:
    """The other process, and the pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=be_application, args=(theirs,))
    process.start()
    # Only the other process holds its end now: were it to die, nobody would wait for it.
    theirs.close()
    try:
        yield ours
    except EOFError:
        raise SystemExit("the application's process died: see above") from None
    finally:
        process.join(10)
        process.kill()


# --- The emulator, in this one ---------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Measured:
    """What came of one emulator."""

    provider: str
    asked: float
    asked_seconds: float
    seconds: float
    links_seconds: float
    links_megabytes: float
    end_megabytes: float
    cpu_seconds: float
    waited_seconds: float
    """For the core, while somebody else's process had it; 0 where the system does not say."""
    lags: Sequence[float]
    """Of every webhook, in milliseconds, in the order in which they came."""
    told: Told

    @property
    def rate(self) -> float:
        """Webhooks in a second."""
        return len(self.lags) / self.asked_seconds

    @property
    def growth(self) -> float:
        """By how many milliseconds the usual lag of the last third is longer than that of the first."""
        third = len(self.lags) // 3
        if not third:
            return 0.0
        return median(self.lags[-third:]) - median(self.lags[:third])

    @property
    def falls_behind(self) -> bool:
        """Whether the usual lag grew, or less was sent than asked for."""
        return self.rate < 0.95 * self.asked or self.growth > 50

    @property
    def verdict(self) -> str:
        """In a word; on a core that others used, too, falling behind proves nothing."""
        if not self.falls_behind:
            return "holds"
        return (
            "falls behind, but had no core of its own"
            if self.waited_seconds > self.cpu_seconds / 4
            else "FALLS BEHIND"
        )

    def __str__(self) -> str:
        lags = self.lags
        answers = [1000 * one for one in self.told.answer_times]
        rows = {
            "links": f"made in {self.links_seconds:.2f} s, {self.links_megabytes:.0f} MB",
            "webhooks": f"{self.rate:.0f}/s (asked for {self.asked:.0f}/s), {len(lags)} in {self.asked_seconds:g} s",
            "lag": f"p50 {_percentile(lags, 50):.1f} ms, p95 {_percentile(lags, 95):.1f} ms, "
            f"max {max(lags, default=0.0):.1f} ms; in the last third {self.growth:+.1f} ms on the first",
            "creates": f"p50 {_percentile(answers, 50):.1f} ms, p95 {_percentile(answers, 95):.1f} ms, by status "
            f"{self.told.statuses}",
            "CPU": f"{100 * self.cpu_seconds / self.seconds:.0f} % of one core (and "
            f"{100 * self.waited_seconds / self.seconds:.0f} % waiting while others had it), "
            f"{1000 * self.cpu_seconds / max(len(lags), 1):.2f} ms for each webhook",
            "memory": f"{self.end_megabytes:.0f} MB at the end",
            "verdict": self.verdict,
        }
        return "\n".join([self.provider, *(f"  {name:9} {text}" for name, text in rows.items())])


def measure(provider: str, options: argparse.Namespace) -> Measured:
    """Let one emulator work for its time."""
    kind = KINDS[provider]
    clock = Clock(speed=SPEED)
    began, megabytes = time.perf_counter(), _megabytes()
    emulator = kind.create_emulator(clock)
    links = [emulator.add_link() for _ in range(options.links)]
    links_seconds, links_megabytes = time.perf_counter() - began, _megabytes() - megabytes
    with application() as pipe, Server(_profiled(emulator.app, options.profile)) as server:
        emulator.add_endpoint(pipe.recv())
        orders = Orders(
            url=server.url,
            authorization=kind.authorization.format(emulator.secret_key),
            bodies=[kind.refresh(link) for link in links],
            per_second=options.rate / kind.events,
            seconds=options.seconds,
        )
        start, began, cpu = (clock.now(), time.time()), time.perf_counter(), time.process_time()
        waited = _waited_for_core()
        pipe.send(orders)
        told = pipe.recv()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        waited = _waited_for_core() - waited
        pipe.send("that is all")
    return Measured(
        provider=provider,
        asked=options.rate,
        asked_seconds=options.seconds,
        seconds=seconds,
        links_seconds=links_seconds,
        links_megabytes=links_megabytes,
        end_megabytes=_megabytes(),
        cpu_seconds=cpu,
        waited_seconds=waited,
        lags=_lags(told.webhooks, *start),
        told=told,
    )


def _profiled(app: ASGIApp, path: Path | None) -> ASGIApp:
    """The same application, its thread profiled while it is served."""
    if path is None:
        return app

    async def profiled(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        with cProfile.Profile() as profile:
            await app(scope, receive, send)
        profile.dump_stats(path)

    return profiled


def _lags(webhooks: Sequence[tuple[float, str]], now: datetime, real_now: float) -> list[float]:
    """How late each came, in real milliseconds; its body says when it was due, at Rail to the second: 3 ms here."""
    return [
        1000 * (came - real_now - (datetime.fromisoformat(due) - now).total_seconds() / SPEED)
        for came, due in webhooks
        if datetime.fromisoformat(due) >= now
    ]


def _percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else 0.0


def _megabytes() -> float:
    """Memory in use; 0 where there is no /proc."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if statm.exists() else 0.0


def _waited_for_core() -> float:
    """For how many seconds this process could have run, had its core been free; 0 where there is no /proc."""
    stats = Path("/proc/self/task").glob("*/schedstat")
    return sum(int(stat.read_text().split()[1]) for stat in stats) / 1e9


def _pin() -> str:
    """Keep this process to one core, and say whether that worked."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned: this system lets no process choose its core"
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


def _unpin() -> None:
    """Let the other process have all cores but that of the emulator, if there are any."""
    if hasattr(os, "sched_setaffinity"):
        (core,) = os.sched_getaffinity(0)
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {core} or {core})


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each emulator in turn; 1 when one falls behind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("providers", nargs="*", help=f"any of {', '.join(KINDS)}; default: each in turn")
    parser.add_argument("--links", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=220, help="webhooks per second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--profile", type=Path, help="where to put what cProfile says")
    options = parser.parse_args(arguments)
    if unknown := set(options.providers) - set(KINDS):
        parser.error(f"unknown provider {', '.join(sorted(unknown))}: known are {', '.join(KINDS)}")
    print(f"{_pin()}; {options.links} links, {options.seconds:g} s at {options.rate:g} webhooks/s")
    measured = [measure(provider, options) for provider in options.providers or KINDS]
    print(*measured, sep="\n")
    return int(any(one.falls_behind for one in measured))


if __name__ == "__main__":
    sys.exit(main())
