"""One transaction: the store's words in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Subject
from bankbridge.machine.status import Status
from bankbridge.store import LogEntry, Parked, StoredDelivery, Transaction
from bankbridge.store.sql.engines import insert_new, put
from bankbridge.store.sql.sealing import Sealer
from bankbridge.store.sql.tables import (
    ACCOUNTS,
    DELIVERIES,
    INTENTS,
    IS_OPEN,
    IS_WAITING,
    LINKS,
    LOG,
    PARKED,
    SUBJECT,
    WAKES,
)
from bankbridge.webhooks import Delivery
from bankbridge.words.errors import StaleVersionError, UnknownLinkError
from bankbridge.words.ids import AccountId, ConnectionName, DeliveryId, IntentId, LinkId

_LINKS: Final = sa.select(LINKS.c.id, LINKS.c.document)
_INTENTS: Final = sa.select(INTENTS.c.id, INTENTS.c.document)
_DELIVERIES: Final = sa.select(DELIVERIES.c.id, DELIVERIES.c.document)


def transaction_on(connection: sa.Connection, sealer: Sealer) -> Transaction:
    """What `bankbridge.store.Transaction` promises, on a connection in a transaction."""
    return _SqlTransaction(connection, sealer)


class _SqlTransaction:
    def __init__(self, connection: sa.Connection, sealer: Sealer) -> None:
        self._connection = connection
        self._backend = connection.dialect.name
        self._sealer = sealer

    # --- links

    def link(self, link_id: LinkId, connection: ConnectionName | None = None) -> Link | None:
        return self._only_link(connection, LINKS.c.id == link_id)

    def links(self) -> Sequence[Link]:
        return self._links(_LINKS.order_by(LINKS.c.id, LINKS.c.connection))

    def link_of_account(self, account_id: AccountId, connection: ConnectionName | None = None) -> Link | None:
        seen_under = LINKS.c.id == ACCOUNTS.c.link_id, LINKS.c.connection == ACCOUNTS.c.connection
        return self._only_link(connection, ACCOUNTS.c.id == account_id, *seen_under)

    def save_link(self, link: Link) -> None:
        row = {"id": link.id, "connection": link.connection}
        self._put(LINKS, row, {"document": self._sealer.seal(link)})
        if link.accounts:
            self._map_accounts(link, set(link.accounts))

    def _map_accounts(self, link: Link, accounts: set[AccountId]) -> None:
        here = ACCOUNTS.c.connection == link.connection, ACCOUNTS.c.link_id == link.id
        mapped = self._connection.scalars(sa.select(ACCOUNTS.c.id).where(ACCOUNTS.c.id.in_(accounts), *here))
        for account_id in accounts.difference(mapped):
            row = {"id": account_id, "connection": link.connection}
            self._put(ACCOUNTS, row, {"link_id": link.id})

    # --- intents

    def intent(self, intent_id: IntentId) -> RefreshIntent | None:
        found = self._intents(_INTENTS.where(INTENTS.c.id == intent_id))
        return found[0] if found else None

    def intents(self, link: Link, *, limit: int) -> Sequence[RefreshIntent]:
        newest_first = INTENTS.c.created_at.desc(), INTENTS.c.position.desc()
        return self._intents(_INTENTS.where(_of(link)).order_by(*newest_first).limit(limit))

    def open_intent(self, link: Link) -> RefreshIntent | None:
        found = self._intents(_INTENTS.where(_of(link), IS_OPEN))
        return found[0] if found else None

    def add_intent(self, intent: RefreshIntent) -> None:
        here = LINKS.c.id == intent.link_id, LINKS.c.connection == intent.connection
        if self._connection.scalar(sa.select(LINKS.c.id).where(*here)) is None:
            msg = f"link {intent.link_id}: is not stored; add it first"
            raise UnknownLinkError(msg)
        row = self._intent_row(intent) | {"created_at": intent.created_at}
        if not self._insert_new(INTENTS, row):
            msg = f"intent {intent.id}: it, or another open one of link {intent.link_id}, is stored already"
            raise StaleVersionError(msg)

    def save_intent(self, intent: RefreshIntent, *, replaces: int) -> None:
        here = INTENTS.c.id == intent.id, INTENTS.c.version == replaces
        try:
            changed = self._connection.execute(sa.update(INTENTS).where(*here), self._intent_row(intent))
        except IntegrityError:
            msg = f"intent {intent.id}: another one of link {intent.link_id} is open"
            raise StaleVersionError(msg) from None
        if not changed.rowcount:
            msg = f"intent {intent.id}: version {replaces} is no longer the stored one"
            raise StaleVersionError(msg)

    def due_intents(self, now: datetime, *, limit: int) -> Sequence[RefreshIntent]:
        due = _INTENTS.where(WAKES, INTENTS.c.wake_at <= now)
        return self._intents(due.order_by(INTENTS.c.wake_at, INTENTS.c.position).limit(limit))

    def next_wake_at(self) -> datetime | None:
        first: datetime | None = self._connection.scalar(
            sa.select(sa.func.min(INTENTS.c.wake_at)).where(WAKES)
        )
        return first

    # --- deliveries

    def add_delivery(self, stored: StoredDelivery) -> bool:
        row = {
            "id": stored.id,
            "received_at": stored.delivery.received_at,
            "document": self._sealer.seal(stored.delivery),
        }
        return self._insert_new(DELIVERIES, row)

    def delivery(self, delivery_id: DeliveryId) -> StoredDelivery | None:
        found = self._deliveries(_DELIVERIES.where(DELIVERIES.c.id == delivery_id))
        return found[0] if found else None

    def waiting_deliveries(self, *, limit: int) -> Sequence[StoredDelivery]:
        oldest_first = DELIVERIES.c.received_at, DELIVERIES.c.position
        return self._deliveries(_DELIVERIES.where(IS_WAITING).order_by(*oldest_first).limit(limit))

    def settle_delivery(self, delivery_id: DeliveryId, result: str) -> None:
        here = DELIVERIES.c.id == delivery_id
        self._connection.execute(sa.update(DELIVERIES).where(here).values(result=result))

    # --- parked notices

    def park(self, parked: Parked) -> None:
        about = {name: getattr(parked.about, name) for name in SUBJECT}
        row = {"delivery_id": parked.delivery_id, "notice": parked.index}
        self._put(PARKED, row, {"connection": parked.connection, "until": parked.until, **about})

    def parked_for(self, about: Subject, connection: ConnectionName) -> Sequence[Parked]:
        shared = [
            sa.and_(PARKED.c[name] == value, PARKED.c.connection == connection)
            for name in SUBJECT
            if (value := getattr(about, name)) is not None
        ]
        if not shared:
            return []
        found = sa.select(PARKED).where(sa.or_(*shared)).order_by(PARKED.c.position)
        return [
            Parked(
                delivery_id=row.delivery_id,
                index=row.notice,
                connection=row.connection,
                about=Subject(**{name: getattr(row, name) for name in SUBJECT}),
                until=row.until,
            )
            for row in self._connection.execute(found)
        ]

    def unpark(self, parked: Parked) -> None:
        here = PARKED.c.delivery_id == parked.delivery_id, PARKED.c.notice == parked.index
        self._connection.execute(sa.delete(PARKED).where(*here))

    def drop_parked(self, now: datetime) -> int:
        return self._connection.execute(sa.delete(PARKED).where(PARKED.c.until < now)).rowcount

    # --- the log

    def log(self, entry: LogEntry) -> None:
        row = {
            "intent_id": entry.intent_id,
            "at": entry.at,
            "event": entry.event,
            "attempt": entry.attempt,
            "before": entry.before.value,
            "after": entry.after.value,
            "said": entry.said,
            "delivery_id": entry.delivery_id,
        }
        self._connection.execute(sa.insert(LOG).values(row))

    def log_of(self, intent_id: IntentId) -> Sequence[LogEntry]:
        found = sa.select(LOG).where(LOG.c.intent_id == intent_id).order_by(LOG.c.position)
        return [
            LogEntry(
                intent_id=row.intent_id,
                at=row.at,
                event=row.event,
                attempt=row.attempt,
                before=Status(row.before),
                after=Status(row.after),
                said=row.said,
                delivery_id=row.delivery_id,
            )
            for row in self._connection.execute(found)
        ]

    # --- rows and values

    def _insert_new(self, table: sa.Table, row: Mapping[str, object]) -> bool:
        return self._connection.execute(insert_new(self._backend, table), row).rowcount > 0

    def _put(self, table: sa.Table, keys: Mapping[str, object], row: Mapping[str, object]) -> None:
        self._connection.execute(put(self._backend, table, *keys), {**keys, **row})

    def _intent_row(self, intent: RefreshIntent) -> dict[str, object]:
        return {
            "id": intent.id,
            "connection": intent.connection,
            "link_id": intent.link_id,
            "open": not intent.status.terminal,
            "wake_at": None if intent.wake is None else intent.wake.at,
            "version": intent.version,
            "document": self._sealer.seal(intent),
        }

    def _only_link(self, connection: ConnectionName | None, *here: sa.ColumnElement[bool]) -> Link | None:
        there = () if connection is None else (LINKS.c.connection == connection,)
        links = self._links(_LINKS.where(*here, *there).limit(2))
        return links[0] if len(links) == 1 else None

    def _links(self, found: sa.Executable) -> list[Link]:
        rows = self._connection.execute(found)
        return [self._sealer.open(Link, row.document, f"link {row.id}") for row in rows]

    def _intents(self, found: sa.Executable) -> list[RefreshIntent]:
        rows = self._connection.execute(found)
        return [self._sealer.open(RefreshIntent, row.document, f"intent {row.id}") for row in rows]

    def _deliveries(self, found: sa.Executable) -> list[StoredDelivery]:
        return [
            StoredDelivery(
                id=row.id, delivery=self._sealer.open(Delivery, row.document, f"delivery {row.id}")
            )
            for row in self._connection.execute(found)
        ]


def _of(link: Link) -> sa.ColumnElement[bool]:
    return sa.and_(INTENTS.c.link_id == link.id, INTENTS.c.connection == link.connection)
