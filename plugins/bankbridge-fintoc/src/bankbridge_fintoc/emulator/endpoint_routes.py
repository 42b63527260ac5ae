"""Fintoc's endpoints for webhook endpoints: https://docs.fintoc.com/api/main-resources/webhook-endpoints."""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, cast
from urllib.parse import urlsplit

import attrs

from bankbridge_fintoc.emulator import events, placeholders, render
from bankbridge_fintoc.emulator.answers import Answered, Route, created
from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.errors import FintocApiError, missing, refusal
from bankbridge_fintoc.emulator.objects import Json, WebhookEndpoint
from bankbridge_fintoc.emulator.paging import page_of
from bankbridge_fintoc.emulator.world import World

LOCAL: Final = ("localhost", "127.0.0.1", "::1")
HOST: Final = re.compile(r"[A-Za-z0-9._:-]+")


def create_webhook_endpoint(world: World, ask: Ask) -> Answered:
    """Only this answer shows the secret."""
    wanted = _subscriptions(ask)
    if wanted is None:
        raise refusal("missing_parameter", "Missing required param: enabled_events.", param="enabled_events")
    url = _url(world, ask.required("url"))
    endpoint = new_endpoint(world, ask.mode, url, wanted, ask.now)
    endpoint.name, endpoint.description = ask.text("name"), ask.text("description")
    return created(world, render.webhook_endpoint(ask.look, endpoint, secret=True))


def new_endpoint(
    world: World, mode: str, url: str, wanted: tuple[str, ...], at: datetime, secret: str | None = None
) -> WebhookEndpoint:
    """One more endpoint, with a secret of its own unless one is given."""
    number = world.number(f"endpoint {mode}")
    endpoint = WebhookEndpoint(
        id=world.ids.make("we_", mode, number),
        mode=mode,
        url=url,
        enabled_events=wanted,
        created_at=at,
        secret=secret or world.ids.secret(f"whsec_{mode}_", number),
    )
    world.endpoints[endpoint.id] = endpoint
    return endpoint


def list_webhook_endpoints(world: World, ask: Ask) -> Answered:
    """Newest first."""
    shown = [one for one in reversed(world.endpoints.values()) if one.mode == ask.mode]
    return page_of(ask, shown, lambda one: render.webhook_endpoint(ask.look, one))


def get_webhook_endpoint(world: World, ask: Ask) -> Answered:
    """One endpoint, without its secret."""
    return Answered(status=200, body=render.webhook_endpoint(ask.look, _endpoint(world, ask)))


def update_webhook_endpoint(world: World, ask: Ask) -> Answered:
    """The answer speaks of a `status`, the update of a boolean `disabled`."""
    endpoint = _endpoint(world, ask)
    # All is checked before anything is changed.
    changed = attrs.evolve(
        endpoint,
        url=_url(world, ask.text("url") or endpoint.url),
        enabled_events=_subscriptions(ask) or endpoint.enabled_events,
        name=ask.text("name") or endpoint.name,
        description=ask.text("description") or endpoint.description,
        disabled=ask.boolean("disabled", default=endpoint.disabled),
    )
    world.endpoints[endpoint.id] = changed
    return Answered(status=200, body=render.webhook_endpoint(ask.look, changed))


def delete_webhook_endpoint(world: World, ask: Ask) -> Answered:
    """Nothing new leaves for it from now on."""
    del world.endpoints[_endpoint(world, ask).id]
    return Answered(status=204)


def send_test_event(world: World, ask: Ask) -> Answered:
    """Send a made-up event to one endpoint, whatever that is subscribed to."""
    endpoint = _endpoint(world, ask)
    event_type = ask.required("type")
    _check_subscription(event_type, "type")
    event = placeholders.make(world, endpoint.id, ask.mode, event_type, ask.now)
    events.deliver(world, endpoint, event)
    if world.chose("test_answer", "endpoint"):
        return Answered(status=200, body=render.webhook_endpoint(ask.look, endpoint))
    return Answered(status=200, body=event)


def trigger_event(world: World, ask: Ask) -> Answered:
    """Send a made-up event to every endpoint that wants its type; only the node SDK and the CLI have this.

    fintoc-com/fintoc-node `src/lib/managers/eventsManager.ts`. undocumented: what `overrides` are laid over; here the
    event's `data`.
    """
    event_type = ask.required("type")
    _check_subscription(event_type, "type")
    overrides = ask.fields.get("overrides")
    if overrides is not None and not isinstance(overrides, dict):
        raise refusal("invalid_hash", "overrides has to be an object.", param="overrides")
    wanted = cast(Json | None, overrides)
    event = placeholders.make(world, f"trigger {ask.mode}", ask.mode, event_type, ask.now, wanted)
    events.deliver_to_all(world, event)
    return created(world, event)


ENDPOINT_ROUTES: Final[Mapping[tuple[str, str], Route]] = MappingProxyType(
    {
        ("POST", "/v1/webhook_endpoints"): create_webhook_endpoint,
        ("GET", "/v1/webhook_endpoints"): list_webhook_endpoints,
        ("GET", "/v1/webhook_endpoints/{endpoint_id}"): get_webhook_endpoint,
        ("PATCH", "/v1/webhook_endpoints/{endpoint_id}"): update_webhook_endpoint,
        ("DELETE", "/v1/webhook_endpoints/{endpoint_id}"): delete_webhook_endpoint,
        ("POST", "/v1/webhook_endpoints/{endpoint_id}/test"): send_test_event,
        ("POST", "/v1/events/trigger"): trigger_event,
    }
)


def _endpoint(world: World, ask: Ask) -> WebhookEndpoint:
    endpoint_id = ask.parts["endpoint_id"]
    endpoint = world.endpoints.get(endpoint_id)
    if endpoint is None or endpoint.mode != ask.mode:
        raise missing("webhook endpoint", endpoint_id, "we_")
    return endpoint


def _url(world: World, value: str) -> str:
    """A URL that can be posted to; Fintoc wants https, here http will do, for receivers next door."""
    try:
        parsed = urlsplit(value)
        good = (
            parsed.scheme in ("http", "https") and HOST.fullmatch(parsed.hostname or "") and parsed.port != 0
        )
    except ValueError as error:
        raise _no_url() from error
    is_strict = world.chose("webhook_urls", "https_or_local")
    if not good or (is_strict and parsed.scheme == "http" and parsed.hostname not in LOCAL):
        raise _no_url()
    return value


def _no_url() -> FintocApiError:
    return refusal("invalid_params", "url has to be an absolute URL.", param="url")


def _subscriptions(ask: Ask) -> tuple[str, ...] | None:
    wanted = ask.texts("enabled_events")
    if wanted == ():
        raise refusal("missing_parameter", "enabled_events is empty.", param="enabled_events")
    for event_type in wanted or ():
        _check_subscription(event_type, "enabled_events")
    return wanted


def _check_subscription(event_type: str, param: str) -> None:
    if event_type not in events.EVENT_TYPES:
        message = f"No such event: {event_type}."
        raise refusal("invalid_webhook_subscription", message, param=param)
