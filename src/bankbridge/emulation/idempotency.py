"""Answers kept per ``Idempotency-Key``, so that a request sent twice is done once."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import attrs

# A request that was turned away at the door has not been done: the same key must be good for it later.
# Failed authentication: https://docs.fintoc.com/reference/idempotent-requests.
# undocumented: that throttling (429) is of the same kind.
UNSTORED_STATUSES: Final = frozenset({401, 429})


@attrs.frozen
class Answer:
    """A response as it can be given again: ``status``, the JSON ``body`` as bytes, extra ``headers``."""

    status: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


class IdempotencyConflictError(Exception):
    """The key was used before, for another request."""


class IdempotencyKeys:
    """The first answer to every key, 4xx and 5xx included, `UNSTORED_STATUSES` excepted."""

    def __init__(self) -> None:
        self._stored: dict[str, tuple[bytes, Answer]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def once(self, key: str | None, request: bytes, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """The stored answer to ``key``, or what ``make`` answers now; without a key always the latter.

        ``request`` is what makes two requests the same (method, path and raw body, say). A second request
        that comes while the first is under way waits for its answer. Raises `IdempotencyConflictError`
        when the key belongs to another request.
        """
        if key is None:
            return await make()
        async with self._locks[key]:
            if key in self._stored:
                first_request, answer = self._stored[key]
                if first_request != request:
                    raise IdempotencyConflictError(
                        f"idempotency key {key!r} was used for another request: take a new key"
                    )
                return answer
            answer = await make()
            if answer.status not in UNSTORED_STATUSES:
                self._stored[key] = (request, answer)
            return answer
