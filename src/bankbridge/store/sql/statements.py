"""Every statement of the store, built once: building one takes longer than SQLite needs to run it.

What is given at each call has a name that begins with ``the_``; other names are columns. ``FOR UPDATE SKIP LOCKED``
gives several workers different rows; SQLite, where they take turns, has no such words and is sent none.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from bankbridge.store import MOVED
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
    Text,
)

_THE_ID: Final = bindparam("the_id", type_=Text)
_THE_CONNECTION: Final = bindparam("the_connection", type_=Text)
_THE_LIMIT: Final = bindparam("the_limit", type_=sa.Integer)
_THE_PLACE: Final = bindparam("the_place", type_=sa.BigInteger)

# --- links

_LINKS: Final = sa.select(LINKS.c.connection, LINKS.c.id, LINKS.c.document)
# A second row is asked for to see that there is none.
LINK_ANYWHERE: Final = _LINKS.where(LINKS.c.id == _THE_ID).limit(2)
LINK: Final = LINK_ANYWHERE.where(LINKS.c.connection == _THE_CONNECTION)
ALL_LINKS: Final = _LINKS.order_by(LINKS.c.id, LINKS.c.connection)
LINK_OF_ACCOUNT_ANYWHERE: Final = _LINKS.where(
    ACCOUNTS.c.id == _THE_ID,
    ACCOUNTS.c.link_id == LINKS.c.id,
    ACCOUNTS.c.connection == LINKS.c.connection,
).limit(2)
LINK_OF_ACCOUNT: Final = LINK_OF_ACCOUNT_ANYWHERE.where(LINKS.c.connection == _THE_CONNECTION)
HAS_LINK: Final = sa.select(LINKS.c.id).where(LINKS.c.id == _THE_ID, LINKS.c.connection == _THE_CONNECTION)
HOMES_OF_ACCOUNTS: Final = sa.select(ACCOUNTS.c.id, ACCOUNTS.c.link_id).where(
    ACCOUNTS.c.id.in_(bindparam("the_accounts", expanding=True)),
    ACCOUNTS.c.connection == _THE_CONNECTION,
)
LINKS_WITH_THEIR_OPEN_INTENTS: Final = (
    sa.select(
        LINKS.c.id, LINKS.c.document, INTENTS.c.id.label("intent_id"), INTENTS.c.document.label("intent")
    )
    .select_from(
        sa.outerjoin(
            LINKS,
            INTENTS,
            sa.and_(INTENTS.c.link_id == LINKS.c.id, INTENTS.c.connection == LINKS.c.connection, IS_OPEN),
        )
    )
    .where(LINKS.c.id.in_(bindparam("the_links", expanding=True)), LINKS.c.connection == _THE_CONNECTION)
)

# --- intents

_INTENTS: Final = sa.select(INTENTS.c.id, INTENTS.c.document)
EVERY_INTENT: Final = (
    sa.select(INTENTS.c.position, INTENTS.c.id, INTENTS.c.document)
    .where(INTENTS.c.position > _THE_PLACE, INTENTS.c.created_at >= bindparam("the_time"))
    .order_by(INTENTS.c.position)
    .limit(_THE_LIMIT)
)
_OF_LINK: Final = _INTENTS.where(INTENTS.c.link_id == _THE_ID, INTENTS.c.connection == _THE_CONNECTION)
INTENT: Final = _INTENTS.where(INTENTS.c.id == _THE_ID)
INTENTS_OF_LINK: Final = _OF_LINK.order_by(INTENTS.c.created_at.desc(), INTENTS.c.position.desc()).limit(
    _THE_LIMIT
)
OPEN_INTENT: Final = _OF_LINK.where(IS_OPEN)
SAVE_INTENT: Final = sa.update(INTENTS).where(
    INTENTS.c.id == _THE_ID, INTENTS.c.version == bindparam("the_version")
)
_OTHER: Final = INTENTS.alias("other")
# One that is over can open again only if no other one of its link is open. That is asked before the unique index
# would say it, since a transaction of PostgreSQL does not survive an error.
SAVE_OPEN_INTENT: Final = SAVE_INTENT.where(
    sa.or_(
        IS_OPEN,
        ~sa.exists().where(
            _OTHER.c.link_id == INTENTS.c.link_id,
            _OTHER.c.connection == INTENTS.c.connection,
            _OTHER.c.open.is_(True),
        ),
    ),
)
HAS_VERSION: Final = sa.select(INTENTS.c.id).where(
    INTENTS.c.id == _THE_ID, INTENTS.c.version == bindparam("the_version")
)
DUE_INTENTS: Final = (
    _INTENTS.where(
        WAKES,
        INTENTS.c.wake_at <= bindparam("the_time"),
        INTENTS.c.connection.in_(bindparam("the_connections", expanding=True)),
    )
    .order_by(INTENTS.c.wake_at, INTENTS.c.position)
    .limit(_THE_LIMIT)
    .with_for_update(skip_locked=True)
)
NEXT_WAKE_AT: Final = sa.select(sa.func.min(INTENTS.c.wake_at)).where(WAKES)

# --- deliveries

_DELIVERIES: Final = sa.select(DELIVERIES.c.id, DELIVERIES.c.document)
DELIVERY: Final = _DELIVERIES.where(DELIVERIES.c.id == _THE_ID)
WAITING_DELIVERIES: Final = (
    _DELIVERIES.where(IS_WAITING)
    .order_by(DELIVERIES.c.received_at, DELIVERIES.c.position)
    .limit(_THE_LIMIT)
    .with_for_update(skip_locked=True)
)
SETTLE_DELIVERY: Final = (
    sa.update(DELIVERIES)
    .where(DELIVERIES.c.id == _THE_ID)
    .values(result=bindparam("the_result", type_=Text), settled_at=bindparam("the_time"))
)
UNMOVING_DELIVERIES: Final = (
    sa.select(DELIVERIES)
    .where(
        DELIVERIES.c.position > _THE_PLACE,
        DELIVERIES.c.received_at >= bindparam("the_time"),
        ~DELIVERIES.c.result.startswith(MOVED),  # nor one that waits, whose result is NULL
    )
    .order_by(DELIVERIES.c.position)
    .limit(_THE_LIMIT)
)
PUT_BACK: Final = sa.update(DELIVERIES).where(DELIVERIES.c.id == _THE_ID).values(result=None, settled_at=None)

# --- parked notices

# What is not given is NULL, which nothing equals.
PARKED_FOR: Final = (
    sa.select(PARKED)
    .where(
        sa.or_(
            *(
                sa.and_(PARKED.c[name] == bindparam(f"the_{name}"), PARKED.c.connection == _THE_CONNECTION)
                for name in SUBJECT
            )
        )
    )
    .order_by(PARKED.c.position)
)
UNPARK: Final = sa.delete(PARKED).where(
    PARKED.c.delivery_id == _THE_ID, PARKED.c.notice == bindparam("the_notice")
)
DROP_PARKED: Final = sa.delete(PARKED).where(PARKED.c.until < bindparam("the_time"))

# --- the log

ADD_TO_LOG: Final = sa.insert(LOG).inline()
LOG_OF: Final = sa.select(LOG).where(LOG.c.intent_id == _THE_ID).order_by(LOG.c.position)
