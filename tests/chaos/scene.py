"""The scene of a run: emulators over real sockets, what is seen at their doors, the receiver, and the bridge."""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import attrs
import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from bankbridge import BankBridge
from bankbridge.emulation import Clock, FaultyHttp, Server
from bankbridge.store.memory import MemoryStore
from bankbridge.store.sql import new_key, sqlite_store
from bankbridge.words.ids import IntentId
from tests.chaos.door import Door
from tests.chaos.peril import Fate, client_for
from tests.chaos.plan import Plan
from tests.stages import AUTHORIZATION, EMULATORS, PROVIDERS, START, Awaited

OURS: Final = "x-chaos"
"""Marks the requests that the harness itself makes: they are nobody's polls."""


@attrs.frozen(kw_only=True)
class Request:
    """One request of the bridge, as it came to an emulator's door."""

    at: datetime
    method: str
    path: str = attrs.field(repr=False)  # it can hold a link's token


class _Counting:
    """An emulator's door: notes every request before the emulator sees it."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app, self._clock = app, clock
        self.seen: list[Request] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and OURS.encode() not in dict(scope["headers"]):
            self.seen.append(Request(at=self._clock.now(), method=scope["method"], path=scope["path"]))
        await self._app(scope, receive, send)


@attrs.define(kw_only=True)
class Scene:
    """Everything that a run plays with. `reopen` ends the bridge and lets another one take over its store."""

    clock: Clock
    emulators: Mapping[str, Any]
    urls: Mapping[str, str]
    doors: Mapping[str, _Counting]
    receiver: Door
    early: "_Early"
    fate: Fate
    secrets: Mapping[str, str] = attrs.field(repr=False)
    """Every setting that must not be seen, by name."""
    store_file: Path | None
    bridge: Any = None
    store: Any = None
    news: list[Any] = attrs.field(factory=list)
    numbers: set[str] = attrs.field(factory=set, repr=False)
    """Every account number that was read."""
    client: Any = None
    _open: Callable[["Scene"], None]

    def reopen(self) -> None:
        """Another process takes over."""
        self.close()
        self._open(self)

    def close(self) -> None:
        """End the bridge, and the client that it was given."""
        if isinstance(self.bridge, Awaited):
            self.bridge._run(self.client.aclose())
        elif self.client is not None:
            self.client.close()
        if self.bridge is not None:
            self.bridge.close()

    def settle(self) -> None:
        """Return when nothing more happens before the clock moves."""
        for emulator in self.emulators.values():
            emulator.settle()

    def turn(self, rates: Mapping[str, float]) -> None:
        """Turn the faults of every emulator to these rates."""
        for emulator in self.emulators.values():
            emulator.faults.rates = rates

    def ask(self, provider: str, method: str, path: str, **more: Any) -> Any:
        """Ask an emulator ourselves, as somebody who knows the key; nobody hears of it, and nothing strikes."""
        faults = self.emulators[provider].faults
        rates, faults.rates = faults.rates, {}
        logging.disable()
        headers = {"authorization": AUTHORIZATION[provider](self.emulators[provider].secret_key), OURS: "1"}
        try:
            with httpx.Client(trust_env=False) as client:
                got = client.request(method, self.urls[provider] + path, headers=headers, **more)
                return got.raise_for_status().json()
        finally:
            logging.disable(logging.NOTSET)
            faults.rates = rates


@contextmanager
def scene_of(plan: Plan, options: Mapping[str, Any]) -> Iterator[Scene]:
    """Everything under way, with no fault yet. ``options`` go to every bridge."""
    clock = Clock(start=START, speed=0)
    names = tuple(dict.fromkeys(life.provider for life in plan.lives))
    with ExitStack() as stack:
        emulators = {name: EMULATORS[name](clock, seed=plan.seed) for name in names}
        for emulator in emulators.values():
            hasten(emulator)
        doors = {name: _Counting(one.app, clock) for name, one in emulators.items()}
        urls = {name: stack.enter_context(Server(door)).url for name, door in doors.items()}
        early = _Early(emulators, clock)
        receiver = Door(early)
        hooks = stack.enter_context(receiver.open())
        webhook_secrets = {
            name: emulators[name].add_endpoint(
                f"{hooks}/{name}", events=sorted(PROVIDERS[name].capabilities.event_types)
            )
            for name in names
        }
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bankbridge-chaos-")))
        scene = Scene(
            clock=clock,
            emulators=emulators,
            urls=urls,
            doors=doors,
            receiver=receiver,
            early=early,
            fate=Fate(plan.seed, plan.deaths, clock),
            secrets={
                **{f"{name}'s webhook secret": secret for name, secret in webhook_secrets.items()},
                **{f"{name}'s key": one.secret_key for name, one in emulators.items()},
            },
            store_file=folder / "bridge.db" if plan.store == "sqlite" else None,
            open=_opener(plan, webhook_secrets, options),
        )
        stack.callback(scene.close)
        scene.reopen()
        yield scene


def _opener(
    plan: Plan, webhook_secrets: Mapping[str, str], options: Mapping[str, Any]
) -> Callable[[Scene], None]:
    numbers, keys, memory = itertools.count(1), [new_key()], MemoryStore()

    def opened(scene: Scene) -> None:
        providers = {
            name: PROVIDERS[name](
                secret_key=emulator.secret_key,
                webhook_secrets=(webhook_secrets[name],),
                base_url=scene.urls[name],
            )
            for name, emulator in scene.emulators.items()
        }
        scene.store = memory if scene.store_file is None else sqlite_store(scene.store_file, keys=keys)
        scene.client = client_for(plan.colour, scene.fate)
        make: Any = BankBridge if plan.colour == "blocking" else Awaited
        scene.bridge = scene.receiver.bridge = make(
            providers,
            store=scene.store,
            client=scene.client,
            clock=scene.clock.now,
            new_id=lambda: IntentId(f"rfi_{next(numbers)}"),
            on_news=scene.news.append,
            **options,
        )

    return opened


def hasten(emulator: Any) -> None:
    """A ``slow`` answer takes real seconds: here only so long that everything else comes first."""
    for middleware in emulator.app.user_middleware:
        if middleware.cls is FaultyHttp:
            middleware.kwargs["slowness"] = timedelta(milliseconds=50)


class _Early:
    """Whether an emulator answers a create only after an event: then that event may not wait for the bridge."""

    def __init__(self, emulators: Mapping[str, Any], clock: Clock) -> None:
        self._emulators, self._clock = emulators, clock
        self._link_of: dict[str, str] = {}
        self._early: set[str] = set()

    def know(self, link_id: str, webhooks: str) -> None:
        """Remember how a link's events come."""
        self._link_of[link_id] = link_id
        if webhooks == "early":
            self._early.add(link_id)

    def __call__(self, provider: str, event: dict[str, Any]) -> bool:
        link_id = self._link_in(provider, event)
        # A copy that was tampered with names nobody: it is refused, whenever it comes.
        return link_id is None or link_id in self._early or self._has_struck(provider, link_id)

    def _link_in(self, provider: str, event: dict[str, Any]) -> str | None:
        data = event.get("data")
        said = data if isinstance(data, dict) else {}
        names = [said[key] for key in _SUBJECTS if isinstance(said.get(key), str)]
        if not any(name in self._link_of for name in names):
            for link_id, link in self._emulators[provider].truth()["links"].items():
                self._link_of |= dict.fromkeys(link["account_ids"], link_id)
        return next((self._link_of[name] for name in names if name in self._link_of), None)

    def _has_struck(self, provider: str, link_id: str) -> bool:
        now = self._clock.now().isoformat()
        return any(
            one["fault"] == "event_first" and link_id in one["on"].split() and one["at"] == now
            for one in self._emulators[provider].faults.report()
        )


_SUBJECTS: Final = (
    *("link_id", "linkId", "refreshed_object_id", "refreshedObjectId", "account_id", "accountId", "id"),
)
"""Where an event names its link, or an account of it."""
