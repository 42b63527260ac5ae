"""Notices that fit nothing yet: kept for a while, and heard when what they are about appears."""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from bankbridge.machine.link import Link
from bankbridge.machine.notices import Notice, Subject
from bankbridge.shells.connections import Connection
from bankbridge.shells.news import News
from bankbridge.shells.routing import KEPT, Arrival, Routed, route
from bankbridge.shells.saying import notices_of
from bankbridge.shells.telling import Telling
from bankbridge.store import Parked, StoredDelivery, Transaction
from bankbridge.words.ids import DeliveryId, RefreshId

PARKED_FOR: Final = timedelta(days=3)
"""How long a notice that fits nothing waits for its subject."""


def park(tx: Transaction, stored: StoredDelivery, index: int, notice: Notice) -> None:
    """Keep the ``index``-th notice of a delivery."""
    tx.park(
        Parked(
            delivery_id=stored.id,
            index=index,
            connection=stored.delivery.connection,
            about=notice.about,
            until=stored.delivery.received_at + PARKED_FOR,
        )
    )


def retry_parked(
    tx: Transaction,
    connection: Connection,
    link: Link,
    refresh_id: RefreshId | None = None,
    *,
    now: datetime,
) -> list[News]:
    """Hear what was parked for a link, its accounts or its refresh, now that they are known.

    What is heard may make others known; those are heard, too.
    """
    news: list[News] = []
    heard: set[tuple[DeliveryId, int]] = set()
    abouts = deque(_subjects(link, refresh_id))
    while abouts:
        for parked in tx.parked_for(abouts.popleft(), connection.name):
            name, stored = (parked.delivery_id, parked.index), tx.delivery(parked.delivery_id)
            # It is found under each of its subjects, but has its say once; and none when its time is over.
            if stored is None or name in heard or parked.until < now:
                continue
            heard.add(name)
            routed = _route(tx, connection, stored, parked, now)
            if routed is not None:
                tx.unpark(parked)
                tx.settle_delivery(stored.id, routed.result, at=now)
                news += routed.news
                if routed.appeared is not None:
                    abouts.extend(_subjects(routed.appeared))
    return news


def _route(
    tx: Transaction, connection: Connection, stored: StoredDelivery, parked: Parked, now: datetime
) -> Routed | None:
    notices = notices_of(connection, stored)
    if parked.index >= len(notices):
        return Routed(result=f"{KEPT}its plugin says less of it than when it was parked")
    notice = notices[parked.index]
    return route(Arrival(tx=tx, connection=connection, notice=notice, delivery_id=stored.id, now=now))


def commit(story: Telling, connection: Connection) -> list[News]:
    """Store what an intent was told. If parked notices may have waited for that, they are heard."""
    news = story.commit()
    if story.is_clearer:
        news += retry_parked(story.tx, connection, story.link, story.intent.attempt.refresh_id, now=story.now)
    return news


def _subjects(link: Link, refresh_id: RefreshId | None = None) -> list[Subject]:
    return [
        Subject(refresh_id=refresh_id, link_id=link.id),
        *(Subject(account_id=account_id) for account_id in link.accounts or ()),
    ]
