"""One transaction: the store's words in SQL."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

import sqlalchemy as sa

from bankbridge.machine.intent import RefreshIntent, WakeUp
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Subject
from bankbridge.machine.status import Status
from bankbridge.store import LogEntry, Parked, Settled, StoredDelivery, Transaction
from bankbridge.store.sql import statements as sql
from bankbridge.store.sql.databases import Database, insert_new, put
from bankbridge.store.sql.sealing import Sealer
from bankbridge.store.sql.tables import ACCOUNTS, DELIVERIES, INTENTS, LINKS, PARKED, SUBJECT
from bankbridge.words.errors import StaleVersionError, UnknownLinkError
from bankbridge.words.ids import AccountId, ConnectionName, DeliveryId, IntentId, LinkId

_T = TypeVar("_T")

Outbox: TypeAlias = Callable[[object, Mapping[IntentId, WakeUp | None]], None]
"""Called at the end of a transaction that set wake-ups, or left intents without one (``None``), with the driver's
connection: what it writes there is committed with the transaction, or not at all."""


def run_on(
    database: Database,
    connection: sa.Connection,
    sealer: Sealer,
    work: Callable[[Transaction], _T],
    outbox: Outbox | None = None,
) -> _T:
    """Run ``work`` on a connection in a transaction, with what `bankbridge.store.Transaction` promises."""
    transaction = _SqlTransaction(connection, sealer)
    result = work(transaction)
    transaction.finish(database, outbox)
    return result


class _SqlTransaction:
    """What is only written, and not read again by most work, is written at the end, all at once.

    It keeps what it was about (``_about``: links, accounts, refreshes, whether they were there or not) and whether it
    wrote, for the databases that must be told.
    """

    def __init__(self, connection: sa.Connection, sealer: Sealer) -> None:
        self._connection = connection
        self._backend = connection.dialect.name
        self._sealer = sealer
        self._settled: list[dict[str, object]] = []
        self._logged: list[dict[str, object]] = []
        self._about: set[str] = set()
        self._wrote = False
        self._wakes: dict[IntentId, WakeUp | None] = {}

    def finish(self, database: Database, outbox: Outbox | None) -> None:
        """Write what was put off; to be called before the commit."""
        self._write_down()
        if outbox is not None and self._wakes:
            outbox(self._connection.connection.driver_connection, self._wakes)
        if self._wrote:
            database.mark(self._connection, self._about)

    def _write_down(self) -> None:
        for statement, rows in ((sql.SETTLE_DELIVERY, self._settled), (sql.ADD_TO_LOG, self._logged)):
            if rows:
                self._connection.execute(statement, rows)
                rows.clear()

    # --- links

    def link(self, link_id: LinkId, connection: ConnectionName | None = None) -> Link | None:
        self._is_about(link_id=link_id)
        if connection is None:
            return self._only_link(sql.LINK_ANYWHERE, the_id=link_id)
        return self._only_link(sql.LINK, the_id=link_id, the_connection=connection)

    def links(self) -> Sequence[Link]:
        return self._links(sql.ALL_LINKS)

    def link_of_account(self, account_id: AccountId, connection: ConnectionName | None = None) -> Link | None:
        self._is_about(account_id=account_id)
        if connection is None:
            link = self._only_link(sql.LINK_OF_ACCOUNT_ANYWHERE, the_id=account_id)
        else:
            link = self._only_link(sql.LINK_OF_ACCOUNT, the_id=account_id, the_connection=connection)
        if link is not None:
            self._is_about(link_id=link.id)
        return link

    def save_link(self, link: Link) -> None:
        self._is_about(link_id=link.id)
        self._wrote = True
        row = {"id": link.id, "connection": link.connection}
        self._put(LINKS, row, {"document": self._sealer.seal(link)})
        if link.accounts:
            self._map_accounts(link, set(link.accounts))

    def _map_accounts(self, link: Link, accounts: set[AccountId]) -> None:
        given = {**_the(link), "the_accounts": list(accounts)}
        for account_id in accounts.difference(self._connection.scalars(sql.MAPPED_ACCOUNTS, given)):
            self._is_about(account_id=account_id)
            row = {"id": account_id, "connection": link.connection}
            self._put(ACCOUNTS, row, {"link_id": link.id})

    # --- intents

    def intent(self, intent_id: IntentId) -> RefreshIntent | None:
        self._is_about(intent_id=intent_id)
        return _first(self._intents(sql.INTENT, the_id=intent_id))

    def intents(self, link: Link, *, limit: int) -> Sequence[RefreshIntent]:
        self._is_about(link_id=link.id)
        return self._intents(sql.INTENTS_OF_LINK, **_the(link), the_limit=limit)

    def every_intent(self, *, after: int, limit: int, since: datetime) -> Sequence[tuple[int, RefreshIntent]]:
        given = {"the_place": after, "the_limit": limit, "the_time": since}
        rows = self._connection.execute(sql.EVERY_INTENT, given)
        return [
            (row.position, self._sealer.open(RefreshIntent, row.document, f"intent {row.id}")) for row in rows
        ]

    def open_intent(self, link: Link) -> RefreshIntent | None:
        self._is_about(link_id=link.id)
        return _first(self._intents(sql.OPEN_INTENT, **_the(link)))

    def add_intent(self, intent: RefreshIntent) -> None:
        self._is_about(link_id=intent.link_id, intent_id=intent.id)
        self._wrote = True
        home = {"the_id": intent.link_id, "the_connection": intent.connection}
        if self._connection.scalar(sql.HAS_LINK, home) is None:
            msg = f"link {intent.link_id}: is not stored; add it first"
            raise UnknownLinkError(msg)
        row = self._intent_row(intent) | {"created_at": intent.created_at}
        if not self._insert_new(INTENTS, row):
            msg = f"intent {intent.id}: it, or another open one of link {intent.link_id}, is stored already"
            raise StaleVersionError(msg)
        self._wakes[intent.id] = intent.wake

    def save_intent(self, intent: RefreshIntent, *, replaces: int) -> None:
        self._is_about(link_id=intent.link_id)
        self._wrote = True
        given = {"the_id": intent.id, "the_version": replaces}
        save = sql.SAVE_ENDED_INTENT if intent.status.terminal else sql.SAVE_OPEN_INTENT
        if self._connection.execute(save, given | self._intent_row(intent)).rowcount:
            # A wake-up that is no newer than what is replaced was set by it, or before it.
            if intent.wake is None or intent.wake.version > replaces:
                self._wakes[intent.id] = intent.wake
            return
        if self._connection.scalar(sql.HAS_VERSION, given) is None:
            msg = f"intent {intent.id}: version {replaces} is no longer the stored one"
        else:
            msg = f"intent {intent.id}: another one of link {intent.link_id} is open"
        raise StaleVersionError(msg)

    def due_intents(
        self, now: datetime, *, limit: int, connections: Collection[ConnectionName]
    ) -> Sequence[RefreshIntent]:
        where = sorted(connections)
        return self._intents(sql.DUE_INTENTS, the_time=now, the_limit=limit, the_connections=where)

    def next_wake_at(self) -> datetime | None:
        first: datetime | None = self._connection.scalar(sql.NEXT_WAKE_AT)
        return first

    # --- deliveries

    def add_delivery(self, stored: StoredDelivery) -> bool:
        self._write_down()
        self._wrote = True
        row = {
            "id": stored.id,
            "received_at": stored.delivery.received_at,
            "document": self._sealer.seal_delivery(stored.delivery),
        }
        return self._insert_new(DELIVERIES, row)

    def delivery(self, delivery_id: DeliveryId) -> StoredDelivery | None:
        return _first(self._deliveries(sql.DELIVERY, the_id=delivery_id))

    def waiting_deliveries(self, *, limit: int) -> Sequence[StoredDelivery]:
        self._write_down()
        return self._deliveries(sql.WAITING_DELIVERIES, the_limit=limit)

    def settle_delivery(self, delivery_id: DeliveryId, result: str, *, at: datetime) -> None:
        self._wrote = True
        self._settled.append({"the_id": delivery_id, "the_result": result, "the_time": at})

    def unmoving_deliveries(self, *, after: int, limit: int, since: datetime) -> Sequence[Settled]:
        self._write_down()
        given = {"the_place": after, "the_limit": limit, "the_time": since}
        return [
            Settled(
                position=row.position,
                stored=self._stored_delivery(row),
                result=row.result,
                # What was settled by a version that did not write down when: as good as at once.
                at=row.settled_at or row.received_at,
            )
            for row in self._connection.execute(sql.UNMOVING_DELIVERIES, given)
        ]

    def put_back(self, delivery_id: DeliveryId) -> None:
        self._write_down()
        self._wrote = True
        self._connection.execute(sql.PUT_BACK, {"the_id": delivery_id})

    # --- parked notices

    def park(self, parked: Parked) -> None:
        about = _ids(parked.about)
        self._is_about(**about)
        self._wrote = True
        row = {"delivery_id": parked.delivery_id, "notice": parked.index}
        self._put(PARKED, row, {"connection": parked.connection, "until": parked.until, **about})

    def parked_for(self, about: Subject, connection: ConnectionName) -> Sequence[Parked]:
        self._is_about(**_ids(about))
        given = {f"the_{name}": value for name, value in _ids(about).items()}
        return [
            Parked(
                delivery_id=row.delivery_id,
                index=row.notice,
                connection=row.connection,
                about=Subject(**{name: getattr(row, name) for name in SUBJECT}),
                until=row.until,
            )
            for row in self._connection.execute(sql.PARKED_FOR, {"the_connection": connection, **given})
        ]

    def unpark(self, parked: Parked) -> None:
        self._wrote = True
        self._connection.execute(sql.UNPARK, {"the_id": parked.delivery_id, "the_notice": parked.index})

    def drop_parked(self, now: datetime) -> int:
        dropped = self._connection.execute(sql.DROP_PARKED, {"the_time": now}).rowcount
        self._wrote = self._wrote or dropped > 0
        return dropped

    # --- the log

    def log(self, entry: LogEntry) -> None:
        row: dict[str, object] = {
            "intent_id": entry.intent_id,
            "at": entry.at,
            "event": entry.event,
            "attempt": entry.attempt,
            "before": entry.before.value,
            "after": entry.after.value,
            "said": entry.said,
            "delivery_id": entry.delivery_id,
            "told": None if entry.told is None else self._sealer.seal_event(entry.told),
        }
        self._wrote = True
        self._logged.append(row)

    def log_of(self, intent_id: IntentId) -> Sequence[LogEntry]:
        self._write_down()
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
                told=None if row.told is None else self._sealer.open_event(row.told, f"log {row.position}"),
            )
            for row in self._connection.execute(sql.LOG_OF, {"the_id": intent_id})
        ]

    # --- rows and values

    def _is_about(self, **ids: str | None) -> None:
        self._about.update(f"{name} {value}" for name, value in ids.items() if value is not None)

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
            "ended_at": intent.ended_at,
            "version": intent.version,
            "document": self._sealer.seal(intent),
        }

    def _only_link(self, statement: sa.Executable, **given: object) -> Link | None:
        links = self._links(statement, **given)
        return links[0] if len(links) == 1 else None

    def _links(self, statement: sa.Executable, **given: object) -> list[Link]:
        rows = self._connection.execute(statement, given)
        return [self._sealer.open(Link, row.document, f"link {row.id}") for row in rows]

    def _intents(self, statement: sa.Executable, **given: object) -> list[RefreshIntent]:
        rows = self._connection.execute(statement, given)
        intents = [self._sealer.open(RefreshIntent, row.document, f"intent {row.id}") for row in rows]
        for intent in intents:
            self._is_about(link_id=intent.link_id)
        return intents

    def _deliveries(self, statement: sa.Executable, **given: object) -> list[StoredDelivery]:
        return [self._stored_delivery(row) for row in self._connection.execute(statement, given)]

    def _stored_delivery(self, row: sa.Row[Any]) -> StoredDelivery:
        return StoredDelivery(
            id=row.id, delivery=self._sealer.open_delivery(row.document, f"delivery {row.id}")
        )


def _first(found: Sequence[_T]) -> _T | None:
    return found[0] if found else None


def _ids(about: Subject) -> dict[str, str | None]:
    return {name: getattr(about, name) for name in SUBJECT}


def _the(link: Link) -> dict[str, object]:
    return {"the_id": link.id, "the_connection": link.connection}
