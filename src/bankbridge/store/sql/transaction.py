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
from bankbridge.store.sql.databases import Database
from bankbridge.store.sql.intents import Intents
from bankbridge.store.sql.links import Links
from bankbridge.store.sql.sealing import Sealer
from bankbridge.store.sql.tables import DELIVERIES, PARKED, SUBJECT
from bankbridge.store.sql.work import Work, chunks, given_home
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
    transaction = _SqlTransaction(Work(connection, sealer))
    result = work(transaction)
    transaction.finish(database, outbox)
    return result


class _SqlTransaction:
    """What most work only writes, or reads again and again, goes to the database at the end, all at once."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._connection = work.connection
        self._links = Links(work)
        self._intents = Intents(work)
        self._settled: list[dict[str, object]] = []
        self._logged: list[dict[str, object]] = []
        self._wakes: dict[IntentId, WakeUp | None] = {}

    def finish(self, database: Database, outbox: Outbox | None) -> None:
        """Write what was put off; to be called before the commit."""
        self._links.write()
        self._intents.write()
        self._write_down()
        if outbox is not None and self._wakes:
            outbox(self._connection.connection.driver_connection, self._wakes)
        if self._work.wrote:
            database.mark(self._connection, self._work.about)

    def _write_down(self) -> None:
        for statement, rows in ((sql.SETTLE_DELIVERY, self._settled), (sql.ADD_TO_LOG, self._logged)):
            if rows:
                self._connection.execute(statement, rows)
                rows.clear()

    # --- links

    def expect(self, connection: ConnectionName, subjects: Collection[Subject]) -> None:
        # Ordered, so that a statement does not differ from one run to the next.
        named = dict.fromkeys(about.link_id for about in subjects if about.link_id is not None)
        accounts = dict.fromkeys(
            about.account_id for about in subjects if about.link_id is None and about.account_id is not None
        )
        links = named | dict.fromkeys(self._links.expect_accounts(connection, accounts))
        for some in chunks(self._links.unread(connection, links)):
            given = {"the_connection": connection, "the_links": some}
            found = {
                row.id: row for row in self._connection.execute(sql.LINKS_WITH_THEIR_OPEN_INTENTS, given)
            }
            for link_id in some:
                row = found.get(link_id)
                self._links.take(connection, link_id, None if row is None else row.document)
                if row is not None:
                    self._intents.take(connection, link_id, row.intent_id, row.intent)

    def link(self, link_id: LinkId, connection: ConnectionName | None = None) -> Link | None:
        self._work.is_about(link_id=link_id)
        if connection is None:
            return self._links.anywhere(link_id)
        return self._links.one(connection, link_id)

    def links(self) -> Sequence[Link]:
        return self._links.every()

    def link_of_account(self, account_id: AccountId, connection: ConnectionName | None = None) -> Link | None:
        self._work.is_about(account_id=account_id)
        if connection is None:
            link = self._links.of_account_anywhere(account_id)
        else:
            link = self._links.of_account(connection, account_id)
        if link is not None:
            self._work.is_about(link_id=link.id)
        return link

    def save_link(self, link: Link) -> None:
        self._work.is_about(link_id=link.id)
        self._work.wrote = True
        self._links.save(link)

    # --- intents

    def intent(self, intent_id: IntentId) -> RefreshIntent | None:
        self._work.is_about(intent_id=intent_id)
        return _first(self._intents.read(sql.INTENT, the_id=intent_id))

    def intents(self, link: Link, *, limit: int) -> Sequence[RefreshIntent]:
        self._work.is_about(link_id=link.id)
        return self._intents.read(sql.INTENTS_OF_LINK, **given_home(link), the_limit=limit)

    def every_intent(self, *, after: int, limit: int, since: datetime) -> Sequence[tuple[int, RefreshIntent]]:
        self._intents.write()
        given = {"the_place": after, "the_limit": limit, "the_time": since}
        rows = self._connection.execute(sql.EVERY_INTENT, given)
        return [
            (row.position, self._work.sealer.open_intent(row.document, f"intent {row.id}")) for row in rows
        ]

    def open_intent(self, link: Link) -> RefreshIntent | None:
        self._work.is_about(link_id=link.id)
        return self._intents.open_of(link)

    def add_intent(self, intent: RefreshIntent) -> None:
        self._work.is_about(link_id=intent.link_id, intent_id=intent.id)
        self._work.wrote = True
        self._links.write()
        self._intents.add(intent)
        self._wakes[intent.id] = intent.wake

    def save_intent(self, intent: RefreshIntent, *, replaces: int) -> None:
        self._work.is_about(link_id=intent.link_id)
        self._work.wrote = True
        self._intents.save(intent, replaces)
        # A wake-up that is no newer than what is replaced was set by it, or before it.
        if intent.wake is None or intent.wake.version > replaces:
            self._wakes[intent.id] = intent.wake

    def due_intents(
        self, now: datetime, *, limit: int, connections: Collection[ConnectionName]
    ) -> Sequence[RefreshIntent]:
        self._intents.write()
        where = sorted(connections)
        return self._intents.read(sql.DUE_INTENTS, the_time=now, the_limit=limit, the_connections=where)

    def next_wake_at(self) -> datetime | None:
        self._intents.write()
        first: datetime | None = self._connection.scalar(sql.NEXT_WAKE_AT)
        return first

    # --- deliveries

    def add_delivery(self, stored: StoredDelivery) -> bool:
        self._write_down()
        self._work.wrote = True
        row = {
            "id": stored.id,
            "received_at": stored.delivery.received_at,
            "document": self._work.sealer.seal_delivery(stored.delivery),
        }
        return self._work.insert_new(DELIVERIES, row)

    def delivery(self, delivery_id: DeliveryId) -> StoredDelivery | None:
        return _first(self._deliveries(sql.DELIVERY, the_id=delivery_id))

    def waiting_deliveries(self, *, limit: int) -> Sequence[StoredDelivery]:
        self._write_down()
        return self._deliveries(sql.WAITING_DELIVERIES, the_limit=limit)

    def settle_delivery(self, delivery_id: DeliveryId, result: str, *, at: datetime) -> None:
        self._work.wrote = True
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
        self._work.wrote = True
        self._connection.execute(sql.PUT_BACK, {"the_id": delivery_id})

    # --- parked notices

    def park(self, parked: Parked) -> None:
        about = _ids(parked.about)
        self._work.is_about(**about)
        self._work.wrote = True
        row = {
            "delivery_id": parked.delivery_id,
            "notice": parked.index,
            "connection": parked.connection,
            "until": parked.until,
        }
        self._work.put(PARKED, [{**row, **about}], "delivery_id", "notice")

    def parked_for(self, about: Subject, connection: ConnectionName) -> Sequence[Parked]:
        self._work.is_about(**_ids(about))
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
        self._work.wrote = True
        self._connection.execute(sql.UNPARK, {"the_id": parked.delivery_id, "the_notice": parked.index})

    def drop_parked(self, now: datetime) -> int:
        dropped = self._connection.execute(sql.DROP_PARKED, {"the_time": now}).rowcount
        self._work.wrote = self._work.wrote or dropped > 0
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
            "told": None if entry.told is None else self._work.sealer.seal_event(entry.told),
        }
        self._work.wrote = True
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
                told=None
                if row.told is None
                else self._work.sealer.open_event(row.told, f"log {row.position}"),
            )
            for row in self._connection.execute(sql.LOG_OF, {"the_id": intent_id})
        ]

    # --- rows and values

    def _deliveries(self, statement: sa.Executable, **given: object) -> list[StoredDelivery]:
        return [self._stored_delivery(row) for row in self._connection.execute(statement, given)]

    def _stored_delivery(self, row: sa.Row[Any]) -> StoredDelivery:
        return StoredDelivery(
            id=row.id, delivery=self._work.sealer.open_delivery(row.document, f"delivery {row.id}")
        )


def _first(found: Sequence[_T]) -> _T | None:
    return found[0] if found else None


def _ids(about: Subject) -> dict[str, str | None]:
    return {name: getattr(about, name) for name in SUBJECT}
