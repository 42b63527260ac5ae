"""The retry policy: a table over reasons. Every number an application may want to change is data in here.

What these values may be where a text sets them is in `bankbridge.machine.bounds`.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from bankbridge.machine.intent import RefreshIntent, Scope
from bankbridge.machine.joint import JointRule, OneWord
from bankbridge.words.reasons import Failure, Reason

_MINUTE: Final = timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class Rule:
    """What to do by itself about one reason: a row of the table.

    ``waits``: how long before the first, second … retry; the last repeats. ``times``: how often at most
    (``None``: until the intent is too old). ``spends``: whether the attempt counts against the limit over all
    reasons. ``after_cooldown``: the wait is at least the provider's cooldown for the scope. ``jitter``: the part of
    the wait that may be added to it, 0 to 1 (``None``: the policy's).
    """

    waits: tuple[timedelta, ...] = ()
    times: int | None = 0
    spends: bool = True
    after_cooldown: bool = False
    jitter: float | None = None

    def __attrs_post_init__(self) -> None:
        if self.times != 0 and not self.waits and not self.after_cooldown:
            msg = "waits: at least one is needed where something is tried again"
            raise ValueError(msg)


NEVER: Final = Rule()
"""Never by itself."""

_TRANSIENT: Final = Rule(waits=(_MINUTE, 5 * _MINUTE, 15 * _MINUTE, 60 * _MINUTE), times=4)

# What nobody counts against us, asked less and less often.
_PATIENT: Final = (_MINUTE, 2 * _MINUTE, 5 * _MINUTE, 15 * _MINUTE)

RETRY_TABLE: Final[Mapping[Reason, Rule]] = MappingProxyType(
    {
        Reason.INSTITUTION_UNAVAILABLE: _TRANSIENT,
        Reason.PROVIDER_ERROR: _TRANSIENT,
        # A bank sometimes calls good credentials invalid, but repeats can lock the login.
        # https://docs.fintoc.com/docs/refresh-intents-webhook
        Reason.CREDENTIALS_UNCONFIRMED: Rule(waits=(60 * _MINUTE,), times=1),
        Reason.CREDENTIALS_REJECTED: NEVER,
        Reason.CREDENTIALS_LOCKED: NEVER,
        Reason.MFA_REJECTED: NEVER,
        Reason.MFA_EXPIRED: NEVER,
        Reason.COOLDOWN: Rule(times=None, spends=False, after_cooldown=True),
        Reason.ALREADY_IN_PROGRESS: Rule(waits=_PATIENT, times=None, spends=False),
        Reason.RATE_LIMITED: Rule(waits=_PATIENT, times=None, spends=False),
        Reason.SESSION_CONFLICT: Rule(waits=(15 * _MINUTE,), times=1),
        Reason.QUOTA_EXHAUSTED: NEVER,
        Reason.LINK_GONE: NEVER,
        Reason.LINK_EXPIRED: NEVER,
        Reason.NOT_PERMITTED: NEVER,
        Reason.NEEDS_SUPPORT: NEVER,
        Reason.CONFIGURATION: NEVER,
        Reason.NO_ANSWER: NEVER,
        Reason.CONSENT_EXPIRED: NEVER,
        Reason.CONSENT_REVOKED: NEVER,
        Reason.ACTION_NEEDED_AT_BANK: NEVER,
        Reason.DENIED_BY_PERSON: NEVER,
        Reason.NOT_SUPPORTED: NEVER,
        Reason.UNKNOWN: NEVER,
    }
)
"""The default rule for each reason."""


def _table(rows: Mapping[Reason, Rule]) -> Mapping[Reason, Rule]:
    return MappingProxyType({**RETRY_TABLE, **rows})


@attrs.frozen(kw_only=True)
class Timing:
    """When to look, and when to stop believing.

    ``first_poll`` after the start, then longer by ``poll_factor`` up to ``longest_poll``; whatever asks for a
    look, none comes sooner than ``poll_floor`` after the one before. ``attempt``: how long one attempt may
    take; an open prompt extends it to ``after_prompt`` past the prompt's end, and a provider that cannot be
    read then by ``unread``. ``prompt``: the life of a prompt whose provider states none. ``prompt_margin``: how
    long after its end we believe in a late answer. ``unclear``: how long after an unclear create we ask again;
    answered with an error for the ``answered_errors``-th time it counts as refused, since the key may only
    replay the first answer, unless it once had no answer at all and something may run. ``intent``: no retry
    starts later than this after the intent was made.
    """

    first_poll: timedelta = timedelta(seconds=30)
    poll_factor: float = 2.0
    longest_poll: timedelta = timedelta(minutes=5)
    poll_floor: timedelta = timedelta(seconds=5)
    attempt: timedelta = timedelta(minutes=20)
    prompt: timedelta = timedelta(minutes=10)
    prompt_margin: timedelta = timedelta(seconds=30)
    after_prompt: timedelta = timedelta(minutes=10)
    unread: timedelta = timedelta(hours=1)
    unclear: timedelta = timedelta(seconds=30)
    answered_errors: int = 3
    intent: timedelta = timedelta(hours=24)


# `attrs.frozen` leaves a dict in a field as it is, so each is copied to where nobody changes it.
def _cooldowns(given: Mapping[Scope, timedelta]) -> Mapping[Scope, timedelta]:
    return MappingProxyType(dict(given))


def _institutions(given: Mapping[str, "Policy"]) -> Mapping[str, "Policy"]:
    return MappingProxyType(dict(given))


@attrs.frozen(kw_only=True)
class Policy:
    """Everything `advance` is told besides the story: the retry table, the joint rule, times, the provider's traits.

    ``retry`` replaces rows of `RETRY_TABLE`; the others stay. ``most_attempts`` bounds the attempts that spend, over
    all reasons. ``jitter`` is the part of a wait that may be added to it, 0 to 1, where a row has none of its own.
    ``refused_logins`` and ``abandoned_prompts`` are the lockout guard's budgets per link and credential version.
    ``cooldowns``, ``can_cancel`` and ``new_key_after_answer`` are the provider's traits; the last means that it
    replays stored answers, so a create that was answered with an error needs a new idempotency key.
    ``institutions`` are the policies of banks that need one of their own, by the provider's id of the bank.
    """

    retry: Mapping[Reason, Rule] = attrs.field(default=RETRY_TABLE, converter=_table)
    most_attempts: int = 5
    jitter: float = 0.1
    joint: JointRule = attrs.field(factory=OneWord)
    timing: Timing = attrs.field(factory=Timing)
    cooldowns: Mapping[Scope, timedelta] = attrs.field(default=MappingProxyType({}), converter=_cooldowns)
    can_cancel: bool = False
    new_key_after_answer: bool = False
    refused_logins: int = 2
    abandoned_prompts: int = 2
    institutions: Mapping[str, "Policy"] = attrs.field(default=MappingProxyType({}), converter=_institutions)

    def at(self, institution: str | None) -> "Policy":
        """The policy at one bank, by the provider's id of it; ``None`` where nobody knows which bank it is."""
        return self if institution is None else self.institutions.get(institution, self)


@attrs.frozen(kw_only=True)
class TryAgain:
    """Make another attempt, by itself, at this time."""

    at: datetime


@attrs.frozen(kw_only=True)
class GiveUp:
    """Not by itself."""


Decision: TypeAlias = TryAgain | GiveUp


def decide(intent: RefreshIntent, failure: Failure, *, now: datetime, policy: Policy) -> Decision:
    """Whether the intent tries again by itself after ``failure`` of its current attempt, and when.

    The provider's ``not_before`` is never undercut, and a wait that has begun stays as it is. Where nobody is
    there to answer, no second prompt is provoked. The jitter follows from the intent and the attempt, so the
    same story always gets the same times, and different links never wake in step.
    """
    rule = policy.retry[failure.reason]
    before = [attempt.failure.reason for attempt in intent.past if attempt.failure is not None]
    same = before.count(failure.reason)
    spent = sum(policy.retry[reason].spends for reason in before) + rule.spends
    if (rule.times is not None and same >= rule.times) or spent >= policy.most_attempts:
        return GiveUp()
    if not intent.attended and any(attempt.prompts for attempt in (*intent.past, intent.attempt)):
        return GiveUp()
    if intent.wake is not None and intent.failure is not None and intent.failure.reason is failure.reason:
        return TryAgain(at=max(intent.wake.at, failure.not_before or intent.wake.at))
    wait = rule.waits[min(same, len(rule.waits) - 1)] if rule.waits else timedelta(0)
    if rule.after_cooldown and failure.not_before is None:
        # No provider says when its clock started, so the whole cooldown from now is the only safe wait.
        wait = max(wait, policy.cooldowns.get(intent.scope, 5 * _MINUTE))
    at = max(now + wait, failure.not_before or now)
    jitter = policy.jitter if rule.jitter is None else rule.jitter
    at += (at - now) * jitter * _spread(f"{intent.id}/{intent.attempt.number}")
    if at > intent.created_at + policy.timing.intent:
        return GiveUp()
    return TryAgain(at=at)


def _spread(text: str) -> float:
    """A number in [0, 1) that follows from ``text``."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) / 2**32
