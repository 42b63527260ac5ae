"""The state of the emulated Fintoc, and what is due when."""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import attrs

from bankbridge.emulation import NEVER, Clock, FaultPlan, UnknownLinkError
from bankbridge_fintoc.emulator.ids import Ids
from bankbridge_fintoc.emulator.limits import Limiter
from bankbridge_fintoc.emulator.objects import (
    Account,
    Intent,
    Link,
    LinkIntent,
    Outgoing,
    WebhookEndpoint,
)
from bankbridge_fintoc.emulator.timings import Timings

MODES: Final = ("test", "live")

VERSIONS: Final = ("2023-11-15", "2025-08-13", "2026-02-01")
"""https://docs.fintoc.com/guides/home/upgrade-api-version, the newest last."""

LATEST: Final = VERSIONS[-1]


@attrs.frozen(kw_only=True)
class Look:
    """How objects are written: by the switches, in one version of the API."""

    switches: Mapping[str, str]
    version: str

    def chose(self, switch: str, value: str) -> bool:
        """Whether a switch has this value."""
        return self.switches[switch] == value


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
        self.seed = seed
        self.switches = switches
        self.timings = timings
        self.faults = FaultPlan(clock, seed=seed, rates=faults)
        self.ids = Ids(seed, prefixed=switches["id_form"] == "prefixed")
        self.links: dict[str, Link] = {}
        """Every link that ever was, by id."""
        self.connected: dict[str, dict[str, Link]] = {mode: {} for mode in MODES}
        """Those that are not deleted, by mode and id, the oldest first."""
        self.accounts: dict[str, tuple[Link, Account]] = {}
        self.link_intents: dict[str, LinkIntent] = {}
        self.endpoints: dict[str, WebhookEndpoint] = {}
        self.expired_keys: set[str] = set()
        self.refuses_all: str | None = None
        """The error code with which every request is refused, for an organisation that is not in order."""
        self.has_link_rates = False
        """Whether any link has rates of its own."""
        self.outbox: list[Outgoing] = []
        self.event_owners: dict[str, tuple[str, int]] = {}
        """By an event's id whose it is (a link's, an endpoint's that is tried), and the how manieth of theirs."""
        self.requests: Counter[str] = Counter()
        self.pinned_version: str | None = _pinned(switches)
        self.limiter = Limiter()
        self.look_after: Callable[[], None] = _nothing
        """Done before what is due: what nobody tells of has to be looked for."""
        self._tokens: dict[str, Link] = {}
        self._prompts: dict[str, tuple[Link, Intent]] = {}
        self._connections: dict[str, LinkIntent] = {}
        self._made: Counter[str] = Counter()
        self._looks = {version: Look(switches=switches, version=version) for version in VERSIONS}
        self._agenda: list[tuple[datetime, str, int, Callable[[datetime], None]]] = []
        self._order = itertools.count()

    def chose(self, switch: str, value: str) -> bool:
        """Whether a switch has this value."""
        return self.switches[switch] == value

    def number(self, what: str) -> int:
        """The how manieth of something this one is in the whole world, from 1 on."""
        self._made[what] += 1
        return self._made[what]

    def look(self, version: str | None = None) -> Look:
        """How objects are written in a version; without one as in webhooks: in that which the account is pinned to."""
        return self._looks[version or self.pinned_version or LATEST]

    # --- time --------------------------------------------------------------------------------------------------------

    def at(self, when: datetime, owner: str, action: Callable[[datetime], None]) -> None:
        """Have `action` done, with its time as the argument, when the clock has come to `when`.

        What is due at the same instant comes in the order of its owners' ids, so that it does not matter whose
        request came first.
        """
        heapq.heappush(self._agenda, (when, owner, next(self._order), action))

    def next_at(self) -> datetime | None:
        """When the next thing happens by itself."""
        return self._agenda[0][0] if self._agenda else None

    def catch_up(self) -> datetime:
        """Do what is due, and return the instant up to which everything has been done."""
        self.look_after()
        now = self.clock.now()
        while self._agenda and self._agenda[0][0] <= now:
            when, _, _, action = heapq.heappop(self._agenda)
            action(when)
        return now

    # --- links -------------------------------------------------------------------------------------------------------

    def add(self, link: Link) -> None:
        """One more link, with the accounts that it has."""
        self.has_link_rates = self.has_link_rates or bool(link.faults)
        self.links[link.id] = self.connected[link.mode][link.id] = self._tokens[link.token] = link
        for account in link.accounts:
            self.accounts[account.id] = (link, account)

    def add_account(self, link: Link, account: Account) -> None:
        """One more account of a link."""
        link.accounts.append(account)
        self.accounts[account.id] = (link, account)

    def delete(self, link: Link, at: datetime) -> None:
        """Take a link away; its token opens nothing any more."""
        link.deleted_at = at
        del self.connected[link.mode][link.id], self._tokens[link.token]

    def give_token(self, link: Link, token: str) -> None:
        """Let a link be opened by another token from now on."""
        del self._tokens[link.token]
        link.token = token
        self._tokens[token] = link

    def link(self, link_id: str) -> Link:
        """The link of this id, deleted or not; raises `UnknownLinkError`."""
        if link_id not in self.links:
            raise UnknownLinkError(f"no link {link_id!r}: make one with add_link")
        return self.links[link_id]

    def link_with_token(self, token: str, mode: str) -> Link | None:
        """The link that this token opens for a key of this mode."""
        link = self._tokens.get(token)
        return link if link is not None and link.mode == mode else None

    def rates_of(self, token_or_id: str) -> Mapping[str, float]:
        """The rates of the link of this token or id."""
        link = self._tokens.get(token_or_id) or self.links.get(token_or_id)
        return NEVER if link is None else link.faults

    def link_of_account(self, account_id: str) -> tuple[Link, Account]:
        """The account of this id with its link; raises `UnknownLinkError`."""
        if account_id not in self.accounts:
            raise UnknownLinkError(f"no account {account_id!r}: add_link names those it made")
        return self.accounts[account_id]

    # --- what a widget is opened with --------------------------------------------------------------------------------

    def offer_prompt(self, link: Link, intent: Intent, token: str) -> None:
        """Let a widget be opened for an intent."""
        intent.widget_token = token
        self._prompts[token] = (link, intent)

    def prompt(self, token: str) -> tuple[Link, Intent] | None:
        """The intent that a widget token is for."""
        return self._prompts.get(token)

    def add_link_intent(self, connection: LinkIntent) -> None:
        """One more attempt to connect a bank."""
        self.link_intents[connection.id] = connection
        self._connections[connection.widget_token] = connection

    def connection(self, token: str) -> LinkIntent | None:
        """The attempt to connect that a widget token or an exchange token is for."""
        return self._connections.get(token)

    def offer_exchange(self, connection: LinkIntent, token: str, until: datetime) -> None:
        """Let a token be exchanged for the link that an attempt to connect brings."""
        connection.exchange_token, connection.exchange_expires_at = token, until
        self._connections[token] = connection


def _nothing() -> None:
    """There is nothing to look for."""


def _pinned(switches: Mapping[str, str]) -> str | None:
    pinned = switches["pinned_version"]
    return None if pinned == "first_request" else pinned


def blocks(world: World, intent: Intent, now: datetime) -> bool:
    """Whether this intent keeps new ones of its link away."""
    if intent.status is not None:
        return False
    if intent.made_by == "fintoc":
        return world.chose("background_blocks", "yes")
    if intent.prompt not in ("open", "walk_away"):
        return True
    rule = world.switches["waiting_mfa_blocks"]
    return rule == "always" or (rule == "while_token_lives" and prompt_is_alive(intent, now))


def prompt_is_alive(intent: Intent, now: datetime) -> bool:
    """Whether the intent's widget token can still be used."""
    return intent.prompt_expires_at is not None and now < intent.prompt_expires_at
