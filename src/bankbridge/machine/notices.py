"""A notice is one thing that a delivery says, translated, with the raw kept; ``receive`` is `advance` for notices.

Webhooks come twice, late, early, out of order and for refreshes that are not ours, so nothing here raises: what
changes nothing is a value that says why.
"""

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

import attrs

from bankbridge.machine import events as ev
from bankbridge.machine.advance import Transition, advance, deadline_of
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import LinkEvent
from bankbridge.machine.policy import Policy, Timing
from bankbridge.machine.status import Status
from bankbridge.words.ids import AccountId, LinkId, MovementId, RefreshId


@attrs.frozen(kw_only=True)
class Subject:
    """Whom a notice is about, as far as the provider says it."""

    refresh_id: RefreshId | None = None
    link_id: LinkId | None = None
    account_id: AccountId | None = None


@attrs.frozen(kw_only=True)
class MovementsAmended:
    """Rows changed behind the reader's back: read them again."""

    account_id: AccountId
    movement_ids: tuple[MovementId, ...] = ()


@attrs.frozen(kw_only=True)
class MovementsRemoved:
    """The bank took rows away: read the account again before voiding any."""

    account_id: AccountId | None
    movement_ids: tuple[MovementId, ...] = ()


@attrs.frozen(kw_only=True)
class TestDelivery:
    """A test event with placeholder ids: acknowledged, means nothing."""

    __test__ = False  # pytest: this is a word of the domain, not a test


@attrs.frozen(kw_only=True)
class NotUnderstood:
    """A type or shape that the plugin does not know: kept and acknowledged, never an error."""

    why: str


Statement: TypeAlias = (
    ev.ProviderEvent | LinkEvent | MovementsAmended | MovementsRemoved | TestDelivery | NotUnderstood
)


@attrs.frozen(kw_only=True)
class Notice:
    """One thing a delivery says. ``type`` is the provider's own event type; ``raw`` the parsed payload, untouched.

    ``raw`` can hold secrets: it never shows in a repr.
    """

    type: str
    about: Subject
    says: Statement
    occurred_at: datetime | None = None
    raw: Mapping[str, Any] = attrs.field(repr=False)


class Why(enum.Enum):
    """Why a notice changed nothing about an intent."""

    NOT_ABOUT_A_REFRESH = "not about a refresh"
    ANOTHER_REFRESH = "about another refresh"
    BEFORE_THE_ATTEMPT = "older than the attempt"
    NOT_RUNNING = "nothing of ours was running: a refresh of the provider's own"
    NOTHING_NEW = "already known"


@attrs.frozen(kw_only=True)
class Ignored:
    """The notice changed nothing about this intent, and why."""

    why: Why


def receive(intent: RefreshIntent, notice: Notice, *, now: datetime, policy: Policy) -> Transition | Ignored:
    """Tell ``intent`` what a notice says; lenient: duplicate, stale and foreign are values, not errors."""
    event = notice.says
    if not isinstance(event, ev.ProviderEvent):
        return Ignored(why=Why.NOT_ABOUT_A_REFRESH)
    attempt = _attempt_meant(intent, notice, policy.timing)
    if isinstance(attempt, Why):
        return Ignored(why=attempt)
    transition = advance(intent, event, now=now, policy=policy, attempt=attempt)
    if transition.intent == intent:
        return Ignored(why=Why.NOTHING_NEW)
    return transition


def _attempt_meant(intent: RefreshIntent, notice: Notice, timing: Timing) -> int | Why:
    """By the refresh's id where the notice has one (Rail); else the running attempt, by time (Fintoc)."""
    if notice.about.refresh_id is not None:
        for attempt in (intent.attempt, *intent.past):
            if attempt.refresh_id == notice.about.refresh_id:
                return attempt.number
        return Why.ANOTHER_REFRESH
    attempt = intent.attempt
    # Until its start is known, so is not when it began: the start will sort out what was older.
    if attempt.started and notice.occurred_at is not None and notice.occurred_at < attempt.since:
        return Why.BEFORE_THE_ATTEMPT
    if intent.status is Status.BACKING_OFF:
        return Why.NOT_RUNNING
    if intent.status.terminal:
        # What the provider itself has ended says nothing more; otherwise it may still be at it.
        ended = intent.ended_at if attempt.end is not None else None
        until = ended or deadline_of(attempt, timing)
        if notice.occurred_at is None or notice.occurred_at > until:
            return Why.NOT_RUNNING
    return attempt.number
