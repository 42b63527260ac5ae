"""Where an intent can be, and the transition table: read it, print it, draw it.

A cell holds every status that one event may lead to. Which of them it is follows from the facts of the
attempt and the policy (`bankbridge.machine.advance`), and a cell that does not hold the answer is a bug of
ours that raises. An event without a cell cannot happen in that status.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bankbridge.machine.events import (
    AccountReported,
    CancelRequested,
    CreateRefused,
    CreateUnclear,
    Event,
    LinkLost,
    PromptAnswered,
    PromptOffered,
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


class Status(enum.Enum):
    """Where a refresh intent is."""

    REQUESTED = "requested"
    """Stored; the provider has not yet said that it started."""
    IN_PROGRESS = "in_progress"
    """The provider is at it."""
    REQUIRES_MFA = "requires_mfa"
    """The bank wants its customer, who has a prompt to answer."""
    BACKING_OFF = "backing_off"
    """An attempt ended without success and the next one waits for its time."""
    SUCCEEDED = "succeeded"
    """Everything that was waited for is fresh."""
    PARTIAL = "partial"
    """Some accounts are fresh; the others are named."""
    FAILED = "failed"
    """It did not work this time."""
    REJECTED = "rejected"
    """The bank refused the person."""
    CANCELED = "canceled"
    """Somebody did not want it any more, here or at the provider."""
    LOST = "lost"
    """The deadline passed and the provider could not tell us."""

    @property
    def terminal(self) -> bool:
        """Whether the intent is over. Its status then never changes again."""
        return self in TERMINAL


TERMINAL: Final = frozenset(
    {Status.SUCCEEDED, Status.PARTIAL, Status.FAILED, Status.REJECTED, Status.CANCELED, Status.LOST}
)

_RUNNING: Final = (Status.IN_PROGRESS, Status.REQUIRES_MFA)
# What a joint rule can say, once the retry policy has had its word. An application may replace the rule.
_ENDED: Final = (Status.SUCCEEDED, Status.PARTIAL, Status.FAILED, Status.REJECTED, Status.BACKING_OFF)

# The provider may already have said everything before its answer to our create arrives.
_REQUESTED: Final[Mapping[type[Event], tuple[Status, ...]]] = {
    RefreshStarted: (*_RUNNING, *_ENDED, Status.CANCELED),
    # Turned away at the door after a create without an answer, which may run: it is asked again.
    CreateRefused: (Status.REQUESTED, Status.BACKING_OFF, Status.FAILED, Status.REJECTED),
    CreateUnclear: (Status.REQUESTED, *_ENDED, Status.CANCELED, Status.LOST),  # an end: by the deadline
    WokeUp: (Status.REQUESTED, *_ENDED, Status.CANCELED, Status.LOST),
    CancelRequested: (Status.CANCELED,),
    LinkLost: (Status.FAILED,),
    RefreshProgressed: (Status.REQUESTED,),
    PromptOffered: (Status.REQUESTED,),
    PromptAnswered: (Status.REQUESTED,),
    AccountReported: (Status.REQUESTED,),
    RefreshSucceeded: (Status.REQUESTED,),
    RefreshFailed: (Status.REQUESTED,),
    RefreshRejected: (Status.REQUESTED,),
    RefreshCanceled: (Status.REQUESTED,),
    RefreshVanished: (Status.REQUESTED,),
}


def _at_work(here: Status) -> Mapping[type[Event], tuple[Status, ...]]:
    """The two running statuses differ only in what a prompt does: words for the whole never move between them."""
    return MappingProxyType(
        {
            RefreshStarted: (here,),  # a repeat: the same create, asked again after a crash
            CreateRefused: (here,),  # another worker asked too; it counts for nothing once one has started
            CreateUnclear: (here,),
            WokeUp: (here,),
            CancelRequested: (Status.CANCELED,),
            LinkLost: (Status.FAILED,),
            RefreshProgressed: (here,),
            PromptOffered: _RUNNING if here is Status.REQUIRES_MFA else (here, Status.REQUIRES_MFA),
            PromptAnswered: _RUNNING if here is Status.REQUIRES_MFA else (here,),
            AccountReported: (*_RUNNING, *_ENDED),
            RefreshSucceeded: (here, *_ENDED),
            RefreshFailed: (here, *_ENDED),
            RefreshRejected: (here, *_ENDED),
            RefreshCanceled: (here, Status.CANCELED),
            RefreshVanished: (here, *_ENDED),  # not known there (yet, any more): hints may be enough
            ReadFinished: (here, *_ENDED, Status.LOST),
        }
    )


# The attempt is over; what still arrives for it is kept, a success is a success, a rejection stops the retries.
_BETWEEN_ATTEMPTS: Final[Mapping[type[Event], tuple[Status, ...]]] = {
    RefreshStarted: (*_RUNNING, *_ENDED, Status.CANCELED),  # a start beats a refusal of the same create
    CreateRefused: (Status.BACKING_OFF, Status.FAILED, Status.REJECTED),
    CreateUnclear: (Status.BACKING_OFF,),
    WokeUp: (Status.REQUESTED,),
    CancelRequested: (Status.CANCELED,),
    LinkLost: (Status.FAILED,),
    RefreshProgressed: (Status.BACKING_OFF,),
    PromptOffered: (Status.BACKING_OFF, Status.FAILED, Status.REJECTED),
    PromptAnswered: (Status.BACKING_OFF,),
    AccountReported: _ENDED,
    RefreshSucceeded: _ENDED,
    RefreshFailed: _ENDED,
    RefreshRejected: _ENDED,
    RefreshCanceled: (Status.BACKING_OFF, Status.CANCELED),
    RefreshVanished: _ENDED,
    ReadFinished: (Status.BACKING_OFF,),
}


def _over(status: Status) -> Mapping[type[Event], tuple[Status, ...]]:
    """Terminal is absorbing: facts are still kept, the status is what it is. Nobody wakes or cancels it."""
    facts = set(_BETWEEN_ATTEMPTS) - {WokeUp, CancelRequested}
    return MappingProxyType(dict.fromkeys(facts, (status,)))


TABLE: Final[Mapping[Status, Mapping[type[Event], tuple[Status, ...]]]] = MappingProxyType(
    {
        Status.REQUESTED: MappingProxyType(_REQUESTED),
        Status.IN_PROGRESS: _at_work(Status.IN_PROGRESS),
        Status.REQUIRES_MFA: _at_work(Status.REQUIRES_MFA),
        Status.BACKING_OFF: MappingProxyType(_BETWEEN_ATTEMPTS),
        Status.SUCCEEDED: _over(Status.SUCCEEDED),
        Status.PARTIAL: _over(Status.PARTIAL),
        Status.FAILED: _over(Status.FAILED),
        Status.REJECTED: _over(Status.REJECTED),
        Status.CANCELED: _over(Status.CANCELED),
        Status.LOST: _over(Status.LOST),
    }
)
"""The transition table: status, then event, then every status it may lead to."""
