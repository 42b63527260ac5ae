"""What a webhook sender sends, where to, how often, and what it remembers of it."""

from datetime import datetime, timedelta
from typing import Any

import attrs

from bankbridge.emulation.delivery_faults import Faults


@attrs.frozen(kw_only=True)
class Endpoint:
    """Where an application wants its events; ``enabled_events`` may hold ``*`` for all of them."""

    id: str
    url: str
    secret: str = attrs.field(repr=False)
    enabled_events: frozenset[str] = frozenset({"*"})


@attrs.frozen(kw_only=True)
class RetrySchedule:
    """The waits between tries: ``first``, then ``factor`` times longer each, at most ``retries`` of them.

    The default is Fintoc's, https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-creating-guide.
    """

    first: timedelta = timedelta(seconds=3)
    factor: int = 2
    retries: int = 17


@attrs.frozen(kw_only=True)
class Delivery:
    """One try, in virtual time: it left ``at`` a moment with a signature of the time ``signed_at``.

    ``attempt`` counts from 1, ``status`` is None when no answer came. What ``is_corrupt`` was changed after it was
    signed: a try besides the others, not repeated.
    """

    event_id: str
    url: str
    attempt: int
    status: int | None
    at: datetime
    answered_at: datetime
    signed_at: datetime
    is_corrupt: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300


@attrs.define(eq=False, kw_only=True)
class Sending:
    """One event on its way to one endpoint since the moment ``at``, and every try so far."""

    event_id: str
    event_type: str
    endpoint: Endpoint
    faults: Faults
    at: datetime
    body: bytes = attrs.field(repr=False)
    tries: list[Delivery] = attrs.field(factory=list[Delivery])

    def report(self) -> dict[str, Any]:
        """What became of it, as JSON can say it; corrupted copies are told apart from the event's own tries."""
        tries = tuple(self.tries)
        return {
            "id": self.event_id,
            "type": self.event_type,
            "endpoint_id": self.endpoint.id,
            "lost": self.faults.lost,
            "faults": list(self.faults.names),
            "tries": sum(not one.is_corrupt for one in tries),
            "statuses": [one.status for one in tries if not one.is_corrupt],
            "corrupt_statuses": [one.status for one in tries if one.is_corrupt],
        }
