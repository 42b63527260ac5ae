"""The outcome: what an application is told, with the next step and who must take it. No provider's name in it."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from bankbridge.machine.attempt import AccountResult, AccountStatus, Attempt, EndKind, Prompt
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.status import Status
from bankbridge.words.ids import AccountId, ConnectionName, IntentId, LinkId
from bankbridge.words.reasons import Actor, Failure, Reason


@attrs.frozen(kw_only=True)
class FetchMovements:
    """Read these accounts' movements: they are fresh. ``new_movements`` is the provider's count, if it has one.

    A count of zero is since the provider's previous refresh, not since your last read, so the accounts are named
    all the same.
    """

    accounts: tuple[AccountId, ...]
    new_movements: int | None = None


@attrs.frozen(kw_only=True)
class OpenWidget:
    """Show the person this prompt before it expires."""

    prompt: Prompt


@attrs.frozen(kw_only=True)
class WaitUntil:
    """Nothing to do: it goes on by itself, and is looked at again at this time."""

    at: datetime


@attrs.frozen(kw_only=True)
class AskToTryAgain:
    """Show the person a *try again* button (`retry`): a new attempt with a new prompt."""

    reason: Reason


@attrs.frozen(kw_only=True)
class Reconnect:
    """The person must connect the bank again."""

    reason: Reason


@attrs.frozen(kw_only=True)
class UnlockAtBank:
    """The person must unlock the login at the bank, and then connect again."""


@attrs.frozen(kw_only=True)
class ActAtBank:
    """The person must do something at the bank first; the failure's message says what, if the provider did."""


@attrs.frozen(kw_only=True)
class AskSupport:
    """The operator must ask the provider's support; code and message are in the failure."""


@attrs.frozen(kw_only=True)
class MendConfiguration:
    """The operator must mend a key, a plan or a setting."""


@attrs.frozen(kw_only=True)
class RefreshLater:
    """Nobody must act: refresh again when the data is wanted."""


@attrs.frozen(kw_only=True)
class Nothing:
    """Nothing is left to do."""


NextStep: TypeAlias = (
    FetchMovements
    | OpenWidget
    | WaitUntil
    | AskToTryAgain
    | Reconnect
    | UnlockAtBank
    | ActAtBank
    | AskSupport
    | MendConfiguration
    | RefreshLater
    | Nothing
)


STEP_AFTER: Final[Mapping[Reason, NextStep]] = MappingProxyType(
    {
        Reason.CREDENTIALS_REJECTED: Reconnect(reason=Reason.CREDENTIALS_REJECTED),
        # Once its one retry by itself is spent.
        Reason.CREDENTIALS_UNCONFIRMED: Reconnect(reason=Reason.CREDENTIALS_UNCONFIRMED),
        Reason.CREDENTIALS_LOCKED: UnlockAtBank(),
        Reason.MFA_REJECTED: AskToTryAgain(reason=Reason.MFA_REJECTED),
        Reason.MFA_EXPIRED: AskToTryAgain(reason=Reason.MFA_EXPIRED),
        Reason.INSTITUTION_UNAVAILABLE: RefreshLater(),
        Reason.PROVIDER_ERROR: RefreshLater(),
        Reason.COOLDOWN: RefreshLater(),
        Reason.ALREADY_IN_PROGRESS: RefreshLater(),
        Reason.RATE_LIMITED: RefreshLater(),
        Reason.LINK_GONE: Reconnect(reason=Reason.LINK_GONE),
        Reason.LINK_EXPIRED: Reconnect(reason=Reason.LINK_EXPIRED),
        Reason.NOT_PERMITTED: MendConfiguration(),
        Reason.NEEDS_SUPPORT: AskSupport(),
        Reason.CONFIGURATION: MendConfiguration(),
        Reason.NO_ANSWER: RefreshLater(),
        Reason.QUOTA_EXHAUSTED: RefreshLater(),
        Reason.CONSENT_EXPIRED: Reconnect(reason=Reason.CONSENT_EXPIRED),
        Reason.CONSENT_REVOKED: Reconnect(reason=Reason.CONSENT_REVOKED),
        Reason.ACTION_NEEDED_AT_BANK: ActAtBank(),
        Reason.SESSION_CONFLICT: RefreshLater(),
        Reason.DENIED_BY_PERSON: AskToTryAgain(reason=Reason.DENIED_BY_PERSON),
        Reason.NOT_SUPPORTED: MendConfiguration(),
        Reason.UNKNOWN: AskSupport(),
    }
)
"""The next step once an intent has ended with a reason."""


def actor_after(reason: Reason) -> Actor:
    """Who must act once an intent has ended with a reason."""
    return _actor_for(STEP_AFTER[reason], Failure(reason=reason))


@attrs.frozen(kw_only=True)
class Outcome:
    """One intent as an application sees it.

    ``next_step`` is what to do now; ``then`` is what is left afterwards, for instance for the accounts of a
    *partial* that stayed stale. ``actor`` is who must act for the next step. ``fresh`` and ``stale`` are
    accounts; ``results`` has one entry per account where the provider reports them.
    """

    intent_id: IntentId
    connection: ConnectionName
    link_id: LinkId
    status: Status
    next_step: NextStep
    then: NextStep = Nothing()
    actor: Actor = Actor.NOBODY
    failure: Failure | None = None
    prompt: Prompt | None = None
    fresh: tuple[AccountId, ...] = ()
    stale: tuple[AccountId, ...] = ()
    results: tuple[AccountResult, ...] = ()
    attempts: int = 1


def outcome_of(intent: RefreshIntent, known_accounts: tuple[AccountId, ...] = ()) -> Outcome:
    """What ``intent`` means to an application.

    ``known_accounts`` are the link's, for a provider whose one word speaks for all of them.
    """
    attempt = intent.attempt
    fresh = _fresh(intent, known_accounts)
    gone = {result.account_id for result in attempt.having(AccountStatus.VANISHED)}
    stale = tuple(account for account in attempt.expected or () if account not in {*fresh, *gone})
    step, then = _steps(intent, fresh)
    return Outcome(
        intent_id=intent.id,
        connection=intent.connection,
        link_id=intent.link_id,
        status=intent.status,
        next_step=step,
        then=then,
        actor=_actor_for(step, intent.failure),
        failure=intent.failure,
        prompt=attempt.open_prompt if intent.status is Status.REQUIRES_MFA else None,
        fresh=fresh,
        stale=stale if intent.status.terminal else (),
        results=attempt.accounts,
        attempts=len(intent.past) + 1,
    )


def _fresh(intent: RefreshIntent, known_accounts: tuple[AccountId, ...]) -> tuple[AccountId, ...]:
    """Also for an intent that ended badly: what a late success brought is real data."""
    accounts: set[AccountId] = set()
    for attempt in (intent.attempt, *intent.past):
        accounts.update(result.account_id for result in attempt.having(AccountStatus.SUCCEEDED))
        if attempt.end is not None and attempt.end.kind is EndKind.SUCCEEDED:
            accounts.update(attempt.expected or known_accounts)
    gone = {result.account_id for result in intent.attempt.having(AccountStatus.VANISHED)}
    return tuple(sorted(accounts - gone))


def _steps(intent: RefreshIntent, fresh: tuple[AccountId, ...]) -> tuple[NextStep, NextStep]:
    match intent.status:
        case Status.REQUESTED | Status.IN_PROGRESS | Status.BACKING_OFF:
            return WaitUntil(at=intent.wake.at if intent.wake is not None else intent.created_at), Nothing()
        case Status.REQUIRES_MFA:
            prompt = intent.attempt.open_prompt
            return (Nothing() if prompt is None else OpenWidget(prompt=prompt)), Nothing()
        case Status.SUCCEEDED:
            return FetchMovements(accounts=fresh, new_movements=_count(intent.attempt)), Nothing()
        case Status.PARTIAL | Status.FAILED | Status.REJECTED | Status.CANCELED | Status.LOST:
            after = Nothing() if intent.failure is None else STEP_AFTER[intent.failure.reason]
            if fresh:
                return FetchMovements(accounts=fresh, new_movements=_count(intent.attempt)), after
            return after, Nothing()


def _count(attempt: Attempt) -> int | None:
    if attempt.end is not None and attempt.end.new_movements is not None:
        return attempt.end.new_movements
    counts = [result.new_movements for result in attempt.accounts if result.new_movements is not None]
    return sum(counts) if counts else None


def _actor_for(step: NextStep, failure: Failure | None) -> Actor:
    match step:
        case OpenWidget() | AskToTryAgain() | Reconnect() | ActAtBank():
            return Actor.PERSON
        case UnlockAtBank():
            return Actor.BANK
        case AskSupport():
            return Actor.SUPPORT if failure is None else failure.actor
        case MendConfiguration():
            return Actor.OPERATOR
        case FetchMovements() | WaitUntil() | RefreshLater() | Nothing():
            return Actor.NOBODY
