"""The jobs of a delivery: believe it or not, store it, answer, and only then bring it to whom it is about."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs

from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Notice, Subject
from bankbridge.shells.connections import Connection, Core
from bankbridge.shells.jobs import Arrived, Job, announce, take_in, transact
from bankbridge.shells.news import News
from bankbridge.shells.routing import Arrival, route
from bankbridge.store import Parked, StoredDelivery, Transaction
from bankbridge.webhooks import Delivery, Refused
from bankbridge.words.errors import StoreUnavailableError, UnknownConnectionError
from bankbridge.words.ids import DeliveryId

_log: Final = logging.getLogger("bankbridge")

LARGEST_BODY: Final = 1_000_000
"""Bytes: hundreds of times the largest documented event of either provider."""

PARKED_FOR: Final = timedelta(days=3)
"""How long a notice that fits nothing waits for its subject."""


@attrs.frozen(kw_only=True)
class Answer:
    """What to answer the sender of a delivery: a status, and a short text that gives nothing away."""

    status: int
    body: str


def take_delivery(core: Core, connection: str, headers: Mapping[str, str], body: bytes) -> Job[Answer]:
    """Verify, store durably, answer, and see to it that it is applied. A refused delivery leaves no trace.

    Only what is durable is answered with 200: a provider does not send it again.
    """
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
    try:
        new = yield from take_in(StoredDelivery(id=name, delivery=delivery))
    except StoreUnavailableError:
        return Answer(status=503, body="come back later")
    if new:
        yield Arrived()
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
                tx.settle_delivery(stored.id, "kept: its connection is no longer configured", at=now)
                continue
            results: list[str] = []
            for index, notice in enumerate(connection.provider.translate(stored.delivery)):
                routed = route(
                    Arrival(tx=tx, connection=connection, notice=notice, delivery_id=stored.id, now=now)
                )
                if routed is None:
                    tx.park(_parked(stored, index, notice))
                    results.append("parked")
                else:
                    results.append(routed.result)
                    news += routed.news
            tx.settle_delivery(stored.id, "; ".join(results) or "nothing said", at=now)
        return len(waiting), news

    count, news = yield from transact(work)
    yield from announce(news)
    return count


def retry_parked(
    tx: Transaction, connection: Connection, intent: RefreshIntent | None, link: Link, now: datetime
) -> list[News]:
    """Try again what was parked for a link, its accounts or its refresh, now that they are known."""
    refresh_id = None if intent is None else intent.attempt.refresh_id
    abouts = [Subject(refresh_id=refresh_id, link_id=link.id)]
    abouts += [Subject(account_id=account_id) for account_id in link.accounts or ()]
    news: list[News] = []
    # A notice is found under each of its subjects, but has its say once.
    found = {(p.delivery_id, p.index): p for about in abouts for p in tx.parked_for(about, connection.name)}
    for parked in found.values():
        stored = tx.delivery(parked.delivery_id)
        if stored is None:
            continue
        notice = connection.provider.translate(stored.delivery)[parked.index]
        routed = route(Arrival(tx=tx, connection=connection, notice=notice, delivery_id=stored.id, now=now))
        if routed is not None:
            tx.unpark(parked)
            tx.settle_delivery(stored.id, routed.result, at=now)
            news += routed.news
    return news


def _parked(stored: StoredDelivery, index: int, notice: Notice) -> Parked:
    return Parked(
        delivery_id=stored.id,
        index=index,
        connection=stored.delivery.connection,
        about=notice.about,
        until=stored.delivery.received_at + PARKED_FOR,
    )
