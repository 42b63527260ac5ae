"""The scene of a run: emulators with their faults on, the processes of the application, and its database."""

import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import attrs

from bankbridge.emulation import Clock, Server
from bankbridge.engine.procrastinate import ProcrastinateEngine
from bankbridge.store.sql import migrate, new_key, postgresql_store
from tests import databases
from tests.chaos.scene import hasten
from tests.crash.door import Door
from tests.crash.ledger import Ledger
from tests.crash.plan import Plan
from tests.crash.processes import Fleet
from tests.crash.settings import Settings, SharedTime
from tests.stages import EMULATORS, PROVIDERS

SPEED: Final = 60.0
"""Virtual seconds in a real one."""

FLEETS: Final[Mapping[str, tuple[str, ...]]] = {
    "sqlite": ("web", "worker"),
    "postgresql": ("web-1", "web-2", "worker-1", "worker-2", "worker-3"),
}
"""The processes that share a database."""

ENGINES: Final[Mapping[str, tuple[str, ...]]] = {
    "embedded": ("sqlite", "postgresql"),
    "procrastinate": ("postgresql",),
}
"""What wakes the workers, and the databases it works on."""


@attrs.frozen(kw_only=True)
class Scene:
    """Everything that runs."""

    plan: Plan
    clock: Clock
    emulators: Mapping[str, Any]
    doors: Mapping[str, Door]
    fleet: Fleet
    ledger: Ledger
    folder: Path
    url: str
    """Where the application listens, while any of its web processes does."""
    database: str
    keys: tuple[str, ...] = attrs.field(repr=False)
    connections: Mapping[str, Mapping[str, Any]] = attrs.field(repr=False)
    errors: Counter[str] = attrs.field(factory=Counter)
    """What the application answered instead of doing it."""
    kills: Counter[str] = attrs.field(factory=Counter)
    """How many rounds killed at which moment."""
    cuts: Counter[str] = attrs.field(factory=Counter)

    @property
    def news(self) -> Path:
        """Where the processes write what they announce."""
        return self.folder / "news"

    def turn(self, rates: Mapping[str, float]) -> None:
        """Turn the faults of every emulator to these rates."""
        for emulator in self.emulators.values():
            emulator.faults.rates = rates


@contextmanager
def scene_of(
    plan: Plan,
    *,
    speed: float = SPEED,
    timings: Mapping[str, Any] | None = None,
    cluster: str | None = None,
) -> Iterator[Scene]:
    """Everything under way, with no fault yet.

    ``timings`` are the emulators' own, by provider. ``cluster`` names the PostgreSQL server to share with others
    (see `tests.databases.server`).
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bankbridge-crash-")))
        clock = Clock(speed=speed)
        given = {name: {"timings": one} for name, one in (timings or {}).items()}
        emulators = {
            name: EMULATORS[name](clock, seed=plan.seed, **given.get(name, {})) for name in ("rail", "fintoc")
        }
        for emulator in emulators.values():
            hasten(emulator)
        doors = {name: Door(one.app) for name, one in emulators.items()}
        urls = {name: stack.enter_context(Server(door)).url for name, door in doors.items()}
        port = stack.enter_context(_reserved_port())
        url = f"http://127.0.0.1:{port}"
        connections = {name: _connection(name, one, urls[name], url) for name, one in emulators.items()}
        database = stack.enter_context(_database(plan.database, folder, cluster))
        keys = (new_key(),)
        _set_up(database, keys, plan.engine)
        fleet = Fleet(
            [
                Settings(
                    name=name,
                    role=name.partition("-")[0],
                    database=database,
                    keys=keys,
                    connections=connections,
                    time=SharedTime.of(clock),
                    engine=plan.engine,
                    folder=folder,
                    port=port,
                )
                # A web process less is a start less to wait for.
                for name in FLEETS[plan.database]
                if not plan.brief or name != "web-2"
            ]
        )
        ledger = stack.enter_context(Ledger(database).looking())
        stack.enter_context(fleet.running())
        yield Scene(
            plan=plan,
            clock=clock,
            emulators=emulators,
            doors=doors,
            fleet=fleet,
            ledger=ledger,
            folder=folder,
            url=url,
            database=database,
            keys=keys,
            connections=connections,
        )


def _set_up(database: str, keys: tuple[str, ...], engine: str) -> None:
    """As an operator does before the first start."""
    migrate(database if "://" in database else Path(database))
    if engine == "procrastinate":
        with closing(postgresql_store(database, keys=keys)) as store:
            ProcrastinateEngine(store, upgrade=True)


def _connection(name: str, emulator: Any, base_url: str, url: str) -> dict[str, Any]:
    secret = emulator.add_endpoint(
        f"{url}/webhooks/{name}", events=sorted(PROVIDERS[name].capabilities.event_types)
    )
    return {"secret_key": emulator.secret_key, "webhook_secrets": [secret], "base_url": base_url}


@contextmanager
def _reserved_port() -> Iterator[int]:
    """A port that only those who share it can take; while nobody listens, connections are refused."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@contextmanager
def _database(kind: str, folder: Path, cluster: str | None) -> Iterator[str]:
    if kind == "sqlite":
        yield str(folder / "bridge.db")
        return
    with databases.server(cluster or folder.name) as server, databases.database(server) as url:
        yield url
