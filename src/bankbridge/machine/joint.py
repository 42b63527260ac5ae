"""The joint rule: when an attempt is over, and how, given what has been reported. A policy object."""

from collections.abc import Set as AbstractSet
from typing import Final, Protocol, TypeAlias

import attrs

from bankbridge.machine.attempt import AccountResult, AccountStatus, Attempt, End, EndKind
from bankbridge.machine.status import Status
from bankbridge.words.ids import AccountId
from bankbridge.words.reasons import Failure, Reason


@attrs.frozen(kw_only=True)
class Over:
    """The attempt is over."""

    status: Status
    failure: Failure | None = None


@attrs.frozen(kw_only=True)
class NotYet:
    """The attempt goes on. ``confirm``: everything hints at an end, so ask the provider now."""

    confirm: bool = False


Verdict: TypeAlias = Over | NotYet


class JointRule(Protocol):
    """Decides over an attempt's facts. Replaceable; must be pure and must not depend on the facts' order."""

    def judge(self, attempt: Attempt) -> Verdict:
        """The verdict while there is time."""
        ...

    def by_evidence(self, attempt: Attempt) -> Over:
        """The verdict when no more will come: what is known counts, and only nothing at all is *lost*."""
        ...


_END_STATUS: Final = {
    EndKind.SUCCEEDED: Status.SUCCEEDED,
    EndKind.REJECTED: Status.REJECTED,
    EndKind.FAILED: Status.FAILED,
    EndKind.CANCELED: Status.CANCELED,
}

_WHOLE: Final = (EndKind.SUCCEEDED, EndKind.CANCELED)

# Not *link gone*: the link is there, and connecting it again brings accounts back.
_EMPTY: Final = Failure(reason=Reason.LINK_EXPIRED, message="every account of the link vanished", ours=True)

# A bad end without a word why is still one.
_UNSAID: Final = Failure(reason=Reason.UNKNOWN, message="the provider gave no reason", ours=True)

NO_ANSWER: Final = Failure(reason=Reason.NO_ANSWER, ours=True)


@attrs.frozen(kw_only=True)
class OneWord:
    """For providers that end a refresh with one word for the link (Rail)."""

    def judge(self, attempt: Attempt) -> Verdict:
        """Over when the word is spoken. That the provider doesn't know it (yet, any more) is no word."""
        if attempt.end is None or attempt.end.kind is EndKind.VANISHED:
            return NotYet()
        return self.by_evidence(attempt)

    def by_evidence(self, attempt: Attempt) -> Over:
        """The word, or lost."""
        if attempt.end is None or attempt.end.kind is EndKind.VANISHED:
            return Over(status=Status.LOST, failure=NO_ANSWER)
        return Over(status=_END_STATUS[attempt.end.kind], failure=blame(attempt.end.failure, attempt))


@attrs.frozen(kw_only=True)
class EveryAccount:
    """For providers that report account by account (Fintoc): over when every expected account has reported.

    All succeeded is a success, some is *partial*, none is *rejected* if any was and else *failed*. An account
    that appears meanwhile is not waited for; one that vanishes is no longer waited for and counts for neither
    side. The provider's own word for the whole, once read, wins over hints. With ``confirm`` (default) hints
    alone never end an attempt, because another refresh's events look the same.
    """

    confirm: bool = True

    def judge(self, attempt: Attempt) -> Verdict:
        """Over when all have reported and, with ``confirm``, the provider has said so too."""
        everyone = bool(attempt.expected) and all(map(attempt.result_of, attempt.expected or ()))
        vanished = attempt.having(AccountStatus.VANISHED)
        match attempt.end:
            # Where every account vanished nobody has said anything of the refresh: its word is waited for.
            case None if everyone and not self.confirm and vanished != attempt.accounts:
                return self.by_evidence(attempt)
            case None:
                return NotYet(confirm=everyone)
            # A failure of the whole says nothing of the accounts that still owe their result.
            case End(kind=EndKind.FAILED | EndKind.REJECTED) if attempt.expected and not everyone:
                return NotYet()
            # A refresh that isn't known there can't be confirmed; it may be known in a moment.
            case End(kind=EndKind.VANISHED) if not everyone:
                return NotYet()
            case _:
                return self.by_evidence(attempt)

    def by_evidence(self, attempt: Attempt) -> Over:
        """What is known counts: some fresh accounts make *partial* even when others never reported."""
        end = attempt.end if attempt.end is not None and attempt.end.kind is not EndKind.VANISHED else None
        if end is not None and end.kind in _WHOLE:
            return Over(status=_END_STATUS[end.kind], failure=blame(end.failure, attempt))
        vanished = {result.account_id for result in attempt.having(AccountStatus.VANISHED)}
        awaited = set(attempt.expected or ()) - vanished
        fresh = {result.account_id for result in attempt.having(AccountStatus.SUCCEEDED)} & awaited
        failure = _worst_failure(attempt, awaited) or (blame(end.failure, attempt) if end else None)
        if fresh and fresh < awaited:
            return Over(status=Status.PARTIAL, failure=failure or NO_ANSWER)
        if end is not None:
            return Over(status=_END_STATUS[end.kind], failure=failure)
        if fresh:
            return Over(status=Status.SUCCEEDED)
        if bad := _bad_ends(attempt, awaited):
            rejected = bad[0].status is AccountStatus.REJECTED
            return Over(status=Status.REJECTED if rejected else Status.FAILED, failure=failure or _UNSAID)
        if vanished and not awaited:
            return Over(status=Status.FAILED, failure=_EMPTY)
        return Over(status=Status.LOST, failure=NO_ANSWER)


def blame(failure: Failure | None, attempt: Attempt) -> Failure | None:
    """The failure, with a rejection that may mean a wrong code told apart by the attempt's history.

    Rail says ``rejected_credentials`` for both (https://docs.rail.cl/guides/mfa-handling and
    https://docs.rail.cl/concepts/events): after a prompt it was the code, otherwise the credentials.
    """
    if failure is not None and failure.or_wrong_code and attempt.prompts:
        return attrs.evolve(failure, reason=Reason.MFA_REJECTED)
    return failure


def _worst_failure(attempt: Attempt, awaited: AbstractSet[AccountId]) -> Failure | None:
    failures = (result.failure for result in _bad_ends(attempt, awaited))
    return blame(next((failure for failure in failures if failure is not None), None), attempt)


def _bad_ends(attempt: Attempt, awaited: AbstractSet[AccountId]) -> list[AccountResult]:
    """Rejections before failures; among equals the first account's, so that order can't matter."""
    results = (*attempt.having(AccountStatus.REJECTED), *attempt.having(AccountStatus.FAILED))
    return [result for result in results if result.account_id in awaited]
