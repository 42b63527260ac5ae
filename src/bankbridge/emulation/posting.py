"""The line to one webhook endpoint: a few connections of its own, whatever becomes of the others."""

import asyncio
import functools
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import httpx

MOST_AT_ONCE: Final = 20
"""How many tries may be under way to one endpoint; the next ones queue."""

_ONE_CONNECTION: Final = httpx.Limits(max_connections=1, max_keepalive_connections=1)


class Line:
    """The way to one endpoint, for `MOST_AT_ONCE` tries at a time; ``timeout`` (real time) bounds each.

    Its own, since a receiver that hangs must not keep others from theirs.
    """

    def __init__(self, timeout: timedelta) -> None:
        self._timeout = timeout
        self._turn = asyncio.Semaphore(MOST_AT_ONCE)
        self._lanes: list[Lane] = []
        self._free: list[Lane] = []

    @asynccontextmanager
    async def lane(self) -> AsyncGenerator["Lane"]:
        """A connection for one try, as soon as one is free; those who wait are served in turn."""
        async with self._turn:
            lane = self._free.pop() if self._free else self._add_lane()
            try:
                yield lane
            finally:
                self._free.append(lane)

    async def close(self) -> None:
        """Close the connections."""
        for lane in self._lanes:
            await lane.close()

    def _add_lane(self) -> "Lane":
        lane = Lane(self._timeout)
        self._lanes.append(lane)
        return lane


class Lane:
    """One connection, with a client of its own: httpx looks through all it has at every request, and 20 cost thrice."""

    def __init__(self, timeout: timedelta) -> None:
        # Without the environment: a proxy has no business between an emulator and its receiver.
        self._client = httpx.AsyncClient(
            timeout=timeout.total_seconds(), limits=_ONE_CONNECTION, trust_env=False, verify=_trusted()
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        """The status of the answer, None when there is none."""
        try:
            return (await self._client.post(url, content=body, headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Reading the certificates takes 50 ms, so once for all emulators."""
    return httpx.create_ssl_context(trust_env=False)
