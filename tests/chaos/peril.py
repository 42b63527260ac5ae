"""What can go wrong on our side of a request: the process dies before it is sent, or once its answer has come."""

import threading
from typing import Any

import httpx
from httpx_retries import RetryTransport

from bankbridge.emulation import Clock, FaultPlan
from bankbridge.shells.http import TIMEOUT, retries


class DiedError(BaseException):
    """The process is gone. Not an Exception: nothing in the process can catch its own end."""


class Fate:
    """Decides at which requests the process dies; the same ones for the same seed."""

    def __init__(self, seed: int, rate: float, clock: Clock) -> None:
        self._plan = FaultPlan(clock, seed=seed)
        self._rate = rate
        self._requests = 0
        self._lock = threading.Lock()
        self.deaths = 0
        self.is_over = False
        """Once set, the process lives."""

    def now(self) -> str | None:
        """Whether it dies at this request: ``before`` it, ``after`` it, or not at all."""
        with self._lock:
            self._requests += 1
            drawn = self._plan.draw("death", self._requests)
            if self.is_over or drawn >= self._rate:
                return None
            self.deaths += 1
            return "before" if drawn < self._rate / 2 else "after"


class Perilous(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The transport of every bridge, with a fate."""

    def __init__(self, fate: Fate) -> None:
        patience = retries()
        patience.backoff_factor = 0  # what waits in real time would only take long
        self._within = RetryTransport(retry=patience)
        self._fate = fate

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fate = self._fate.now()
        if fate == "before":
            raise DiedError
        response = self._within.handle_request(request)
        if fate == "after":
            response.close()
            raise DiedError
        return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fate = self._fate.now()
        if fate == "before":
            raise DiedError
        response = await self._within.handle_async_request(request)
        if fate == "after":
            await response.aclose()
            raise DiedError
        return response

    def close(self) -> None:
        self._within.close()

    async def aclose(self) -> None:
        await self._within.aclose()


def client_for(colour: str, fate: Fate) -> Any:
    """The client that a bridge of this colour is given."""
    make: Any = httpx.Client if colour == "blocking" else httpx.AsyncClient
    return make(timeout=TIMEOUT, transport=Perilous(fate), trust_env=False)
