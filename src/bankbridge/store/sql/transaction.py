"""One transaction: the store's words in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Subject
from bankbridge.machine.status import Status
from bankbridge.store import LogEntry, Parked, StoredDelivery, Transaction
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


def transaction_on(connection: sa.Connection, sealer: Sealer) -> Transaction:
    """What `bankbridge.store.Transaction` promises, on a connection in a transaction."""
    return _SqlTransaction(connection, sealer)


class _SqlTransaction:
    def __init__(self, connection: sa.Connection, sealer: Sealer) -> None:
        self._connection = connection
        self._sealer = sealer

    # --- links

    def link(self, link_id: LinkId, connection: ConnectionName | None = None) -> Link | None:
        return self._only_link(sa.select(LINKS).where(LINKS.c.id == link_id), connection)

    def links(self) -> Sequence[Link]:
        return self._links(sa.select(LINKS).order_by(LINKS.c.id, LINKS.c.connection))

    def link_of_account(self, account_id: AccountId, connection: ConnectionName | None = None) -> Link | None:
        here = sa.and_(LINKS.c.id == ACCOUNTS.c.link_id, LINKS.c.connection == ACCOUNTS.c.connection)
        found = sa.select(LINKS).join(ACCOUNTS, here).where(ACCOUNTS.c.id == account_id)
        return self._only_link(found, connection)

    def save_link(self, link: Link) -> None:
        row = {"id": link.id, "connection": link.connection}
        self._put(LINKS, row, {"document": self._sealer.seal(link)})
        known = self._connection.scalars(
            sa.select(ACCOUNTS.c.id).where(
                ACCOUNTS.c.id.in_(link.accounts or ()),
                ACCOUNTS.c.connection == link.connection,
                ACCOUNTS.c.link_id == link.id,
            )
        )
        for account_id in set(link.accounts or ()).difference(known):
            row = {"id": account_id, "connection": link.connection}
            self._put(ACCOUNTS, row, {"link_id": link.id})

    # --- intents

    def intent(self, intent_id: IntentId) -> RefreshIntent | None:
        found = self._intents(sa.select(INTENTS).where(INTENTS.c.id == intent_id))
        return found[0] if found else None

    def intents(self, link: Link, *, limit: int) -> Sequence[RefreshIntent]:
        newest_first = INTENTS.c.created_at.desc(), INTENTS.c.position.desc()
        return self._intents(sa.select(INTENTS).where(_of(link)).order_by(*newest_first).limit(limit))

    def open_intent(self, link: Link) -> RefreshIntent | None:
        found = self._intents(sa.select(INTENTS).where(_of(link), IS_OPEN))
        return found[0] if found else None

    def add_intent(self, intent: RefreshIntent) -> None:
        here = LINKS.c.id == intent.link_id, LINKS.c.connection == intent.connection
        if self._connection.scalar(sa.select(LINKS.c.id).where(*here)) is None:
            msg = f"link {intent.link_id}: is not stored; add it first"
            raise UnknownLinkError(msg)
        row = self._intent_row(intent) | {"created_at": intent.created_at}
        if self._try(sa.insert(INTENTS).values(row)) is None:
            msg = f"intent {intent.id}: it, or another open one of link {intent.link_id}, is stored already"
            raise StaleVersionError(msg)

    def save_intent(self, intent: RefreshIntent, *, replaces: int) -> None:
        here = INTENTS.c.id == intent.id, INTENTS.c.version == replaces
        # Without a row, the version is another; without an answer, another intent of the link is open.
        if not self._try(sa.update(INTENTS).where(*here).values(self._intent_row(intent))):
            msg = f"intent {intent.id}: version {replaces} is no longer the stored one"
            raise StaleVersionError(msg)

    def due_intents(self, now: datetime, *, limit: int) -> Sequence[RefreshIntent]:
        due = sa.select(INTENTS).where(WAKES, INTENTS.c.wake_at <= now)
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
        return self._try(sa.insert(DELIVERIES).values(row)) is not None

    def delivery(self, delivery_id: DeliveryId) -> StoredDelivery | None:
        found = self._deliveries(sa.select(DELIVERIES).where(DELIVERIES.c.id == delivery_id))
        return found[0] if found else None

    def waiting_deliveries(self, *, limit: int) -> Sequence[StoredDelivery]:
        oldest_first = DELIVERIES.c.received_at, DELIVERIES.c.position
        return self._deliveries(sa.select(DELIVERIES).where(IS_WAITING).order_by(*oldest_first).limit(limit))

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
        found = sa.select(PARKED).where(sa.or_(sa.false(), *shared)).order_by(PARKED.c.position)
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

    def _put(self, table: sa.Table, key: Mapping[str, object], values: Mapping[str, object]) -> None:
        here = [table.c[name] == value for name, value in key.items()]
        if not self._connection.execute(sa.update(table).where(*here).values(**values)).rowcount:
            self._connection.execute(sa.insert(table).values(**key, **values))

    def _try(self, statement: sa.Insert | sa.Update) -> int | None:
        """How many rows it changed; ``None``, and nothing done, when a constraint stands against it."""
        try:
            with self._connection.begin_nested():
                return self._connection.execute(statement).rowcount
        except IntegrityError:
            return None

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

    def _only_link(self, found: sa.Select[Any], connection: ConnectionName | None) -> Link | None:
        if connection is not None:
            found = found.where(LINKS.c.connection == connection)
        links = self._links(found.limit(2))
        return links[0] if len(links) == 1 else None

    def _links(self, found: sa.Select[Any]) -> list[Link]:
        rows = self._connection.execute(found)
        return [self._sealer.open(Link, row.document, f"link {row.id}") for row in rows]

    def _intents(self, found: sa.Select[Any]) -> list[RefreshIntent]:
        rows = self._connection.execute(found)
        return [self._sealer.open(RefreshIntent, row.document, f"intent {row.id}") for row in rows]

    def _deliveries(self, found: sa.Select[Any]) -> list[StoredDelivery]:
        return [
            StoredDelivery(
                id=row.id, delivery=self._sealer.open(Delivery, row.document, f"delivery {row.id}")
            )
            for row in self._connection.execute(found)
        ]


def _of(link: Link) -> sa.ColumnElement[bool]:
    return sa.and_(INTENTS.c.link_id == link.id, INTENTS.c.connection == link.connection)
