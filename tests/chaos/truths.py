"""Which truth at the provider justifies which outcome of ours.

What a refresh came to there, and what we must say of it, is in `ENDS`; a create that was refused is in `REFUSALS`. What
else may be said without a word of the provider's is in `UNTOLD`, with what must be true for it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import attrs

from bankbridge import Reason, Status
from bankbridge.machine.attempt import Attempt
from bankbridge.machine.intent import RefreshIntent, key_of
from bankbridge.machine.outcome import Outcome
from bankbridge.machine.policy import Timing

Truth: TypeAlias = Mapping[str, Any]
Said: TypeAlias = tuple[Status, Reason | None]

_R: Final = Reason

ENDS: Final[Mapping[str, Mapping[tuple[str, str | None], Said]]] = {
    # (status, error code) there        what we say
    "rail": {
        ("succeeded", None): (Status.SUCCEEDED, None),
        ("failed", "bank_unavailable"): (Status.FAILED, _R.INSTITUTION_UNAVAILABLE),
        ("failed", "rejected_credentials"): (Status.REJECTED, _R.CREDENTIALS_REJECTED),
        ("failed", "requires_mfa_user_timeout"): (Status.FAILED, _R.MFA_EXPIRED),
        ("failed", "canceled"): (Status.CANCELED, None),
        ("canceled", None): (Status.CANCELED, None),
        ("failed", "link_deleted"): (
            Status.FAILED,
            _R.UNKNOWN,
        ),  # the emulator's own word for what nobody documents
    },
    "fintoc": {
        ("succeeded", None): (Status.SUCCEEDED, None),
        ("failed", None): (Status.FAILED, _R.PROVIDER_ERROR),
        ("failed", "retryable_error"): (Status.FAILED, _R.PROVIDER_ERROR),
        ("failed", "support_required_error"): (Status.FAILED, _R.NEEDS_SUPPORT),
        ("rejected", None): (Status.REJECTED, _R.CREDENTIALS_UNCONFIRMED),
        ("rejected", "invalid_credentials_error"): (Status.REJECTED, _R.CREDENTIALS_REJECTED),
        ("rejected", "credentials_locked_error"): (Status.REJECTED, _R.CREDENTIALS_LOCKED),
    },
}

AFTER_PROMPT: Final[Mapping[Reason, Reason]] = {
    # Both providers have the same word for a wrong code.
    _R.CREDENTIALS_REJECTED: _R.MFA_REJECTED,
    _R.CREDENTIALS_UNCONFIRMED: _R.MFA_REJECTED,
}

BACKGROUND_ENDS: Final[Mapping[str, Said]] = {
    # What is said by evidence when the provider never ended our refresh, but one of its own told of every account.
    "succeeds": (Status.SUCCEEDED, None),
    "fails": (Status.FAILED, _R.PROVIDER_ERROR),
    "rejects": (Status.REJECTED, _R.CREDENTIALS_REJECTED),
}

REFUSALS: Final[Mapping[str, Said]] = {
    # The code of a create's answer, or of what is read before it. Any other is unknown, and must be called so.
    "rejected_refresh_intent": (Status.REJECTED, _R.CREDENTIALS_UNCONFIRMED),
    "rejected_refresh_intent, reconnect": (Status.REJECTED, _R.CREDENTIALS_REJECTED),
    "invalid_link_token": (Status.FAILED, _R.LINK_GONE),
    "missing_resource": (Status.FAILED, _R.LINK_GONE),
    "not_found": (Status.FAILED, _R.LINK_GONE),
    "institution_credentials_invalid": (Status.REJECTED, _R.CREDENTIALS_REJECTED),
    "locked_credentials": (Status.REJECTED, _R.CREDENTIALS_LOCKED),
    "unavailable_institution": (Status.FAILED, _R.INSTITUTION_UNAVAILABLE),
}


@attrs.frozen(kw_only=True)
class Case:
    """One intent that is over, and all that is known of it there and here."""

    provider: str
    intent: RefreshIntent
    outcome: Outcome
    link: Truth
    canceled_at: datetime | None
    is_deleted: bool
    backgrounds: tuple[tuple[datetime, str], ...]
    """When the provider refreshed the link by itself, and the script word of how that ended."""
    slack: timedelta = timedelta(0)
    """How much older than its commit a time of ours may be: where time does not stand still, work takes some of it."""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return (*self.intent.past, self.intent.attempt)

    @property
    def said(self) -> Said:
        failure = self.outcome.failure
        return self.outcome.status, None if failure is None else failure.reason

    @property
    def ended_at(self) -> datetime:
        assert self.intent.ended_at is not None
        return self.intent.ended_at

    def theirs(self, attempt: Attempt) -> Truth | None:
        """The provider's side of an attempt."""
        return next((one for one in self.link["intents"] if one["id"] == attempt.refresh_id), None)


# --- what the provider told ------------------------------------------------------------------------------------------


def end_of(provider: str, theirs: Truth, attempt: Attempt) -> Said:
    """What a refresh that is over there must be called here."""
    known = ENDS[provider].get((theirs["status"], theirs["error_code"]))
    status, reason = known or (Status.FAILED, Reason.UNKNOWN)
    if reason is not None and (attempt.prompts or theirs.get("prompt")):
        reason = AFTER_PROMPT.get(reason, reason)
    if status in (Status.FAILED, Status.REJECTED) and fresh_in(theirs):
        status = Status.PARTIAL
    return status, reason


def fresh_in(theirs: Truth) -> set[str]:
    """The accounts that a refresh made fresh, where it tells them apart."""
    return {name for name, report in theirs["accounts"].items() if report["status"] == "succeeded"}


def when(text: str | None) -> datetime | None:
    """A time of a truth."""
    return None if text is None else datetime.fromisoformat(text)


def over_by(theirs: Truth, at: datetime) -> bool:
    """Whether a refresh was over there at a time."""
    ended_at = when(theirs["ended_at"])
    return ended_at is not None and ended_at <= at


# --- what nobody told ------------------------------------------------------------------------------------------------

_TIMING: Final = Timing()


def _deadline_passed(case: Case, theirs: Truth | None) -> bool:
    """The deadline of the attempt, and the provider had not ended it."""
    is_late = case.ended_at >= case.intent.attempt.asked_at + _TIMING.attempt
    return is_late and (theirs is None or not over_by(theirs, case.ended_at - case.slack))


def _prompt_passed(case: Case, theirs: Truth | None) -> bool:
    """A prompt that nobody had answered when its time was over."""
    if theirs is None or theirs["status"] == "succeeded":
        return False
    ends = [one.expires_at for one in case.intent.attempt.prompts if one.expires_at is not None]
    return bool(ends) and case.ended_at >= max(ends)


def _somebody_canceled(case: Case, theirs: Truth | None) -> bool:
    """Somebody on our side asked for it, while it was not over."""
    return case.canceled_at is not None and case.canceled_at <= case.ended_at


def _link_is_gone(case: Case, theirs: Truth | None) -> bool:
    """The link was deleted."""
    return case.is_deleted


def _by_itself(case: Case, attempt: Attempt, until: datetime) -> set[Said]:
    """How refreshes of the provider's own ended meanwhile: their events look like the attempt's own.

    Where an event of them was lost, what is fresh is not all that was waited for.
    """
    words = {word for at, word in case.backgrounds if attempt.since <= at <= until}
    ends = {BACKGROUND_ENDS[word] for word in words}
    if "succeeds" in words:
        ends |= {(Status.PARTIAL, reason or _R.NO_ANSWER) for _, reason in ends}
    return ends


def _some_were_fresh(case: Case, theirs: Truth | None) -> bool:
    """The deadline passed while some accounts had reported, and others never did."""
    return theirs is not None and bool(fresh_in(theirs)) and _deadline_passed(case, theirs)


UNTOLD: Final[Mapping[Said, Callable[[Case, Truth | None], bool]]] = {
    (Status.LOST, _R.NO_ANSWER): _deadline_passed,
    (Status.FAILED, _R.MFA_EXPIRED): _prompt_passed,
    (Status.CANCELED, None): _somebody_canceled,
    (Status.FAILED, _R.LINK_GONE): _link_is_gone,
    (Status.PARTIAL, _R.NO_ANSWER): _some_were_fresh,
}
"""What we may say without the provider's word, and what must be true then."""


# --- the verdict -----------------------------------------------------------------------------------------------------


def differences(case: Case) -> list[str]:
    """Where an outcome, or how it came about, and the truth part."""
    return [*_final(case), *_on_the_way(case), *_data(case)]


def _final(case: Case) -> list[str]:
    attempt = case.intent.attempt
    theirs = case.theirs(attempt)
    if attempt.refresh_id is not None and theirs is None:
        return [f"refresh {attempt.refresh_id} is not there"]
    allowed: set[Said] = set()
    if theirs is not None and over_by(theirs, case.ended_at + case.slack):
        allowed.add(end_of(case.provider, theirs, attempt))
    elif theirs is None and attempt.refusal is not None:
        allowed |= refused_as(case, attempt)
    allowed |= {said for said, holds in UNTOLD.items() if holds(case, theirs)}
    if _deadline_passed(case, theirs):
        allowed |= _by_itself(case, attempt, case.ended_at)
    if case.said in allowed:
        return []
    there = (
        "no refresh"
        if theirs is None
        else f"{theirs['status']} {theirs['error_code']} at {theirs['ended_at']}"
    )
    return [f"ended as {_words(case.said)} at {case.ended_at.isoformat()}; there: {there}"]


def refused_as(case: Case, attempt: Attempt) -> set[Said]:
    """What a refused create may be called."""
    refusal = attempt.refusal
    assert refusal is not None
    if refusal.ours:
        return (
            {case.said} if refusal.reason is case.said[1] else set()
        )  # held against the link's history elsewhere
    creates = creates_of(case, attempt)
    if refusal.reason is Reason.PROVIDER_ERROR:
        # Asked several times, answered with errors only: nothing may have come of any.
        return set() if any(one["intent_id"] for one in creates) else {(Status.FAILED, Reason.PROVIDER_ERROR)}
    code = refusal.code or ""
    if code == "rejected_refresh_intent" and "reconnect" in (refusal.message or ""):
        code += ", reconnect"
    return {REFUSALS.get(code, (Status.FAILED, Reason.UNKNOWN))}


def creates_of(case: Case, attempt: Attempt) -> list[Truth]:
    """Every request to create that was made for an attempt, by its idempotency keys."""
    keys = keys_of(case.intent, attempt)
    return [one for one in case.link["creates"] if one["idempotency_key"] in keys]


def keys_of(intent: RefreshIntent, attempt: Attempt) -> set[str]:
    """Every idempotency key that an attempt can have sent."""
    return {key_of(intent.id, attempt.number, ask) for ask in range(attempt.unclear + 1)}


def _on_the_way(case: Case) -> list[str]:
    """Each attempt that was followed by another must have ended there as we say."""
    wrong: list[str] = []
    for attempt in case.intent.past:
        theirs = case.theirs(attempt)
        failure = attempt.failure
        if theirs is None or failure is None:
            continue
        expected = {end_of(case.provider, theirs, attempt)[1]}
        if theirs["ended_at"] is None:
            expected = {said[1] for said in _by_itself(case, attempt, case.ended_at)}
        if failure.reason not in expected:
            there = f"{theirs['status']} {theirs['error_code']}"
            wrong.append(f"attempt {attempt.number} failed as {failure.reason.value}; there: {there}")
    return wrong


def _data(case: Case) -> list[str]:
    """The accounts that are called fresh are."""
    theirs = case.theirs(case.intent.attempt)
    if (
        theirs is None
        or not theirs["accounts"]
        or case.outcome.status not in (Status.SUCCEEDED, Status.PARTIAL)
    ):
        return []
    earlier = {name for one in case.attempts for its in [case.theirs(one)] if its for name in fresh_in(its)}
    if case.backgrounds:
        earlier |= set(theirs["accounts"])
    # A word for the whole does not say which accounts are gone by then.
    earlier |= set(case.link.get("removed_account_ids", ()))
    # An account that appeared meanwhile was not waited for.
    awaited = set(case.intent.attempt.expected or ())
    if fresh_in(theirs) & awaited <= set(case.outcome.fresh) <= earlier:
        return []
    return [f"fresh there: {sorted(fresh_in(theirs))}, here: {sorted(case.outcome.fresh)}"]


def _words(said: Said) -> str:
    return " ".join(one.value for one in said if one is not None)
