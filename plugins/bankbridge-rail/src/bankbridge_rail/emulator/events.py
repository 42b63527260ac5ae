"""Who is told what: the emulated Rail's events, https://docs.rail.cl/concepts/events."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from bankbridge.emulation import (
    Background,
    RetrySchedule,
    Sending,
    WebhookSender,
    link_rates,
    webhook_faults,
)
from bankbridge_rail.emulator.bodies import Body, account_body, drifted, intent_event, link_body, stamp
from bankbridge_rail.emulator.world import Hook, Intent, Link, Mode, World

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

UNKNOWN: Final = "_undocumented"
"""What the kit adds to the id of an event besides."""

_OUTCOMES: Final = frozenset(
    {"refresh_intent.succeeded", "refresh_intent.failed", "refresh_intent.canceled", "link.refreshed"}
)

SCHEDULES: Final[Mapping[str, RetrySchedule]] = {
    "17_times": RetrySchedule(),
    "never": RetrySchedule(retries=0),
}
"""By the switch ``retry_schedule``."""


class Events:
    """Makes events, and sends each to every endpoint that wants it, with the faults of its link."""

    def __init__(self, world: World, sender: WebhookSender, background: Background) -> None:
        self._world = world
        self._sender = sender
        self._background = background
        self._order: dict[str, tuple[datetime, str]] = {}
        self._most_tries = SCHEDULES[world.switches["retry_schedule"]].retries + 1

    def about_intent(self, link: Link, intent: Intent, at: datetime, event_type: str | None = None) -> None:
        """Say that ``intent`` has come to its present status."""
        body = intent_event(self._world, intent)
        self.emit(link, event_type or f"refresh_intent.{intent.status}", body, at, intent)

    def emit(
        self, link: Link, event_type: str, data: Body, at: datetime, intent: Intent | None = None
    ) -> None:
        """Say that something happened ``at`` a time; what is sent is noted with the ``intent`` it is about."""
        link.told[event_type] += 1
        number = link.told[event_type]
        data = drifted(self._world, {**self._whole(link, data), **data})
        event_id = self._world.ids.of("evt", link.id, event_type, number)
        body = event_body(event_id, event_type, data, at)
        if not self._background.is_running or self._is_mute(link):
            return
        self._order[event_id] = (at, link.id)
        self.disable_failing(link.mode)
        rates = link_rates(link.webhooks, link.faults, is_outcome=event_type in _OUTCOMES)
        for hook in tuple(link.mode.hooks.values()):
            if hook.wants(event_type):
                key = (link.id, event_type, number, hook.id)
                faults = webhook_faults(self._world.faults, key, rates)
                answered = self._sender.send(hook.endpoint, body, faults=faults)
                if intent is not None:
                    intent.sent.append(answered)

    def test(self, hook: Hook, event_type: str, data: Body, at: datetime) -> str:
        """Send one event to one endpoint, whatever it is subscribed to; the event's id."""
        hook.tests += 1
        event_id = self._world.ids.of("evt", hook.id, "test", hook.tests)
        self._order[event_id] = (at, hook.id)
        if self._background.is_running:
            self._sender.send(hook.endpoint, event_body(event_id, event_type, data, at))
        return event_id

    def report(self) -> list[dict[str, Any]]:
        """What was sent: by time, then by link, then as it was sent."""
        return sorted(self._sender.report(), key=lambda row: self._order[row["id"].removesuffix(UNKNOWN)])

    def disable_failing(self, mode: Mode) -> None:
        """With ``failing_endpoints=disabled``, give up the endpoints that no try of some event has reached."""
        if self._world.switches["failing_endpoints"] == "kept":
            return
        for sending in self._sender.sendings:
            hook = mode.hooks.get(sending.endpoint.id)
            if hook is not None and self._is_given_up(sending):
                hook.is_enabled = False

    def _whole(self, link: Link, data: Body) -> Body:
        """With ``event_data=full``, the resource that ``data`` is a part of."""
        if self._world.switches["event_data"] == "full":
            if data["object"] == "link":
                return link_body(self._world, link)
            if data["object"] == "account":
                return account_body(self._world, link, link.accounts[data["id"]])
        return {}

    def _is_given_up(self, sending: Sending) -> bool:
        statuses = [one.status for one in tuple(sending.tries) if not one.is_corrupt]
        return len(statuses) >= self._most_tries and not any(one and 200 <= one < 300 for one in statuses)

    def _is_mute(self, link: Link) -> bool:
        return link.mode.name == "test" and self._world.switches["test_mode_webhooks"] == "none"


def event_body(event_id: str, event_type: str, data: dict[str, Any], at: datetime) -> bytes:
    """An event as it is sent."""
    event = {"object": "event", "id": event_id, "type": event_type, "created_at": stamp(at), "data": data}
    return json.dumps(event, separators=(",", ":")).encode()
