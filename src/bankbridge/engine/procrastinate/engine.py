"""The port's side: timers go into the store's transactions, and runs are begun and stopped."""

import asyncio
import functools
import threading
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, ParamSpec, TypeVar, cast

import attrs
import psycopg

from bankbridge.engine import AsyncWork, Claim, Look, Timer, Work
from bankbridge.engine.procrastinate.shift import Rules, Shift
from bankbridge.engine.procrastinate.tables import check, forget_timers, install, set_timers
from bankbridge.engine.shift import only_run
from bankbridge.machine.intent import WakeUp
from bankbridge.store import Store
from bankbridge.store.sql import SqlStore
from bankbridge.store.sql.postgresql import Postgresql
from bankbridge.words.errors import ConfigurationError
from bankbridge.words.ids import ConnectionName, IntentId

_P = ParamSpec("_P")
_T = TypeVar("_T")

CONCURRENCY: Final = 10
HEARTBEAT: Final = timedelta(seconds=5)
GONE_AFTER: Final = timedelta(seconds=20)
SWEEP_EVERY: Final = timedelta(seconds=10)
LOOK_EVERY: Final = timedelta(seconds=0.5)


class ProcrastinateEngine:
    """Wakes what is due and drains what has arrived, in as many processes on as many machines as you like.

    Make one in each process, with the store of its bridge. A process that only receives and refreshes need not run it:
    what it stores is done by those that do. ``concurrency`` jobs are done at once by each that runs. It says each
    ``heartbeat`` that it lives; after ``gone_after`` without one the others take over what it held. Each sweeps
    ``sweep_every`` so often. A job that has been enqueued is begun at once; one whose time has come, when it is looked
    for, ``look_every`` so often.

    One that runs opens up to five connections to the database besides those of the store: four for jobs and one that
    listens. ``upgrade`` puts its tables into the database if they are missing; else `bankbridge store upgrade` does.
    Raises `ConfigurationError` for a store that is not in PostgreSQL, for a database without those tables, and for
    times that do not fit together.
    """

    def __init__(
        self,
        store: Store,
        *,
        concurrency: int = CONCURRENCY,
        heartbeat: timedelta = HEARTBEAT,
        gone_after: timedelta = GONE_AFTER,
        sweep_every: timedelta = SWEEP_EVERY,
        look_every: timedelta = LOOK_EVERY,
        upgrade: bool = False,
    ) -> None:
        self._rules = Rules(
            concurrency=concurrency,
            heartbeat=heartbeat,
            gone_after=gone_after,
            sweep_every=sweep_every,
            look_every=look_every,
        )
        if not isinstance(store, SqlStore) or not isinstance(store.database, Postgresql):
            msg = (
                "engine: Procrastinate needs a store in PostgreSQL: set store.url, or use the embedded engine"
            )
            raise ConfigurationError([msg])
        if upgrade:
            store.upgrade(lambda connection: install(driver_of(connection)))
        else:
            store.run(lambda connection: check(driver_of(connection)))
        store.attach(self._write_down)
        self._database = store.database
        self._one_at_a_time = threading.Lock()
        self._shift: Shift | None = None
        self._is_stopping = False

    # --- in the transactions of the store --------------------------------------------------------------------

    def _write_down(self, connection: object, wakes: Mapping[IntentId, WakeUp | None]) -> None:
        timers = [
            Timer(intent_id=intent_id, version=wake.version, at=wake.at)
            for intent_id, wake in wakes.items()
            if wake is not None
        ]
        over = [intent_id for intent_id, wake in wakes.items() if wake is None]
        if timers:
            self.enqueue(connection, timers)
        if over:
            self.cancel(connection, over)

    def enqueue(self, transaction: object, timers: Sequence[Timer]) -> None:
        """Set timers by one statement on the store's psycopg connection; the store calls it by itself."""
        set_timers(cast("psycopg.Connection", transaction), timers)

    def cancel(self, transaction: object, intent_ids: Sequence[IntentId]) -> None:
        """Forget timers by one statement on the store's psycopg connection; the store calls it by itself."""
        forget_timers(cast("psycopg.Connection", transaction), intent_ids)

    # --- running ---------------------------------------------------------------------------------------------

    @property
    def is_at_work(self) -> bool:
        """Always: what this process does not do, others do, or this one when it runs."""
        return True

    def wake(self) -> None:
        """Nothing to do: the statement that stored the delivery has enqueued its drain, and told the workers."""

    def stop(self) -> None:
        """Let `run` return; if none runs, the next one. From any thread, and from a signal handler."""
        self._is_stopping = True
        if (shift := self._shift) is not None:
            shift.stop()

    def run(self, work: Work) -> None:
        """Work until `stop`, in an event loop of its own in this thread; then finish what is under way and return.

        ``work`` is called in a pool of threads. See `bankbridge.engine.Engine.run`.
        """
        # Twice as many as there are jobs: as much again is swept up. One more drains, one looks.
        threads = ThreadPoolExecutor(2 * self._rules.concurrency + 2, thread_name_prefix="bankbridge-engine")
        # The selector loop on every system: psycopg works on no other.
        with threads, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self.run_async(_InThreads(work, threads)))

    async def run_async(self, work: AsyncWork) -> None:
        """`run`, in an event loop. Canceled, it cancels what is under way."""
        with self._once():
            self._shift = Shift(work, self._rules, self._database)
            if self._is_stopping:
                self._shift.stop()
            await self._shift.run()

    @contextmanager
    def _once(self) -> Generator[None]:
        with only_run(self._one_at_a_time):
            try:
                yield
            finally:
                self._shift = None
                self._is_stopping = False


def driver_of(connection: Any) -> psycopg.Connection:  # noqa: ANN401 (SQLAlchemy's, which only the store knows)
    """psycopg's connection behind SQLAlchemy's."""
    return cast("psycopg.Connection", connection.connection.driver_connection)


@attrs.frozen
class _InThreads:
    """Blocking `Work`, awaited."""

    work: Work
    threads: Executor

    async def look(self) -> Look:
        return await self._call(self.work.look)

    async def drain(self) -> int:
        return await self._call(self.work.drain)

    async def claim(self, *, limit: int, avoid: Collection[ConnectionName] = ()) -> Sequence[Claim]:
        return await self._call(self.work.claim, limit=limit, avoid=avoid)

    async def perform(self, claim: Claim) -> None:
        return await self._call(self.work.perform, claim)

    async def wake(self, timer: Timer) -> bool:
        return await self._call(self.work.wake, timer)

    async def _call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        call = functools.partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.threads, call)
