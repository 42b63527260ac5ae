"""What the emulated Rail knows: links, accounts, intents and who asked for them."""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs

from bankbridge.emulation import NEVER, Clock, Endpoint, FaultPlan, Script

ENDED: Final = frozenset({"succeeded", "failed", "canceled"})
MOVEMENTS_PER_ACCOUNT: Final = (65, 8, 31)
"""How many movements the first, second, third … account of a new link has; then from the start again."""


@attrs.frozen(kw_only=True)
class Timings:
    """How long the emulated bank takes, in virtual time; as in the example of https://docs.rail.cl/concepts/events.

    ``slow_rejection`` is BancoEstado's, which may need 60-90 s: https://docs.rail.cl/banks.
    """

    sync: timedelta = timedelta(seconds=45)
    until_prompt: timedelta = timedelta(seconds=15)
    prompt_lasts: timedelta = timedelta(minutes=10)
    after_code: timedelta = timedelta(seconds=30)
    slow_rejection: timedelta = timedelta(seconds=90)


EXAMPLE_TIMINGS: Final = Timings()


@attrs.frozen
class AccountKind:
    """A product of a bank, as https://docs.rail.cl/concepts/accounts types it."""

    name: str
    type: str
    currency: str
    limit: int | None = None


ACCOUNT_KINDS: Final = (
    AccountKind("Cuenta Vista", "checking", "CLP"),
    AccountKind("Tarjeta de Crédito Visa", "credit_card", "CLP", limit=5_000_000),
    AccountKind("Cuenta de Ahorro", "savings", "CLP"),
    AccountKind("Cuenta Corriente Dólar", "checking", "USD"),
)


@attrs.define(eq=False, kw_only=True)
class Account:
    """An account and how many movements it has: those from before the link, and those that syncs found."""

    id: str
    link_id: str
    kind: AccountKind
    number: str = attrs.field(repr=False)
    created_at: datetime
    movements_before: int
    found_at: list[datetime] = attrs.field(factory=list[datetime])
    last_sync_at: datetime
    removed_at: datetime | None = None


@attrs.define(eq=False, kw_only=True)
class Prompt:
    """A code that the bank waits for, until ``expires_at``; ``code`` is what the person did, and when."""

    token: str = attrs.field(repr=False)
    expires_at: datetime
    code: asyncio.Future[tuple[str, datetime]]


@attrs.define(eq=False, kw_only=True)
class Intent:
    """A refresh intent; ``paused`` is set once its story waits for a person or for nothing any more."""

    id: str
    link_id: str
    refresh_type: str
    created_at: datetime
    status: str = "created"
    prompt: Prompt | None = None
    ended_at: datetime | None = None
    error_code: str | None = None
    summary: Mapping[str, int] | None = None
    is_gone: bool = False
    polls: list[datetime] = attrs.field(factory=list[datetime])
    paused: asyncio.Event = attrs.field(factory=asyncio.Event)
    answers: list[asyncio.Future[None]] = attrs.field(factory=list[asyncio.Future[None]])


@attrs.frozen(kw_only=True)
class Create:
    """A request to create an intent and how it was answered; ``intent_id`` is None when it made none."""

    idempotency_key: str | None
    status: int
    intent_id: str | None
    at: datetime


@attrs.define(eq=False, kw_only=True)
class Link:
    """A link, the script of what happens to its intents, and what has happened at the bank."""

    id: str
    bank_id: str
    script: Script
    webhooks: str
    mode: str = "test"
    faults: Mapping[str, float] = NEVER
    created_at: datetime
    last_sync_at: datetime
    status: str = "active"
    accounts: dict[str, Account] = attrs.field(factory=dict[str, Account])
    intents: dict[str, Intent] = attrs.field(factory=dict[str, Intent])
    creates: list[Create] = attrs.field(factory=list[Create])
    login_attempts: int = 0
    refused_logins: int = 0
    is_throttled: bool = False


@attrs.define(eq=False, kw_only=True)
class World:
    """All of it. Only the emulator's event loop changes it; ids follow from ``seed`` and what happens."""

    clock: Clock
    seed: int
    switches: Mapping[str, str]
    timings: Timings
    faults: FaultPlan
    links: dict[str, Link] = attrs.field(factory=dict[str, Link])
    accounts: dict[str, Account] = attrs.field(factory=dict[str, Account])
    intents: dict[str, Intent] = attrs.field(factory=dict[str, Intent])
    endpoints: dict[str, Endpoint] = attrs.field(factory=dict[str, Endpoint])
    requests: Counter[str] = attrs.field(factory=Counter[str])
    recent: deque[datetime] = attrs.field(factory=deque[datetime])
    _issued: Counter[str] = attrs.field(factory=Counter[str])

    def new_id(self, prefix: str) -> str:
        """The next id of a kind: ``prefix``, an underscore and 16 hexadecimal digits."""
        return f"{prefix}_{self.new_hex(prefix, 16)}"

    def new_hex(self, kind: str, length: int) -> str:
        """Hexadecimal digits that look random and are the same in every run with the same seed."""
        self._issued[kind] += 1
        return hashlib.sha256(f"{self.seed}:{kind}:{self._issued[kind]}".encode()).hexdigest()[:length]

    def live_links(self) -> Iterator[Link]:
        """The links that were not deleted."""
        return (link for link in self.links.values() if link.status != "deleted")


def new_account(world: World, link: Link, at: datetime) -> Account:
    """One more account under ``link``, of the next kind."""
    number = len(link.accounts)
    account = Account(
        id=world.new_id("acc"),
        link_id=link.id,
        kind=ACCOUNT_KINDS[number % len(ACCOUNT_KINDS)],
        number=str(int(world.new_hex("number", 12), 16)).zfill(16)[:16],
        created_at=at,
        movements_before=MOVEMENTS_PER_ACCOUNT[number % len(MOVEMENTS_PER_ACCOUNT)],
        last_sync_at=at,
    )
    link.accounts[account.id] = world.accounts[account.id] = account
    return account
