"""The HTTP API of the emulated Rail: links, accounts, movements and webhook endpoints."""

from typing import Final, cast
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bankbridge.emulation import Endpoint
from bankbridge_rail.emulator import bodies
from bankbridge_rail.emulator.answers import (
    Handler,
    RailError,
    answer,
    find_link,
    flag,
    json_object,
    listed,
    page_number,
    route,
    text,
)
from bankbridge_rail.emulator.bank import LINK_DELETED, Bank
from bankbridge_rail.emulator.events import EVENT_TYPES, Events
from bankbridge_rail.emulator.intents import IntentRoutes
from bankbridge_rail.emulator.world import Account, Link, World

PER_PAGE: Final = 30
"""undocumented: movements per page, as a client in production assumes."""


def rail_routes(world: World, bank: Bank, events: Events, secret_key: str) -> list[BaseRoute]:
    """Every documented route that the emulator has."""
    reads, intents = _Routes(world, bank, events), IntentRoutes(world, bank)
    table: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/v1/links", reads.links),
        ("GET", "/v1/links/{link_id}", reads.link),
        ("DELETE", "/v1/links/{link_id}", reads.delete_link),
        ("GET", "/v1/accounts", reads.accounts),
        ("GET", "/v1/accounts/{account_id}", reads.account),
        ("GET", "/v1/accounts/{account_id}/movements", reads.movements),
        ("GET", "/v1/webhook_endpoints", reads.endpoints),
        ("POST", "/v1/webhook_endpoints", reads.create_endpoint),
        ("POST", "/v1/refresh_intents", intents.create),
        ("GET", "/v1/refresh_intents/{intent_id}", intents.read),
        ("DELETE", "/v1/refresh_intents/{intent_id}", intents.cancel),
    )
    return [route(world, secret_key, method, path, handler) for method, path, handler in table]


class _Routes:
    def __init__(self, world: World, bank: Bank, events: Events) -> None:
        self._world = world
        self._bank = bank
        self._events = events

    async def links(self, _request: Request) -> Response:
        return listed(self._world, (bodies.link_body(self._world, link) for link in self._world.live_links()))

    async def link(self, request: Request) -> Response:
        return answer(bodies.link_body(self._world, find_link(self._world, request.path_params["link_id"])))

    async def delete_link(self, request: Request) -> Response:
        delete_link(self._world, self._bank, self._events, request.path_params["link_id"])
        return Response(status_code=204)

    async def accounts(self, request: Request) -> Response:
        link_id, is_with_removed = request.query_params.get("link_id"), flag(request, "include_removed")
        links = self._world.live_links() if link_id is None else (find_link(self._world, link_id),)
        return listed(
            self._world,
            (
                bodies.account_body(link, account)
                for link in links
                for account in link.accounts.values()
                if is_with_removed or account.removed_at is None
            ),
        )

    async def account(self, request: Request) -> Response:
        return answer(bodies.account_body(*self._find_account(request)))

    async def movements(self, request: Request) -> Response:
        _, account = self._find_account(request)
        page, is_confirmed_only = page_number(request), flag(request, "confirmed_only")
        rows = bodies.movement_bodies(
            account, is_confirmed_only=is_confirmed_only, page=page, per_page=PER_PAGE
        )
        return listed(self._world, rows)

    async def endpoints(self, _request: Request) -> Response:
        return listed(self._world, (_endpoint_body(endpoint) for endpoint in self._world.endpoints.values()))

    async def create_endpoint(self, request: Request) -> Response:
        body = await json_object(request)
        endpoint = Endpoint(
            id=self._world.new_id("we"),
            url=_webhook_url(text(body, "url")),
            secret=f"whsec_{self._world.new_hex('whsec', 32)}",
            enabled_events=_enabled_events(body.get("enabled_events")),
        )
        self._world.endpoints[endpoint.id] = endpoint
        return answer({**_endpoint_body(endpoint), "secret": endpoint.secret}, 201)

    def _find_account(self, request: Request) -> tuple[Link, Account]:
        account = self._world.accounts.get(request.path_params["account_id"])
        if account is None or self._world.links[account.link_id].status == "deleted":
            raise RailError(404, "not_found", "there is no such account")
        return self._world.links[account.link_id], account


def delete_link(world: World, bank: Bank, events: Events, link_id: str) -> None:
    """Delete a link and say so. undocumented: what becomes of a running intent; here it fails."""
    link, at = find_link(world, link_id), world.clock.now()
    for intent in link.intents.values():
        bank.end(link, intent, LINK_DELETED, at)
    link.status = "deleted"
    events.emit(link, "link.deleted", bodies.link_deleted(link, at), at)


def _endpoint_body(endpoint: Endpoint) -> bodies.Body:
    return {
        "object": "webhook_endpoint",
        "id": endpoint.id,
        "url": endpoint.url,
        "enabled_events": sorted(endpoint.enabled_events),
    }


def _webhook_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not (is_good and url.isascii() and url.isprintable() and " " not in url):
        raise RailError(422, "invalid_parameter", "url must be an http or https address")
    return url


def _enabled_events(given: object) -> frozenset[str]:
    known = ("*", *EVENT_TYPES)
    wanted = cast(list[object], given) if isinstance(given, list) else []
    names = frozenset(name for name in known if name in wanted)
    if not wanted or any(name not in known for name in wanted):
        raise RailError(422, "invalid_parameter", f"enabled_events must be a list of {', '.join(known)}")
    return names
