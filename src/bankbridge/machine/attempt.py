"""One attempt and its facts: a set that only grows, so that the order in which facts come does not matter."""

import enum
import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, TypeVar

import attrs

from bankbridge.words.ids import AccountId, PromptId, RefreshId
from bankbridge.words.reasons import Failure


class WakePurpose(enum.Enum):
    """What an intent is woken for."""

    CREATE = "create"
    """The create has no clear answer yet: look, and ask again with the same key."""
    POLL = "poll"
    PROMPT_EXPIRY = "prompt_expiry"
    DEADLINE = "deadline"
    BACKOFF = "backoff"
    """The wait is over: make the next attempt."""


class PromptKind(enum.Enum):
    """How a prompt reaches the person."""

    WIDGET = "widget"
    FORM = "form"
    ELSEWHERE = "elsewhere"
    REDIRECT = "redirect"


@attrs.frozen(kw_only=True)
class Prompt:
    """The thing to show the person. ``token`` opens the provider's widget and is a secret: show it to nobody else.

    ``expires_at`` is the provider's; where it says none, the machine sets its own from the policy.
    """

    id: PromptId
    kind: PromptKind = PromptKind.WIDGET
    token: str = attrs.field(repr=False)
    offered_at: datetime
    expires_at: datetime | None = None


def prompt_id(secret: str) -> PromptId:
    """A prompt's id from the secret that opens it: the same for every telling, and safe to log."""
    return PromptId(hashlib.sha256(secret.encode()).hexdigest()[:16])


class AccountStatus(enum.Enum):
    """What became of one account in one attempt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    VANISHED = "vanished"
    """It left the link while the refresh ran: no longer waited for."""


# Two reports of one account that tie in everything else: the worse one counts.
_PRECEDENCE: Final = {
    AccountStatus.SUCCEEDED: 0,
    AccountStatus.FAILED: 1,
    AccountStatus.REJECTED: 2,
    AccountStatus.VANISHED: 3,
}


@attrs.frozen(kw_only=True)
class AccountResult:
    """One account's result. ``read`` is true when we read it at the provider, false when an event hinted it."""

    account_id: AccountId
    status: AccountStatus
    reported_at: datetime
    failure: Failure | None = None
    new_movements: int | None = None
    read: bool = False


class EndKind(enum.Enum):
    """The one word for the whole attempt."""

    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELED = "canceled"
    VANISHED = "vanished"


_END_WEIGHT: Final = {kind: weight for weight, kind in enumerate(reversed(EndKind))}


@attrs.frozen(kw_only=True)
class End:
    """How the attempt ended as a whole."""

    kind: EndKind
    failure: Failure | None = None
    new_movements: int | None = None


@attrs.frozen(kw_only=True)
class Attempt:
    """One refresh at the provider, and what is known of it.

    ``key`` is its idempotency key; ``asked_at`` is when we first asked. ``accounts`` and ``prompts`` are kept
    sorted, one entry each, so that equal facts make equal attempts.
    """

    number: int
    key: str
    asked_at: datetime
    started: bool = False
    refresh_id: RefreshId | None = None
    started_at: datetime | None = None
    adopted: bool = False
    expected: tuple[AccountId, ...] | None = None
    accounts: tuple[AccountResult, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    answered: tuple[PromptId, ...] = ()
    end: End | None = None
    refusal: Failure | None = None
    """Why the provider refused the create; gone once something has started all the same."""
    failure: Failure | None = None
    """Why it did not do, once the next attempt has begun."""
    asking: bool = False
    """Whether the create was sent and nobody has said yet what came of it: its process may have died."""
    unclear: int = 0
    """How often the create had no clear answer."""
    unanswered: int = 0
    """How often of these it had none at all: something may run that we do not know of."""
    reads: int = 0
    looked_at: datetime | None = None
    """When we last set out to read the provider's side."""
    read_at: datetime | None = None
    """When the provider's side is to be read next."""

    @property
    def since(self) -> datetime:
        """An event older than this belongs to something before this attempt."""
        return self.started_at or self.asked_at

    @property
    def open_prompt(self) -> Prompt | None:
        """The prompt that waits for the person: the latest, unless it was answered.

        An account's result that came after it answers it too: the bank has let the person in.
        """
        if not self.prompts or self.prompts[-1].id in self.answered:
            return None
        prompt = self.prompts[-1]
        let_in = (result for result in self.accounts if result.status is not AccountStatus.VANISHED)
        return None if any(result.reported_at > prompt.offered_at for result in let_in) else prompt

    def covers(self, result: AccountResult) -> bool:
        """Whether a result can be this attempt's. Until its start is known, any can; then no hint older than it."""
        return result.read or not self.started or result.reported_at >= self.since

    def result_of(self, account_id: AccountId) -> AccountResult | None:
        """The result of one account, if it has reported."""
        return next((result for result in self.accounts if result.account_id == account_id), None)

    def having(self, status: AccountStatus) -> tuple[AccountResult, ...]:
        """The results with this status."""
        return tuple(result for result in self.accounts if result.status is status)


def with_start(
    attempt: Attempt,
    *,
    refresh_id: RefreshId | None,
    expected: Iterable[AccountId] | None,
    started_at: datetime | None,
    adopted: bool,
) -> Attempt:
    """Add that it runs at the provider: the first telling counts, and a refusal of the same create no more."""
    if attempt.started:
        return attempt
    started = attrs.evolve(
        attempt,
        started=True,
        refresh_id=refresh_id,
        expected=None if expected is None else tuple(sorted(set(expected))),
        started_at=started_at,
        adopted=adopted,
        refusal=None,
    )
    return attrs.evolve(started, accounts=tuple(filter(started.covers, started.accounts)))


def with_refusal(attempt: Attempt, failure: Failure) -> Attempt:
    """Add that the create was refused: the first telling counts, and none once something has started."""
    return attempt if attempt.started or attempt.refusal else attrs.evolve(attempt, refusal=failure)


def with_result(attempt: Attempt, result: AccountResult) -> Attempt:
    """Add one account's result: a read beats a hint, then the later, then the worse."""
    if not attempt.covers(result):
        return attempt
    known = attempt.result_of(result.account_id)
    best = result if known is None else max(known, result, key=_weight_of_result)
    others = (other for other in attempt.accounts if other.account_id != result.account_id)
    return attrs.evolve(attempt, accounts=_sorted_by((*others, best), lambda item: item.account_id))


def with_prompt(attempt: Attempt, prompt: Prompt) -> Attempt:
    """Add a prompt: of two tellings of the same one, the earlier counts."""
    same = [known for known in attempt.prompts if known.id == prompt.id]
    first = min((*same, prompt), key=lambda item: (item.offered_at, repr(item)))
    others = (known for known in attempt.prompts if known.id != prompt.id)
    return attrs.evolve(
        attempt, prompts=_sorted_by((*others, first), lambda item: (item.offered_at, item.id))
    )


def with_answer(attempt: Attempt, prompt_id: PromptId) -> Attempt:
    """Add that a prompt was answered."""
    return attrs.evolve(attempt, answered=tuple(sorted({*attempt.answered, prompt_id})))


def with_end(attempt: Attempt, end: End) -> Attempt:
    """Add the word for the whole: of two, a success counts, then a rejection, then a failure."""
    ends = [end] if attempt.end is None else [attempt.end, end]
    return attrs.evolve(attempt, end=max(ends, key=_weight_of_end))


# The repr breaks the last ties: some order, and always the same.
def _weight_of_result(result: AccountResult) -> tuple[bool, datetime, int, str]:
    return result.read, result.reported_at, _PRECEDENCE[result.status], repr(result)


def _weight_of_end(end: End) -> tuple[int, str]:
    return _END_WEIGHT[end.kind], repr(end)


_Item = TypeVar("_Item")


def _sorted_by(items: Iterable[_Item], key: Callable[[_Item], object]) -> tuple[_Item, ...]:
    return tuple(sorted(items, key=key))  # type: ignore[arg-type]
