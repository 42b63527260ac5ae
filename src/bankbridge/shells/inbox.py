"""The jobs of a delivery: believe it or not, store it, answer, and only then find out whom it is about."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs

from bankbridge.machine.attempt import AccountResult, AccountStatus
from bankbridge.machine.events import (
    AccountReported,
    LinkLost,
    ProviderEvent,
    RefreshStarted,
    RefreshSucceeded,
)
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import AccountVanished, Link, LinkDeleted, LinkEvent, LinkRefreshed, observe
from bankbridge.machine.notices import (
    Ignored,
    MovementsAmended,
    MovementsRemoved,
    Notice,
    NotUnderstood,
    Subject,
    TestDelivery,
    Why,
    receive,
)
from bankbridge.machine.status import Status
from bankbridge.provider import Granularity
from bankbridge.shells.connections import Connection, Core
from bankbridge.shells.jobs import Job, announce, transact
from bankbridge.shells.news import DataArrived, LinkChanged, MovementsChanged, News
from bankbridge.shells.telling import telling
from bankbridge.store import Parked, StoredDelivery, Transaction
from bankbridge.webhooks import Delivery, Refused
from bankbridge.words.errors import UnknownConnectionError
from bankbridge.words.ids import AccountId, DeliveryId, MovementId

_log: Final = logging.getLogger("bankbridge")

LARGEST_BODY: Final = 1_000_000
"""Bytes. Both providers' events are below ten thousand."""

# How far a provider's clock may be behind ours when its event is held against our request.
_SKEW: Final = timedelta(minutes=1)

PARKED_FOR: Final = timedelta(days=3)
"""How long a notice that fits nothing waits for its subject."""


@attrs.frozen(kw_only=True)
class Answer:
    """What to answer the sender of a delivery: a status, and a short text that gives nothing away."""

    status: int
    body: str


def take_delivery(core: Core, connection: str, headers: Mapping[str, str], body: bytes) -> Job[Answer]:
    """Verify, store durably, answer; then apply what is waiting. A refused delivery leaves no trace."""
    try:
        known = core.connection(connection)
    except UnknownConnectionError:
        return Answer(status=404, body="no such connection")
    if len(body) > LARGEST_BODY:
        return Answer(status=413, body="too large")
    now = core.clock()
    delivery = Delivery(connection=known.name, headers=headers, body=body, received_at=now)
    verification = known.provider.verify(delivery, now=now)
    if isinstance(verification, Refused):
        _log.warning("connection %s: a delivery was refused: %s", known.name, verification.why.value)
        return Answer(status=400, body="not verified")
    name = DeliveryId(f"{known.name}/{known.provider.identity(delivery)}")
    stored = StoredDelivery(id=name, delivery=delivery)
    new = yield from transact(lambda tx: tx.add_delivery(stored))
    if new:
        yield from drain(core, limit=100)
    return Answer(status=200, body="ok" if new else "known")


def drain(core: Core, *, limit: int) -> Job[int]:
    """Apply what waits in the inbox: the mark "seen" and its effect are one transaction. Returns how many."""
    now = core.clock()

    def work(tx: Transaction) -> tuple[int, list[News]]:
        news: list[News] = []
        waiting = tx.waiting_deliveries(limit=limit)
        for stored in waiting:
            connection = core.connections.get(stored.delivery.connection)
            if connection is None:
                tx.settle_delivery(stored.id, "kept: its connection is no longer configured")
                continue
            results: list[str] = []
            for index, notice in enumerate(connection.provider.translate(stored.delivery)):
                routed = _route(tx, connection, notice, stored.id, now)
                if routed is None:
                    _park(tx, connection, stored, index, notice)
                    results.append("parked")
                else:
                    results.append(routed.result)
                    news += routed.news
            tx.settle_delivery(stored.id, "; ".join(results) or "nothing said")
        return len(waiting), news

    count, news = yield from transact(work)
    yield from announce(news)
    return count


def retry_parked(
    tx: Transaction,
    core: Core,
    connection: Connection,
    intent: RefreshIntent | None,
    link: Link,
    now: datetime,
) -> list[News]:
    """Try again what was parked for a link, its accounts or its refresh, now that they are known."""
    del core
    refresh_id = None if intent is None else intent.attempt.refresh_id
    abouts = [Subject(refresh_id=refresh_id, link_id=link.id)]
    abouts += [Subject(account_id=account_id) for account_id in link.accounts or ()]
    news: list[News] = []
    for parked in {
        (p.delivery_id, p.index): p for about in abouts for p in tx.parked_for(about, connection.name)
    }.values():
        stored = tx.delivery(parked.delivery_id)
        notice = None if stored is None else connection.provider.translate(stored.delivery)[parked.index]
        routed = None if notice is None else _route(tx, connection, notice, parked.delivery_id, now)
        if routed is not None:
            tx.unpark(parked)
            tx.settle_delivery(parked.delivery_id, routed.result)
            news += routed.news
    return news


def _park(
    tx: Transaction, connection: Connection, stored: StoredDelivery, index: int, notice: Notice
) -> None:
    until = stored.delivery.received_at + PARKED_FOR
    tx.park(
        Parked(
            delivery_id=stored.id, index=index, connection=connection.name, about=notice.about, until=until
        )
    )


@attrs.frozen(kw_only=True)
class _Routed:
    """Whom a notice reached and what it did, for the log."""

    result: str
    news: list[News] = attrs.field(factory=list[News])


def _route(
    tx: Transaction, connection: Connection, notice: Notice, delivery_id: DeliveryId, now: datetime
) -> _Routed | None:
    """Bring a notice to its link and its intent; ``None`` when it fits nothing that is known yet."""
    match notice.says:
        case NotUnderstood(why=why):
            return _Routed(result=f"kept: {why}")
        case TestDelivery():
            return _Routed(result="test")
        case _:
            pass
    link = _link_of(tx, connection, notice.about)
    if link is None:
        return None
    match notice.says:
        case MovementsAmended(account_id=account_id, movement_ids=ids):
            return _Routed(result="movements changed", news=[_changed(link, account_id, ids, removed=False)])
        case MovementsRemoved(account_id=account_id, movement_ids=ids):
            return _Routed(result="movements removed", news=[_changed(link, account_id, ids, removed=True)])
        case says if isinstance(says, ProviderEvent):
            return _to_intent(tx, connection, link, notice, delivery_id, now)
        case says if isinstance(says, LinkEvent):
            return _to_link(tx, connection, link, says, notice, delivery_id, now)
        case _:
            return _Routed(result="kept")


def _link_of(tx: Transaction, connection: Connection, about: Subject) -> Link | None:
    if about.link_id is not None:
        return tx.link(about.link_id, connection.name)
    if about.account_id is not None:
        return tx.link_of_account(about.account_id, connection.name)
    return None


def _to_intent(
    tx: Transaction,
    connection: Connection,
    link: Link,
    notice: Notice,
    delivery_id: DeliveryId,
    now: datetime,
) -> _Routed | None:
    why = Why.NOT_RUNNING
    refresh_id = notice.about.refresh_id
    intents = tx.intents(link, limit=20)
    known = {attempt.refresh_id for intent in intents for attempt in (intent.attempt, *intent.past)}
    for intent in intents:
        story = telling(tx, link, intent, policy=connection.policy, now=now)
        if intent.status is Status.REQUESTED and refresh_id is not None and refresh_id not in known:
            if intent.attempt.unclear == 0:
                return None  # our create is on its way: its answer will say whether this is it
            if notice.occurred_at is None or notice.occurred_at >= intent.attempt.asked_at - _SKEW:
                # The create's answer was lost, and here is the refresh that it made.
                story.tell([RefreshStarted(refresh_id=refresh_id, adopted=True)], delivery_id=delivery_id)
        heard = receive(story.intent, notice, now=now, policy=connection.policy)
        if isinstance(heard, Ignored) and heard.why in (
            Why.ANOTHER_REFRESH,
            Why.NOT_RUNNING,
            Why.BEFORE_THE_ATTEMPT,
        ):
            why = heard.why
            continue
        if not isinstance(heard, Ignored):
            story.take(
                lambda _, heard=heard: heard,  # type: ignore[misc]
                event=type(notice.says).__name__,
                said=_words(notice),
                delivery_id=delivery_id,
            )
        story.wake_now()
        news = story.commit()
        return _Routed(
            result=heard.why.value if isinstance(heard, Ignored) else f"intent {intent.id}", news=news
        )
    return _background(tx, link, notice, why, now)


def _background(tx: Transaction, link: Link, notice: Notice, why: Why, now: datetime) -> _Routed:
    """No intent of ours: the provider refreshed by itself, or somebody else asked. A success is still fresh data."""
    match notice.says:
        case AccountReported(
            result=AccountResult(status=AccountStatus.SUCCEEDED, account_id=account_id) as result
        ):
            arrived = DataArrived(link_id=link.id, accounts=(account_id,), new_movements=result.new_movements)
        case RefreshSucceeded(new_movements=count):
            arrived = DataArrived(link_id=link.id, accounts=link.accounts or (), new_movements=count)
        case _:
            return _Routed(result=why.value)
    tx.save_link(observe(link, LinkRefreshed(), now=now, occurred_at=notice.occurred_at))
    return _Routed(result=why.value, news=[arrived])


def _to_link(
    tx: Transaction,
    connection: Connection,
    link: Link,
    says: LinkEvent,
    notice: Notice,
    delivery_id: DeliveryId,
    now: datetime,
) -> _Routed:
    seen = observe(link, says, now=now, occurred_at=notice.occurred_at)
    tx.save_link(seen)
    news: list[News] = [LinkChanged(link=seen)] if _notable(link, seen) else []
    running = tx.open_intent(seen)
    if running is None:
        if isinstance(says, LinkRefreshed):
            news.append(
                DataArrived(link_id=link.id, accounts=seen.accounts or (), new_movements=says.new_movements)
            )
        return _Routed(result=f"link {link.id}", news=news)
    story = telling(tx, seen, running, policy=connection.policy, now=now)
    match says:
        case LinkDeleted():
            story.tell([LinkLost()], said=_words(notice), delivery_id=delivery_id)
        case AccountVanished(account_id=account_id) if (
            connection.provider.capabilities.granularity is Granularity.ACCOUNT
        ):
            vanished = AccountResult(
                account_id=account_id, status=AccountStatus.VANISHED, reported_at=notice.occurred_at or now
            )
            story.tell([AccountReported(result=vanished)], said=_words(notice), delivery_id=delivery_id)
        case _:
            pass
    story.wake_now()
    return _Routed(result=f"link {link.id}", news=news + story.commit())


def _notable(before: Link, after: Link) -> bool:
    return (before.status, before.accounts, before.credential_version) != (
        after.status,
        after.accounts,
        after.credential_version,
    )


def _changed(link: Link, account_id: AccountId | None, ids: tuple[MovementId, ...], *, removed: bool) -> News:
    return MovementsChanged(link_id=link.id, account_id=account_id, movement_ids=ids, removed=removed)


def _words(notice: Notice) -> str:
    """The provider's own words: the event type, and the code where it has one."""
    failure = getattr(notice.says, "failure", None) or getattr(
        getattr(notice.says, "result", None), "failure", None
    )
    return f"{notice.type} {failure.code}" if failure is not None and failure.code else notice.type
