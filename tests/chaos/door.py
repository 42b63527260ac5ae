"""Where deliveries come in: one at a time, in the order in which they arrive, and none while the bridge is at work.

Nothing then depends on which of two threads was quicker. Only what the emulator must have told before it answers comes
in while the bridge waits for that very answer.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bankbridge.emulation import Server


class Door:
    """The receiver. ``bridge`` is whoever takes deliveries now; ``is_awaited`` says which may not wait."""

    def __init__(self, is_awaited: Callable[[str, dict[str, Any]], bool]) -> None:
        self.bridge: Any = None
        self.taken: list[tuple[str, str]] = []
        """Every acknowledged delivery: connection and event id."""
        self.refused = 0
        self._is_awaited = is_awaited
        self._is_shut = False
        self._server = Server(
            Starlette(
                routes=[Route("/hooks/{connection}", self._hook, methods=["POST"])], lifespan=self._lifespan
            )
        )

    @contextmanager
    def open(self) -> Iterator[str]:
        """Listen; the address without the connection's name."""
        with self._server:
            yield f"{self._server.url}/hooks"

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Keep everybody outside while the bridge is at work."""
        asyncio.run_coroutine_threadsafe(self._lock.acquire(), self._loop).result()
        self._is_shut = True
        try:
            yield
        finally:
            self._is_shut = False
            self._loop.call_soon_threadsafe(self._lock.release)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncGenerator[None]:
        self._loop, self._lock = asyncio.get_running_loop(), asyncio.Lock()
        yield

    async def _hook(self, request: Request) -> Response:
        connection, body = request.path_params["connection"], await request.body()
        event = _event_in(body)
        if self._is_shut and self._is_awaited(connection, event):
            return self._take(connection, request, body, event)
        async with self._lock:
            return self._take(connection, request, body, event)

    def _take(self, connection: str, request: Request, body: bytes, event: dict[str, Any]) -> Response:
        # In the loop itself, not beside it: so the next delivery waits for this one.
        answer = self.bridge.receive(connection, request.headers, body)
        if answer.status == 200:
            self.taken.append((connection, str(event.get("id"))))
        else:
            self.refused += 1
        return Response(answer.body, answer.status)


def _event_in(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
