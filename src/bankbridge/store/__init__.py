"""Where intents, links and deliveries live: the protocol every store fulfils, and what it stores."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final, Protocol, TypeVar

import attrs

from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Subject
from bankbridge.machine.status import Status
from bankbridge.webhooks import Delivery
from bankbridge.words.ids import AccountId, ConnectionName, DeliveryId, IntentId, LinkId

_T = TypeVar("_T")

MOVED: Final = "intent "
"""How the result of a delivery begins that changed an intent, which follows."""


@attrs.frozen(kw_only=True)
class StoredDelivery:
    """A delivery in the inbox."""

    id: DeliveryId
    delivery: Delivery = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Settled:
    """A delivery that was drained ``at`` some time, with what became of it. ``position`` is its place in the inbox."""

    position: int
    stored: StoredDelivery
    result: str
    at: datetime


@attrs.frozen(kw_only=True)
class Parked:
    """A notice that fits nothing yet: the ``index``-th of its delivery, tried again until ``until``."""

    delivery_id: DeliveryId
    index: int
    connection: ConnectionName
    about: Subject
    until: datetime


@attrs.frozen(kw_only=True)
class LogEntry:
    """One line of an intent's story, append-only.

    ``said`` is the provider's words, or who canceled; never a secret. ``attempt`` is the one that the event is about.
    ``told`` is the event itself, as JSON, where it cannot be had from the delivery again; it may hold a secret.
    """

    intent_id: IntentId
    at: datetime
    event: str
    attempt: int
    before: Status
    after: Status
    said: str | None = None
    delivery_id: DeliveryId | None = None
    told: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Pruned:
    """How many of each are gone."""

    deliveries: int = 0
    log: int = 0
    intents: int = 0
    parked: int = 0


class Transaction(Protocol):
    """One all-or-nothing piece of work on the store. What it reads stays as read until it ends."""

    def expect(self, connection: ConnectionName, subjects: Collection[Subject]) -> None:
        """Said before many are asked for one by one: these links, links of accounts, and their open intents.

        It changes no answer. Where reading many at once costs less than reading each, they are read now.
        """
        ...

    def link(self, link_id: LinkId, connection: ConnectionName | None = None) -> Link | None:
        """One link. Without ``connection``, the only link with this id."""
        ...

    def links(self) -> Sequence[Link]:
        """Every link, by id."""
        ...

    def save_link(self, link: Link) -> None:
        """Add or replace a link, and map its accounts to it."""
        ...

    def link_of_account(self, account_id: AccountId, connection: ConnectionName | None = None) -> Link | None:
        """The link that an account was last seen under."""
        ...

    def intent(self, intent_id: IntentId) -> RefreshIntent | None:
        """One intent."""
        ...

    def intents(self, link: Link, *, limit: int) -> Sequence[RefreshIntent]:
        """A link's intents, newest first."""
        ...

    def every_intent(self, *, after: int, limit: int, since: datetime) -> Sequence[tuple[int, RefreshIntent]]:
        """The next intents, made ``since``, in the order they were added, each with its place.

        The first comes ``after`` 0.
        """
        ...

    def open_intent(self, link: Link) -> RefreshIntent | None:
        """The intent of a link that is not over; there is at most one."""
        ...

    def add_intent(self, intent: RefreshIntent) -> None:
        """Store a new intent. Raises `StaleVersionError` when its link has an open one already."""
        ...

    def save_intent(self, intent: RefreshIntent, *, replaces: int) -> None:
        """Replace version ``replaces``. Raises `StaleVersionError` when another version is stored."""
        ...

    def due_intents(
        self, now: datetime, *, limit: int, connections: Collection[ConnectionName]
    ) -> Sequence[RefreshIntent]:
        """Intents of these connections whose wake-up has come, the longest due first.

        Without those that another transaction is at.
        """
        ...

    def next_wake_at(self) -> datetime | None:
        """When the next intent is due, at any connection."""
        ...

    def add_delivery(self, stored: StoredDelivery) -> bool:
        """Put a delivery into the inbox; ``False`` when it is there already."""
        ...

    def delivery(self, delivery_id: DeliveryId) -> StoredDelivery | None:
        """One delivery, drained or not."""
        ...

    def waiting_deliveries(self, *, limit: int) -> Sequence[StoredDelivery]:
        """Deliveries not yet drained, oldest first; without those that another transaction is draining."""
        ...

    def settle_delivery(self, delivery_id: DeliveryId, result: str, *, at: datetime) -> None:
        """Mark a delivery as drained ``at`` this time, with what became of it."""
        ...

    def unmoving_deliveries(self, *, after: int, limit: int, since: datetime) -> Sequence[Settled]:
        """The next settled deliveries, received ``since``, whose result does not begin with `MOVED`.

        In the order of arrival; the first comes ``after`` 0.
        """
        ...

    def put_back(self, delivery_id: DeliveryId) -> None:
        """Let a settled delivery wait again."""
        ...

    def park(self, parked: Parked) -> None:
        """Keep a notice that fits nothing yet."""
        ...

    def parked_for(self, about: Subject, connection: ConnectionName) -> Sequence[Parked]:
        """Parked notices that share the refresh, the link or the account with ``about``, oldest first."""
        ...

    def unpark(self, parked: Parked) -> None:
        """Forget a parked notice."""
        ...

    def drop_parked(self, now: datetime) -> int:
        """Forget what was parked until before ``now``; how many there were."""
        ...

    def log(self, entry: LogEntry) -> None:
        """Append to an intent's story."""
        ...

    def log_of(self, intent_id: IntentId) -> Sequence[LogEntry]:
        """An intent's story, in the order it was written."""
        ...


class Store(Protocol):
    """Runs work in transactions, one after the other or truly isolated; safe to call from several threads.

    What talks to a database raises `StoreUnavailableError` when it does not answer.
    """

    def transact(self, work: Callable[[Transaction], _T]) -> _T:
        """Run ``work``, commit durably if it returns, undo everything if it raises. Must not be nested.

        Where transactions run side by side, ``work`` is run again when another one came between, so it must
        change nothing but through its `Transaction`.
        """
        ...

    def add_deliveries(self, stored: Sequence[StoredDelivery]) -> Sequence[bool]:
        """Put deliveries into the inbox by one durable commit, the fast way in; ``False`` for each that is known."""
        ...

    def prune(self, *, before: datetime, intents: bool = False) -> Pruned:
        """Forget what has been over since before ``before``, a little at a time, while others go on.

        That is: settled deliveries received before then, the log of intents that ended before then, notices
        parked until before then; with ``intents`` also the intents that ended before then. Never forgotten:
        links and their accounts, what is not over, waiting deliveries, deliveries of a notice that is parked.
        A copy of a forgotten delivery counts as new, so keep deliveries longer than providers repeat them.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
