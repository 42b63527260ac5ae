"""The refresh intent: our durable wish to make a link fresh, and the attempts it owns."""

import enum
import uuid
from datetime import datetime
from typing import Final

import attrs

from bankbridge.machine.attempt import Attempt, WakePurpose
from bankbridge.machine.status import Status
from bankbridge.words.ids import ConnectionName, IntentId, LinkId
from bankbridge.words.reasons import Failure, Reason


class Scope(enum.Enum):
    """How far back a refresh looks."""

    LATEST = "latest"
    HISTORICAL = "historical"


@attrs.frozen(kw_only=True)
class WakeUp:
    """When to look at an intent again if nothing is heard before, and what for.

    ``version`` is the version of the intent that set it, by which a wake-up that comes late knows it was replaced.
    """

    at: datetime
    purpose: WakePurpose
    version: int = attrs.field(default=0, eq=False)


@attrs.frozen(kw_only=True)
class RefreshIntent:
    """One wish and its attempts. A value: `bankbridge.machine.advance` makes the next one.

    ``attempt`` is the current or last attempt, ``past`` the ones before it. ``failure`` says why the intent
    is not (wholly) a success, or what the wait in ``backing_off`` is for. ``version`` counts the changes and
    guards against two writers. ``attended`` is true when a person is there who could answer a prompt.
    """

    id: IntentId
    connection: ConnectionName
    link_id: LinkId
    scope: Scope = Scope.LATEST
    attended: bool = False
    retry_of: IntentId | None = None
    created_at: datetime
    status: Status = Status.REQUESTED
    attempt: Attempt
    past: tuple[Attempt, ...] = ()
    failure: Failure | None = None
    wake: WakeUp | None = None
    ended_at: datetime | None = None
    version: int = 0

    @property
    def gave_up(self) -> bool:
        """Whether it is over because we stopped waiting, not because the provider said so."""
        expired = self.failure is not None and self.failure.ours and self.failure.reason is Reason.MFA_EXPIRED
        return self.status in (Status.CANCELED, Status.LOST) or (self.status is Status.FAILED and expired)


_KEYS: Final = uuid.UUID("6f1a52d4-5b0f-4c9d-9d0e-0d7a1c3e9b52")


def new_intent(
    *,
    intent_id: IntentId,
    connection: ConnectionName,
    link_id: LinkId,
    scope: Scope,
    attended: bool,
    now: datetime,
    retry_of: IntentId | None = None,
) -> RefreshIntent:
    """A wish that nobody has acted on yet; it is due at once."""
    return RefreshIntent(
        id=intent_id,
        connection=connection,
        link_id=link_id,
        scope=scope,
        attended=attended,
        retry_of=retry_of,
        created_at=now,
        attempt=new_attempt(intent_id, 1, now),
        wake=WakeUp(at=now, purpose=WakePurpose.CREATE),
    )


def new_attempt(intent_id: IntentId, number: int, now: datetime) -> Attempt:
    """Attempt ``number`` of an intent, not asked for yet."""
    return Attempt(number=number, key=key_of(intent_id, number), asked_at=now)


def key_of(intent_id: IntentId, attempt: int, ask: int = 0) -> str:
    """The idempotency key of a create: it follows from the intent and the attempt, so a restart sends the same one."""
    return str(uuid.uuid5(_KEYS, f"{intent_id}/{attempt}/{ask}"))
