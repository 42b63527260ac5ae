"""Whom a notice is about: bringing it to its link and its intent, inside the transaction that marks it as seen."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import attrs

from bankbridge.machine.advance import deadline_of
from bankbridge.machine.attempt import AccountResult, AccountStatus, Attempt
from bankbridge.machine.events import (
    AccountReported,
    Event,
    LinkLost,
    ProviderEvent,
    RefreshFailed,
    RefreshRejected,
    RefreshStarted,
    RefreshSucceeded,
    WokeUp,
)
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import (
    AccountVanished,
    CredentialsChanged,
    Link,
    LinkDeleted,
    LinkEvent,
    LinkExpired,
    LinkRefreshed,
    observe,
)
from bankbridge.machine.notices import (
    Ignored,
    MovementsAmended,
    MovementsRemoved,
    Notice,
    NotUnderstood,
    TestDelivery,
    Why,
    receive,
)
from bankbridge.machine.policy import Timing
from bankbridge.machine.status import Status
from bankbridge.provider import Granularity
from bankbridge.shells.connections import Connection
from bankbridge.shells.news import DataArrived, LinkChanged, MovementsChanged, News
from bankbridge.shells.telling import Telling, telling
from bankbridge.store import MOVED, Transaction
from bankbridge.words.ids import DeliveryId, RefreshId
from bankbridge.words.reasons import Failure

KEPT: Final = "kept: "
"""How the result of a delivery begins that was not understood; why follows."""

# How far a provider's clock may be behind ours when its event is held against our request.
_SKEW: Final = timedelta(minutes=1)

# How many of a link's intents, newest first, a late event may still belong to.
_RECENT: Final = 20

# The notice is not for this intent; it may be for an older one.
_NOT_THIS_ONE: Final = (Why.ANOTHER_REFRESH, Why.NOT_RUNNING, Why.BEFORE_THE_ATTEMPT)


@attrs.frozen(kw_only=True)
class Arrival:
    """A notice on its way, and the transaction it travels in."""

    tx: Transaction
    connection: Connection
    notice: Notice
    delivery_id: DeliveryId
    now: datetime

    def story(self, link: Link, intent: RefreshIntent) -> Telling:
        """Begin to tell an intent what has arrived."""
        return telling(self.tx, link, intent, policy=self.connection.policy_of(link), now=self.now)


@attrs.frozen(kw_only=True)
class Routed:
    """Whom a notice reached and what it did, for the inbox's record, and what is to be announced.

    ``appeared`` is a link of which more is known now: what was parked may fit.
    """

    result: str
    news: list[News] = attrs.field(factory=list[News])
    appeared: Link | None = None


def route(arrival: Arrival) -> Routed | None:
    """Bring a notice to its link and its intent; ``None`` when it fits nothing that is known yet."""
    says = arrival.notice.says
    if isinstance(says, NotUnderstood):
        return Routed(result=f"{KEPT}{says.why}")
    if isinstance(says, TestDelivery):
        return Routed(result="test")
    link = _link_of(arrival)
    if link is None:
        return None
    if isinstance(says, ProviderEvent):
        return _to_intent(arrival, link, says)
    if isinstance(says, MovementsAmended | MovementsRemoved):
        return _changed(link, says)
    return _to_link(arrival, link, says)


def _link_of(arrival: Arrival) -> Link | None:
    about, name = arrival.notice.about, arrival.connection.name
    if about.link_id is not None:
        return arrival.tx.link(about.link_id, name)
    return None if about.account_id is None else arrival.tx.link_of_account(about.account_id, name)


def _changed(link: Link, says: MovementsAmended | MovementsRemoved) -> Routed:
    removed = isinstance(says, MovementsRemoved)
    news = MovementsChanged(
        link_id=link.id, account_id=says.account_id, movement_ids=says.movement_ids, removed=removed
    )
    return Routed(result=f"movements {'removed' if removed else 'changed'}", news=[news])


# --- to an intent ----------------------------------------------------------------------------------------


def _to_intent(arrival: Arrival, link: Link, event: ProviderEvent) -> Routed | None:
    running, refresh_id = arrival.tx.open_intent(link), arrival.notice.about.refresh_id
    if running is not None and (refresh_id is None or refresh_id in _refreshes_of(running)):
        # The one that it is meant for nearly always, and at hand.
        told = _told(arrival, arrival.story(link, running), event)
        if isinstance(told, Routed):
            return told
    return _to_recent(arrival, link, event)


def _to_recent(arrival: Arrival, link: Link, event: ProviderEvent) -> Routed | None:
    """To whichever of the link's intents it fits: it is late, or of a refresh that we do not know."""
    why = Why.NOT_RUNNING
    intents = arrival.tx.intents(link, limit=_RECENT)
    foreign = _foreign_refresh(arrival.notice, intents)
    for intent in intents:
        story = arrival.story(link, intent)
        if foreign is not None and intent.status is Status.REQUESTED:
            if intent.attempt.unclear == 0:
                return None  # our create is on its way: its answer will say whether this is it
            if _made_it(arrival, story, intents):
                started = RefreshStarted(refresh_id=foreign, adopted=True)
                story.tell([started], delivery_id=arrival.delivery_id)
        told = _told(arrival, story, event)
        if isinstance(told, Routed):
            return told
        why = told
    return _background(arrival, link, why)


def _told(arrival: Arrival, story: Telling, event: ProviderEvent) -> Routed | Why:
    """What became of it once an intent was told; or why it is not for this one."""
    heard = receive(story.intent, arrival.notice, now=arrival.now, policy=story.policy)
    if isinstance(heard, Ignored):
        if heard.why in _NOT_THIS_ONE:
            return heard.why
        result = heard.why.value
    else:
        result = f"{MOVED}{story.intent.id}"
        story.take(heard, event=event, said=words_of(arrival.notice), delivery_id=arrival.delivery_id)
    story.wake_now()
    return Routed(result=result, news=story.commit())


def _refreshes_of(intent: RefreshIntent) -> set[RefreshId | None]:
    return {attempt.refresh_id for attempt in (intent.attempt, *intent.past)}


def _foreign_refresh(notice: Notice, intents: Iterable[RefreshIntent]) -> RefreshId | None:
    """The refresh that a notice names, if no attempt of ours is known to have made it."""
    refresh_id = notice.about.refresh_id
    return None if any(refresh_id in _refreshes_of(intent) for intent in intents) else refresh_id


def _made_it(arrival: Arrival, story: Telling, intents: Iterable[RefreshIntent]) -> bool:
    """Whether it is this intent whose create made a refresh that nobody knows: its answer was lost, nobody else's was.

    A wrong guess would be worse than none: the create is asked again with its own key, and answered with its own.
    """
    occurred_at = arrival.notice.occurred_at or arrival.now
    attempts = [attempt for one in intents for attempt in (one.attempt, *one.past)]
    makers = [attempt for attempt in attempts if _may_have_made(attempt, occurred_at, story.policy.timing)]
    return makers == [story.intent.attempt]


def _may_have_made(attempt: Attempt, occurred_at: datetime, timing: Timing) -> bool:
    unknown = not attempt.started and (attempt.refusal is None or attempt.unclear > 0)
    return unknown and attempt.asked_at - _SKEW <= occurred_at <= deadline_of(attempt, timing)


def _background(arrival: Arrival, link: Link, why: Why) -> Routed:
    """No intent of ours: the provider refreshed by itself, or somebody else asked. A success is still fresh data."""
    match arrival.notice.says:
        case AccountReported(
            result=AccountResult(status=AccountStatus.SUCCEEDED, account_id=account_id) as result
        ):
            arrived = DataArrived(link_id=link.id, accounts=(account_id,), new_movements=result.new_movements)
        case RefreshSucceeded(new_movements=count):
            arrived = DataArrived(link_id=link.id, accounts=link.accounts or (), new_movements=count)
        case _:
            return Routed(result=why.value)
    fresh = observe(link, LinkRefreshed(), now=arrival.now, occurred_at=arrival.notice.occurred_at)
    arrival.tx.save_link(fresh)
    return Routed(result=why.value, news=[arrived])


# --- to a link -------------------------------------------------------------------------------------------


def _to_link(arrival: Arrival, link: Link, event: LinkEvent) -> Routed:
    seen = observe(link, event, now=arrival.now, occurred_at=arrival.notice.occurred_at)
    arrival.tx.save_link(seen)
    news: list[News] = [LinkChanged(link=seen)] if _notable(link, seen) else []
    is_clearer = not set(seen.accounts or ()).issubset(link.accounts or ())
    running = arrival.tx.open_intent(seen)
    if running is not None:
        story = arrival.story(seen, running)
        granularity = arrival.connection.provider.capabilities.granularity
        meant = meant_for(running, event, arrival.notice, now=arrival.now, granularity=granularity)
        if meant is not None:
            story.tell([meant], said=words_of(arrival.notice), delivery_id=arrival.delivery_id)
        story.wake_now()
        news += story.commit()
        is_clearer = is_clearer or story.is_clearer
    elif isinstance(event, LinkRefreshed):
        accounts = seen.accounts or ()
        news.append(DataArrived(link_id=link.id, accounts=accounts, new_movements=event.new_movements))
    return Routed(result=f"link {link.id}", news=news, appeared=seen if is_clearer else None)


def meant_for(
    intent: RefreshIntent, event: LinkEvent, notice: Notice, *, now: datetime, granularity: Granularity
) -> Event | None:
    """What a link's event means to the refresh that is under way, if anything."""
    match event:
        case LinkDeleted():
            return LinkLost()
        case AccountVanished(account_id=account_id) if granularity is Granularity.ACCOUNT:
            at = notice.occurred_at or now
            vanished = AccountResult(account_id=account_id, status=AccountStatus.VANISHED, reported_at=at)
            return AccountReported(result=vanished)
        case CredentialsChanged() | LinkExpired() if intent.status is Status.BACKING_OFF and intent.wake:
            # Waiting is in vain: what stands against the next attempt ends the intent now, with its reason.
            return WokeUp(purpose=intent.wake.purpose)
        case _:
            return None


def _notable(before: Link, after: Link) -> bool:
    return (before.status, before.accounts, before.credential_version) != (
        after.status,
        after.accounts,
        after.credential_version,
    )


def words_of(notice: Notice) -> str:
    """The provider's own words: the event type, and the code where it has one."""
    match notice.says:
        case RefreshFailed(failure=failure) | RefreshRejected(failure=failure):
            code = failure.code
        case AccountReported(result=AccountResult(failure=Failure(code=code))):
            pass
        case LinkExpired(code=code):
            pass
        case _:
            code = None
    return notice.type if code is None else f"{notice.type} {code}"
