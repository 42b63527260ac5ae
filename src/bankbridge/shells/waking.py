"""The jobs of time: what is due, claimed in a transaction of its own, so that each wake-up is one worker's."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from bankbridge.engine import Claim, Look, Timer
from bankbridge.machine.intent import RefreshIntent
from bankbridge.shells.connections import Core
from bankbridge.shells.inbox import drain
from bankbridge.shells.jobs import Job, announce, transact
from bankbridge.shells.news import News
from bankbridge.shells.parking import commit
from bankbridge.shells.refreshing import link_in, perform
from bankbridge.shells.telling import Telling, telling
from bankbridge.store import Transaction
from bankbridge.words.ids import ConnectionName

_log: Final = logging.getLogger("bankbridge")

_OVERDUE: Final = timedelta(minutes=1)
"""What another worker is just claiming looks as if nobody could."""


def look(core: Core) -> Job[Look]:
    """What there is to do."""
    now = core.clock()

    def read(tx: Transaction) -> Look:
        wake_at = tx.next_wake_at()
        return Look(
            deliveries=bool(tx.waiting_deliveries(limit=1)),
            due_in=None if wake_at is None else wake_at - now,
        )

    return (yield from transact(read))


def wake_due(core: Core, *, limit: int) -> Job[int]:
    """Drain the inbox, then wake what is due and do what it wants. Returns how many woke."""
    yield from drain(core, limit=limit)
    claims = yield from claim_due(core, limit=limit)
    for claim in claims:
        yield from perform(core, claim.intent_id, claim.effects)
    return len(claims)


def claim_due(core: Core, *, limit: int, avoid: Collection[ConnectionName] = ()) -> Job[list[Claim]]:
    """Wake what is due, so that nobody else does. What each wants is still to be done, by `perform`."""
    now = core.clock()
    connections = core.connections.keys() - set(avoid)

    def claim(tx: Transaction) -> tuple[list[Telling], list[News]]:
        stories: list[Telling] = []
        news: list[News] = []
        for intent in tx.due_intents(now, limit=limit, connections=connections):
            story = _awake(core, tx, intent, now)
            news += commit(story, core.connection(intent.connection))
            stories.append(story)
        if len(stories) < limit and not avoid:
            _notice_strangers(core, tx.next_wake_at(), now)
        return stories, news

    stories, news = yield from transact(claim)
    yield from announce(news)
    return [_claim_of(story) for story in stories]


def wake_one(core: Core, timer: Timer) -> Job[bool]:
    """Wake one intent and do what it wants, if ``timer`` is the one that it has set, and due."""
    now = core.clock()

    def claim(tx: Transaction) -> tuple[Telling | None, list[News]]:
        intent = tx.intent(timer.intent_id)
        wake = None if intent is None else intent.wake
        if intent is None or wake is None or wake.version != timer.version or wake.at > now:
            return None, []
        if intent.connection not in core.connections:
            _notice_strangers(core, wake.at, now)
            return None, []
        story = _awake(core, tx, intent, now)
        return story, commit(story, core.connection(intent.connection))

    story, news = yield from transact(claim)
    yield from announce(news)
    if story is None:
        return False
    yield from perform(core, story.intent.id, story.effects)
    return True


def _awake(core: Core, tx: Transaction, intent: RefreshIntent, now: datetime) -> Telling:
    link = link_in(tx, intent.link_id, intent.connection)
    story = telling(tx, link, intent, policy=core.connection(intent.connection).policy_of(link), now=now)
    story.wake()
    return story


def _notice_strangers(core: Core, due_since: datetime | None, now: datetime) -> None:
    """Say once that something is due at a connection that is not configured here, for whoever forgot to."""
    if due_since is not None and due_since < now - _OVERDUE and not core.strangers:
        core.strangers.append(due_since)
        known = ", ".join(core.connections)
        _log.warning(
            "an intent is due since %s, and not at a connection that is configured here (%s)",
            due_since,
            known,
        )


def _claim_of(story: Telling) -> Claim:
    intent = story.intent
    return Claim(intent_id=intent.id, connection=intent.connection, effects=tuple(story.effects))
