"""Webhook endpoints over HTTP: https://docs.rail.cl/guides/webhooks.

undocumented: all but the create; the dashboard has the rest. Offered, since a tool needs them.
"""

import ipaddress
from typing import cast
from urllib.parse import urlsplit

import attrs
from starlette.responses import Response

from bankbridge.emulation import Endpoint
from bankbridge_rail.emulator.answers import (
    Call,
    InvalidError,
    RailError,
    answer,
    choice,
    deleted,
    listed,
    text,
)
from bankbridge_rail.emulator.bodies import Body, drifted
from bankbridge_rail.emulator.events import EVENT_TYPES, Events
from bankbridge_rail.emulator.examples import example
from bankbridge_rail.emulator.world import Hook, Mode, World


class EndpointRoutes:
    """Register, read, change, try and delete webhook endpoints."""

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = events

    async def list(self, call: Call) -> Response:
        """Every endpoint of the mode."""
        self._events.disable_failing(call.mode)
        return listed(self._world, (self._body(hook) for hook in call.mode.hooks.values()))

    async def create(self, call: Call) -> Response:
        """Register an endpoint; the only answer with its secret."""
        body = call.body()
        url, wanted = self._url(text(body, "url")), _enabled_events(body.get("enabled_events"))
        hook = add_hook(self._world, call.mode, url, wanted)
        shown = {**self._body(hook), "secret": hook.endpoint.secret}
        return answer(shown, int(self._world.switches["create_status"]))

    async def read(self, call: Call) -> Response:
        """One endpoint."""
        self._events.disable_failing(call.mode)
        return answer(self._body(self._find(call)))

    async def change(self, call: Call) -> Response:
        """Change where events go, which, and whether."""
        hook, body = self._find(call), call.body()
        endpoint, is_enabled = hook.endpoint, hook.is_enabled
        if "url" in body:
            endpoint = attrs.evolve(endpoint, url=self._url(text(body, "url")))
        if "enabled_events" in body:
            endpoint = attrs.evolve(endpoint, enabled_events=_enabled_events(body["enabled_events"]))
        if "status" in body:
            is_enabled = choice(body, "status", ("enabled", "disabled")) == "enabled"
        hook.endpoint, hook.is_enabled = endpoint, is_enabled
        return answer(self._body(hook))

    async def delete(self, call: Call) -> Response:
        """Send nothing there any more."""
        hook = self._find(call)
        del call.mode.hooks[hook.id]
        return deleted(self._world, "webhook_endpoint", hook.id)

    async def test(self, call: Call) -> Response:
        """Send an example of any type, as the dashboard's button does: https://docs.rail.cl/concepts/events."""
        hook = self._find(call)
        event_type = choice(call.body(), "type", EVENT_TYPES, EVENT_TYPES[0])
        at = self._world.clock.now()
        event_id = self._events.test(hook, event_type, example(event_type, at), at)
        return answer({"object": "event", "id": event_id, "type": event_type}, 202)

    def _body(self, hook: Hook) -> Body:
        body: Body = {
            "object": "webhook_endpoint",
            "id": hook.id,
            "url": hook.endpoint.url,
            "enabled_events": sorted(hook.endpoint.enabled_events),
        }
        if self._world.switches["endpoint_read"] == "with_secret":
            body["secret"] = hook.endpoint.secret
        if self._world.switches["failing_endpoints"] == "disabled" or not hook.is_enabled:
            body["status"] = "enabled" if hook.is_enabled else "disabled"
        return drifted(self._world, body)

    def _find(self, call: Call) -> Hook:
        hook = call.mode.hooks.get(call.param("endpoint_id"))
        if hook is None:
            raise RailError(404, "not_found", "there is no such webhook endpoint")
        return hook

    def _url(self, url: str) -> str:
        try:
            parts = urlsplit(url)
            is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_good = False
        if not (is_good and url.isascii() and url.isprintable() and " " not in url):
            raise InvalidError("url must be an http or https address")
        is_plain = urlsplit(url).scheme == "http" and not _is_local(urlsplit(url).hostname or "")
        if is_plain and self._world.switches["http_urls"] == "local_only":
            raise InvalidError("url must be an https address")
        return url


def add_hook(world: World, mode: Mode, url: str, events: frozenset[str], secret: str | None = None) -> Hook:
    """A new endpoint."""
    number = world.ids.number("endpoint", mode.name)
    endpoint = Endpoint(
        id=world.ids.of("we", mode.name, number),
        url=url,
        secret=secret or f"whsec_{world.ids.hex(32, 'whsec', mode.name, number)}",
        enabled_events=events,
    )
    hook = mode.hooks[endpoint.id] = Hook(endpoint=endpoint)
    return hook


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _enabled_events(given: object) -> frozenset[str]:
    known = ("*", *EVENT_TYPES)
    wanted = cast(list[object], given) if isinstance(given, list) else []
    names = frozenset(name for name in known if name in wanted)
    if not wanted or any(name not in known for name in wanted):
        raise InvalidError(f"enabled_events must be a list of {', '.join(known)}")
    return names
