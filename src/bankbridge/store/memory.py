"""A store in memory: for tests and demonstrations. It forgets everything when the process ends."""

import copy
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Subject
from bankbridge.store import MOVED, LogEntry, Parked, Pruned, Settled, StoredDelivery, Transaction
from bankbridge.words.errors import StaleVersionError, UnknownLinkError
from bankbridge.words.ids import AccountId, ConnectionName, DeliveryId, IntentId, LinkId

_T = TypeVar("_T")
_Name = TypeVar("_Name", IntentId, DeliveryId)


class _Tables:
    def __init__(self) -> None:
        self.links: dict[tuple[ConnectionName, LinkId], Link] = {}
        self.accounts: dict[tuple[ConnectionName, AccountId], LinkId] = {}
        self.intents: dict[IntentId, RefreshIntent] = {}
        self.deliveries: dict[DeliveryId, StoredDelivery] = {}
        self.results: dict[DeliveryId, str] = {}
        self.settled_at: dict[DeliveryId, datetime] = {}
        self.parked: dict[tuple[DeliveryId, int], Parked] = {}
        self.log: list[LogEntry] = []
        self.places: dict[IntentId | DeliveryId, int] = {}
        self.last_place = 0

    def copied(self) -> "_Tables":
        tables = _Tables()
        vars(tables).update({name: copy.copy(table) for name, table in vars(self).items()})
        return tables


class MemoryStore:
    """A store in memory. Transactions run one at a time on a copy, so one that raises leaves no trace."""

    def __init__(self) -> None:
        self._tables = _Tables()
        self._lock = threading.Lock()

    def transact(self, work: Callable[[Transaction], _T]) -> _T:
        """Run ``work`` alone, and keep what it did if it returns."""
        with self._lock:
            tables = self._tables.copied()
            result = work(_MemoryTransaction(tables))
            self._tables = tables
            return result

    def add_deliveries(self, stored: Sequence[StoredDelivery]) -> Sequence[bool]:
        """Put deliveries into the inbox."""
        return self.transact(lambda tx: [tx.add_delivery(one) for one in stored])

    def prune(self, *, before: datetime, intents: bool = False) -> Pruned:
        """Forget what has been over since before ``before``."""
        with self._lock:
            tables = self._tables.copied()
            pruned = _prune(tables, before, intents=intents)
            self._tables = tables
            return pruned

    def close(self) -> None:
        """Nothing to let go of."""


def _prune(tables: _Tables, before: datetime, *, intents: bool) -> Pruned:
    over = {
        name
        for name, intent in tables.intents.items()
        if intent.ended_at is not None and intent.ended_at < before
    }
    kept = tables.intents.keys() - over
    log = [entry for entry in tables.log if entry.at >= before or entry.intent_id in kept]
    forgotten = len(tables.log) - len(log)
    tables.log = log
    parked = [key for key, one in tables.parked.items() if one.until < before]
    for key in parked:
        del tables.parked[key]
    parked_deliveries = {name for name, _ in tables.parked}
    deliveries = [
        name
        for name in tables.results.keys() - parked_deliveries
        if tables.deliveries[name].delivery.received_at < before
    ]
    for name in deliveries:
        del tables.deliveries[name], tables.results[name], tables.settled_at[name], tables.places[name]
    for intent_id in over if intents else ():
        del tables.intents[intent_id], tables.places[intent_id]
    return Pruned(
        deliveries=len(deliveries), log=forgotten, intents=len(over) if intents else 0, parked=len(parked)
    )


class _MemoryTransaction:
    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def expect(self, connection: ConnectionName, subjects: Collection[Subject]) -> None:
        """Everything is at hand."""

    def link(self, link_id: LinkId, connection: ConnectionName | None = None) -> Link | None:
        found = [
            link
            for (where, name), link in self._tables.links.items()
            if name == link_id and connection in (None, where)
        ]
        return found[0] if len(found) == 1 else None

    def links(self) -> Sequence[Link]:
        return sorted(self._tables.links.values(), key=lambda link: (link.id, link.connection))

    def save_link(self, link: Link) -> None:
        self._tables.links[link.connection, link.id] = link
        for account_id in link.accounts or ():
            self._tables.accounts[link.connection, account_id] = link.id

    def link_of_account(self, account_id: AccountId, connection: ConnectionName | None = None) -> Link | None:
        found = [
            self._tables.links[where, link_id]
            for (where, name), link_id in self._tables.accounts.items()
            if name == account_id and connection in (None, where)
        ]
        return found[0] if len(found) == 1 else None

    def intent(self, intent_id: IntentId) -> RefreshIntent | None:
        return self._tables.intents.get(intent_id)

    def intents(self, link: Link, *, limit: int) -> Sequence[RefreshIntent]:
        mine = [
            intent
            for intent in reversed(self._tables.intents.values())
            if (intent.connection, intent.link_id) == (link.connection, link.id)
        ]
        return sorted(mine, key=lambda intent: intent.created_at, reverse=True)[:limit]

    def every_intent(self, *, after: int, limit: int, since: datetime) -> Sequence[tuple[int, RefreshIntent]]:
        intents = [
            (place, self._tables.intents[name]) for place, name in self._next(self._tables.intents, after)
        ]
        return [(place, intent) for place, intent in intents if intent.created_at >= since][:limit]

    def _next(self, table: Mapping[_Name, object], after: int) -> list[tuple[int, _Name]]:
        places = ((self._tables.places[name], name) for name in table)
        return sorted(place for place in places if place[0] > after)

    def open_intent(self, link: Link) -> RefreshIntent | None:
        return self._open((link.connection, link.id))

    def add_intent(self, intent: RefreshIntent) -> None:
        if (intent.connection, intent.link_id) not in self._tables.links:
            msg = f"link {intent.link_id}: is not stored; add it first"
            raise UnknownLinkError(msg)
        if intent.id in self._tables.intents:
            msg = f"intent {intent.id}: is stored already"
            raise StaleVersionError(msg)
        self._put(intent)

    def save_intent(self, intent: RefreshIntent, *, replaces: int) -> None:
        stored = self._tables.intents.get(intent.id)
        if stored is None or stored.version != replaces:
            msg = f"intent {intent.id}: version {replaces} is no longer the stored one"
            raise StaleVersionError(msg)
        self._put(intent)

    def _put(self, intent: RefreshIntent) -> None:
        running = self._open((intent.connection, intent.link_id))
        if not intent.status.terminal and running is not None and running.id != intent.id:
            msg = f"intent {intent.id}: {running.id}, another one of link {intent.link_id}, is open"
            raise StaleVersionError(msg)
        if intent.id not in self._tables.intents:
            self._place(intent.id)
        self._tables.intents[intent.id] = intent

    def _place(self, name: IntentId | DeliveryId) -> None:
        self._tables.last_place += 1
        self._tables.places[name] = self._tables.last_place

    def _open(self, link: tuple[ConnectionName, LinkId]) -> RefreshIntent | None:
        return next(
            (
                intent
                for intent in self._tables.intents.values()
                if (intent.connection, intent.link_id) == link and not intent.status.terminal
            ),
            None,
        )

    def due_intents(
        self, now: datetime, *, limit: int, connections: Collection[ConnectionName]
    ) -> Sequence[RefreshIntent]:
        due = [
            (intent.wake.at, intent)
            for intent in self._tables.intents.values()
            if intent.wake is not None and intent.connection in connections
        ]
        return [intent for at, intent in sorted(due, key=lambda pair: pair[0]) if at <= now][:limit]

    def next_wake_at(self) -> datetime | None:
        return min(
            (intent.wake.at for intent in self._tables.intents.values() if intent.wake is not None),
            default=None,
        )

    def add_delivery(self, stored: StoredDelivery) -> bool:
        if stored.id in self._tables.deliveries:
            return False
        self._tables.deliveries[stored.id] = stored
        self._place(stored.id)
        return True

    def delivery(self, delivery_id: DeliveryId) -> StoredDelivery | None:
        return self._tables.deliveries.get(delivery_id)

    def waiting_deliveries(self, *, limit: int) -> Sequence[StoredDelivery]:
        waiting = [
            stored for name, stored in self._tables.deliveries.items() if name not in self._tables.results
        ]
        return sorted(waiting, key=lambda stored: stored.delivery.received_at)[:limit]

    def settle_delivery(self, delivery_id: DeliveryId, result: str, *, at: datetime) -> None:
        if delivery_id in self._tables.deliveries:
            self._tables.results[delivery_id] = result
            self._tables.settled_at[delivery_id] = at

    def unmoving_deliveries(self, *, after: int, limit: int, since: datetime) -> Sequence[Settled]:
        settled = [
            Settled(
                position=place,
                stored=self._tables.deliveries[name],
                result=self._tables.results[name],
                at=self._tables.settled_at[name],
            )
            for place, name in self._next(self._tables.deliveries, after)
            if not self._tables.results.get(name, MOVED).startswith(MOVED)
        ]
        return [one for one in settled if one.stored.delivery.received_at >= since][:limit]

    def put_back(self, delivery_id: DeliveryId) -> None:
        self._tables.results.pop(delivery_id, None)
        self._tables.settled_at.pop(delivery_id, None)

    def park(self, parked: Parked) -> None:
        self._tables.parked[parked.delivery_id, parked.index] = parked

    def parked_for(self, about: Subject, connection: ConnectionName) -> Sequence[Parked]:
        return [
            parked
            for parked in self._tables.parked.values()
            if parked.connection == connection and _share(parked.about, about)
        ]

    def unpark(self, parked: Parked) -> None:
        self._tables.parked.pop((parked.delivery_id, parked.index), None)

    def drop_parked(self, now: datetime) -> int:
        over = [key for key, parked in self._tables.parked.items() if parked.until < now]
        for key in over:
            del self._tables.parked[key]
        return len(over)

    def log(self, entry: LogEntry) -> None:
        self._tables.log.append(entry)

    def log_of(self, intent_id: IntentId) -> Sequence[LogEntry]:
        return [entry for entry in self._tables.log if entry.intent_id == intent_id]


def _share(one: Subject, other: Subject) -> bool:
    return (
        (one.refresh_id is not None and one.refresh_id == other.refresh_id)
        or (one.link_id is not None and one.link_id == other.link_id)
        or (one.account_id is not None and one.account_id == other.account_id)
    )
