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
    PARTIAL = "partial"
    """Some accounts are fresh; the others are named."""
    FAILED = "failed"
    """It did not work this time."""
    REJECTED = "rejected"
    """The bank refused the person."""
    CANCELED = "canceled"
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
_ENDED: Final = (Status.SUCCEEDED, Status.PARTIAL, Status.FAILED, Status.REJECTED, Status.BACKING_OFF)

# The provider may already have said everything before its answer to our create arrives.
_REQUESTED: Final[Mapping[type[Event], tuple[Status, ...]]] = {
    RefreshStarted: (*_RUNNING, *_ENDED, Status.CANCELED),
    CreateRefused: (Status.BACKING_OFF, Status.FAILED, Status.REJECTED),
    CreateUnclear: (Status.REQUESTED, *_ENDED, Status.CANCELED, Status.LOST),
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

_AT_WORK: Final[Mapping[type[Event], tuple[Status, ...]]] = {
    RefreshStarted: _RUNNING,  # a repeat: the same create, asked again after a crash
    CreateRefused: _RUNNING,  # another worker asked too; it counts for nothing once one has started
    CreateUnclear: _RUNNING,
    WokeUp: _RUNNING,
    CancelRequested: (Status.CANCELED,),
    LinkLost: (Status.FAILED,),
    RefreshProgressed: _RUNNING,
    PromptOffered: _RUNNING,
    PromptAnswered: _RUNNING,
    AccountReported: (*_RUNNING, *_ENDED),
    RefreshSucceeded: (*_RUNNING, *_ENDED),
    RefreshFailed: (*_RUNNING, *_ENDED),
    RefreshRejected: (*_RUNNING, *_ENDED),
    RefreshCanceled: (Status.CANCELED,),
    RefreshVanished: (*_RUNNING, *_ENDED),
    ReadFinished: (*_RUNNING, *_ENDED, Status.LOST),
}

# The attempt is over; what still arrives for it is kept, a success is a success, a rejection stops the retries.
_BETWEEN_ATTEMPTS: Final[Mapping[type[Event], tuple[Status, ...]]] = {
    RefreshStarted: (*_RUNNING, *_ENDED, Status.CANCELED),  # a start beats a refusal of the same create
    CreateRefused: (Status.BACKING_OFF,),
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
    RefreshVanished: (Status.BACKING_OFF,),
    ReadFinished: (Status.BACKING_OFF,),
}


def _over(status: Status) -> Mapping[type[Event], tuple[Status, ...]]:
    """Terminal is absorbing: facts are still kept, the status is what it is. Nobody wakes or cancels it."""
    facts = (set(_AT_WORK) | set(_REQUESTED)) - {WokeUp, CancelRequested}
    return MappingProxyType(dict.fromkeys(facts, (status,)))


TABLE: Final[Mapping[Status, Mapping[type[Event], tuple[Status, ...]]]] = MappingProxyType(
    {
        Status.REQUESTED: MappingProxyType(_REQUESTED),
        Status.IN_PROGRESS: MappingProxyType(_AT_WORK),
        Status.REQUIRES_MFA: MappingProxyType(_AT_WORK),
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
