"""The emulated Fintoc as one object: `create_emulator`."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, TypeVar

from starlette.applications import Starlette

from bankbridge.emulation import (
    NEVER,
    PATIENCE,
    PERSON_ACTS,
    WEBHOOK_MODES,
    Background,
    Clock,
    EmulatedLink,
    FaultPlan,
    Script,
    WebhookSender,
    WidgetError,
    WidgetSession,
    check_word,
    control_routes,
    read_rates,
    read_switches,
    sign_hmac_v1,
)
from bankbridge_fintoc.emulator import bank, control, seeds, truth
from bankbridge_fintoc.emulator.app import Desk, api_routes, wrong_address
from bankbridge_fintoc.emulator.events import EVENT_TYPES
from bankbridge_fintoc.emulator.switches import SWITCHES
from bankbridge_fintoc.emulator.timings import Timings
from bankbridge_fintoc.emulator.world import Ids, Link, WebhookEndpoint, World

SIGNATURE_HEADER: Final = "Fintoc-Signature"
"""https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-validating"""

MOST_ACCOUNTS: Final = 50

MODES: Final = ("test", "live")

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a link can be named: it stands in a URL."""

T = TypeVar("T")


class FintocEmulator:
    """Fintoc's bank-data API, emulated; a `bankbridge.emulation.Emulator`. Serve `app` with `Server`.

    Beyond that face it can `reconnect` a link, `change_credentials`, `refresh_in_background`, and
    `modify_movements` or `remove_movements` of an account. Everything may be called from any thread.
    """

    provider = "fintoc"

    def __init__(self, world: World) -> None:
        self._world = world
        self._clock = clock = world.clock
        secret, keys = self._world.ids.new("sk_test_", 32), Ids(world.seed)
        self._keys = MappingProxyType(
            {
                "secret_test": secret,
                "publishable_test": keys.new("pk_test_", 32),
                "secret_live": keys.new("sk_live_", 32),
                "publishable_live": keys.new("pk_live_", 32),
            }
        )
        self._background = Background()
        self._sender = WebhookSender(clock=clock, sign=sign_hmac_v1(SIGNATURE_HEADER))
        self._changed = asyncio.Event()
        desk = Desk(
            world=self._world,
            secret_key=self.secret_key,
            send_events=self._send_after_request,
            request_ids=Ids(world.seed),
        )
        elsewhere = wrong_address(desk)
        self._app = Starlette(
            routes=[*api_routes(desk), *control_routes(self, control.more_control_routes(self._change))],
            exception_handlers={404: elsewhere, 405: elsewhere},
            lifespan=self._lifespan,
        )

    @property
    def clock(self) -> Clock:
        """The virtual time that this Fintoc lives in."""
        return self._clock

    @property
    def app(self) -> Starlette:
        """The API and its controls."""
        return self._app

    @property
    def secret_key(self) -> str:
        """The secret key of the one organisation there is, in test mode."""
        return self._keys["secret_test"]

    @property
    def keys(self) -> Mapping[str, str]:
        """All API keys: ``secret_test``, ``publishable_test``, ``secret_live``, ``publishable_live``."""
        return self._keys

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong, and how often."""
        return self._world.faults

    @property
    def widget_script(self) -> str:
        """What pages load from https://js.fintoc.com/v1/, played."""
        return files("bankbridge_fintoc.emulator").joinpath("widget.js").read_text("utf-8")

    @property
    def switches(self) -> Mapping[str, str]:
        """Every switch of `SWITCHES` with its value."""
        return self._world.switches

    def add_link(
        self,
        *,
        attempts: Sequence[str] = ("succeeds",),
        webhooks: str = "normal",
        institution: str | None = None,
        accounts: int = 3,
        name: str | None = None,
        mode: str = "test",
        faults: Mapping[str, float] = NEVER,
    ) -> EmulatedLink:
        """A new link; ``attempts`` are script words (`WORDS`), one per refresh intent, the last repeats.

        Raises `UnknownWordError` for a word, mode, fault or institution that is not known, and ValueError for a
        number of accounts that cannot be, and for a name that is taken or cannot stand in a URL.
        """
        check_word("webhook mode", webhooks, WEBHOOK_MODES)
        check_word("mode", mode, MODES)
        if name is not None and not NAME.fullmatch(name):
            raise ValueError(f"name is {name!r}: give up to 64 letters, digits, underscores and hyphens")
        rates = read_rates(faults)
        script, where = Script(attempts, bank.WORDS), seeds.institution(institution)
        fewest = 2 if "mixed" in attempts else 1
        if not fewest <= accounts <= MOST_ACCOUNTS:
            raise ValueError(f"accounts is {accounts}: give {fewest} to {MOST_ACCOUNTS} for these attempts")

        def add(world: World, now: datetime) -> EmulatedLink:
            link_id = world.ids.new("link_") if name is None else f"link_{name}"
            if link_id in world.links:
                raise ValueError(f"the name {name!r} is taken: choose another")
            link = Link(
                id=link_id,
                token=world.ids.new(f"{link_id}_token_", 24) if name is None else f"{link_id}_token",
                mode=mode,
                faults=rates,
                institution=where,
                script=script,
                webhooks=webhooks,
                accounts=[seeds.new_account(world, position, now) for position in range(accounts)],
                created_at=now,
                last_refreshed_at=now,
            )
            world.links[link.id] = link
            account_ids = tuple(account.id for account in link.accounts)
            return EmulatedLink(link_id=link.id, link_token=link.token, account_ids=account_ids)

        return self._change(add)

    def widget(self, token: str) -> WidgetSession:
        """What the widget shows for a token."""
        return self._change(lambda world, now: bank.look_at_widget(world, token, now))

    def connect(self, token: str, *, institution: str, username: str, password: str) -> str:
        """Log in at the widget. Raises `WidgetError`: nobody can ask for a widget token yet."""
        del institution, username, password
        raise WidgetError(f"the token {token[:3]}… is not one of this widget")

    def settle(self, timeout: timedelta = PATIENCE) -> None:
        """Return when nothing more can happen until the clock moves or somebody asks for something."""
        self._background.settle(self._sender.is_quiet, timeout)

    def add_endpoint(
        self, url: str, *, events: Sequence[str] | None = None, secret: str | None = None
    ) -> str:
        """Register a webhook endpoint; its secret."""
        for event_type in events or ():
            check_word("event type", event_type, EVENT_TYPES)

        def add(world: World, now: datetime) -> str:
            endpoint = WebhookEndpoint(
                id=world.ids.new("we_"),
                url=url,
                name=None,
                description=None,
                enabled_events=tuple(events or EVENT_TYPES),
                created_at=now,
                secret=secret or world.ids.new("whsec_test_", 32),
            )
            world.endpoints[endpoint.id] = endpoint
            return endpoint.secret

        return self._change(add)

    def person(self, link_id: str, act: str) -> None:
        """Act (one of `PERSON_ACTS`) at the widget of the prompt that is open on a link.

        Raises `UnknownWordError`, and `UnknownLinkError` when there is no such link or no open prompt.
        """
        check_word("act", act, PERSON_ACTS)
        self._change(lambda world, now: bank.act_at_widget(world, world.link(link_id), act, now))

    def truth(self) -> dict[str, Any]:
        """What really happened, in JSON's types and without a secret; the shape is `Emulator.truth`'s.

        A link also has its ``requests``; a create its ``code`` where it was refused, and whether its answer
        was ``lost``; an intent its ``type``, ``made_by``, ``prompt`` and ``started_at``.
        """
        return self._change(lambda world, now: truth.tell(world, self._sender, now))

    def reconnect(self, link_id: str) -> None:
        """The person connects the link again: it is active, and no earlier refusal holds."""
        self._change(lambda world, _: control.reconnect(world, link_id))

    def change_credentials(self, link_id: str) -> None:
        """The person changes the password at the bank: `link.credentials_changed`, `login_required`."""
        self._change(lambda world, now: control.change_credentials(world, link_id, now))

    def refresh_in_background(self, link_id: str, outcome: str = "succeeds") -> None:
        """Fintoc refreshes the link by itself, at once; `outcome` is a script word that ends an intent."""
        self._change(lambda world, now: control.refresh_in_background(world, link_id, outcome, now))

    def modify_movements(self, account_id: str, count: int = 1) -> tuple[str, ...]:
        """Change the newest rows of an account, tell of it by an event, and return their ids."""
        return self._change(lambda world, now: control.modify_movements(world, account_id, count, now))

    def remove_movements(self, account_id: str, count: int = 1) -> tuple[str, ...]:
        """Take the newest rows of an account away, tell of it by an event, and return their ids."""
        return self._change(lambda world, now: control.remove_movements(world, account_id, count, now))

    def _change(self, act: Callable[[World, datetime], T]) -> T:
        """Do something in the world as it is by now, from any thread."""

        def run() -> T:
            done = act(self._world, self._world.catch_up())
            self._changed.set()
            return done

        return self._background.call(run)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncGenerator[None]:
        # An Event belongs to the first loop that waits for it, and the app may be served more than once.
        self._changed = asyncio.Event()
        try:
            async with self._background.running():
                self._background.spawn(self._live())
                yield
        finally:
            await self._sender.close()

    async def _live(self) -> None:
        """Let things happen when their time comes, and send what there is to tell."""
        while True:
            self._world.catch_up()
            self._send_events()
            await self._until_something_is_due()

    async def _until_something_is_due(self) -> None:
        next_at = self._world.next_at()
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._changed.wait())]
        if next_at is not None:
            waits.append(asyncio.ensure_future(self._clock.sleep_until(next_at)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._changed.clear()

    def _send_after_request(self) -> list[asyncio.Future[None]]:
        # The request may have put something on the agenda that comes before what is being waited for.
        self._changed.set()
        return self._send_events()

    def _send_events(self) -> list[asyncio.Future[None]]:
        """Start what is to be sent; only in the loop."""
        outbox, self._world.outbox = self._world.outbox, []
        return [
            self._sender.send(
                one.endpoint, json.dumps(one.event, ensure_ascii=False).encode(), faults=one.faults
            )
            for one in outbox
        ]


def create_emulator(
    clock: Clock,
    *,
    seed: int = 0,
    switches: Mapping[str, str] | None = None,
    timings: Timings | None = None,
    faults: Mapping[str, float] = NEVER,
) -> FintocEmulator:
    """An emulated Fintoc: the same seed gives the same ids, accounts, movements and ``faults``.

    ``switches`` choose where Fintoc's sources disagree or are silent; `SWITCHES` lists them. Raises
    `UnknownWordError` for a switch, value or fault that is not there, naming the nearest, and ValueError for a rate
    that is no probability.
    """
    world = World(
        clock,
        seed=seed,
        switches=read_switches(SWITCHES, switches),
        timings=timings or Timings(),
        faults=faults,
    )
    return FintocEmulator(world)
