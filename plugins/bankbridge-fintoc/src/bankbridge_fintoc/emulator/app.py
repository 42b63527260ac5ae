"""The HTTP side of the emulator: what is answered twice alike, errors in their envelope, what is remembered.

https://docs.fintoc.com/reference/idempotent-requests
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, cast

import attrs
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as HttpRoute

from bankbridge.emulation import Answer, IdempotencyConflictError, IdempotencyKeys, LostResponse
from bankbridge_fintoc.emulator import asking
from bankbridge_fintoc.emulator.account_routes import ACCOUNT_ROUTES
from bankbridge_fintoc.emulator.answers import Answered, Route
from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.door import Door
from bankbridge_fintoc.emulator.endpoint_routes import ENDPOINT_ROUTES
from bankbridge_fintoc.emulator.errors import FintocApiError, refusal
from bankbridge_fintoc.emulator.link_routes import LINK_ROUTES
from bankbridge_fintoc.emulator.objects import Json, Link
from bankbridge_fintoc.emulator.refresh_routes import REFRESH_ROUTES
from bankbridge_fintoc.emulator.world import World

ROUTES: Final[Mapping[tuple[str, str], Route]] = MappingProxyType(
    {**LINK_ROUTES, **ACCOUNT_ROUTES, **REFRESH_ROUTES, **ENDPOINT_ROUTES}
)
"""Every route of the emulated API, by method and path."""

CREATE: Final = "POST /v1/refresh_intents"

CACHE_CONTROL: Final = "max-age=0, private, must-revalidate"
"""With this a client may keep an answer, and ask whether it still holds: as in fintoc-ruby's cassettes."""


@attrs.frozen(kw_only=True)
class Desk:
    """What every request needs; `send_events` starts the due deliveries and tells when each is answered."""

    world: World
    door: Door
    keys: IdempotencyKeys = attrs.field(repr=False)
    send_events: Callable[[], Sequence[asyncio.Future[None]]]


def api_routes(desk: Desk) -> list[BaseRoute]:
    """The API's routes, each with and without a slash at its end, as the documents write them."""
    return [
        HttpRoute(path + slash, _respond_with(desk, f"{method} {path}", route), methods=[method])
        for (method, path), route in ROUTES.items()
        for slash in ("", "/")
    ]


def wrong_address(desk: Desk) -> Callable[[Request, Exception], Awaitable[Response]]:
    """What answers when there is no such path, or not with this method."""

    async def respond(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == 405:
            refused = refusal("operation_not_allowed", f"{request.method} is not allowed here.")
        else:
            refused = refusal("invalid_url", "Unknown URL.")
        return _response(desk, request, _bytes(_refused(desk.world, refused)))

    return respond


def envelope(world: World) -> Callable[[int], Response]:
    """What answers in the place of the API when it is down (500) or was asked too much (429)."""

    def respond(status: int) -> Response:
        if status == 429:
            refused = refusal("rate_limit_exceeded", "Too many requests.")
        else:
            refused = refusal("internal_server_error", "Something went wrong on our side.", status=status)
        answer = _bytes(_refused(world, refused))
        return Response(answer.body, answer.status, dict(answer.headers))

    return respond


def _respond_with(desk: Desk, name: str, route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        raw = await request.body()
        try:
            exchange = _let_in(desk, request, raw)
        except FintocApiError as error:
            return _response(desk, request, _bytes(_refused(desk.world, error)))
        link = _link_meant(desk.world, exchange.ask)
        _count(desk.world, name, link)
        answer = await _answer(desk, route, exchange)
        if link is not None and name == CREATE:
            link.creates.append(_create(exchange, answer))
        received = desk.send_events()
        if received and exchange.decided.tells_first:
            await asyncio.wait(received)
        if exchange.decided.is_lost:
            # An ASGI application is all that Starlette asks of a response.
            return cast(Response, LostResponse())
        return _response(desk, request, answer)

    return respond


@attrs.define(kw_only=True)
class _Exchange:
    """A request that was let in, and what was decided about it; nothing, where the answer is given again."""

    request: Request
    ask: Ask
    decided: Answered = attrs.field(factory=lambda: Answered(status=0))


def _let_in(desk: Desk, request: Request, raw: bytes) -> _Exchange:
    """What was asked, by somebody who may."""
    world = desk.world
    now = world.catch_up()
    visitor = desk.door.let_in(request)
    if world.chose("throttled_keys", "not_kept"):
        desk.door.count(request, now)
    return _Exchange(request=request, ask=asking.read(request, raw, world, visitor, now))


def _link_meant(world: World, ask: Ask) -> Link | None:
    if "link_id" in ask.parts:
        return world.links.get(ask.parts["link_id"])
    token = ask.parts.get("link_token", ask.fields.get("link_token"))
    return world.link_with_token(token, ask.mode) if isinstance(token, str) else None


def _count(world: World, name: str, link: Link | None) -> None:
    world.requests[name] += 1
    if link is not None:
        link.requests[name] += 1


def _create(exchange: _Exchange, answer: Answer) -> Json:
    """What is remembered of a request to create, answered for the first time or again."""
    body = json.loads(answer.body)
    return {
        "idempotency_key": exchange.ask.idempotency_key,
        "status": answer.status,
        "code": body.get("error", {}).get("code"),
        "intent_id": body.get("id"),
        "at": exchange.ask.now.isoformat(),
        "lost": exchange.decided.is_lost,
    }


async def _answer(desk: Desk, route: Route, exchange: _Exchange) -> Answer:
    """The answer, kept under its key; one that is given again is never lost or late."""
    ask, world = exchange.ask, desk.world

    async def make() -> Answer:
        try:
            if world.chose("throttled_keys", "kept"):
                desk.door.count(exchange.request, ask.now)
            exchange.decided = route(world, ask)
        except FintocApiError as error:
            exchange.decided = _refused(world, error)
        return _bytes(exchange.decided)

    key = None if ask.idempotency_key is None else f"{ask.mode} {ask.idempotency_key}"
    same = f"{ask.method} {ask.path} {json.dumps(ask.fields, sort_keys=True)}"
    try:
        return await desk.keys.once(key, same.encode(errors="replace"), make)
    except IdempotencyConflictError:
        # undocumented: with which code and status a key that belongs to another request is refused.
        message, status = (
            "This Idempotency-Key was used with other parameters.",
            world.switches["key_conflict"],
        )
        conflict = refusal("invalid_params", message, param="Idempotency-Key", status=int(status))
        return _bytes(_refused(world, conflict))


def _refused(world: World, error: FintocApiError) -> Answered:
    bare = world.chose("error_fields", "bare")
    return Answered(status=error.status, body=cast(Json, error.body(bare=bare)))


def _bytes(answered: Answered) -> Answer:
    if answered.body is None:
        return Answer(answered.status, b"", answered.headers)
    # A lone surrogate that came in as JSON cannot be written in UTF-8.
    body = json.dumps(answered.body, ensure_ascii=False).encode(errors="replace")
    return Answer(
        answered.status, body, {**answered.headers, "content-type": "application/json; charset=utf-8"}
    )


def _response(desk: Desk, request: Request, answer: Answer) -> Response:
    """The answer with the headers that a client could go by; nothing is sent that the client has already."""
    headers = {
        **answer.headers,
        "cache-control": CACHE_CONTROL,
        "x-request-id": desk.world.ids.secret("", "request", desk.world.number("request")),
    }
    if answer.body and answer.status == 200:
        headers["etag"] = f'W/"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
        known = request.headers.get("if-none-match", "")
        if request.method == "GET" and headers["etag"] in (tag.strip() for tag in known.split(",")):
            del headers["content-type"]
            return Response(status_code=304, headers=headers)
    return Response(answer.body, answer.status, headers)
