"""Who is told what: the emulated Rail's events, https://docs.rail.cl/concepts/events."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from bankbridge.emulation import Background, Faults, WebhookSender
from bankbridge_rail.emulator.bodies import intent_event, stamp
from bankbridge_rail.emulator.world import Intent, Link, World

EVENT_TYPES: Final = (
    "link.created",
    "link.refreshed",
    "link.expired",
    "link.deleted",
    "account.created",
    "account.removed",
    "refresh_intent.created",
    "refresh_intent.requires_mfa",
    "refresh_intent.succeeded",
    "refresh_intent.failed",
)
"""The complete catalogue."""

_OUTCOMES: Final = frozenset(
    {"refresh_intent.succeeded", "refresh_intent.failed", "refresh_intent.canceled", "link.refreshed"}
)
_FAULTS: Final[Mapping[str, Faults]] = {
    "normal": Faults(),
    "lost": Faults(lost=True),
    "twice": Faults(copies=2),
    "early": Faults(),
}


class Events:
    """Makes events, and sends each to every endpoint that wants it, with the faults of its link."""

    def __init__(self, world: World, sender: WebhookSender, background: Background) -> None:
        self._world = world
        self._sender = sender
        self._background = background

    def about_intent(self, link: Link, intent: Intent, at: datetime, event_type: str | None = None) -> None:
        """Say that ``intent`` has come to its present status."""
        self.emit(link, event_type or f"refresh_intent.{intent.status}", intent_event(intent), at, intent)

    def emit(
        self, link: Link, event_type: str, data: dict[str, Any], at: datetime, intent: Intent | None = None
    ) -> None:
        """Say that something happened ``at`` a time; the tries are noted with the ``intent`` it is about."""
        event = {
            "object": "event",
            "id": self._world.new_id("evt"),
            "type": event_type,
            "created_at": stamp(at),
            "data": data,
        }
        if not self._background.is_running:
            return
        body = json.dumps(event, separators=(",", ":")).encode()
        faults = _faults(link, event_type)
        for endpoint in self._world.endpoints.values():
            if endpoint.enabled_events & {"*", event_type}:
                answered = self._sender.send(endpoint, body, faults=faults)
                if intent is not None:
                    intent.answers.append(answered)


def _faults(link: Link, event_type: str) -> Faults:
    if link.webhooks == "lost" and event_type not in _OUTCOMES:
        return Faults()
    return _FAULTS[link.webhooks]
