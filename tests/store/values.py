"""Values to store, plain unless a test says otherwise."""

from datetime import UTC, datetime, timedelta

import attrs

from bankbridge.machine.intent import RefreshIntent, Scope, WakeUp, new_intent
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Subject
from bankbridge.machine.status import Status
from bankbridge.store import LogEntry, Parked, Store, StoredDelivery
from bankbridge.webhooks import Delivery
from bankbridge.words.ids import AccountId, ConnectionName, DeliveryId, IntentId, LinkId

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
RAIL = ConnectionName("rail")
FINTOC = ConnectionName("fintoc")
EVERYWHERE = (RAIL, FINTOC)


def minutes(number: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=number)


def link(name: str = "link_1", connection: ConnectionName = RAIL, *accounts: str, **fields) -> Link:
    seen = tuple(AccountId(account) for account in accounts) or None
    return Link(id=LinkId(name), connection=connection, accounts=seen, **fields)


def intent(name: str, of: Link, at: datetime = NOON, **fields) -> RefreshIntent:
    new = new_intent(
        intent_id=IntentId(name),
        connection=of.connection,
        link_id=of.id,
        scope=Scope.LATEST,
        attended=False,
        now=at,
    )
    return attrs.evolve(new, **fields)


def ended(one: RefreshIntent) -> RefreshIntent:
    return attrs.evolve(one, status=Status.SUCCEEDED, wake=None, version=one.version + 1, ended_at=minutes(5))


def waking(one: RefreshIntent, at: datetime) -> RefreshIntent:
    assert one.wake is not None
    return attrs.evolve(one, wake=WakeUp(at=at, purpose=one.wake.purpose))


def delivery(name: str, at: datetime = NOON, body: bytes = b'{"id": "evt"}') -> StoredDelivery:
    arrived = Delivery(connection=RAIL, headers={"Rail-Signature": "t=1,v1=ab"}, body=body, received_at=at)
    return StoredDelivery(id=DeliveryId(name), delivery=arrived)


def about(**ids) -> Subject:
    return Subject(**ids)


def parked(name: str, until: datetime = NOON, *, index: int = 0, connection=RAIL, **ids) -> Parked:
    return Parked(
        delivery_id=DeliveryId(name),
        index=index,
        connection=connection,
        about=about(**ids),
        until=until,
    )


def entry(event: str, of: str = "intent_1", **fields) -> LogEntry:
    return LogEntry(
        intent_id=IntentId(of),
        at=NOON,
        event=event,
        attempt=1,
        before=Status.REQUESTED,
        after=Status.IN_PROGRESS,
        **fields,
    )


def with_link(store: Store, one: Link) -> Link:
    store.transact(lambda tx: tx.save_link(one))
    return one
