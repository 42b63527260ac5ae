"""Every engine on every store it can work on, in both colours: what the contract asks of one, it asks of all."""

import functools
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import psycopg
import pytest
import sqlalchemy as sa

from bankbridge import Policy, Timing
from bankbridge.engine import Engine
from bankbridge.engine.embedded import Embedded
from bankbridge.engine.procrastinate import ProcrastinateEngine
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link
from bankbridge.store import Store
from bankbridge.store.memory import MemoryStore
from bankbridge.store.sql import SqlStore, new_key, postgresql_store, sqlite_store
from bankbridge.store.sql.tables import SCHEMA
from bankbridge.words.ids import ConnectionName, LinkId
from tests import databases
from tests.engine.bank import PATIENCE, Bank, Small, serving
from tests.engine.recording import set_wake
from tests.engine.worker import hasty
from tests.stages import bridged

HOUR = timedelta(hours=1)
LATER = Timing(first_poll=HOUR, longest_poll=HOUR, attempt=9 * HOUR, unclear=HOUR, prompt_margin=timedelta(0))
"""Nothing is due but what a test makes due."""
SMALL = {"small": Policy(timing=LATER, jitter=0)}


@attrs.frozen
class Kind:
    """One engine on one store. ``outage`` makes the store unavailable for a while, and ``says`` how that is logged."""

    open: Callable[[], Store]
    engine: Callable[[Store], Engine]
    outage: Callable[[], Any] | None
    says: str = "engine: cannot"


@attrs.define(slots=False)
class Place:
    """Where a test plays: bridges in one colour on one store, each with an engine of its own, and one bank."""

    kind: Kind
    colour: str
    served: Any
    stack: ExitStack

    @property
    def bank(self) -> Bank:
        bank: Bank = self.served.bank
        return bank

    def bridge(self, policies: Mapping[str, Policy] = SMALL, **options: Any) -> Any:
        """Another process, as far as the store and the engine can tell, with a connection for each policy."""
        providers = {name: Small(base_url=self.served.url, called=name) for name in policies}
        store = self.kind.open()
        if "engine" not in options:
            options["engine"] = self.kind.engine(store)
        bridge = bridged(self.colour, providers, store=store, policies=policies, **options)
        return self.stack.enter_context(bridge)

    @functools.cached_property
    def store(self) -> Store:
        """The store, without an engine."""
        store = self.kind.open()
        self.stack.callback(store.close)
        return store

    def refresh(self, bridge: Any, number: int = 1, connection: str = "small") -> RefreshIntent:
        """A refresh of a new link."""
        link = Link(id=LinkId(f"{connection}_{number}"), connection=ConnectionName(connection))
        self.store.transact(lambda tx: tx.save_link(link))
        intent: RefreshIntent = bridge.refresh(link.id)
        return intent

    def wakes(self, intent: RefreshIntent, wait: timedelta, store: Store | None = None) -> RefreshIntent:
        """Let the intent wake so soon. Told to ``store``'s engine, if that is given."""
        at = datetime.now(UTC) + wait
        store = store or self.store

        def change(tx: Any) -> RefreshIntent:
            stored = tx.intent(intent.id)
            assert stored is not None
            return set_wake(tx, stored, at)

        return store.transact(change)


@contextmanager
def working(bridge: Any) -> Iterator[Any]:
    """The bridge's engine at work, in a thread."""
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(bridge.run)
        try:
            yield run
        finally:
            if not run.done():
                bridge.stop()
        run.result(PATIENCE)


def quick(_store: Store) -> Embedded:
    return Embedded(every=timedelta(seconds=0.02))


@pytest.fixture(scope="session")
def server(testrun_uid: str) -> Iterator[str]:
    with databases.server(testrun_uid) as url:
        yield url


@pytest.fixture(scope="session")
def the_key() -> str:
    return new_key()


@pytest.fixture(scope="session")
def database(server: str, the_key: str) -> Iterator[str]:
    """A database with everything in it. The tests leave no more than rows behind."""
    with databases.database(server) as url:
        store = postgresql_store(url, keys=[the_key], upgrade=True)
        ProcrastinateEngine(store, upgrade=True)
        store.close()
        yield url


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory, the_key: str) -> Path:
    """An empty SQLite store."""
    path: Path = tmp_path_factory.mktemp("engine") / "empty.db"
    sqlite_store(path, keys=[the_key]).close()
    return path


@pytest.fixture(scope="session")
def served() -> Iterator[Any]:
    with serving() as served:
        yield served


def _memory(_request: Any) -> Iterator[Kind]:
    store = MemoryStore()
    yield Kind(lambda: store, quick, None)


def _sqlite(request: Any) -> Iterator[Kind]:
    path = request.getfixturevalue("tmp_path") / "store.db"
    shutil.copy(request.getfixturevalue("file"), path)
    key = request.getfixturevalue("the_key")

    @contextmanager
    def outage() -> Iterator[None]:
        somebody = sqlite3.connect(path, isolation_level=None)
        somebody.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            somebody.execute("ROLLBACK")
            somebody.close()

    yield Kind(lambda: sqlite_store(path, keys=[key]), quick, outage)


def _in_postgresql(make: Callable[[Any], Engine]) -> Callable[[Any], Iterator[Kind]]:
    def kind(request: Any) -> Iterator[Kind]:
        url = request.getfixturevalue("database")
        server = request.getfixturevalue("server")
        name = sa.make_url(url).database
        key = request.getfixturevalue("the_key")

        @contextmanager
        def outage() -> Iterator[None]:
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
                )
                try:
                    yield
                finally:
                    connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

        # Procrastinate's own connections come back without a word of ours, if they do so in time.
        says = "engine: cannot" if make is quick else "error connecting"
        yield Kind(lambda: postgresql_store(url, keys=[key]), make, outage, says)
        _empty(url)

    return kind


def _empty(database: str) -> None:
    tables = ", ".join([*SCHEMA.tables, "procrastinate_jobs", "procrastinate_workers"])
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")


KINDS: Mapping[str, Callable[[Any], Iterator[Kind]]] = {
    "embedded in memory": _memory,
    "embedded on SQLite": _sqlite,
    "embedded on PostgreSQL": _in_postgresql(quick),
    "procrastinate": _in_postgresql(hasty),
}


PLACES = (
    ("embedded in memory", "blocking"),
    ("embedded in memory", "async"),
    ("embedded on SQLite", "blocking"),
    ("embedded on PostgreSQL", "async"),
    ("procrastinate", "blocking"),
    ("procrastinate", "async"),
)


@pytest.fixture(params=PLACES, ids=", ".join)
def place(request: Any, served: Any) -> Iterator[Place]:
    """Each engine on each store, and each engine in each colour."""
    kind, colour = request.param
    served.bank = Bank()
    with contextmanager(KINDS[kind])(request) as opened, ExitStack() as stack:
        yield Place(opened, colour, served, stack)
        served.bank.open()


# --- for Procrastinate itself -----------------------------------------------------------------------------


@pytest.fixture
def empty(server: str) -> Iterator[str]:
    """A database of the test's own, empty."""
    with databases.database(server) as url:
        yield url


@pytest.fixture
def store(database: str, the_key: str) -> Iterator[SqlStore]:
    store = postgresql_store(database, keys=[the_key])
    yield store
    store.close()
    _empty(database)


@pytest.fixture
def inside(database: str) -> Iterator[psycopg.Connection]:
    """A look into the database of `store`."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
