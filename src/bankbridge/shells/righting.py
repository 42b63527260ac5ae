"""What a replay may change in the store, which is little: nothing is asked at a provider and no refresh begins.

An intent that is over and would be over differently is put right, with a line in its log. A delivery that was not
understood and means something now goes back into the inbox, unless a refresh of its link is under way, which is read
at the provider anyway, or it is an old success, which would lift what has come to stand against its link since. What
newly turns out to have been a refused login counts against the link; nothing frees one.
"""

from datetime import datetime
from typing import Final

import attrs

from bankbridge.machine.link import Link, LinkStatus, account_for
from bankbridge.machine.status import Status
from bankbridge.shells.connections import Connection
from bankbridge.shells.news import LinkChanged, News, OutcomeChanged
from bankbridge.shells.replay import REPLAYED, NowUnderstood, Replayed, said_of
from bankbridge.shells.routing import KEPT
from bankbridge.store import LogEntry, Settled, Transaction

DONE: Final = "put right"
PUT_BACK: Final = "put back into the inbox"


def put_right(
    tx: Transaction, connection: Connection, found: Replayed, *, now: datetime
) -> tuple[str, list[News]]:
    """Save what a replay says of an intent; what became of that."""
    stored, told = tx.intent(found.intent_id), found.intent
    link = tx.link(found.link_id, found.connection)
    if stored is None or link is None or told is None or stored.version != found.version:
        return "moved meanwhile: replay it again", []
    if not stored.status.terminal:
        return "left alone: it is under way", []
    if not told.status.terminal:
        return "left alone: what is over stays over", []
    if told.attempt.number != stored.attempt.number:
        return "left alone: other attempts were made than it would have made", []
    attempt = attrs.evolve(told.attempt, looked_at=stored.attempt.looked_at)
    right = attrs.evolve(told, attempt=attempt, version=stored.version + 1)
    tx.save_intent(right, replaces=stored.version)
    tx.log(
        LogEntry(
            intent_id=right.id,
            at=now,
            event=REPLAYED,
            attempt=right.attempt.number,
            before=stored.status,
            after=right.status,
            said="by a replay",
        )
    )
    for heard in found.used:
        if heard.result.startswith(KEPT):
            # It keeps its time, so that the next replay tells it at its place.
            tx.settle_delivery(heard.delivery_id, f"replayed: {right.id}", at=heard.at)
    news: list[News] = [OutcomeChanged(outcome=said_of(right, link).outcome)]
    counted = _stricter(link, account_for(link, stored, right, now=now, policy=connection.policy_of(link)))
    if counted != link and right.status not in (Status.SUCCEEDED, Status.PARTIAL):
        tx.save_link(counted)
        news.append(LinkChanged(link=counted))
    return DONE, news


def _stricter(link: Link, counted: Link) -> Link:
    """The link with what newly stands against it, and with all that stood against it before."""
    frees = counted.status is LinkStatus.ACTIVE and link.status is not LinkStatus.ACTIVE
    return attrs.evolve(
        link,
        status=link.status if frees else counted.status,
        status_at=link.status_at if frees else counted.status_at,
        refused_logins=max(link.refused_logins, counted.refused_logins),
        abandoned_prompts=max(link.abandoned_prompts, counted.abandoned_prompts),
        counted_at=counted.counted_at,
    )


def put_back(tx: Transaction, settled: Settled, now: NowUnderstood) -> str:
    """Let a delivery wait in the inbox again; what became of that."""
    found = tx.unmoving_deliveries(
        after=settled.position - 1, limit=1, since=settled.stored.delivery.received_at
    )
    if list(found) != [settled]:
        return "moved meanwhile: replay it again"
    if now.frees:
        return "left alone: it could free its link, which is better looked at"
    if any(tx.open_intent(link) is not None for link in links_of(tx, now)):
        return "left alone: a refresh of its link is under way"
    tx.put_back(settled.stored.id)
    return PUT_BACK


def links_of(tx: Transaction, now: NowUnderstood) -> list[Link]:
    """The stored links that a delivery is about."""
    links = [
        tx.link(about.link_id, now.connection)
        if about.link_id is not None
        else None
        if about.account_id is None
        else tx.link_of_account(about.account_id, now.connection)
        for about in now.about
    ]
    return [link for link in links if link is not None]
