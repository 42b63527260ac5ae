"""What the emulated Rail knows: links, intents, tokens, keys and who asked for what."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import attrs

from bankbridge.emulation import NEVER, Clock, Endpoint, FaultPlan, Script
from bankbridge_rail.emulator.agenda import Agenda, Entry
from bankbridge_rail.emulator.ids import Ids
from bankbridge_rail.emulator.ledger import Account
from bankbridge_rail.emulator.timings import Timings
from bankbridge_rail.emulator.words import Word

ENDED: Final = frozenset({"succeeded", "failed", "canceled"})

KeyType: TypeAlias = Literal["secret", "publishable"]


@attrs.define(eq=False, kw_only=True)
class Prompt:
    """A code that the bank waits for, until ``expires_at``; ``timer`` ends the wait, ``act`` is what the person did."""

    token: str = attrs.field(repr=False)
    expires_at: datetime
    timer: Entry = attrs.field(init=False)
    act: str | None = None
    is_open_in_widget: bool = False
    is_over: bool = False


@attrs.define(eq=False, kw_only=True)
class Intent:
    """A refresh intent. ``next_step`` is what its story goes on with; ``sent`` are its events on their way."""

    id: str
    link_id: str
    number: int
    refresh_type: str
    word: Word
    created_at: datetime
    status: str = "created"
    prompts: list[Prompt] = attrs.field(factory=list[Prompt])
    ended_at: datetime | None = None
    error_code: str | None = None
    summary: Mapping[str, int] | None = None
    is_canceled: bool = False
    is_gone: bool = False
    next_step: Entry | None = None
    polls: list[datetime] = attrs.field(factory=list[datetime])
    sent: list[Any] = attrs.field(factory=list[Any])

    @property
    def has_ended(self) -> bool:
        """Whether anything more is to come."""
        return self.status in ENDED

    @property
    def prompt(self) -> Prompt | None:
        """The last code that the bank asked for."""
        return self.prompts[-1] if self.prompts else None


@attrs.frozen(kw_only=True)
class Create:
    """A request to create an intent and how it was answered; ``intent_id`` is None when it made none."""

    idempotency_key: str | None
    status: int
    intent_id: str | None
    at: datetime


@attrs.frozen(kw_only=True)
class AutomaticSync:
    """A sync that nobody asked for; ``error_code`` is None when it succeeded."""

    at: datetime
    error_code: str | None


@attrs.define(eq=False, kw_only=True)
class Link:
    """A link, the scripts of what happens to its intents and by itself, and what has happened at the bank."""

    id: str
    mode: "Mode"
    bank_id: str
    script: Script
    automatic: Script
    webhooks: str = "normal"
    faults: Mapping[str, float] = NEVER
    holder_type: str = "individual"
    external_user_id: str | None = None
    created_at: datetime
    last_sync_at: datetime
    next_sync_at: datetime
    status: str = "active"
    is_paused: bool = False
    last_error_code: str | None = None
    failures: int = 0
    syncs: int = 0
    turns: int = 0
    next_sync: Entry | None = None
    accounts: dict[str, Account] = attrs.field(factory=dict[str, Account])
    intents: dict[str, Intent] = attrs.field(factory=dict[str, Intent])
    running: dict[str, Intent] = attrs.field(factory=dict[str, Intent])
    last_success: Intent | None = None
    creates: list[Create] = attrs.field(factory=list[Create])
    automatic_syncs: list[AutomaticSync] = attrs.field(factory=list[AutomaticSync])
    told: Counter[str] = attrs.field(factory=Counter[str])
    accounts_made: int = 0
    login_attempts: int = 0
    refused_logins: int = 0
    is_throttled: bool = False

    @property
    def present_accounts(self) -> tuple[Account, ...]:
        """Those that the bank still shows."""
        return tuple(account for account in self.accounts.values() if account.removed_at is None)


@attrs.frozen(kw_only=True)
class ApiKey:
    """An API key, good for one mode, until ``works_until`` when it was rotated."""

    id: str
    key: str = attrs.field(repr=False)
    type: KeyType
    mode: str
    created_at: datetime
    scopes: tuple[str, ...] = ()
    works_until: datetime | None = None

    def works(self, at: datetime) -> bool:
        """Whether the key opens anything at that moment."""
        return self.works_until is None or at < self.works_until


@attrs.frozen(kw_only=True)
class Credentials:
    """What a person chose and typed: a bank, and the scripts that their user name stands for."""

    bank_id: str
    attempts: tuple[str, ...]
    holder_type: str = "individual"
    external_user_id: str | None = None


@attrs.define(eq=False, kw_only=True)
class WidgetToken:
    """Leave to open the widget once, and what is settled before the person is asked."""

    id: str = attrs.field(repr=False)
    expires_at: datetime
    bank_id: str | None
    link_id: str | None
    username: str | None
    holder_type: str
    external_user_id: str | None
    is_used: bool = False


@attrs.define(eq=False, kw_only=True)
class ExchangeToken:
    """A login at the widget that waits for the application to fetch its link."""

    id: str = attrs.field(repr=False)
    expires_at: datetime
    credentials: Credentials
    reconnects: str | None
    link_id: str | None = None
    consumed_at: datetime | None = None


@attrs.define(eq=False, kw_only=True)
class Hook:
    """A webhook endpoint as the API knows it; ``tests`` counts the events that were sent for a try."""

    endpoint: Endpoint
    is_enabled: bool = True
    tests: int = 0

    @property
    def id(self) -> str:
        """The endpoint's id."""
        return self.endpoint.id

    def wants(self, event_type: str) -> bool:
        """Whether events of a type are to be sent there."""
        return self.is_enabled and bool(self.endpoint.enabled_events & {"*", event_type})


@attrs.define(eq=False, kw_only=True)
class Mode:
    """All that the keys of one mode, test or live, can see: the other mode's does not exist for them."""

    name: str
    links: dict[str, Link] = attrs.field(factory=dict[str, Link])
    accounts: dict[str, Account] = attrs.field(factory=dict[str, Account])
    intents: dict[str, Intent] = attrs.field(factory=dict[str, Intent])
    hooks: dict[str, Hook] = attrs.field(factory=dict[str, Hook])
    widget_tokens: dict[str, WidgetToken] = attrs.field(factory=dict[str, WidgetToken], repr=False)
    exchange_tokens: dict[str, ExchangeToken] = attrs.field(factory=dict[str, ExchangeToken], repr=False)

    def listed_links(self) -> Iterator[Link]:
        """The links that the API shows."""
        return (link for link in self.links.values() if link.status != "deleted")


@attrs.define(eq=False, kw_only=True)
class World:
    """All of it. Only the emulator's event loop changes it."""

    clock: Clock
    switches: Mapping[str, str]
    timings: Timings
    faults: FaultPlan
    ids: Ids
    agenda: Agenda
    modes: Mapping[str, Mode] = attrs.field(
        factory=lambda: {"test": Mode(name="test"), "live": Mode(name="live")}
    )
    keys: dict[str, ApiKey] = attrs.field(factory=dict[str, ApiKey], repr=False)
    requests: Counter[str] = attrs.field(factory=Counter[str])
    recent: dict[str, deque[datetime]] = attrs.field(factory=dict[str, deque[datetime]])

    def link(self, link_id: str) -> Link | None:
        """A link of either mode, also one that was deleted."""
        return next((mode.links[link_id] for mode in self.modes.values() if link_id in mode.links), None)

    def account(self, account_id: str) -> Account | None:
        """An account of either mode."""
        found = (mode.accounts.get(account_id) for mode in self.modes.values())
        return next((account for account in found if account is not None), None)

    def intent(self, intent_id: str) -> Intent | None:
        """A refresh intent of either mode."""
        found = (mode.intents.get(intent_id) for mode in self.modes.values())
        return next((intent for intent in found if intent is not None), None)

    def links(self) -> Iterator[Link]:
        """Every link of both modes, the deleted ones too."""
        return (link for mode in self.modes.values() for link in mode.links.values())
