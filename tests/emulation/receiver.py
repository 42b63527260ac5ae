"""An application's webhook endpoint: takes what comes, and lets a test wait for it."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, Self

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bankbridge.emulation import Server

PATIENCE = 10.0


@attrs.frozen
class Received:
    """One delivery as it arrived."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


class Receiver:
    """Answers 200, or first the ``statuses`` it is given; a context manager around a real server."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = deque(statuses)
        self._arrived = threading.Condition()
        self._received: list[Received] = []
        self._server = Server(Starlette(routes=[Route("/hook", self._take, methods=["POST"])]))

    @property
    def url(self) -> str:
        return f"{self._server.url}/hook"

    @property
    def received(self) -> list[Received]:
        with self._arrived:
            return list(self._received)

    def types(self) -> list[str]:
        return [delivery.event["type"] for delivery in self.received]

    def answer(self, delivery: Received) -> int:
        """The status for a delivery; another kind of application may look at it first."""
        return self._statuses.popleft() if self._statuses else 200

    def forget(self) -> None:
        with self._arrived:
            self._received.clear()

    def wait_for(self, event_type: str, count: int = 1) -> list[Received]:
        """The deliveries of a type, once there are ``count`` of them."""
        with self._arrived:
            found = self._arrived.wait_for(lambda: self._of_type(event_type, count), PATIENCE)
        assert found, f"{event_type} x {count} did not come: {self.types()}"
        return found

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.stop()

    def _of_type(self, event_type: str, count: int) -> list[Received]:
        found = [delivery for delivery in self._received if delivery.event["type"] == event_type]
        return found if len(found) >= count else []

    async def _take(self, request: Request) -> Response:
        delivery = Received(dict(request.headers), await request.body())
        with self._arrived:
            self._received.append(delivery)
            self._arrived.notify_all()
        return Response(status_code=self.answer(delivery))
