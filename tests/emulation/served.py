"""A webhook sender in a served emulator of nothing, so that a test can let it settle."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette

from bankbridge.emulation import (
    Background,
    Clock,
    Endpoint,
    Faults,
    Sending,
    Server,
    WebhookSender,
    sign_hmac_v1,
)

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
SECRET = "whsec_test_0123456789abcdef"
HEADER = "X-Signature"


class Served:
    """Time stands still, but for `advance`."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock(start=START, speed=0)
        self.sender = WebhookSender(clock=self.clock, sign=sign_hmac_v1(HEADER), **options)
        self._background = Background()
        self._app = Starlette(lifespan=self._lifespan)

    def send(self, url: str, *events: dict[str, Any], faults: Faults) -> None:
        """Send events at one moment, and settle."""
        endpoint = Endpoint(id="we_1", url=url, secret=SECRET)

        def send() -> None:
            for event in events:
                self.sender.send(endpoint, json.dumps(event).encode(), faults=faults)

        self._background.call(send)
        self.settle()

    def advance(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))
        self.settle()

    def settle(self) -> None:
        self._background.settle(self.sender.is_quiet)

    def sending(self, event_id: str) -> Sending:
        (found,) = (one for one in self.sender.sendings if one.event_id == event_id)
        return found

    @contextmanager
    def running(self) -> Iterator["Served"]:
        with Server(self._app):
            yield self

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncGenerator[None]:
        async with self._background.running():
            yield
        await self.sender.close()


def thing(number: int = 1, **data: Any) -> dict[str, Any]:
    """An event."""
    return {
        "id": f"evt_{number}",
        "type": "thing.happened",
        "created_at": "2026-06-03T15:00:00Z",
        "data": {"thing_id": f"thing_{number}", "status": "succeeded"} | data,
    }
