"""Answers kept per ``Idempotency-Key``, so that a request sent twice is done once."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final

import attrs

from bankbridge.emulation.clock import Clock

# A request that was turned away at the door has not been done: the same key must be good for it later.
# Failed authentication: https://docs.fintoc.com/reference/idempotent-requests.
# undocumented: that throttling (429) is of the same kind.
UNSTORED_STATUSES: Final = frozenset({401, 429})

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@attrs.frozen
class Answer:
    """A response as it can be given again: ``status``, the JSON ``body`` as bytes, extra ``headers``."""

    status: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


class IdempotencyConflictError(Exception):
    """The key was used before, for another request."""


@attrs.frozen
class _Stored:
    request: bytes
    answer: Answer
    at: datetime


class IdempotencyKeys:
    """The first answer to every key, 4xx and 5xx included, those with an ``unstored`` status excepted.

    A key is forgotten when ``keeps_for`` has passed on the ``clock``; without that, never. Raises ValueError for the
    one without the other.
    """

    def __init__(
        self,
        *,
        unstored: Collection[int] = UNSTORED_STATUSES,
        clock: Clock | None = None,
        keeps_for: timedelta | None = None,
    ) -> None:
        if (clock is None) != (keeps_for is None):
            raise ValueError("clock and keeps_for go together: give both, or none to keep the keys for ever")
        self._clock = clock
        self._unstored = frozenset(unstored)
        self._keeps_for = keeps_for
        # The oldest first.
        self._stored: dict[str, _Stored] = {}
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
            self._forget_old()
            if (stored := self._stored.get(key)) is not None:
                if stored.request != request:
                    raise IdempotencyConflictError(
                        f"idempotency key {key!r} was used for another request: take a new key"
                    )
                return stored.answer
            answer = await make()
            if answer.status not in self._unstored:
                self._stored[key] = _Stored(request, answer, self._now())
            return answer

    def _forget_old(self) -> None:
        if self._keeps_for is None:
            return
        last = self._now() - self._keeps_for
        for key in tuple(takewhile(lambda key: self._stored[key].at <= last, self._stored)):
            del self._stored[key]
            # A lock that somebody waits for is the one to wait for.
            if not self._locks[key].locked():
                del self._locks[key]

    def _now(self) -> datetime:
        # Without a clock nothing grows old.
        return _NEVER if self._clock is None else self._clock.now()
