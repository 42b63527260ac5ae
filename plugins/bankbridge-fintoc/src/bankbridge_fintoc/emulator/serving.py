"""The emulated Fintoc at work: its application, what happens by itself, and the webhooks that leave."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import BaseRoute

from bankbridge.emulation import (
    Background,
    Delivery,
    Emulator,
    FaultyHttp,
    IdempotencyKeys,
    RetrySchedule,
    Sending,
    Sign,
    WebhookSender,
    control_routes,
    sign_hmac_v1,
)
from bankbridge_fintoc.emulator import asking
from bankbridge_fintoc.emulator.app import Desk, api_routes, envelope, wrong_address
from bankbridge_fintoc.emulator.door import Door, make_keys
from bankbridge_fintoc.emulator.world import World

SIGNATURE_HEADER: Final = "Fintoc-Signature"
"""https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-validating"""

# Only a failed authentication is not kept: https://docs.fintoc.com/reference/idempotent-requests.
UNKEPT: Final = (401,)

SCHEDULE: Final = RetrySchedule()
"""3 s after the first try, then twice as long each, 17 times:
https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-creating-guide"""

T = TypeVar("T")


class Service:
    """A world that is served: everything that touches it does so in one event loop."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.keys = make_keys(world)
        self.sender = WebhookSender(
            clock=world.clock,
            sign=_sign(),
            schedule=SCHEDULE,
            resigns=world.chose("retry_signature", "fresh"),
            timeout=world.timings.delivery_timeout,
        )
        self._waiting: list[Sending] = []
        """What an endpoint may be disabled for when its last retry was refused."""
        self._watched = 0
        if world.chose("auto_disable", "after_the_last_retry"):
            world.look_after = self._disable_the_deaf
        self._background = Background()
        self._changed = asyncio.Event()

    def application(self, emulator: Emulator, more: Sequence[BaseRoute]) -> Starlette:
        """The API, and the controls of an emulator."""
        world = self.world
        keeps = world.chose("stored_keys", "24_hours")
        desk = Desk(
            world=world,
            door=Door(world=world, keys=self.keys),
            keys=IdempotencyKeys(
                unstored=UNKEPT,
                clock=world.clock if keeps else None,
                keeps_for=world.timings.key_life if keeps else None,
            ),
            send_events=self._send_after_request,
        )
        elsewhere = wrong_address(desk)

        async def rates(request: Request) -> Mapping[str, float]:
            return asking.rates_of(world, request, await request.body())

        return Starlette(
            routes=[*api_routes(desk), *control_routes(emulator, more)],
            exception_handlers={404: elsewhere, 405: elsewhere},
            middleware=[Middleware(FaultyHttp, world.faults, envelope=envelope(world), rates=rates)],
            lifespan=self._lifespan,
        )

    def change(self, act: Callable[[World, datetime], T]) -> T:
        """Do something in the world as it is by now, from any thread."""

        def run() -> T:
            done = act(self.world, self.world.catch_up())
            self._changed.set()
            return done

        return self._background.call(run)

    def settle(self, timeout: timedelta) -> None:
        """Return when nothing more can happen until the clock moves or somebody asks for something."""
        self._background.settle(self.sender.is_quiet, timeout)

    def _disable_the_deaf(self) -> None:
        """Disable every endpoint that has refused an event to the last. Undocumented: see the switch `auto_disable`."""
        sendings = self.sender.sendings
        self._waiting += sendings[self._watched :]
        self._watched = len(sendings)
        over = [one for one in self._waiting if _is_over(one)]
        self._waiting = [one for one in self._waiting if not _is_over(one)]
        for sending in over:
            endpoint = self.world.endpoints.get(sending.endpoint.id)
            if endpoint is not None and not any(_is_good(one) for one in sending.tries):
                endpoint.disabled = True

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncGenerator[None]:
        # An Event belongs to the first loop that waits for it, and the app may be served more than once.
        self._changed = asyncio.Event()
        try:
            async with self._background.running():
                self._background.spawn(self._live())
                yield
        finally:
            await self.sender.close()

    async def _live(self) -> None:
        """Let things happen when their time comes, and send what there is to tell."""
        while True:
            self.world.catch_up()
            self._send_events()
            await self._until_something_is_due()

    async def _until_something_is_due(self) -> None:
        next_at = self.world.next_at()
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._changed.wait())]
        if next_at is not None:
            waits.append(asyncio.ensure_future(self.world.clock.sleep_until(next_at)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._changed.clear()

    def _send_after_request(self) -> list[asyncio.Future[None]]:
        # The request may have put something on the agenda that comes before what is being waited for.
        self._changed.set()
        return self._send_events()

    def _send_events(self) -> list[asyncio.Future[None]]:
        """Start what is to be sent; only in the loop."""
        outbox, self.world.outbox = self.world.outbox, []
        return [
            self.sender.send(
                one.endpoint, json.dumps(one.event, ensure_ascii=False).encode(), faults=one.faults
            )
            for one in outbox
        ]


def _is_over(sending: Sending) -> bool:
    return any(one.attempt > SCHEDULE.retries or _is_good(one) for one in sending.tries)


def _is_good(delivery: Delivery) -> bool:
    return delivery.status is not None and 200 <= delivery.status < 300


def _sign() -> Sign:
    """Fintoc's signature; none where there is no secret."""
    sign = sign_hmac_v1(SIGNATURE_HEADER)

    def signed(secret: str, body: bytes, timestamp: int) -> Mapping[str, str]:
        return sign(secret, body, timestamp) if secret else {}

    return signed
