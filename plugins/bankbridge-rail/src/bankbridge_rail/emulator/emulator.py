"""The emulated Rail as a test holds it: an application to serve, and the face that every emulator has."""

import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.resources import files
from typing import Any, Final, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from bankbridge.emulation import (
    NEVER,
    PATIENCE,
    PERSON_ACTS,
    WEBHOOK_MODES,
    Background,
    Clock,
    EmulatedLink,
    FaultPlan,
    FaultyHttp,
    Script,
    UnknownLinkError,
    WebhookSender,
    WidgetSession,
    check_word,
    control_routes,
    read_rates,
    read_switches,
    sign_hmac_v1,
)
from bankbridge_rail.emulator.agenda import Agenda
from bankbridge_rail.emulator.answers import RailError
from bankbridge_rail.emulator.api_keys import MODES, first_keys
from bankbridge_rail.emulator.banks import BANKS
from bankbridge_rail.emulator.control import rail_controls
from bankbridge_rail.emulator.door import Door
from bankbridge_rail.emulator.endpoint_routes import add_hook
from bankbridge_rail.emulator.events import EVENT_TYPES, SCHEDULES, Events
from bankbridge_rail.emulator.hands import Hands
from bankbridge_rail.emulator.ids import Ids
from bankbridge_rail.emulator.linking import ACCOUNTS, Links
from bankbridge_rail.emulator.once import Once
from bankbridge_rail.emulator.routes import rail_routes
from bankbridge_rail.emulator.stories import Stories
from bankbridge_rail.emulator.switches import SWITCHES
from bankbridge_rail.emulator.syncs import Syncs
from bankbridge_rail.emulator.timings import EXAMPLE_TIMINGS, Timings
from bankbridge_rail.emulator.truth import tell_truth
from bankbridge_rail.emulator.widget import Widget
from bankbridge_rail.emulator.words import WORDS
from bankbridge_rail.emulator.world import Credentials, Link, World

SIGNATURE_HEADER: Final = "Rail-Signature"
"""https://docs.rail.cl/guides/webhooks"""

MOST_ACCOUNTS: Final = 50

DEFAULT_BANK: Final = "banco_estado"

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RailEmulator(Hands):
    """An emulated Rail; see `bankbridge.emulation.Emulator` for the face it shares with other providers.

    Every method may be called from any thread.
    """

    def __init__(self, world: World) -> None:
        background = Background()
        switches = world.switches
        self._sender = WebhookSender(
            clock=world.clock,
            sign=sign_hmac_v1(SIGNATURE_HEADER),
            schedule=SCHEDULES[switches["retry_schedule"]],
            resigns=switches["retry_timestamp"] == "fresh",
        )
        self._events = Events(world, self._sender, background)
        syncs = Syncs(world, self._events)
        self._stories = Stories(world, self._events, syncs)
        links = Links(world, self._events, syncs, self._stories)
        super().__init__(world, background, links, syncs)
        self._widget = Widget(world, links, self._stories)
        self.keys: Mapping[str, str] = first_keys(world)
        once = Once(world)
        door = Door(world, once)
        routes = rail_routes(world, door, once, self._events, self._stories, links, self._widget)
        self.app = Starlette(
            routes=[*routes, *control_routes(self, rail_controls(self))],
            exception_handlers={HTTPException: door.outside},
            lifespan=self._lifespan,
            middleware=[Middleware(FaultyHttp, world.faults, envelope=self._struck, rates=self._rates_of)],
        )
        # A path with a slash too many is nowhere, and no redirect of our framework's.
        self.app.router.redirect_slashes = False

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

    def add_link(
        self,
        *,
        attempts: Sequence[str] = ("succeeds",),
        webhooks: str = "normal",
        institution: str | None = None,
        accounts: int = ACCOUNTS,
        name: str | None = None,
        mode: str = "test",
        faults: Mapping[str, float] = NEVER,
    ) -> EmulatedLink:
        """A new link at a bank (default `banco_estado`) of `BANKS`; ``attempts`` are words of `WORDS`."""
        Script(attempts, WORDS)
        bank_id = institution or DEFAULT_BANK
        check_word("webhook mode", webhooks, WEBHOOK_MODES)
        check_word("institution", bank_id, BANKS)
        check_word("mode", mode, MODES)
        rates = read_rates(faults)
        if not 1 <= accounts <= MOST_ACCOUNTS:
            raise ValueError(f"accounts is {accounts}: give 1 to {MOST_ACCOUNTS}")
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError(f"name is {name!r}: give up to 64 letters, digits, underscores and hyphens")

        def add() -> Link:
            link = self._links.add(
                self._world.modes[mode],
                self._new_id(mode) if name is None else self._free_id(name),
                Credentials(bank_id=bank_id, attempts=tuple(attempts)),
                accounts=accounts,
                webhooks=webhooks,
                faults=rates,
            )
            self._links.say_created(link, link.created_at)
            return link

        link = self.change(add)
        return EmulatedLink(link_id=link.id, account_ids=tuple(link.accounts))

    def add_endpoint(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        secret: str | None = None,
        mode: str = "test",
    ) -> str:
        """Register a webhook endpoint for the links of a mode; its secret."""
        for event_type in events or ():
            check_word("event type", event_type, EVENT_TYPES)
        check_word("mode", mode, MODES)
        wanted = frozenset(events or EVENT_TYPES)
        hook = self.change(lambda: add_hook(self._world, self._world.modes[mode], url, wanted, secret))
        return hook.endpoint.secret

    def widget(self, token: str) -> WidgetSession:
        """What the widget shows for a token."""
        return self.change(lambda: self._widget.show(token))

    def connect(self, token: str, *, institution: str, username: str, password: str) -> str:
        """Log in at the widget; an exchange token. The link is there once that is exchanged."""
        return self.change(lambda: self._widget.log_in(token, institution, username, password))

    def person(self, link_id: str, act: str) -> None:
        """Type the right or a wrong code, or close the widget: then the prompt stays until its deadline."""
        check_word("act", act, PERSON_ACTS)

        def do() -> None:
            link = self.find_link(link_id)
            found = self._stories.open_prompt(link)
            if found is None:
                message = f"no prompt is open on link {link.id!r}: wait until an intent requires MFA"
                raise UnknownLinkError(message)
            if act == "walk_away":
                self._stories.close_widget(link, *found)
            else:
                self._stories.answer(link, *found, act)

        self.change(do)

    def settle(self, timeout: timedelta = PATIENCE) -> None:
        """Return when nothing more can happen until the clock moves or somebody asks for something."""
        self._background.settle(self._sender.is_quiet, timeout)

    def truth(self) -> dict[str, Any]:
        """What really happened; see `bankbridge.emulation.Emulator.truth`."""
        return self.change(lambda: tell_truth(self._world, self._events))

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncGenerator[None]:
        async with self._background.running():
            self._background.spawn(self._world.agenda.run())
            yield
        await self._sender.close()

    def _new_id(self, mode: str) -> str:
        number = self._world.ids.number("link", mode)
        return self._world.ids.of("link", mode, number)

    def _free_id(self, name: str) -> str:
        link_id = f"link_{name}"
        if self._world.link(link_id) is not None:
            raise ValueError(f"the name {name!r} is taken: choose another")
        return link_id

    def _struck(self, status: int) -> Response:
        code = "rate_limited" if status == 429 else "internal_error"
        return RailError(status, code, "something went wrong, or was too much").response(self._world)

    async def _rates_of(self, request: Request) -> Mapping[str, float]:
        """The rates of the link that a request is about."""
        link_id = await _link_id_of(request, self._world)
        link = None if link_id is None else self._world.link(link_id)
        return NEVER if link is None else link.faults


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
            switches=read_switches(SWITCHES, switches),
            timings=timings,
            faults=FaultPlan(clock, seed=seed, rates=faults),
            ids=Ids(seed),
            agenda=Agenda(clock),
        )
    )


async def _link_id_of(request: Request, world: World) -> str | None:
    """A link's id in a request's path, query or body, or that of the account or the intent in its path."""
    for part in request.url.path.split("/"):
        if part.startswith("link_"):
            return part
        if (owned := world.intent(part) or world.account(part)) is not None:
            return owned.link_id
    if (link_id := request.query_params.get("link_id")) is not None:
        return link_id
    try:
        body: object = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        return None
    given = cast(dict[str, object], body).get("link_id") if isinstance(body, dict) else None
    return given if isinstance(given, str) else None
