"""The emulated Rail as a test holds it: an application to serve, and the hands behind the scenes."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from bankbridge.emulation import (
    PERSON_ACTS,
    WEBHOOK_MODES,
    Background,
    Clock,
    EmulatedLink,
    Script,
    UnknownLinkError,
    WebhookSender,
    check_word,
    control_routes,
    sign_hmac_v1,
)
from bankbridge_rail.emulator import bodies
from bankbridge_rail.emulator.answers import outside_the_api
from bankbridge_rail.emulator.bank import WORDS, Bank
from bankbridge_rail.emulator.events import Events
from bankbridge_rail.emulator.routes import delete_link, rail_routes
from bankbridge_rail.emulator.switches import read_switches
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

SIGNATURE_HEADER: Final = "Rail-Signature"
"""https://docs.rail.cl/guides/webhooks"""


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
        self.secret_key = f"rail_sk_test_{world.new_hex('secret_key', 32)}"
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
    def clock(self) -> Clock:
        """The virtual time that the emulated Rail lives in."""
        return self._world.clock

    def add_link(
        self,
        *,
        attempts: Sequence[str] = ("succeeds",),
        webhooks: str = "normal",
        institution: str | None = None,
        accounts: int = 3,
    ) -> EmulatedLink:
        """A new link at a bank (default `banco_estado`) of `BANKS`; ``attempts`` are words of `WORDS`."""
        script = Script(attempts, WORDS)
        bank_id = institution or "banco_estado"
        check_word("webhook mode", webhooks, WEBHOOK_MODES)
        check_word("institution", bank_id, bodies.BANKS)
        if accounts < 1:
            raise ValueError(f"accounts is {accounts}: a link has at least one")
        link = self._background.call(lambda: self._add_link(script, webhooks, bank_id, accounts))
        return EmulatedLink(link_id=link.id, account_ids=tuple(link.accounts))

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

    def _add_link(self, script: Script, webhooks: str, bank_id: str, accounts: int) -> Link:
        at = self._world.clock.now()
        link = Link(
            id=self._world.new_id("link"),
            bank_id=bank_id,
            script=script,
            webhooks=webhooks,
            created_at=at,
            last_sync_at=at,
        )
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
) -> RailEmulator:
    """An emulated Rail in the time of ``clock``; the same ``seed`` gives the same ids.

    Raises `UnknownWordError` for a switch, or a value of one, that is not in `SWITCHES`.
    """
    return RailEmulator(World(clock=clock, seed=seed, switches=read_switches(switches), timings=timings))


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
