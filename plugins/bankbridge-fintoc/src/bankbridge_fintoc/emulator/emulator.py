"""The emulated Fintoc as one object: `create_emulator`."""

import re
from collections.abc import Callable, Mapping, Sequence
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
    Clock,
    EmulatedLink,
    FaultPlan,
    Script,
    WidgetSession,
    check_word,
    read_rates,
    read_switches,
)
from bankbridge_fintoc.emulator import acts, bank, connecting, seeds, truth
from bankbridge_fintoc.emulator.control import fintoc_routes
from bankbridge_fintoc.emulator.door import ORGANISATIONS
from bankbridge_fintoc.emulator.endpoint_routes import new_endpoint
from bankbridge_fintoc.emulator.events import EVENT_TYPES
from bankbridge_fintoc.emulator.serving import Service
from bankbridge_fintoc.emulator.switches import SWITCHES
from bankbridge_fintoc.emulator.timings import Timings
from bankbridge_fintoc.emulator.world import MODES, World

MOST_ACCOUNTS: Final = 50

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a link can be named: it stands in a URL."""

T = TypeVar("T")


class FintocEmulator:
    """Fintoc's bank-data API, emulated; a `bankbridge.emulation.Emulator`. Serve `app` with `Server`.

    Beyond that face it can `reconnect` a link, `change_credentials`, `refresh_in_background`, add and remove accounts,
    and set, modify or remove the movements of one. Everything may be called from any thread.
    """

    provider = "fintoc"

    def __init__(self, world: World) -> None:
        self._world = world
        self._service = Service(world)
        self._app = self._service.application(self, fintoc_routes(self))

    @property
    def clock(self) -> Clock:
        """The virtual time that this Fintoc lives in."""
        return self._world.clock

    @property
    def app(self) -> Starlette:
        """The API and its controls."""
        return self._app

    @property
    def secret_key(self) -> str:
        """The secret key of the one organisation there is, in test mode."""
        return self.keys["secret_test"]

    @property
    def keys(self) -> Mapping[str, str]:
        """All API keys: ``secret_test``, ``publishable_test``, ``secret_live``, ``publishable_live``."""
        return self._service.keys

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong, and how often."""
        return self._world.faults

    @property
    def switches(self) -> Mapping[str, str]:
        """Every switch of `SWITCHES` with its value."""
        return self._world.switches

    @property
    def widget_script(self) -> str:
        """What pages load from https://js.fintoc.com/v1/, played."""
        return files("bankbridge_fintoc.emulator").joinpath("widget.js").read_text("utf-8")

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
        """A new link, which Fintoc has read already; ``attempts`` are words of `WORDS`, one per refresh intent.

        Raises `UnknownWordError` for a word, mode, fault or institution that is not known, and ValueError for a
        number of accounts that cannot be, and for a name that is taken or cannot stand in a URL.
        """
        check_word("webhook mode", webhooks, WEBHOOK_MODES)
        check_word("mode", mode, MODES)
        script, where = Script(attempts, bank.WORDS), seeds.institution(institution)
        if name is not None and not NAME.fullmatch(name):
            raise ValueError(f"name is {name!r}: give up to 64 letters, digits, underscores and hyphens")
        rates = read_rates(faults)
        fewest = bank.fewest_accounts(attempts)
        if not fewest <= accounts <= MOST_ACCOUNTS:
            raise ValueError(f"accounts is {accounts}: give {fewest} to {MOST_ACCOUNTS} for these attempts")

        def add(world: World, now: datetime) -> EmulatedLink:
            made = acts.Wanted(
                script=script, webhooks=webhooks, institution=where, name=name, mode=mode, faults=rates
            )
            link = acts.add_link(world, made, accounts, now)
            account_ids = tuple(account.id for account in link.accounts)
            return EmulatedLink(link_id=link.id, link_token=link.token, account_ids=account_ids)

        return self._change(add)

    def add_endpoint(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        secret: str | None = None,
        mode: str = "test",
    ) -> str:
        """Register a webhook endpoint; what its deliveries are signed with."""
        check_word("mode", mode, MODES)
        wanted = tuple(events or EVENT_TYPES)
        for event_type in wanted:
            check_word("event type", event_type, EVENT_TYPES)
        return self._change(lambda world, now: new_endpoint(world, mode, url, wanted, now, secret).secret)

    def widget(self, token: str) -> WidgetSession:
        """What the widget shows for a token; also for a public key, as in the flow without link intents."""
        return self._change(lambda world, now: connecting.look(world, token, self._public_keys, now))

    def connect(
        self,
        token: str,
        *,
        institution: str,
        username: str,
        password: str,
        webhook_url: str | None = None,
    ) -> str:
        """Log in at the widget: a link is made, or one that needs it reconnected; an exchange token.

        `link.created` goes to ``webhook_url``, which an older page gives to the widget. Raises `WidgetError`.
        """
        person = connecting.Person(institution=institution, username=username, password=password)
        return self._change(
            lambda world, now: connecting.connect(
                world, token, person, public_keys=self._public_keys, webhook_url=webhook_url, now=now
            )
        )

    def person(self, link_id: str, act: str) -> None:
        """Act (one of `PERSON_ACTS`) at the widget of the prompt that is open on a link.

        Raises `UnknownWordError`, and `UnknownLinkError` when there is no such link or no open prompt.
        """
        check_word("act", act, PERSON_ACTS)
        self._change(lambda world, now: connecting.act(world, world.link(link_id), act, now))

    def settle(self, timeout: timedelta = PATIENCE) -> None:
        """Return when nothing more can happen until the clock moves or somebody asks for something."""
        self._service.settle(timeout)

    def truth(self) -> dict[str, Any]:
        """What really happened, in JSON's types and without a secret; the shape is `Emulator.truth`'s.

        A link also has its ``mode``, its ``requests`` and what Fintoc refreshed by itself; a create its ``code`` where
        it was refused, and whether its answer was ``lost``; an intent its ``type``, ``made_by``, ``prompt`` and
        ``started_at``.
        """
        return self._change(lambda world, now: truth.tell(world, self._service.sender, now))

    def reconnect(self, link_id: str) -> None:
        """The person connects the link again: it is active, and no earlier refusal holds."""
        self._change(lambda world, _now: connecting.reconnect(world.link(link_id)))

    def change_credentials(self, link_id: str) -> None:
        """The person changes the password at the bank: `link.credentials_changed`, `login_required`."""
        self._change(lambda world, now: acts.change_credentials(world, link_id, now))

    def refresh_in_background(self, link_id: str, outcome: str = "succeeds") -> None:
        """Fintoc refreshes the link by itself, at once; `outcome` is a script word that ends an intent."""
        check_word("outcome", outcome, bank.ENDINGS)
        self._change(lambda world, now: acts.refresh_in_background(world, link_id, outcome, now))

    def add_account(self, link_id: str) -> str:
        """The bank shows an account more, which no refresh has read yet; its id."""
        return self._change(lambda world, now: acts.add_account(world, link_id, now))

    def remove_account(self, account_id: str) -> None:
        """The bank shows an account no more; what runs does not wait for it."""
        self._change(lambda world, now: acts.remove_account(world, account_id, now))

    def set_history(self, account_id: str, movements: int, days: int = seeds.HISTORY_DAYS) -> None:
        """Let an account have so many movements, of so many days before it was connected, instead of those it had."""
        self._change(lambda world, _now: acts.set_history(world, account_id, movements, days))

    def modify_movements(self, account_id: str, count: int = 1) -> tuple[str, ...]:
        """Change the newest rows of an account, tell of it by an event, and return their ids."""
        return self._change(lambda world, now: acts.modify_movements(world, account_id, count, now))

    def remove_movements(self, account_id: str, count: int = 1) -> tuple[str, ...]:
        """Take the newest rows of an account away, tell of it by an event, and return their ids."""
        return self._change(lambda world, now: acts.remove_movements(world, account_id, count, now))

    def expire_key(self, name: str) -> None:
        """Let a key of `keys` be refused as expired; ``sk_test_expired`` and ``sk_live_expired`` always are."""
        check_word("key", name, self.keys)
        self._change(lambda world, _now: world.expired_keys.add(name))

    def renew_key(self, name: str) -> None:
        """Let a key that expired be good again."""
        check_word("key", name, self.keys)
        self._change(lambda world, _now: world.expired_keys.discard(name))

    def refuse_all(self, code: str | None) -> None:
        """Refuse every request with an error code of `ORGANISATIONS`, as for one that did not pay; None ends it."""
        if code is not None:
            check_word("error code", code, ORGANISATIONS)

        def change(world: World, _now: datetime) -> None:
            world.refuses_all = code

        self._change(change)

    @property
    def _public_keys(self) -> Mapping[str, str]:
        return MappingProxyType({self.keys[f"publishable_{mode}"]: mode for mode in MODES})

    def _change(self, act: Callable[[World, datetime], T]) -> T:
        return self._service.change(act)


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
