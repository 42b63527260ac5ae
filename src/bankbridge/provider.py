"""The protocol a provider plugin fulfils, and the capabilities it declares.

A provider is an attrs class whose fields are its settings. No method does I/O: what must be asked over HTTP is
a `bankbridge.wire.Flow`, and ``now`` is always an argument.
"""

import enum
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Protocol, runtime_checkable

import attrs

from bankbridge.banking import Account, LinkFacts, MovementPage
from bankbridge.machine.attempt import Attempt, PromptKind
from bankbridge.machine.events import Event
from bankbridge.machine.intent import Scope
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Notice
from bankbridge.webhooks import Delivery, Verification
from bankbridge.wire import Flow
from bankbridge.words.ids import AccountId


class Granularity(enum.Enum):
    """What one result of a refresh is about."""

    LINK = "link"
    ACCOUNT = "account"


class Correlation(enum.Enum):
    """How an event finds its refresh."""

    REFRESH_ID = "refresh_id"
    ACCOUNT_AND_TIME = "account_and_time"


@attrs.frozen(kw_only=True)
class Pace:
    """How many requests a provider takes: at most ``most`` in any stretch of time as long as ``per``."""

    most: int
    per: timedelta

    def __str__(self) -> str:
        return f"{self.most} requests in {self.per.total_seconds():g} s"


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a provider can do. What is declared must work; what is not is never called.

    ``cooldowns``: its wait after a success, by scope. ``first_poll``, ``longest_poll``: when reading a refresh
    makes sense; never more often than ``poll_floor``, whatever asks for it. ``replays_errors``: it stores a
    create's answer, errors too, and replays it for the same idempotency key. ``finds_running``:
    ``create_refresh(look_first=True)`` can see a refresh that runs already. ``date_windows``: movements can be
    asked for by date. ``pace``: how many requests it takes in all, where it says so; looks at refreshes wait
    while that is used up. ``event_types``: what to subscribe to, which is what the plugin translates.
    """

    granularity: Granularity
    correlation: Correlation
    event_ids: bool
    idempotency_keys: bool
    replays_errors: bool
    finds_running: bool
    cancels: bool
    prompts: frozenset[PromptKind]
    scopes: frozenset[Scope]
    cooldowns: Mapping[Scope, timedelta] = attrs.field(
        factory=lambda: MappingProxyType(dict[Scope, timedelta]())
    )
    first_poll: timedelta
    longest_poll: timedelta
    poll_floor: timedelta
    date_windows: bool
    pace: Pace | None = None
    event_types: frozenset[str]


@attrs.frozen(kw_only=True)
class Evidence:
    """What a conversation about a refresh showed: events for the intent, and the provider's words for the log."""

    events: tuple[Event, ...]
    words: str


@runtime_checkable
class Provider(Protocol):
    """A provider plugin: settings as fields, conversations as flows, deliveries as pure functions."""

    name: ClassVar[str]
    """The provider's one name: plugin, cassettes, tests, docs page."""
    capabilities: ClassVar[Capabilities]

    @property
    def base_url(self) -> str:
        """Where the provider is: scheme, host and nothing a request could leave."""
        ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """The settings that must never be seen."""
        ...

    def create_refresh(
        self, link: Link, attempt: Attempt, *, scope: Scope, look_first: bool, now: datetime
    ) -> Flow[Evidence]:
        """Ask for a refresh under the idempotency key ``attempt.key``; a refusal is an event, not an error.

        With ``look_first`` the create may have gone through already: a provider that can see it adopts it.
        """
        ...

    def poll_refresh(self, link: Link, attempt: Attempt, *, now: datetime) -> Flow[Evidence]:
        """Read the provider's side of ``attempt``: the truth that events only hint at."""
        ...

    def cancel_refresh(self, link: Link, attempt: Attempt, *, now: datetime) -> Flow[Evidence]:
        """Stop ``attempt``. Called only when ``capabilities.cancels``."""
        ...

    def link(self, link: Link) -> Flow[LinkFacts]:
        """Read one link."""
        ...

    def accounts(self, link: Link) -> Flow[tuple[Account, ...]]:
        """Read a link's accounts, also the removed ones."""
        ...

    def movements(
        self, link: Link, account_id: AccountId, *, since: date | None, until: date | None, page: int
    ) -> Flow[MovementPage]:
        """Read one page (from 1) of the rows, unconfirmed ones too, whose ``post_date`` is in ``since``..``until``.

        Both days count. More rows than asked for are allowed, fewer are not.
        """
        ...

    def verify(self, delivery: Delivery, *, now: datetime) -> Verification:
        """Whether a delivery is genuine, by its raw bytes."""
        ...

    def identity(self, delivery: Delivery) -> str:
        """What two copies of one delivery have in common: the event's id, or a digest."""
        ...

    def translate(self, delivery: Delivery) -> Sequence[Notice]:
        """What a genuine delivery says. Pure and total: what it does not know is ``NotUnderstood``."""
        ...
