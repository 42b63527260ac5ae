"""Before every route of the emulated Rail: counting, keys, the limit; and around it: envelopes and idempotency."""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeAlias

import attrs
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bankbridge_rail.emulator.answers import Call, RailError
from bankbridge_rail.emulator.once import Once
from bankbridge_rail.emulator.world import ApiKey, World

Handler: TypeAlias = Callable[[Call], Awaitable[Response]]

LIMIT: Final = 100
LIMIT_PERIOD: Final = timedelta(minutes=1)
"""https://docs.rail.cl/guides/mfa-handling: more than 100 requests in a minute are answered 429."""


@attrs.frozen
class Entrance:
    """A route of the API; one that ``does_once`` looks at idempotency keys itself."""

    method: str
    path: str
    handler: Handler
    does_once: bool = attrs.field(default=False, kw_only=True)


class Door:
    """Lets requests in."""

    def __init__(self, world: World, once: Once) -> None:
        self._world = world
        self._once = once

    def route(self, entrance: Entrance) -> Route:
        """A route that is counted, wants a secret key, obeys the limit, and answers every error in the envelope."""
        world, name = self._world, f"{entrance.method} {entrance.path}"

        async def guarded(request: Request) -> Response:
            world.agenda.catch_up()
            world.requests[name] += 1
            try:
                key = self._check_key(request)
                self._check_rate(key)
                call = Call(request=request, key=key, mode=world.modes[key.mode], raw=await request.body())
                return await self._answer(entrance, call)
            except RailError as error:
                return error.response(world)

        return Route(entrance.path, guarded, methods=[entrance.method])

    async def outside(self, _request: Request, error: Exception) -> Response:
        """What a path or a method that does not exist is answered."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        code = {404: "not_found", 405: "method_not_allowed"}.get(status, "error")
        message = "there is nothing at this path, or not with this method"
        return RailError(status, code, message).response(self._world)

    async def _answer(self, entrance: Entrance, call: Call) -> Response:
        is_everywhere = self._world.switches["idempotency_paths"] == "every_post"
        if entrance.method == "POST" and not entrance.does_once and is_everywhere:
            return await self._once.respond(call, lambda: entrance.handler(call))
        return await entrance.handler(call)

    def _check_key(self, request: Request) -> ApiKey:
        given = request.headers.get("authorization", "")
        key = self._world.keys.get(given.removeprefix("Bearer ")) if given.startswith("Bearer ") else None
        if key is None:
            raise RailError(
                401, "unauthorized", "the secret key is missing or wrong: send it as a bearer token"
            )
        if not key.works(self._world.clock.now()):
            raise RailError(401, "unauthorized", "this key was rotated and works no more: use the new one")
        if key.type == "publishable":
            status = int(self._world.switches["publishable_key"])
            code = "unauthorized" if status == 401 else "forbidden"
            raise RailError(status, code, "this is a publishable key: use the secret key")
        return key

    def _check_rate(self, key: ApiKey) -> None:
        mode = self._world.switches["rate_limit"]
        if mode == "off":
            return
        scope = key.id if self._world.switches["rate_limit_scope"] == "key" else "organisation"
        now, recent = self._world.clock.now(), self._world.recent.setdefault(scope, deque())
        while recent and recent[0] <= now - LIMIT_PERIOD:
            recent.popleft()
        if len(recent) >= LIMIT:
            raise too_many("more than 100 requests in a minute", self._wait(recent[0] + LIMIT_PERIOD - now))
        recent.append(now)

    def _wait(self, left: timedelta) -> timedelta | None:
        return left if self._world.switches["rate_limit"] == "on" else None


def too_many(message: str, wait: timedelta | None) -> RailError:
    """A 429, with ``Retry-After`` where the wait is to be told; whole seconds, as a client in production reads them."""
    headers = {} if wait is None else {"Retry_After": str(math.ceil(wait.total_seconds()))}
    return RailError(429, "rate_limited", message, **headers)
