"""The application's face, async. `bankbridge.shells.sync` is its twin: the same names, the same words."""

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx

from bankbridge.banking import Account, Movement
from bankbridge.engine import BATCH, Engine
from bankbridge.engine.embedded import Embedded
from bankbridge.machine.events import Canceler
from bankbridge.machine.intent import RefreshIntent, Scope
from bankbridge.machine.link import Blocker, Link
from bankbridge.machine.outcome import Outcome
from bankbridge.machine.policy import Policy
from bankbridge.provider import Provider
from bankbridge.shells import inbox, linking, refreshing, replaying, waking
from bankbridge.shells.config import read_config
from bankbridge.shells.connections import Connection
from bankbridge.shells.core import core_of, new_intent_id, tell_of_a_bug, utc_now
from bankbridge.shells.http import arguments, async_client, discreetly, no_answer, response_of
from bankbridge.shells.inbox import Answer
from bankbridge.shells.intake import AsyncIntake
from bankbridge.shells.jobs import Announce, Arrived, Call, Job, Step, TakeIn, Transact
from bankbridge.shells.linking import Story
from bankbridge.shells.news import News
from bankbridge.shells.reading import Gap, read_movements
from bankbridge.shells.replaying import Found
from bankbridge.shells.working import AsyncTasks
from bankbridge.store import Store
from bankbridge.store.memory import MemoryStore
from bankbridge.wire import Flow, Request, Response, Running
from bankbridge.words.errors import BankBridgeError, MovementsMissingError, TransportError
from bankbridge.words.ids import AccountId, IntentId, LinkId

_T = TypeVar("_T")

_log: Final = logging.getLogger("bankbridge")


async def drive(flow: Flow[_T], send: Callable[[Request], Awaitable[Response]]) -> _T:
    """Drive one flow to its end, async. A `TransportError` of ``send`` is thrown into the flow."""
    running = Running(flow)
    while not running.done:
        try:
            response = await send(running.asks)
        except TransportError as error:
            running.fail(error)
        else:
            running.answer(response)
    return running.result


class AsyncBankBridge:
    """Keeps people's bank data fresh, whatever the provider. For one event loop; its store works in threads.

    ``providers`` are the configured providers by connection name. ``store`` keeps what must last (default: memory).
    ``client`` makes the requests (default: one with timeouts that repeats only reads); one that is passed in is
    left open. ``policies`` replaces a connection's policy (see `bankbridge.policy_for`). ``engine`` carries wake-ups
    and work over time (default: `bankbridge.engine.embedded.Embedded`, which works while `run` or `running` does).
    ``on_news`` is called after each commit that changed something an application may care about; what it raises
    is logged with its traceback, and changes nothing else. ``clock`` tells the time in UTC.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        store: Store | None = None,
        client: httpx.AsyncClient | None = None,
        policies: Mapping[str, Policy] | None = None,
        engine: Engine | None = None,
        on_news: Callable[[News], Awaitable[None] | None] | None = None,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], IntentId] = new_intent_id,
    ) -> None:
        self._core = core_of(providers, policies, clock, new_id)
        self._store = MemoryStore() if store is None else store
        self._intake = AsyncIntake(self._store)
        self._own_client = client is None
        self._client = async_client() if client is None else client
        self._on_news = on_news
        self._engine: Engine = Embedded() if engine is None else engine

    @classmethod
    def from_config(
        cls, path: str | Path, *, on_news: Callable[[News], Awaitable[None] | None] | None = None
    ) -> Self:
        """Configure from a TOML file. Raises `ConfigurationError` with every problem at once."""
        config = read_config(path)
        store, engine = config.open()
        return cls(config.providers, store=store, policies=config.policies, engine=engine, on_news=on_news)

    # --- links -----------------------------------------------------------------------------------------------

    async def add_link(self, connection: str, link_id: str, *, token: str | None = None) -> Link:
        """Look at a link at its provider and store it with its accounts. ``token`` is its secret, where it has one."""
        return await self._run(linking.add_link(self._core, connection, LinkId(link_id), token))

    async def links(self) -> tuple[Link, ...]:
        """Every stored link."""
        return await asyncio.to_thread(self._store.transact, lambda tx: tuple(tx.links()))

    async def reconcile_link(self, link_id: str, *, connection: str | None = None) -> Link:
        """Look at a stored link at its provider again."""
        return await self._run(linking.reconcile_link(self._core, LinkId(link_id), connection))

    async def reconnected(
        self, link_id: str, *, token: str | None = None, connection: str | None = None
    ) -> Link:
        """Say that the person connected the link again: what blocked it is lifted and its budgets are renewed."""
        return await self._run(linking.reconnected(self._core, LinkId(link_id), connection, token))

    async def why_not_now(
        self, link_id: str, *, attended: bool = False, connection: str | None = None
    ) -> tuple[Blocker, ...]:
        """Everything that stands against a refresh now: why, until when, who lifts it. Empty if nothing does."""
        return await self._run(
            linking.why_not_now(self._core, LinkId(link_id), connection, attended=attended)
        )

    # --- refreshes -------------------------------------------------------------------------------------------

    async def refresh(
        self,
        link_id: str,
        *,
        scope: Scope = Scope.LATEST,
        attended: bool = False,
        connection: str | None = None,
    ) -> RefreshIntent:
        """Ask for fresh data; joins the intent that is open already, and stores a refusal as one that ended.

        ``attended``: a person is there who could answer a prompt. Raises `UnknownLinkError`.
        """
        return await self._run(
            refreshing.refresh(
                self._core, LinkId(link_id), scope=scope, attended=attended, connection=connection
            )
        )

    async def retry(self, intent_id: str) -> RefreshIntent:
        """The person pressed *try again*: a new, attended intent for the same link, with a new prompt if one is due."""
        return await self._run(refreshing.retry(self._core, IntentId(intent_id)))

    async def cancel(self, intent_id: str, *, by: Canceler = Canceler.APPLICATION) -> Outcome:
        """Stop wanting it. A success that still comes is kept and its data worth reading."""
        return await self._run(refreshing.cancel(self._core, IntentId(intent_id), by=by))

    async def prompt_answered(self, intent_id: str) -> Outcome:
        """The provider's widget says that the person has answered."""
        return await self._run(refreshing.prompt_answered(self._core, IntentId(intent_id)))

    async def outcome(self, intent_id: str) -> Outcome:
        """What the intent means now, and the next step. Raises `UnknownIntentError`."""
        return await self._run(refreshing.outcome(self._core, IntentId(intent_id)))

    async def explain(self, intent_id: str) -> Story:
        """Why the intent is where it is: every delivery, read and wake-up that moved it."""
        return await self._run(linking.explain(self._core, IntentId(intent_id)))

    async def replay(
        self,
        *,
        link_id: str | None = None,
        connection: str | None = None,
        intent_id: str | None = None,
        since: datetime | None = None,
        policies: Mapping[str, Policy] | None = None,
        apply: bool = False,
    ) -> AsyncIterator[Found]:
        """Tell every intent's story again, as it is stored, with today's translation and ``policies`` in place of ours.

        Yields each intent told again, and then each delivery that was not understood and means something now; as it
        goes, so that a store of years need not fit into memory. Only reads, unless ``apply``: then what is over and
        would be over differently is put right, and what is understood now goes back into the inbox. No provider is
        asked anything and no refresh begins. Raises `UnknownLinkError` or `UnknownIntentError` for one that is not
        stored, and `ConfigurationError` for ``apply`` with ``policies``: those are for what comes.
        """
        wish = replaying.Wish(
            link_id=None if link_id is None else LinkId(link_id),
            connection=connection,
            intent_id=None if intent_id is None else IntentId(intent_id),
            since=since,
            apply=apply,
        )
        walk = replaying.Replaying(self._core, wish, policies or {})
        while not walk.done:
            for found in await self._run(walk.go_on()):
                yield found

    # --- the world comes in ----------------------------------------------------------------------------------

    async def receive(self, connection: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Take a webhook: verified over the raw ``body``, stored durably, then answered. Never raises for bad input."""
        return await self._run(inbox.take_delivery(self._core, connection, headers, body))

    async def wake_due(self, *, limit: int = 100) -> int:
        """Do what is due: polls, deadlines, retries. Call it every second or so, or use `run`. Returns how many."""
        return await self._run(waking.wake_due(self._core, limit=limit))

    async def run(self) -> None:
        """Drain and wake until `stop` is called; then finish what is under way. For a task or a process of its own.

        Raises `EngineBusyError` if it runs already.
        """
        await self._engine.run_async(AsyncTasks(self._core, self._run))

    def stop(self) -> None:
        """Let `run` return; if it does not run, the next one. From any thread, and from a signal handler."""
        self._engine.stop()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """`run` beside what is inside the ``with``; `stop` and wait at its end, where what `run` raised comes out."""
        running = asyncio.create_task(self.run(), name="bankbridge")
        running.add_done_callback(tell_of_a_bug)
        try:
            yield
        finally:
            if not running.done():
                self.stop()
            await asyncio.wait([running])
        running.result()

    # --- reading ---------------------------------------------------------------------------------------------

    async def accounts(self, link_id: str, *, connection: str | None = None) -> AsyncIterator[Account]:
        """The link's accounts, read when the first is asked for."""
        for account in await self._run(linking.read_accounts(self._core, LinkId(link_id), connection)):
            yield account

    def movements(
        self,
        account_id: str,
        since: date | None = None,
        until: date | None = None,
        *,
        connection: str | None = None,
        allow_gaps: bool = False,
    ) -> "AsyncMovements":
        """The account's movements from ``since`` to ``until`` (both days count), each once, as they are read.

        Raises `MovementsMissingError` after the last row when rows stayed missing, unless ``allow_gaps``; the
        iterator's ``gaps`` says where.
        """
        return AsyncMovements(
            self._movements(AccountId(account_id), since, until, connection), allow_gaps=allow_gaps
        )

    async def _movements(
        self, account_id: AccountId, since: date | None, until: date | None, connection: str | None
    ) -> AsyncIterator[Movement | Gap]:
        link = await self._run(linking.link_of_account(self._core, account_id, connection))
        known = self._core.connection(link.connection)
        reading = Running(read_movements(known.provider, link, account_id, since=since, until=until))
        while not reading.done:
            if isinstance(reading.asks, tuple):
                for movement in reading.asks:
                    yield movement
                reading.answer(None)
            else:
                reading.answer(await drive(reading.asks, lambda request: self._send(known, request)))
        for gap in reading.result:
            yield gap

    # --- the driver ------------------------------------------------------------------------------------------

    async def _run(self, job: Job[_T]) -> _T:
        running = Running(job)
        while not running.done:
            try:
                result = await self._carry_out(running.asks)
            except BankBridgeError as error:
                running.fail(error)
            else:
                running.answer(result)
        return running.result

    async def _carry_out(self, step: Step) -> object:
        match step:
            case Call(connection=connection, flow=flow, once=once):
                return await drive(flow, lambda request: self._send(connection, request, once=once))
            case Transact(work=work):
                return await asyncio.to_thread(self._store.transact, work)
            case TakeIn(stored=stored):
                return await self._intake.put(stored)
            case Arrived():
                await self._arrived()
                return None
            case Announce(news=news):
                await self._announce(news)
                return None

    async def _announce(self, news: News) -> None:
        if self._on_news is None:
            return
        try:
            told = self._on_news(news)
            if inspect.isawaitable(told):
                await told
        except Exception:  # noqa: BLE001 (the application's own, and what it is told of is done already)
            _log.exception("on_news raised when it was told of %s", type(news).__name__)

    async def _arrived(self) -> None:
        """Deliveries wait, and are safe; so what comes of draining them is no matter of who brought the last one."""
        if self._engine.is_at_work:
            self._engine.wake()
            return
        try:
            await self._run(inbox.drain(self._core, limit=BATCH))
        except Exception:  # noqa: BLE001 (what is wrong here must not be told to the sender, who would send it again)
            _log.exception("deliveries could not be drained; they wait for the next try")

    async def _send(self, connection: Connection, request: Request, *, once: bool = False) -> Response:
        if (instead := self._core.held_back(connection, is_look=once)) is not None:
            return instead
        try:
            with discreetly(request):
                return response_of(await self._client.request(**arguments(connection, request, once=once)))
        except httpx.HTTPError as error:
            raise no_answer(connection, request, error) from None

    async def close(self) -> None:
        """Let go of the store, and of the client unless it was passed in."""
        if self._own_client:
            await self._client.aclose()
        self._intake.close()
        self._store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncMovements(AsyncIterator[Movement]):
    """Movements as they are read. After the last one ``gaps`` says what stayed incomplete."""

    def __init__(self, source: AsyncIterator[Movement | Gap], *, allow_gaps: bool) -> None:
        self._source = source
        self._allow_gaps = allow_gaps
        self.gaps: tuple[Gap, ...] = ()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Movement:
        async for item in self._source:
            if isinstance(item, Movement):
                return item
            self.gaps = (*self.gaps, item)
        if self.gaps and not self._allow_gaps:
            self._allow_gaps = True
            raise MovementsMissingError(self.gaps)
        raise StopAsyncIteration
