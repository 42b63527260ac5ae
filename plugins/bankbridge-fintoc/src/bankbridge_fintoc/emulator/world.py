"""The state of the emulated Fintoc: links, accounts, refresh intents, and what is due when."""

import heapq
import itertools
import string
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime
from random import Random
from typing import Any, TypeAlias

import attrs

from bankbridge.emulation import NEVER, Clock, Endpoint, FaultPlan, Faults, Script, UnknownLinkError
from bankbridge_fintoc.emulator.timings import Timings

Json: TypeAlias = dict[str, Any]

ALPHABET = string.ascii_letters + string.digits


class Ids:
    """Ids and tokens that look like Fintoc's and are the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  invented data, not a secret

    def new(self, prefix: str, size: int = 16) -> str:
        """Another one."""
        return prefix + "".join(self._random.choices(ALPHABET, k=size))


@attrs.define(kw_only=True)
class Movement:
    """One row of an account, as the bank shows it now."""

    id: str
    post_date: date
    amount: int
    currency: str
    description: str
    type: str
    status: str
    reference_id: str


@attrs.define(kw_only=True)
class Account:
    """One account of a link."""

    id: str
    type: str
    name: str
    official_name: str
    currency: str
    balance: int
    number: str = attrs.field(repr=False)
    refreshed_at: datetime | None
    movements: list[Movement] = attrs.field(factory=list[Movement], repr=False)
    source: Random = attrs.field(repr=False)


@attrs.define(kw_only=True)
class Report:
    """What an intent brought for one account; `status` is None until the account has reported."""

    id: str
    account_id: str
    status: str | None = None
    public_error: str | None = None
    new_movements: int = 0
    reported_at: datetime | None = None


@attrs.define(kw_only=True)
class Intent:
    """One refresh intent of a link; `status` is None until it has ended."""

    id: str
    link_id: str
    type: str
    created_at: datetime
    made_by: str = "client"
    """``client`` or ``somebody else``."""
    polls: list[datetime] = attrs.field(factory=list[datetime])
    started_at: datetime | None = None
    ended_at: datetime | None = None
    status: str | None = None
    public_error: str | None = None
    prompt: str | None = None
    """``open``, ``right_code``, ``wrong_code`` or ``walk_away``; None where the bank asked for nothing."""
    prompt_expires_at: datetime | None = None
    widget_token: str | None = attrs.field(default=None, repr=False)
    reports: list[Report] = attrs.field(factory=list[Report])


@attrs.define(kw_only=True)
class Link:
    """A person's connection to one institution, and everything that was seen to happen to it."""

    id: str
    token: str = attrs.field(repr=False)
    institution: Mapping[str, str]
    script: Script
    webhooks: str
    mode: str = "test"
    faults: Mapping[str, float] = NEVER
    """Rates that hold for this link instead of the plan's."""
    accounts: list[Account]
    created_at: datetime
    status: str = "active"
    deleted_at: datetime | None = None
    last_refreshed_at: datetime | None = None
    must_reconnect: bool = False
    refused_until: datetime | None = None
    cooldown_played: bool = False
    """Whether the success behind the script word ``cooldown`` that is up now has been made up already."""
    intents: list[Intent] = attrs.field(factory=list[Intent])
    login_attempts: int = 0
    refused_logins: int = 0
    creates: list[Json] = attrs.field(factory=list[Json])
    """Every request to create, the replayed and the refused ones too."""
    requests: Counter[str] = attrs.field(factory=Counter[str])


@attrs.define(kw_only=True)
class WebhookEndpoint:
    """Where an application wants its events."""

    id: str
    url: str
    name: str | None
    description: str | None
    enabled_events: tuple[str, ...]
    created_at: datetime
    disabled: bool = False
    secret: str = attrs.field(repr=False)

    def wants(self, event_type: str) -> bool:
        """Whether an event of this type goes there."""
        return not self.disabled and event_type in self.enabled_events

    def address(self) -> Endpoint:
        """What the sender needs to know."""
        return Endpoint(id=self.id, url=self.url, secret=self.secret)


@attrs.frozen(kw_only=True)
class Outgoing:
    """An event that is to leave for one endpoint."""

    endpoint: Endpoint
    event: Json = attrs.field(repr=False)
    faults: Faults


class World:
    """Everything there is. Only one thread at a time may touch it: see `bankbridge.emulation.Background`.

    What happens by itself is put on the agenda, and done by `catch_up` in the order of its virtual times: in
    the background as they come, and before any request is answered, so that what a client reads depends on
    the clock alone.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int,
        switches: Mapping[str, str],
        timings: Timings,
        faults: Mapping[str, float] = NEVER,
    ) -> None:
        self.clock = clock
        self.faults = FaultPlan(clock, seed=seed, rates=faults)
        self.seed = seed
        self.switches = switches
        self.timings = timings
        self.ids = Ids(seed)
        self.links: dict[str, Link] = {}
        self.endpoints: dict[str, WebhookEndpoint] = {}
        self.outbox: list[Outgoing] = []
        self.requests: Counter[str] = Counter()
        self._agenda: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._order = itertools.count()

    def at(self, when: datetime, action: Callable[[datetime], None]) -> None:
        """Have `action` done, with its time as the argument, when the clock has come to `when`."""
        heapq.heappush(self._agenda, (when, next(self._order), action))

    def next_at(self) -> datetime | None:
        """When the next thing happens by itself."""
        return self._agenda[0][0] if self._agenda else None

    def catch_up(self) -> datetime:
        """Do what is due, and return the instant up to which everything has been done."""
        now = self.clock.now()
        while self._agenda and self._agenda[0][0] <= now:
            when, _, action = heapq.heappop(self._agenda)
            action(when)
        return now

    def link(self, link_id: str) -> Link:
        """The link of this id, deleted or not; raises `UnknownLinkError`."""
        if link_id not in self.links:
            raise UnknownLinkError(f"no link {link_id!r}: make one with add_link")
        return self.links[link_id]

    def link_with_token(self, token: str) -> Link | None:
        """The link that this token still opens."""
        return next(
            (one for one in self.links.values() if one.token == token and one.deleted_at is None), None
        )

    def link_of_account(self, account_id: str) -> tuple[Link, Account]:
        """The account of this id with its link; raises `UnknownLinkError`."""
        for link in self.links.values():
            for account in link.accounts:
                if account.id == account_id:
                    return link, account
        raise UnknownLinkError(f"no account {account_id!r}: add_link names those it made")


def blocks(world: World, intent: Intent, now: datetime) -> bool:
    """Whether this intent keeps new ones of its link away."""
    if intent.status is not None:
        return False
    if intent.prompt not in ("open", "walk_away"):
        return True
    rule = world.switches["waiting_mfa_blocks"]
    return rule == "always" or (rule == "while_token_lives" and prompt_is_alive(intent, now))


def prompt_is_alive(intent: Intent, now: datetime) -> bool:
    """Whether the intent's widget token can still be used."""
    return intent.prompt_expires_at is not None and now < intent.prompt_expires_at
