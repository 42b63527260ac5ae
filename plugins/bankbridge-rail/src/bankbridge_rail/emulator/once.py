"""Requests sent twice and done once: ``Idempotency-Key``, https://docs.rail.cl/guides/mfa-handling.

undocumented: all but the header itself. The switches say what else.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import attrs
from starlette.responses import Response

from bankbridge.emulation import Answer, IdempotencyConflictError, IdempotencyKeys
from bankbridge.emulation.idempotency import UNSTORED_STATUSES
from bankbridge_rail.emulator.answers import Call, RailError
from bankbridge_rail.emulator.world import World

HEADER: Final = "idempotency-key"
_DAY: Final = timedelta(hours=24)
_ERRORS: Final = frozenset(range(400, 600))


class Once:
    """The first answer to every key, by mode: a key of test mode has nothing to do with the same one of live mode."""

    def __init__(self, world: World) -> None:
        self._world = world
        switches = world.switches
        unstored = UNSTORED_STATUSES if switches["idempotency_errors"] == "replayed" else _ERRORS
        self._keys = (
            IdempotencyKeys(unstored=unstored)
            if switches["idempotency_lifetime"] == "for_ever"
            else IdempotencyKeys(unstored=unstored, clock=world.clock, keeps_for=_DAY)
        )
        self._busy: set[str] = set()

    async def answer(self, call: Call, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """What ``make`` answers now, or answered before for the same key. Raises `RailError`."""
        given = call.request.headers.get(HEADER)
        if given is None or self._world.switches["idempotency"] == "ignored":
            return await make()
        key = f"{call.mode.name} {given}"
        if key in self._busy and self._world.switches["idempotency_in_flight"] == "409":
            raise RailError(409, "idempotency_in_flight", "the first request with this key is under way")
        is_made = False

        async def first() -> Answer:
            nonlocal is_made
            is_made = True
            return await make()

        said = b" ".join((call.request.method.encode(), call.request.url.path.encode(), call.raw))
        self._busy.add(key)
        try:
            stored = await self._keys.once(key, said, first)
        except IdempotencyConflictError:
            return await self._mismatch(make)
        finally:
            self._busy.discard(key)
        return stored if is_made else self._again(stored)

    async def respond(self, call: Call, make: Callable[[], Awaitable[Response]]) -> Response:
        """`answer`, for a route that knows nothing of keys."""

        async def kept() -> Answer:
            try:
                response = await make()
            except RailError as error:
                response = error.response(self._world)
            return kept_answer(response)

        return given_answer(await self.answer(call, kept))

    def _again(self, stored: Answer) -> Answer:
        match self._world.switches["idempotency_replay"]:
            case "200":
                return attrs.evolve(stored, status=200) if stored.status < 300 else stored
            case "marked":
                return attrs.evolve(stored, headers={**stored.headers, "Idempotency-Replayed": "true"})
            case _:
                return stored

    async def _mismatch(self, make: Callable[[], Awaitable[Answer]]) -> Answer:
        mode = self._world.switches["idempotency_mismatch"]
        if mode == "ignored":
            return await make()
        raise RailError(
            int(mode),
            "idempotency_mismatch",
            "this idempotency key was used for another request: take a new key",
        )


def kept_answer(response: Response) -> Answer:
    """A response as it can be given again."""
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Answer(response.status_code, bytes(response.body), headers)


def given_answer(answer: Answer) -> Response:
    """A kept answer as HTTP."""
    return Response(answer.body, answer.status, dict(answer.headers))
