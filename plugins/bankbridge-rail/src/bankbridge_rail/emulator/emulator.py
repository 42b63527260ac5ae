"""The emulated Rail as a test holds it: an application to serve, and the hands behind the scenes."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from bankbridge.emulation import (
    NEVER,
    PATIENCE,
    PERSON_ACTS,
    WEBHOOK_MODES,
    Background,
    Clock,
    EmulatedLink,
    Endpoint,
    FaultPlan,
    Script,
    UnknownLinkError,
    WebhookSender,
    WidgetError,
    WidgetSession,
    check_word,
    control_routes,
    read_rates,
    read_switches,
    sign_hmac_v1,
)
from bankbridge_rail.emulator import bodies
from bankbridge_rail.emulator.answers import outside_the_api
from bankbridge_rail.emulator.bank import WORDS, Bank
from bankbridge_rail.emulator.events import EVENT_TYPES, Events
from bankbridge_rail.emulator.routes import delete_link, rail_routes
from bankbridge_rail.emulator.switches import SWITCHES
from bankbridge_rail.emulator.truth import tell_truth
from bankbridge_rail.emulator.world import (
    ENDED,
    EXAMPLE_TIMINGS,
    Link,
    Prompt,
    Timings,
    World,
    new_account,
)

MOST_ACCOUNTS: Final = 50

SIGNATURE_HEADER: Final = "Rail-Signature"
"""https://docs.rail.cl/guides/webhooks"""

MODES: Final = ("test", "live")

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RailEmulator:
    """An emulated Rail; see `bankbridge.emulation.Emulator` for the face it shares with other providers.

    Every method may be called from any thread. `remove_account`, `add_account`, `expire_link` and
    `delete_link` raise `UnknownLinkError` for an id that does not exist.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._background = Background()
        self._sender = WebhookSender(clock=world.clock, sign=sign_hmac_v1(SIGNATURE_HEADER))
        self._events = Events(world, self._sender, self._background)
        self._bank = Bank(world, self._events, self._background)
        self.keys = MappingProxyType(
            {
                f"{kind}_{mode}": f"rail_{kind[0]}k_{mode}_{world.new_hex(f'{kind}_key', 32)}"
                for mode in ("test", "live")
                for kind in ("secret", "publishable")
            }
        )
        self.app = Starlette(
            routes=[*rail_routes(world, self._bank, self._events, self.secret_key), *control_routes(self)],
            exception_handlers={HTTPException: outside_the_api},
            lifespan=self._lifespan,
        )

    @property
    def provider(self) -> str:
        """``rail``."""
        return "rail"

    @property
    def switches(self) -> Mapping[str, str]:
        """Every switch of `SWITCHES` with its value."""
        return self._world.switches

    @property
    def clock(self) -> Clock:
        """The virtual time that the emulated Rail lives in."""
        return self._world.clock

    @property
    def secret_key(self) -> str:
        """The secret key of test mode."""
        return self.keys["secret_test"]

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong, and how often."""
        return self._world.faults

    @property
    def widget_script(self) -> str:
        """Rail's widget script, played: https://docs.rail.cl/quickstart."""
        return files("bankbridge_rail.emulator").joinpath("widget.js").read_text("utf-8")

    def settle(self, timeout: timedelta = PATIENCE) -> None:
        """Return when nothing more can happen until the clock moves or somebody asks for something."""
        self._background.settle(self._sender.is_quiet, timeout)

    def widget(self, token: str) -> WidgetSession:
        """What the widget shows for a token."""
        return self._background.call(lambda: self._widget(token))

    def connect(self, token: str, *, institution: str, username: str, password: str) -> str:
        """Log in at the widget. Raises `WidgetError`: nobody can ask for a widget token yet."""
        del institution, username, password
        raise WidgetError(f"the token {token[:3]}… is not one of this widget")

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
        """A new link at a bank (default `banco_estado`) of `BANKS`; ``attempts`` are words of `WORDS`."""
        script = Script(attempts, WORDS)
        bank_id = institution or "banco_estado"
        check_word("webhook mode", webhooks, WEBHOOK_MODES)
        check_word("institution", bank_id, bodies.BANKS)
        check_word("mode", mode, MODES)
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError(f"name is {name!r}: give up to 64 letters, digits, underscores and hyphens")
        rates = read_rates(faults)
        if not 1 <= accounts <= MOST_ACCOUNTS:
            raise ValueError(f"accounts is {accounts}: give 1 to {MOST_ACCOUNTS}")
        link = self._background.call(
            lambda: self._add_link(
                accounts,
                name,
                script=script,
                webhooks=webhooks,
                bank_id=bank_id,
                mode=mode,
                faults=rates,
            )
        )
        return EmulatedLink(link_id=link.id, account_ids=tuple(link.accounts))

    def add_endpoint(
        self, url: str, *, events: Sequence[str] | None = None, secret: str | None = None
    ) -> str:
        """Register a webhook endpoint; its secret."""
        for event_type in events or ():
            check_word("event type", event_type, EVENT_TYPES)

        def add() -> str:
            endpoint = Endpoint(
                id=self._world.new_id("we"),
                url=url,
                secret=secret or f"whsec_{self._world.new_hex('whsec', 32)}",
                enabled_events=frozenset(events or EVENT_TYPES),
            )
            self._world.endpoints[endpoint.id] = endpoint
            return endpoint.secret

        return self._background.call(add)

    def person(self, link_id: str, act: str) -> None:
        """Type the right or a wrong code, or close the widget: then the prompt stays until its deadline."""
        check_word("act", act, PERSON_ACTS)
        self._background.call(lambda: self._person(self._link(link_id), act))

    def truth(self) -> dict[str, Any]:
        """What really happened; see `bankbridge.emulation.Emulator.truth`."""
        return self._background.call(lambda: tell_truth(self._world, self._sender.report()))

    def add_account(self, link_id: str) -> str:
        """Let the bank show one more account; its id."""

        def add() -> str:
            link, at = self._link(link_id), self._world.clock.now()
            account = new_account(self._world, link, at)
            self._events.emit(link, "account.created", bodies.account_created(account), at)
            return account.id

        return self._background.call(add)

    def remove_account(self, account_id: str) -> None:
        """Let an account vanish from the bank."""

        def remove() -> None:
            account = self._world.accounts.get(account_id)
            if account is None:
                raise UnknownLinkError(f"there is no account {account_id!r}")
            link, at = self._link(account.link_id), self._world.clock.now()
            account.removed_at = at
            self._events.emit(link, "account.removed", bodies.account_removed(account, at), at)

        self._background.call(remove)

    def expire_link(self, link_id: str, error_code: str = "rejected_credentials") -> None:
        """Let Rail give up a link, as after three failures in a row."""

        def expire() -> None:
            link, at = self._link(link_id), self._world.clock.now()
            link.status = "expired"
            self._events.emit(link, "link.expired", bodies.link_expired(link, error_code, at), at)

        self._background.call(expire)

    def delete_link(self, link_id: str) -> None:
        """Delete a link, as ``DELETE /v1/links/{id}`` does."""

        def delete() -> None:
            delete_link(self._world, self._bank, self._events, self._link(link_id).id)

        self._background.call(delete)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncGenerator[None]:
        async with self._background.running():
            yield
        await self._sender.close()

    def _link(self, link_id: str) -> Link:
        link = self._world.links.get(link_id)
        if link is None or link.status == "deleted":
            raise UnknownLinkError(f"there is no link {link_id!r}")
        return link

    def _widget(self, token: str) -> WidgetSession:
        intent = self._world.intents.get(token.partition("_sec_")[0])
        prompt = None if intent is None else intent.prompt
        if intent is None or prompt is None or prompt.token != token:
            raise WidgetError("there is no such widget token: ask for a new one")
        if prompt.code.done() or intent.status in ENDED or self._world.clock.now() >= prompt.expires_at:
            raise WidgetError("the time for the code is over: try again")
        return WidgetSession(
            kind="code", institutions={}, link_id=intent.link_id, expires_at=prompt.expires_at
        )

    def _add_link(self, accounts: int, name: str | None, **facts: Any) -> Link:  # noqa: ANN401 (`Link`'s)
        at = self._world.clock.now()
        link_id = self._world.new_id("link") if name is None else f"link_{name}"
        if link_id in self._world.links:
            raise ValueError(f"the name {name!r} is taken: choose another")
        link = Link(id=link_id, created_at=at, last_sync_at=at, **facts)
        self._world.links[link.id] = link
        for _ in range(accounts):
            new_account(self._world, link, at)
        self._events.emit(link, "link.created", bodies.link_created(link), at)
        return link

    def _person(self, link: Link, act: str) -> None:
        at = self._world.clock.now()
        prompt = _open_prompt(link, at)
        if act != "walk_away":
            prompt.code.set_result((act, at))


def create_emulator(
    clock: Clock,
    *,
    seed: int = 0,
    switches: Mapping[str, str] | None = None,
    timings: Timings = EXAMPLE_TIMINGS,
    faults: Mapping[str, float] = NEVER,
) -> RailEmulator:
    """An emulated Rail in the time of ``clock``; the same ``seed`` gives the same ids and the same ``faults``.

    Raises `UnknownWordError` for a switch, a value of one, or a fault that does not exist, and ValueError for a rate
    that is no probability.
    """
    return RailEmulator(
        World(
            clock=clock,
            seed=seed,
            switches=read_switches(SWITCHES, switches),
            timings=timings,
            faults=FaultPlan(clock, seed=seed, rates=faults),
        )
    )


def _open_prompt(link: Link, now: datetime) -> Prompt:
    for intent in reversed(link.intents.values()):
        prompt = intent.prompt
        if (
            intent.status not in ENDED
            and prompt is not None
            and not prompt.code.done()
            and now < prompt.expires_at
        ):
            return prompt
    raise UnknownLinkError(f"no prompt is open on link {link.id!r}: wait until an intent requires MFA")
