"""Before another login: how did the refresh before it end, of which we stopped hearing?

What was canceled here may run on at the provider, and what was lost may have ended after all. Either can have cost a
refused login, and either can still be running. So it is read once more, and counted, before anything new is asked for.
"""

from datetime import datetime
from typing import Final

import attrs

from bankbridge.machine.advance import deadline_of, may_read_at
from bankbridge.machine.events import ReadFinished
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link, blockers_of
from bankbridge.machine.status import Status
from bankbridge.provider import Evidence
from bankbridge.shells.connections import Connection, Core
from bankbridge.shells.evidence import read
from bankbridge.shells.jobs import Job, announce, transact
from bankbridge.shells.news import News
from bankbridge.shells.telling import telling
from bankbridge.store import Transaction
from bankbridge.words.reasons import Failure, Reason

_RECENT: Final = 5


def look_back(core: Core, connection: Connection, link: Link, intent: RefreshIntent) -> Job[Failure | None]:
    """Why ``intent`` must not be asked for now, by what came of the one before it; ``None`` when it may."""
    now, policy = core.clock(), connection.policy_of(link)

    def claim(tx: Transaction) -> tuple[RefreshIntent | None, datetime]:
        before = _unheard(tx, link, intent, oldest=now - policy.timing.intent)
        if before is None:
            return None, now
        soonest = may_read_at(before.attempt, now, policy.timing)
        if soonest > now:
            return before, soonest
        looked = attrs.evolve(before.attempt, looked_at=now)
        claimed = attrs.evolve(before, attempt=looked, version=before.version + 1)
        tx.save_intent(claimed, replaces=before.version)
        return claimed, now

    before, soonest = yield from transact(claim)
    if before is None:
        return None
    if soonest > now:
        # A prompt's time is only called up after a look, so a person who tries again at once need not wait for another.
        return None if before.status is Status.FAILED else _wait(before, until=soonest)
    flow = connection.provider.poll_refresh(link, before.attempt, now=now)
    evidence = yield from read(connection, flow, now)
    verdict, news = yield from transact(
        lambda tx: _learn(tx, connection, before, evidence, now, attended=intent.attended)
    )
    yield from announce(news)
    return verdict


def _unheard(tx: Transaction, link: Link, intent: RefreshIntent, *, oldest: datetime) -> RefreshIntent | None:
    """The link's newest intent before ``intent`` that we gave up, and whose end the provider has not told us."""
    for one in tx.intents(link, limit=_RECENT):
        if one.id != intent.id and one.gave_up and one.attempt.started and one.attempt.end is None:
            return one if one.attempt.asked_at > oldest else None
    return None


def _learn(
    tx: Transaction,
    connection: Connection,
    before: RefreshIntent,
    evidence: Evidence,
    now: datetime,
    *,
    attended: bool,
) -> tuple[Failure | None, list[News]]:
    stored, link = tx.intent(before.id), tx.link(before.link_id, before.connection)
    if stored is None or link is None:
        return None, []
    policy = connection.policy_of(link)
    story = telling(tx, link, stored, policy=policy, now=now)
    story.tell(evidence.events, attempt=before.attempt.number, said=evidence.words)
    news = story.commit()
    unread = any(isinstance(event, ReadFinished) and event.failure is not None for event in evidence.events)
    runs = story.intent.attempt.end is None and now < deadline_of(before.attempt, policy.timing)
    if unread or (runs and not connection.provider.capabilities.finds_running):
        return _wait(before), news
    blockers = blockers_of(story.link, attended=attended, now=now, policy=policy)
    return (blockers[0].failure if blockers else None), news


def _wait(before: RefreshIntent, until: datetime | None = None) -> Failure:
    message = f"nobody knows yet how the refresh of intent {before.id} ended"
    return Failure(reason=Reason.ALREADY_IN_PROGRESS, message=message, not_before=until, ours=True)
