"""One run: a Procrastinate worker for the jobs, the sweep beside it, and both again after PostgreSQL was away."""

import asyncio
import logging
import random
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import attrs
import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import DeleteJobCondition, Status
from procrastinate.worker import Worker

from bankbridge.engine import AsyncWork, Timer
from bankbridge.engine.procrastinate.tables import ASK_FOR_DRAIN, DRAIN, QUEUE, WAKE
from bankbridge.engine.shift import Outage
from bankbridge.store.sql.postgresql import Postgresql
from bankbridge.words.errors import BankBridgeError, ConfigurationError, StoreUnavailableError
from bankbridge.words.ids import IntentId

_T = TypeVar("_T")

_log: Final = logging.getLogger("bankbridge")

_CONNECTIONS: Final = 4
_LINGER: Final = 0.05
"""Seconds that a drain looks again after it has found nothing. Of a delivery whose commit is under way when a drain
begins, the drain may know nothing while that one counts on it; and it keeps single deliveries from a job each."""
_LONGEST_DRAIN: Final = 10.0
"""Seconds after which a drain that finds no end leaves the rest to another job, so that its worker can be stopped."""
_MOST_EARLY: Final = 10.0
_PATIENCE: Final = 10.0
_UNTIL_ASKED_AGAIN: Final = 3.0


# What may fail, in words.
_LOOK: Final = "read the store"
_DRAIN: Final = "drain deliveries"
_WAKE: Final = "wake intents"


@attrs.frozen(kw_only=True)
class Rules:
    """The settings of `bankbridge.engine.procrastinate.ProcrastinateEngine`. Raises `ConfigurationError`."""

    concurrency: int
    heartbeat: timedelta
    gone_after: timedelta
    sweep_every: timedelta
    look_every: timedelta

    def __attrs_post_init__(self) -> None:
        """Say everything that is wrong at once."""
        problems = [
            f"engine.{name}: must be longer than nothing"
            for name in ("heartbeat", "sweep_every", "look_every")
            if getattr(self, name) <= timedelta(0)
        ]
        if self.concurrency < 1:
            problems.append("engine.concurrency: must be at least 1")
        if self.gone_after < 2 * self.heartbeat:
            problems.append("engine.gone_after: must be at least two heartbeats, so that one may be late")
        if problems:
            raise ConfigurationError(problems)


class Shift:
    """One run, in the running event loop."""

    def __init__(self, work: AsyncWork, rules: Rules, database: Postgresql) -> None:
        self._work = work
        self._rules = rules
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._is_stopping = asyncio.Event()
        self._away = Outage("do jobs")
        self._outages = {what: Outage(what) for what in (_LOOK, _DRAIN, _WAKE)}
        self._is_open = asyncio.Event()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._bug: asyncio.Future[None] = self._loop.create_future()

    def stop(self) -> None:
        """Let `run` return. From any thread, and from a signal handler."""
        with suppress(RuntimeError):  # the loop has been closed meanwhile: nobody waits there any more
            self._loop.call_soon_threadsafe(self._is_stopping.set)

    async def run(self) -> None:
        """Work until `stop`; while PostgreSQL is away, try again after growing pauses. Raises what a bug raised."""
        while not self._is_stopping.is_set():
            error = await self._attempt()
            if error is not None and not self._is_stopping.is_set():
                self._away.began(StoreUnavailableError(f"{self._database.name}: {self._words(error)}"))
                await self._rest(self._away.left.total_seconds())

    async def _attempt(self) -> Exception | None:
        """Work until it is to stop, or until the database fails: what it failed with."""
        self._is_open = asyncio.Event()
        app = self._app()
        worker = Worker(
            app,
            name="bankbridge",
            queues=[QUEUE],
            concurrency=self._rules.concurrency,
            fetch_job_polling_interval=self._rules.look_every.total_seconds(),
            update_heartbeat_interval=self._rules.heartbeat.total_seconds(),
            stalled_worker_timeout=self._rules.gone_after.total_seconds(),
            delete_jobs=DeleteJobCondition.ALWAYS,
            install_signal_handlers=False,
        )
        tasks = [
            asyncio.create_task(one)
            for one in (self._serve(app, worker), self._sweep(app), self._watch(), self._is_stopping.wait())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            for begun in self._under_way:
                begun.cancel()
            raise
        finally:
            worker.stop()  # type: ignore[no-untyped-call]
            await self._end(tasks)
            await app.close_async()
        if self._bug.done():
            self._bug.result()
        return _database_error_of(tasks)

    async def _end(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Cancel until they have ended, which the worker does when what is under way is finished.

        Once is not enough: ``asyncio.wait_for``, with which others wait for their connections, swallows it in Python
        3.11 where what it waits for comes at the same moment. https://github.com/python/cpython/issues/86296
        """
        for task in tasks:
            task.cancel()
        while self._under_way or not all(task.done() for task in tasks):
            await asyncio.wait({*tasks, *self._under_way}, timeout=_UNTIL_ASKED_AGAIN)
            if not self._under_way:
                for task in tasks:
                    task.cancel()

    async def _serve(self, app: procrastinate.App, worker: Worker) -> None:
        await app.open_async()
        self._is_open.set()
        if not self._is_stopping.is_set():
            await worker.run()  # type: ignore[no-untyped-call]
            # It stops by itself when it cannot say any more that it lives.
            msg = "the worker has stopped"
            raise ConnectorException(msg)

    async def _watch(self) -> None:
        await asyncio.wait({self._bug})
        self._bug.result()

    # --- jobs --------------------------------------------------------------------------------------------------------

    def _app(self) -> procrastinate.App:
        connector = procrastinate.PsycopgConnector(
            kwargs=self._database.arguments,
            configure=_set_up,
            min_size=1,
            max_size=_CONNECTIONS,
            timeout=_PATIENCE,
        )
        app = procrastinate.App(connector=connector)

        @app.task(name=DRAIN, queue=QUEUE)
        async def drain() -> None:
            await self._drain(app)

        @app.task(name=WAKE, queue=QUEUE, pass_context=True)
        async def wake(context: procrastinate.JobContext, *, intent_id: str, version: int) -> None:
            at = context.job.scheduled_at or datetime.now(UTC)
            await self._wake(Timer(intent_id=IntentId(intent_id), version=version, at=at))

        return app

    async def _drain(self, app: procrastinate.App) -> None:
        """Drain until nothing waits, and look once more a little later."""
        lingered, until = False, self._loop.time() + _LONGEST_DRAIN
        while self._loop.time() < until and not self._is_stopping.is_set():
            count = await self._do(_DRAIN, self._work.drain())
            if count:
                lingered = False
            elif count is None or lingered:
                return
            else:
                lingered = True
                await self._rest(_LINGER)
        await _ask_for_drain(app)

    async def _wake(self, timer: Timer) -> None:
        # The database's clock may be ahead of this one, by which it is decided whether a timer is due.
        early = (timer.at - datetime.now(UTC)).total_seconds()
        if early > 0:
            await self._rest(min(early, _MOST_EARLY))
        await self._do(_WAKE, self._work.wake(timer), timer.intent_id)

    async def _do(
        self, what: str, work: Coroutine[Any, Any, _T], intent_id: IntentId | None = None
    ) -> _T | None:
        """Carry out, so that an end of the run lets it finish. ``None`` where the world was in the way.

        It is not tried again from here: what is left undone is found by the sweep.
        """
        task = self._loop.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.wait({task})
        if task.cancelled():
            return None
        match task.exception():
            case None:
                self._outages[what].ended()
                return task.result()
            case BankBridgeError() as error if intent_id is None or isinstance(error, StoreUnavailableError):
                self._outages[what].began(error)
            case BankBridgeError() as error:
                _log.warning("intent %s: %s: %s", intent_id, type(error).__name__, error)
            case bug:
                if not self._bug.done():
                    self._bug.set_exception(bug)
        return None

    # --- the sweep ---------------------------------------------------------------------------------------------------

    async def _sweep(self, app: procrastinate.App) -> None:
        await self._is_open.wait()
        while not self._is_stopping.is_set():
            await self._take_over(app)
            self._away.ended()
            await self._catch_up(app)
            # Workers that were started together need not sweep together.
            every = self._rules.sweep_every.total_seconds() * random.uniform(0.8, 1)  # noqa: S311 (no secret)
            await self._rest(every)

    async def _take_over(self, app: procrastinate.App) -> None:
        """Let the jobs of workers that are gone run again."""
        jobs, gone_after = app.job_manager, self._rules.gone_after.total_seconds()
        await jobs.prune_stalled_workers(gone_after)
        for job in await jobs.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=gone_after):
            _log.warning("engine: %s: its worker is gone: taken over", job.call_string)
            try:
                await jobs.retry_job(job)
            except UniqueViolation:
                # A newer one waits in its place.
                await jobs.finish_job(job, Status.ABORTED, delete_job=True)
            except ConnectorException:
                _log.debug("engine: %s: somebody else was first", job.call_string)

    async def _catch_up(self, app: procrastinate.App) -> None:
        """Do what waits although no job came for it: it was lost, or somebody works on it who is gone."""
        look = await self._do(_LOOK, self._work.look())
        if look is not None and look.deliveries:
            await self._do(_DRAIN, self._work.drain())
            await _ask_for_drain(app)
        # What is due just now has a job that is about to be begun.
        while look is not None and look.due_in is not None and look.due_in < -self._rules.sweep_every / 2:
            claims = await self._do(_WAKE, self._work.claim(limit=self._rules.concurrency))
            if not claims or self._is_stopping.is_set():
                return
            await asyncio.gather(
                *(self._do(_WAKE, self._work.perform(claim), claim.intent_id) for claim in claims)
            )
            look = await self._do(_LOOK, self._work.look())

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_stopping.wait()

    def _words(self, error: Exception) -> str:
        """What the database said, where it said something."""
        cause = error.__cause__ if isinstance(error, ConnectorException) else error
        return self._database.words(cause) if isinstance(cause, Exception) else str(error)


async def _ask_for_drain(app: procrastinate.App) -> None:
    await app.connector.execute_query_async(ASK_FOR_DRAIN)


async def _set_up(connection: psycopg.AsyncConnection) -> None:
    """What a power cut undoes of what is written here is done again; the store's own connections wait for the disk."""
    await connection.set_autocommit(True)
    await connection.execute(
        "SELECT set_config('synchronous_commit', 'off', false), set_config('statement_timeout', '30s', false)"
    )


def _database_error_of(tasks: Iterable[asyncio.Task[Any]]) -> Exception | None:
    """The first. Raises every other error."""
    found: Exception | None = None
    for task in tasks:
        match None if task.cancelled() else task.exception():
            case None:
                pass
            case ConnectorException() | psycopg.Error() as error:
                found = found or error
            case bug:
                raise bug
    return found
