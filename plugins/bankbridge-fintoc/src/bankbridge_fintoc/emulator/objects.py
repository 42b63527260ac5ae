"""What there is at the emulated Fintoc: links with their accounts and refresh intents, connections, endpoints."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeAlias

import attrs

from bankbridge.emulation import NEVER, Endpoint, Faults, Script
from bankbridge_fintoc.emulator.bank import Ending

Json: TypeAlias = dict[str, Any]


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
    readable_at: datetime | None = None
    """From when on it is in lists; None for always."""
    settles_at: datetime | None = None
    """When a row that is ``processing`` is no longer; the next refresh finds it so."""


@attrs.define(kw_only=True)
class Account:
    """One account of a link. Its rows are in `bankbridge_fintoc.emulator.rows`: most are never read."""

    id: str
    type: str
    name: str
    official_name: str
    currency: str
    balance: int
    limit: int
    number: str = attrs.field(repr=False)
    refreshed_at: datetime | None
    next_refresh: datetime | None = None
    removed: bool = False
    is_unstable: bool = False
    """Whether its pages repeat rows and leave others out."""
    refreshes: int = 0
    """How many have brought it something."""
    unread_history: int = 0
    """How many rows of before its connection Fintoc has not read yet."""
    unmade_history: int = 0
    """How many of them Fintoc has read, and nobody has asked for: they are made when somebody does."""
    history_days: int = 1
    """Over how many days before its connection those rows are spread."""
    connected_on: date
    movements: list[Movement] = attrs.field(factory=list[Movement], repr=False)


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
    """``client``, ``somebody else``, or ``fintoc`` for what it refreshes by itself."""
    polls: list[datetime] = attrs.field(factory=list[datetime])
    started_at: datetime | None = None
    ended_at: datetime | None = None
    status: str | None = None
    public_error: str | None = None
    prompt: str | None = None
    """``open``, ``right_code``, ``wrong_code`` or ``walk_away``; None where the bank asked for nothing."""
    prompt_expires_at: datetime | None = None
    widget_token: str | None = attrs.field(default=None, repr=False)
    ending: Ending | None = None
    """How it ends, where it does."""
    reports: list[Report] = attrs.field(factory=list[Report])
    row_faults: frozenset[str] = frozenset()
    """Which faults of the data strike what it brings."""


@attrs.define(kw_only=True)
class Link:
    """A person's connection to one institution, and everything that was seen to happen to it."""

    id: str
    token: str = attrs.field(repr=False)
    mode: str
    institution: Mapping[str, str]
    holder_type: str = "individual"
    username: str
    script: Script
    webhooks: str = "normal"
    faults: Mapping[str, float] = NEVER
    """Rates that hold for this link instead of the plan's."""
    accounts: list[Account] = attrs.field(factory=list[Account])
    created_at: datetime
    active: bool = True
    status: str = "active"
    deleted_at: datetime | None = None
    last_refreshed_at: datetime | None = None
    must_reconnect: bool = False
    refused_until: datetime | None = None
    cooldown_played: bool = False
    """Whether the success behind the script word ``cooldown`` that is up now has been made up already."""
    intents: dict[str, Intent] = attrs.field(factory=dict[str, Intent])
    """By id, in the order of their making."""
    own_refreshes: dict[str, Intent] = attrs.field(factory=dict[str, Intent])
    """What Fintoc refreshed by itself."""
    succeeded: dict[str, Intent] = attrs.field(factory=dict[str, Intent])
    """The last intent of each type that holds the next one back."""
    running: dict[str, Intent] = attrs.field(factory=dict[str, Intent])
    """Those that have not ended, Fintoc's own too."""
    made: Counter[str] = attrs.field(factory=Counter[str])
    """How many intents, own refreshes, events… there have been: what ids are made of."""
    login_attempts: int = 0
    refused_logins: int = 0
    creates: list[Json] = attrs.field(factory=list[Json])
    """Every request to create, the replayed and the refused ones too."""
    requests: Counter[str] = attrs.field(factory=Counter[str])

    def number(self, what: str) -> int:
        """The how manieth of something this one is, from 1 on."""
        self.made[what] += 1
        return self.made[what]


@attrs.define(kw_only=True)
class LinkIntent:
    """An attempt of a person to connect a bank."""

    id: str
    mode: str
    country: str
    holder_type: str
    product: str
    created_at: datetime
    widget_token: str = attrs.field(repr=False)
    widget_expires_at: datetime
    exchange_token: str | None = attrs.field(default=None, repr=False)
    exchange_expires_at: datetime | None = None
    link_id: str | None = None
    is_exchanged: bool = False
    webhook_url: str | None = None
    """Where `link.created` goes in the older flow: https://docs.fintoc.com/docs/widget-configuration."""


@attrs.define(kw_only=True)
class WebhookEndpoint:
    """Where an application wants its events."""

    id: str
    mode: str
    url: str
    name: str | None = None
    description: str | None = None
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
