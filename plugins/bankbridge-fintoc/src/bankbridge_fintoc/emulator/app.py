"""The HTTP side of the emulator: who is let in, what is answered twice alike, errors in their envelope.

https://docs.fintoc.com/api/fintoc-api/authentication and https://docs.fintoc.com/reference/idempotent-requests
"""

import asyncio
import hmac
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

from bankbridge.emulation import Answer, LostResponse
from bankbridge_fintoc.emulator import asking
from bankbridge_fintoc.emulator.answers import Answered, Route
from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.data_routes import DATA_ROUTES
from bankbridge_fintoc.emulator.endpoint_routes import ENDPOINT_ROUTES
from bankbridge_fintoc.emulator.errors import FintocApiError, refusal
from bankbridge_fintoc.emulator.world import Ids, Json, Link, World

ROUTES: Final[Mapping[tuple[str, str], Route]] = MappingProxyType({**DATA_ROUTES, **ENDPOINT_ROUTES})
"""Every route of the emulated API, by method and path."""

CREATE: Final = "POST /v1/refresh_intents"


@attrs.frozen(kw_only=True)
class Desk:
    """What every request needs; `send_events` starts the due deliveries and tells when each is answered."""

    world: World
    secret_key: str = attrs.field(repr=False)
    send_events: Callable[[], Sequence[asyncio.Future[None]]]
    request_ids: Ids
    """Apart from the world's, so that reading something does not change the next object's id."""
    kept: dict[str, tuple[str, Answer]] = attrs.field(factory=dict[str, tuple[str, Answer]], repr=False)
    """By idempotency key: what was asked first, and the answer to it, whatever it was.

    Not `bankbridge.emulation.IdempotencyKeys`, which keeps no 429: here that is also "refreshed lately", and
    only a failed authentication is not kept.
    """


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
        return _response(desk, _bytes(_refused(refused)))

    return respond


def _respond_with(desk: Desk, name: str, route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        try:
            _let_in(desk, request)
            ask = await asking.read(request, desk.world)
        except FintocApiError as error:
            return _response(desk, _bytes(_refused(error)))
        link = _link_meant(desk.world, ask)
        _count(desk.world, name, link)
        answer, answered = _answer(desk, route, ask)
        if link is not None and name == CREATE:
            link.creates.append(_create(ask, answer, is_lost=answered.is_lost))
        received = desk.send_events()
        if received and answered.tells_first:
            await asyncio.wait(received)
        if answered.is_lost:
            # An ASGI application is all that Starlette asks of a response.
            return cast(Response, LostResponse())
        return _response(desk, answer)

    return respond


def _let_in(desk: Desk, request: Request) -> None:
    """The documents ask for the raw key; `Bearer` is what Fintoc's own ruby SDK sends."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), desk.secret_key.encode()):
        raise refusal("invalid_api_key", "Invalid API key: send the secret key in Authorization.")


def _count(world: World, name: str, link: Link | None) -> None:
    world.requests[name] += 1
    if link is not None:
        link.requests[name] += 1


def _create(ask: Ask, answer: Answer, *, is_lost: bool) -> Json:
    """What is remembered of a request to create, answered for the first time or again."""
    body = json.loads(answer.body)
    return {
        "idempotency_key": ask.idempotency_key,
        "status": answer.status,
        "code": body.get("error", {}).get("code"),
        "intent_id": body.get("id"),
        "at": ask.now.isoformat(),
        "lost": is_lost,
    }


def _link_meant(world: World, ask: Ask) -> Link | None:
    if "link_id" in ask.parts:
        return world.links.get(ask.parts["link_id"])
    token = ask.parts.get("link_token", ask.fields.get("link_token"))
    return world.link_with_token(token) if isinstance(token, str) else None


def _answer(desk: Desk, route: Route, ask: Ask) -> tuple[Answer, Answered]:
    """The answer, as bytes and as it was decided; one that is given again is never lost or late."""
    key = ask.idempotency_key if ask.method == "POST" else None
    same = f"{ask.method} {ask.path} {json.dumps(ask.fields, sort_keys=True)}"
    if key is not None and key in desk.kept:
        first, answer = desk.kept[key]
        return (answer if first == same else _bytes(KEY_OF_ANOTHER)), Answered(status=answer.status)
    answered = _decide(desk.world, route, ask)
    answer = _bytes(answered)
    if key is not None:
        desk.kept[key] = (same, answer)
    return answer, answered


def _decide(world: World, route: Route, ask: Ask) -> Answered:
    try:
        return route(world, ask)
    except FintocApiError as error:
        return _refused(error)


def _refused(error: FintocApiError) -> Answered:
    return Answered(status=error.status, body=error.body())


# undocumented: with which code a key that belongs to another request is refused.
KEY_OF_ANOTHER: Final = _refused(
    refusal("invalid_params", "This Idempotency-Key was used with other parameters.", param="Idempotency-Key")
)


def _bytes(answered: Answered) -> Answer:
    if answered.body is None:
        return Answer(answered.status, b"", answered.headers)
    # A lone surrogate that came in as JSON cannot be written in UTF-8.
    body = json.dumps(answered.body, ensure_ascii=False).encode(errors="replace")
    return Answer(
        answered.status, body, {**answered.headers, "content-type": "application/json; charset=utf-8"}
    )


def _response(desk: Desk, answer: Answer) -> Response:
    headers = {**answer.headers, "x-request-id": desk.request_ids.new("", 32)}
    return Response(answer.body, answer.status, headers)
