"""The words of a replay: what is stored of an intent, and what came of telling its story again."""

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import attrs

from bankbridge.machine.intent import RefreshIntent, WakeUp
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Notice, Subject
from bankbridge.machine.outcome import Outcome, WaitUntil, outcome_of
from bankbridge.store import LogEntry
from bankbridge.words.ids import ConnectionName, DeliveryId, IntentId, LinkId

REPLAYED: Final = "Replayed"
"""The log's word for an intent that a replay has put right."""

# --- what goes in ----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Heard:
    """A delivery as it is translated today. ``at`` is when it was drained, ``result`` what became of it then."""

    delivery_id: DeliveryId
    position: int = 0
    received_at: datetime
    at: datetime
    result: str = ""
    notices: tuple[Notice, ...] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Record:
    """What is stored of an intent.

    ``heard`` are the deliveries in its log, without those that are pruned. ``strays`` are the ones that changed no
    intent and may be about this one, in the order in which they were drained.
    """

    intent: RefreshIntent
    link: Link
    entries: Sequence[LogEntry]
    heard: Mapping[DeliveryId, Heard]
    strays: Sequence[Heard] = ()


# --- what comes out --------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Said:
    """What an application is, or would be, told of an intent, and when we look at it next."""

    outcome: Outcome
    wake: WakeUp | None

    @property
    def gist(self) -> tuple[object, ...]:
        """What is compared; the step's own time of waiting is the wake-up's."""
        one = self.outcome
        step = WaitUntil if isinstance(one.next_step, WaitUntil) else one.next_step
        return one.status, one.failure, step, one.then, one.prompt, one.fresh, one.stale, self.wake


@attrs.frozen(kw_only=True)
class Turn:
    """Where a story turns: at what was told, and when; ``delivery_id`` if a delivery said it."""

    at: datetime
    told: str
    delivery_id: DeliveryId | None = None


class Verdict(enum.Enum):
    """What came of telling a story again."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_ENOUGH_STORED = "not enough is stored"


@attrs.frozen(kw_only=True)
class Replayed:
    """One intent's story told again.

    ``now`` and ``turn`` are there for one that differs. ``unfit`` counts the recorded events that do not fit the story
    as it is told now, ``why`` says what is missing, ``used`` are the strays that had their say, and ``applied`` is what
    became of it in the store, where that was asked for.
    """

    intent_id: IntentId
    connection: ConnectionName
    link_id: LinkId
    version: int
    verdict: Verdict
    was: Said
    now: Said | None = None
    turn: Turn | None = None
    unfit: int = 0
    why: str | None = None
    used: tuple[Heard, ...] = ()
    intent: RefreshIntent | None = attrs.field(default=None, repr=False)
    applied: str | None = None


@attrs.frozen(kw_only=True)
class NowUnderstood:
    """A delivery that was kept as not understood and means something now.

    ``says`` are the words of today's translation, ``about`` whom they are about. ``frees``: it could lift what stands
    against its link. ``applied`` is what became of it, where that was asked for.
    """

    delivery_id: DeliveryId
    connection: ConnectionName
    received_at: datetime
    says: tuple[str, ...]
    about: tuple[Subject, ...]
    frees: bool = False
    applied: str | None = None


def said_of(intent: RefreshIntent, link: Link) -> Said:
    """What is said of an intent now."""
    return Said(outcome=outcome_of(intent, link.accounts or ()), wake=intent.wake)
