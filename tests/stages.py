"""A stage: emulators over real sockets, a receiver for their webhooks, and a bridge in either colour on top.

Time stands still but for `Stage.pass_time` and `Stage.play`: nothing here depends on how fast a machine is.
"""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import bankbridge_fintoc.emulator
import bankbridge_rail.emulator
from bankbridge import AsyncBankBridge, BankBridge, Status
from bankbridge.emulation import Clock, EmulatedLink, Server
from bankbridge.provider import Provider
from bankbridge.store import Store, Transaction
from bankbridge.store.memory import MemoryStore
from bankbridge.words.ids import IntentId
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
COLOURS = ("blocking", "async")
EMULATORS: Mapping[str, Any] = {
    "rail": bankbridge_rail.emulator.create_emulator,
    "fintoc": bankbridge_fintoc.emulator.create_emulator,
}
PROVIDERS: Mapping[str, Any] = {"rail": Rail, "fintoc": Fintoc}
AUTHORIZATION: Mapping[str, Callable[[str], str]] = {
    "rail": lambda key: f"Bearer {key}",
    "fintoc": lambda key: key,
}


class Awaited:
    """An `AsyncBankBridge` in an event loop of its own, called from any thread as if it were blocking."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.bridge = self._run(self._made(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.bridge, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = member(*args, **kwargs)
            if inspect.iscoroutine(result):
                return self._run(result)
            return _Drawn(result, self._run)

        return call

    def close(self) -> None:
        self._run(self.bridge.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    @staticmethod
    async def _made(*args: Any, **kwargs: Any) -> AsyncBankBridge:
        return AsyncBankBridge(*args, **kwargs)


class _Drawn(Iterator[Any]):
    """An async iterator, drawn from as if it were blocking; what else it has can be asked for."""

    def __init__(self, source: Any, run: Callable[[Any], Any]) -> None:
        self._source, self._run = source, run

    def __next__(self) -> Any:
        try:
            return self._run(self._next())
        except StopAsyncIteration:
            raise StopIteration from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    async def _next(self) -> Any:
        return await anext(self._source)


@contextmanager
def bridged(colour: str, providers: Mapping[str, Provider], **options: Any) -> Iterator[Any]:
    """A bridge of either colour, to be called as if it were blocking."""
    bridge: Any = BankBridge(providers, **options) if colour == "blocking" else Awaited(providers, **options)
    try:
        yield bridge
    finally:
        bridge.close()


@attrs.define(kw_only=True)
class Stage:
    """Everything that a story needs. ``emulators`` and ``bridge`` know the providers by name."""

    clock: Clock
    emulators: dict[str, Any]
    urls: dict[str, str]
    providers: dict[str, Any]
    store: Any
    bridge: Any

    @property
    def emulator(self) -> Any:
        """The only one."""
        (one,) = self.emulators.values()
        return one

    def link(self, *attempts: str, provider: str | None = None, **more: Any) -> EmulatedLink:
        """A link at the emulator and in the bridge, a moment old: its accounts are older than any refresh."""
        name = provider or next(iter(self.emulators))
        link = self.emulators[name].add_link(attempts=attempts or ("succeeds",), **more)
        self.clock.advance(timedelta(seconds=1))
        self.bridge.add_link(name, link.link_id, token=link.link_token)
        return link

    def truth(self, link: EmulatedLink | str, provider: str | None = None) -> dict[str, Any]:
        name = provider or next(iter(self.emulators))
        link_id = link if isinstance(link, str) else link.link_id
        return self.emulators[name].truth()["links"][link_id]

    def settle(self) -> None:
        """Return when every emulator has done what is due, and every webhook has had its first answer."""
        for emulator in self.emulators.values():
            emulator.settle()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and the emulators and the bridge do what has come due."""
        self.clock.advance(timedelta(seconds=seconds))
        self.settle()
        while self.bridge.wake_due():
            self.settle()

    def play(
        self,
        intents: Sequence[str],
        *,
        step: float = 15,
        meanwhile: Callable[[], None] = lambda: None,
        most: int = 2_000,
    ) -> dict[str, Any]:
        """Let time pass until every intent is over; in waits between attempts it passes in one go."""
        for _ in range(most):
            meanwhile()
            running, wake_at = self.store.transact(lambda tx: (_running(tx, intents), tx.next_wake_at()))
            if not running:
                return {intent: self.bridge.outcome(intent) for intent in intents}
            idle = running == {Status.BACKING_OFF} and wake_at is not None
            left = (wake_at - self.clock.now()).total_seconds() if idle and wake_at else step
            self.pass_time(max(left, step))
        raise AssertionError(f"not over: {running}")


def _running(tx: Transaction, intents: Sequence[str]) -> set[Status]:
    found = (tx.intent(IntentId(intent_id)) for intent_id in intents)
    return {intent.status for intent in found if intent is not None and not intent.status.terminal}


@contextmanager
def staged(
    *names: str,
    colour: str = "blocking",
    webhooks: bool = True,
    switches: Mapping[str, str] | None = None,
    store: Store | None = None,
    seed: int = 0,
    **options: Any,
) -> Iterator[Stage]:
    """Emulators of these providers under way, with a bridge that hears of them."""
    clock = Clock(start=START, speed=0)
    kept = MemoryStore() if store is None else store
    with ExitStack() as stack:
        emulators = {name: EMULATORS[name](clock, seed=seed, switches=switches) for name in names}
        urls = {name: stack.enter_context(Server(one.app)).url for name, one in emulators.items()}
        receiver = Server(Starlette(routes=[Route("/hooks/{connection}", _hook, methods=["POST"])]))
        secrets = dict.fromkeys(names, ("whsec_unused",))
        if webhooks:
            stack.enter_context(receiver)
            secrets = {
                name: (_subscribed(name, emulators[name], urls[name], f"{receiver.url}/hooks/{name}"),)
                for name in names
            }
        providers = {
            name: PROVIDERS[name](
                secret_key=emulators[name].secret_key, webhook_secrets=secrets[name], base_url=urls[name]
            )
            for name in names
        }
        options.setdefault("new_id", _counted())
        bridge = stack.enter_context(bridged(colour, providers, clock=clock.now, store=kept, **options))
        _BRIDGES[receiver.url if webhooks else ""] = bridge
        yield Stage(
            clock=clock, emulators=emulators, urls=urls, providers=providers, store=kept, bridge=bridge
        )
        for emulator in emulators.values():
            emulator.truth()


_BRIDGES: dict[str, Any] = {}


async def _hook(request: Request) -> Response:
    bridge = _BRIDGES[str(request.base_url).rstrip("/")]
    body = await request.body()
    answer = await run_in_threadpool(bridge.receive, request.path_params["connection"], request.headers, body)
    return Response(answer.body, answer.status)


def _subscribed(name: str, emulator: Any, url: str, hook: str) -> str:
    """Register an endpoint the way an operator does; its secret."""
    body = {"url": hook, "enabled_events": sorted(PROVIDERS[name].capabilities.event_types)}
    headers = {"authorization": AUTHORIZATION[name](emulator.secret_key)}
    with httpx.Client(verify=False, trust_env=False) as client:  # noqa: S501 (nothing here is encrypted)
        answer = client.post(f"{url}/v1/webhook_endpoints", json=body, headers=headers)
    return answer.raise_for_status().json()["secret"]


def _counted() -> Callable[[], IntentId]:
    numbers = iter(range(1, 1_000_000))
    lock = threading.Lock()

    def new() -> IntentId:
        with lock:
            return IntentId(f"rfi_{next(numbers)}")

    return new
