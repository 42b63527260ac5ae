"""Past facts about one attempt. What a provider's words come down to, and what our own code saw.

Events carry no time of their own but where a fact needs one: `advance` is told ``now``.
"""

import enum
from datetime import datetime
from typing import TypeAlias

import attrs

from bankbridge.machine.attempt import AccountResult, Prompt, WakePurpose
from bankbridge.words.ids import AccountId, PromptId, RefreshId
from bankbridge.words.reasons import Failure


class Canceler(enum.Enum):
    """Who did not want the refresh any more."""

    PERSON = "person"
    APPLICATION = "application"


# --- what our own code saw -------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class RefreshStarted:
    """The provider took the create, or a running refresh of the same link was adopted.

    ``expected`` are the accounts to wait for, frozen now; ``None`` where the provider ends a refresh with one
    word for the link. ``started_at`` is the provider's own time of the refresh, where it says one.
    """

    refresh_id: RefreshId | None
    expected: tuple[AccountId, ...] | None = None
    started_at: datetime | None = None
    adopted: bool = False


@attrs.frozen(kw_only=True)
class CreateRefused:
    """The provider, or our own guard, answered the create with a refusal: nothing runs."""

    failure: Failure


@attrs.frozen(kw_only=True)
class CreateUnclear:
    """Nobody knows whether the create went through.

    ``answered`` is true when an answer came (a 500): a provider that replays stored answers then needs a new
    key.
    """

    detail: str
    answered: bool = False


@attrs.frozen(kw_only=True)
class ReadFinished:
    """We read the provider's side of the refresh; what it said came before this as events of its own.

    ``failure`` is set when it could not be read. After this event an overdue prompt or attempt is concluded.
    """

    failure: Failure | None = None


@attrs.frozen(kw_only=True)
class CancelRequested:
    """Somebody on our side does not want it any more."""

    by: Canceler = Canceler.APPLICATION


@attrs.frozen(kw_only=True)
class LinkLost:
    """The link was deleted under the refresh."""


@attrs.frozen(kw_only=True)
class WokeUp:
    """The intent's wake-up came due."""

    purpose: WakePurpose


# --- what the provider said ------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class RefreshProgressed:
    """It is known there, and not over."""


@attrs.frozen(kw_only=True)
class PromptOffered:
    """The bank wants its customer."""

    prompt: Prompt


@attrs.frozen(kw_only=True)
class PromptAnswered:
    """The person has answered; the refresh goes on at the provider."""

    prompt_id: PromptId


@attrs.frozen(kw_only=True)
class AccountReported:
    """One account's result."""

    result: AccountResult


@attrs.frozen(kw_only=True)
class RefreshSucceeded:
    """The whole refresh ended well. ``new_movements`` is the provider's count, where it has one."""

    new_movements: int | None = None


@attrs.frozen(kw_only=True)
class RefreshFailed:
    """The whole refresh ended and did not work."""

    failure: Failure


@attrs.frozen(kw_only=True)
class RefreshRejected:
    """The whole refresh ended because the bank refused the person."""

    failure: Failure


@attrs.frozen(kw_only=True)
class RefreshCanceled:
    """The provider says that it was canceled."""


@attrs.frozen(kw_only=True)
class RefreshVanished:
    """The provider does not know the refresh (any more)."""


RefreshEnded: TypeAlias = (
    RefreshSucceeded | RefreshFailed | RefreshRejected | RefreshCanceled | RefreshVanished
)
"""The words for the whole."""

ProviderEvent: TypeAlias = RefreshProgressed | PromptOffered | PromptAnswered | AccountReported | RefreshEnded
"""What a plugin may say of an attempt, from a delivery or from a read."""

OwnEvent: TypeAlias = (
    RefreshStarted | CreateRefused | CreateUnclear | ReadFinished | CancelRequested | LinkLost | WokeUp
)
"""What only our own code says."""

Event: TypeAlias = OwnEvent | ProviderEvent
