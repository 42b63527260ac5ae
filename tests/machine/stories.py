"""The words the machine's tests tell their stories in."""

from datetime import UTC, datetime, timedelta

import attrs

from bankbridge.machine.advance import advance
from bankbridge.machine.attempt import AccountResult, AccountStatus, Prompt, WakePurpose
from bankbridge.machine.events import (
    AccountReported,
    CancelRequested,
    CreateRefused,
    CreateUnclear,
    Event,
    LinkLost,
    OwnEvent,
    PromptAnswered,
    PromptOffered,
    ProviderEvent,
    ReadFinished,
    RefreshCanceled,
    RefreshFailed,
    RefreshProgressed,
    RefreshRejected,
    RefreshStarted,
    RefreshSucceeded,
    RefreshVanished,
    WokeUp,
)
from bankbridge.machine.intent import RefreshIntent, Scope, new_intent
from bankbridge.machine.joint import EveryAccount
from bankbridge.machine.policy import Policy
from bankbridge.machine.status import Status
from bankbridge.words.ids import AccountId, ConnectionName, IntentId, LinkId, PromptId, RefreshId
from bankbridge.words.reasons import Failure, Reason

ONE_WORD = Policy()
EVERY = Policy(joint=EveryAccount())
HINTS = Policy(joint=EveryAccount(confirm=False))

A, B, C = AccountId("acc_a"), AccountId("acc_b"), AccountId("acc_c")

AGAIN = Failure(reason=Reason.PROVIDER_ERROR, code="hiccup")
FOR_GOOD = Failure(reason=Reason.NEEDS_SUPPORT, code="ask us")
WRONG = Failure(reason=Reason.CREDENTIALS_REJECTED, code="wrong", or_wrong_code=True)
UNSURE = Failure(reason=Reason.CREDENTIALS_UNCONFIRMED, code="unsure", or_wrong_code=True)

EVENT_TYPES: tuple[type[Event], ...] = (*OwnEvent.__args__, *ProviderEvent.__args__)
PROVIDER_EVENT_TYPES: tuple[type[Event], ...] = ProviderEvent.__args__


def at(minutes: float = 0) -> datetime:
    """An instant, in minutes after the wish was made."""
    return datetime(2026, 6, 3, 15, 0, tzinfo=UTC) + timedelta(minutes=minutes)


def wish(*, attended: bool = False, scope: Scope = Scope.LATEST, name: str = "int_1") -> RefreshIntent:
    """An intent that nobody has acted on yet."""
    return new_intent(
        intent_id=IntentId(name),
        connection=ConnectionName("bank data"),
        link_id=LinkId("link_1"),
        scope=scope,
        attended=attended,
        now=at(),
    )


def tell(
    intent: RefreshIntent, *events: Event, policy: Policy = ONE_WORD, minute: float = 1
) -> RefreshIntent:
    """The intent after these events, all told in the same minute."""
    for event in events:
        intent = advance(intent, event, now=at(minute), policy=policy).intent
    return intent


def started(*expected: AccountId, refresh_id: str = "ri_1", minute: float | None = None) -> RefreshStarted:
    """It runs; without accounts, the provider will end it with one word."""
    return RefreshStarted(
        refresh_id=RefreshId(refresh_id),
        expected=expected or None,
        started_at=None if minute is None else at(minute),
    )


def reported(
    account: AccountId,
    status: AccountStatus = AccountStatus.SUCCEEDED,
    failure: Failure | None = None,
    *,
    minute: float = 1,
    new: int | None = None,
    read: bool = False,
) -> AccountReported:
    """One account's result; without a status, a success."""
    return AccountReported(
        result=AccountResult(
            account_id=account,
            status=status,
            reported_at=at(minute),
            failure=failure,
            new_movements=new,
            read=read,
        )
    )


def failed(account: AccountId, failure: Failure = FOR_GOOD, *, minute: float = 1) -> AccountReported:
    """One account did not work."""
    return reported(account, AccountStatus.FAILED, failure, minute=minute)


def rejected(account: AccountId, failure: Failure = WRONG, *, minute: float = 1) -> AccountReported:
    """The bank refused the person for one account."""
    return reported(account, AccountStatus.REJECTED, failure, minute=minute)


def vanished(account: AccountId, *, minute: float = 1) -> AccountReported:
    """One account left the link."""
    return reported(account, AccountStatus.VANISHED, minute=minute)


def offered(name: str = "p1", *, minute: float = 0.5, until: float | None = None) -> PromptOffered:
    """A prompt; without an end, the policy's counts."""
    return PromptOffered(
        prompt=Prompt(
            id=PromptId(name),
            token=f"secret of {name}",
            offered_at=at(minute),
            expires_at=None if until is None else at(until),
        )
    )


def answered(name: str = "p1") -> PromptAnswered:
    """The person answered it."""
    return PromptAnswered(prompt_id=PromptId(name))


def woken(purpose: WakePurpose = WakePurpose.POLL) -> WokeUp:
    """The wake-up came due."""
    return WokeUp(purpose=purpose)


def in_status(status: Status) -> RefreshIntent:
    """An intent that real events have led to this status."""
    at_work = (started(A, B),)
    stories: dict[Status, tuple[Event, ...]] = {
        Status.REQUESTED: (),
        Status.IN_PROGRESS: at_work,
        Status.REQUIRES_MFA: (*at_work, offered()),
        Status.BACKING_OFF: (CreateRefused(failure=AGAIN),),
        Status.SUCCEEDED: (*at_work, RefreshSucceeded()),
        Status.PARTIAL: (*at_work, reported(A), failed(B), RefreshFailed(failure=FOR_GOOD)),
        Status.FAILED: (*at_work, failed(A), failed(B), RefreshFailed(failure=FOR_GOOD)),
        Status.REJECTED: (*at_work, rejected(A), rejected(B), RefreshRejected(failure=WRONG)),
        Status.CANCELED: (*at_work, CancelRequested()),
        Status.LOST: (*at_work, ReadFinished()),
    }
    minute = 60 if status is Status.LOST else 1
    intent = tell(wish(attended=True), *stories[status], policy=EVERY, minute=minute)
    assert intent.status is status
    return intent


def any_of(kind: type[Event]) -> Event:
    """One event of this type."""
    some: tuple[Event, ...] = (
        started(A, B),
        CreateRefused(failure=AGAIN),
        CreateUnclear(detail="no answer"),
        ReadFinished(),
        CancelRequested(),
        LinkLost(),
        woken(),
        RefreshProgressed(),
        offered(),
        answered(),
        reported(A),
        RefreshSucceeded(),
        RefreshFailed(failure=AGAIN),
        RefreshRejected(failure=WRONG),
        RefreshCanceled(),
        RefreshVanished(),
    )
    return next(event for event in some if type(event) is kind)


def without_bookkeeping(intent: RefreshIntent) -> RefreshIntent:
    """The intent without when to look next and when and how often we looked or asked."""
    attempts = [
        attrs.evolve(
            attempt,
            reads=0,
            looked_at=None,
            read_at=None,
            asking=False,
            unclear=0,
            unanswered=0,
            key="",
            asked_at=at(),
        )
        for attempt in (*intent.past, intent.attempt)
    ]
    return attrs.evolve(
        intent, past=tuple(attempts[:-1]), attempt=attempts[-1], wake=None, ended_at=None, version=0
    )
