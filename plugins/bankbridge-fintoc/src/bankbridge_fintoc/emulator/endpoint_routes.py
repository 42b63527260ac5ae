"""Fintoc's endpoints for webhook endpoints: https://docs.fintoc.com/api/main-resources/webhook-endpoints."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

import attrs

from bankbridge_fintoc.emulator import events, render
from bankbridge_fintoc.emulator.answers import Answered, Route
from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.errors import FintocApiError, refusal
from bankbridge_fintoc.emulator.paging import page_of
from bankbridge_fintoc.emulator.world import Outgoing, WebhookEndpoint, World

HOST: Final = re.compile(r"[A-Za-z0-9._:-]+")


def create_webhook_endpoint(world: World, ask: Ask) -> Answered:
    """Only this answer shows the secret."""
    wanted = _subscriptions(ask)
    if wanted is None:
        raise refusal("missing_parameter", "Missing required param: enabled_events.", param="enabled_events")
    endpoint = WebhookEndpoint(
        id=world.ids.new("we_"),
        url=_url(ask.required("url")),
        name=ask.text("name"),
        description=ask.text("description"),
        enabled_events=wanted,
        created_at=ask.now,
        secret=world.ids.new("whsec_test_", 32),
    )
    world.endpoints[endpoint.id] = endpoint
    return Answered(
        status=int(world.switches["create_status"]), body=render.webhook_endpoint(endpoint, secret=True)
    )


def list_webhook_endpoints(world: World, ask: Ask) -> Answered:
    """Newest first."""
    return page_of([render.webhook_endpoint(one) for one in reversed(world.endpoints.values())], ask)


def get_webhook_endpoint(world: World, ask: Ask) -> Answered:
    """One endpoint, without its secret."""
    return Answered(status=200, body=render.webhook_endpoint(_endpoint(world, ask)))


def update_webhook_endpoint(world: World, ask: Ask) -> Answered:
    """The answer speaks of a `status`, the update of a boolean `disabled`."""
    endpoint = _endpoint(world, ask)
    # All is checked before anything is changed.
    changed = attrs.evolve(
        endpoint,
        url=_url(ask.text("url") or endpoint.url),
        enabled_events=_subscriptions(ask) or endpoint.enabled_events,
        name=ask.text("name") or endpoint.name,
        description=ask.text("description") or endpoint.description,
        disabled=ask.boolean("disabled", default=endpoint.disabled),
    )
    world.endpoints[endpoint.id] = changed
    return Answered(status=200, body=render.webhook_endpoint(changed))


def delete_webhook_endpoint(world: World, ask: Ask) -> Answered:
    """Nothing new leaves for it from now on."""
    del world.endpoints[_endpoint(world, ask).id]
    return Answered(status=204)


def send_test_event(world: World, ask: Ask) -> Answered:
    """Answered with the event that is sent."""
    endpoint = _endpoint(world, ask)
    event_type = ask.required("type")
    _check_subscription(event_type, "type")
    event = events.tested(world, event_type, ask.now)
    world.outbox.append(Outgoing(endpoint=endpoint.address(), event=event, faults=events.NORMAL))
    return Answered(status=200, body=event)


ENDPOINT_ROUTES: Final[Mapping[tuple[str, str], Route]] = MappingProxyType(
    {
        ("POST", "/v1/webhook_endpoints"): create_webhook_endpoint,
        ("GET", "/v1/webhook_endpoints"): list_webhook_endpoints,
        ("GET", "/v1/webhook_endpoints/{endpoint_id}"): get_webhook_endpoint,
        ("PATCH", "/v1/webhook_endpoints/{endpoint_id}"): update_webhook_endpoint,
        ("DELETE", "/v1/webhook_endpoints/{endpoint_id}"): delete_webhook_endpoint,
        ("POST", "/v1/webhook_endpoints/{endpoint_id}/test"): send_test_event,
    }
)


def _endpoint(world: World, ask: Ask) -> WebhookEndpoint:
    endpoint_id = ask.parts["endpoint_id"]
    if endpoint_id not in world.endpoints:
        message = f"No such webhook endpoint: {endpoint_id}. Its id starts with we_."
        raise refusal("missing_resource", message)
    return world.endpoints[endpoint_id]


def _url(value: str) -> str:
    """A URL that can be posted to; Fintoc wants https, here http will do, for receivers next door."""
    try:
        parsed = urlsplit(value)
        good = (
            parsed.scheme in ("http", "https") and HOST.fullmatch(parsed.hostname or "") and parsed.port != 0
        )
    except ValueError as error:
        raise _no_url() from error
    if not good:
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
