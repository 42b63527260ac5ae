"""Before and after every route of the emulated Rail: keys, limits, counting, envelopes, reading of input."""

import json
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Final, TypeAlias, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bankbridge_rail.emulator.world import Link, World

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

LIMIT: Final = 100
LIMIT_PERIOD: Final = timedelta(minutes=1)
"""https://docs.rail.cl/guides/mfa-handling: more than 100 requests in a minute are answered 429."""


class RailError(Exception):
    """Any answer that is not a success. undocumented: the envelope; a client in production reads it so."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> Response:
        """The error as HTTP."""
        return answer({"error": {"code": self.code, "message": str(self)}}, self.status, self.headers)


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response, in ASCII: what a client sent may come back in it, half surrogates and all."""
    return Response(json.dumps(body), status, headers, media_type="application/json")


def listed(world: World, rows: Iterable[object]) -> Response:
    """A list in the shape that the switch ``list_shape`` says."""
    shape = list(rows)
    return answer({"data": shape} if world.switches["list_shape"] == "data" else shape)


def route(world: World, secret_key: str, method: str, path: str, handler: Handler) -> Route:
    """A route that is counted, wants the key, obeys the limit, and answers every error in the envelope."""

    async def guarded(request: Request) -> Response:
        world.requests[f"{method} {path}"] += 1
        try:
            _check_key(request, secret_key)
            _check_rate(world)
            return await handler(request)
        except RailError as error:
            return error.response()

    return Route(path, guarded, methods=[method])


async def outside_the_api(_request: Request, error: Exception) -> Response:
    """What a path or a method that does not exist is answered."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "error")
    return RailError(status, code, "there is nothing at this path, or not with this method").response()


async def json_object(request: Request) -> dict[str, Any]:
    """The body of a request. Raises `RailError` (400) unless it is a JSON object."""
    try:
        body: object = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise RailError(400, "invalid_json", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise RailError(400, "invalid_json", "the body is not a JSON object")
    return cast(dict[str, Any], body)


def text(body: dict[str, Any], name: str, default: str | None = None) -> str:
    """A field that must be a string with something in it. Raises `RailError` (400)."""
    value: object = body.get(name, default)
    if not isinstance(value, str) or not value:
        raise RailError(400, "invalid_parameter", f"{name} must be a non-empty string")
    return value


def flag(request: Request, name: str) -> bool:
    """A query parameter that is ``true`` or, the default, ``false``. Raises `RailError` (400)."""
    value = request.query_params.get(name, "false")
    if value not in {"true", "false"}:
        raise RailError(400, "invalid_parameter", f"{name} must be true or false")
    return value == "true"


def page_number(request: Request) -> int:
    """The query parameter ``page``, from 1. Raises `RailError` (400)."""
    value = request.query_params.get("page", "1")
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and int(value)):
        raise RailError(400, "invalid_parameter", "page must be a number, from 1")
    return int(value)


def find_link(world: World, link_id: str) -> Link:
    """A link that was not deleted. Raises `RailError` (404)."""
    link = world.links.get(link_id)
    if link is None or link.status == "deleted":
        raise RailError(404, "not_found", "there is no such link")
    return link


def _check_key(request: Request, secret_key: str) -> None:
    if request.headers.get("authorization") != f"Bearer {secret_key}":
        raise RailError(401, "unauthorized", "the secret key is missing or wrong: send it as a bearer token")


def _check_rate(world: World) -> None:
    if world.switches["rate_limit"] == "off":
        return
    now, recent = world.clock.now(), world.recent
    while recent and recent[0] <= now - LIMIT_PERIOD:
        recent.popleft()
    if len(recent) >= LIMIT:
        seconds = int((recent[0] + LIMIT_PERIOD - now).total_seconds()) + 1
        raise RailError(429, "rate_limited", "more than 100 requests in a minute", Retry_After=str(seconds))
    recent.append(now)
