"""The jobs of a delivery: believe it or not, store it, answer, and only then bring it to whom it is about."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import attrs

from bankbridge.machine.notices import Notice, Subject
from bankbridge.shells.connections import Connection, Core
from bankbridge.shells.jobs import Arrived, Job, announce, take_in, transact
from bankbridge.shells.news import News
from bankbridge.shells.parking import park, retry_parked
from bankbridge.shells.routing import KEPT, Arrival, route
from bankbridge.shells.saying import notices_of
from bankbridge.store import StoredDelivery, Transaction
from bankbridge.webhooks import Delivery, Refused
from bankbridge.words.errors import (
    BankBridgeError,
    ImpossibleEventError,
    StoreUnavailableError,
    UnknownConnectionError,
)
from bankbridge.words.ids import ConnectionName, DeliveryId

_log: Final = logging.getLogger("bankbridge")

LARGEST_BODY: Final = 1_000_000
"""Bytes: hundreds of times the largest documented event of either provider."""


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
    """Apply what waits in the inbox: the mark "seen" and its effect are one transaction. Returns how many.

    One that cannot be applied, which is a mistake in here or in a plugin, is kept as it is and holds up no other.
    """
    while True:
        try:
            return (yield from _drain(core, limit))
        except _CannotApplyError as error:
            _log.error("delivery %s: is kept, since it cannot be applied: %s", error.delivery_id, error)
            yield from transact(partial(_keep, error, core.clock()))


class _CannotApplyError(BankBridgeError):
    """What a delivery says cannot be told to its intent."""

    def __init__(self, delivery_id: DeliveryId, why: ImpossibleEventError) -> None:
        self.delivery_id = delivery_id
        super().__init__(str(why))


def _keep(error: _CannotApplyError, now: datetime, tx: Transaction) -> None:
    tx.settle_delivery(error.delivery_id, f"{KEPT}{error}", at=now)


def _drain(core: Core, limit: int) -> Job[int]:
    now = core.clock()

    def work(tx: Transaction) -> tuple[int, list[News]]:
        news: list[News] = []
        tx.drop_parked(now)
        waiting = [(stored, _said(core, stored)) for stored in tx.waiting_deliveries(limit=limit)]
        _expect(tx, [said for _, said in waiting if said is not None])
        for stored, said in waiting:
            try:
                news += _apply(tx, stored, said, now)
            except ImpossibleEventError as error:
                raise _CannotApplyError(stored.id, error) from error
        return len(waiting), news

    count, news = yield from transact(work)
    yield from announce(news)
    return count


def _apply(tx: Transaction, stored: StoredDelivery, said: "_Said | None", now: datetime) -> list[News]:
    if said is None:
        tx.settle_delivery(stored.id, f"{KEPT}its connection is no longer configured", at=now)
        return []
    news: list[News] = []
    results: list[str] = []
    for index, notice in enumerate(said.notices):
        arrival = Arrival(tx=tx, connection=said.connection, notice=notice, delivery_id=stored.id, now=now)
        routed = route(arrival)
        if routed is None:
            park(tx, stored, index, notice)
            results.append("parked")
        else:
            results.append(routed.result)
            news += routed.news
            if routed.appeared is not None:
                news += retry_parked(tx, said.connection, routed.appeared, now=now)
    tx.settle_delivery(stored.id, "; ".join(results) or "nothing said", at=now)
    return news


@attrs.frozen(kw_only=True)
class _Said:
    """What a delivery says, and whose it is."""

    connection: Connection
    notices: Sequence[Notice]


def _said(core: Core, stored: StoredDelivery) -> _Said | None:
    connection = core.connections.get(stored.delivery.connection)
    if connection is None:
        return None
    return _Said(connection=connection, notices=notices_of(connection, stored))


def _expect(tx: Transaction, everything: Sequence[_Said]) -> None:
    abouts: dict[ConnectionName, list[Subject]] = {}
    for said in everything:
        abouts.setdefault(said.connection.name, []).extend(notice.about for notice in said.notices)
    for name, subjects in abouts.items():
        tx.expect(name, subjects)
