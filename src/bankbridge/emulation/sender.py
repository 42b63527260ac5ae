"""Webhook delivery as the providers document it: signed, and tried again on a schedule."""

import asyncio
import functools
import hashlib
import hmac
import json
import ssl
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import attrs
import httpx

from bankbridge.emulation.clock import Clock

Sign: TypeAlias = Callable[[str, bytes, int], Mapping[str, str]]
"""``sign(secret, body, unix_timestamp)`` gives the headers that prove a delivery."""

_AT_ONCE: Final = timedelta(0)


@attrs.frozen(kw_only=True)
class Endpoint:
    """Where an application wants its events; ``enabled_events`` may hold ``*`` for all of them."""

    id: str
    url: str
    secret: str = attrs.field(repr=False)
    enabled_events: frozenset[str] = frozenset({"*"})


@attrs.frozen(kw_only=True)
class Faults:
    """What goes wrong with one event: sent ``copies`` times, ``lost``, or ``delay`` (virtual time) late."""

    copies: int = 1
    lost: bool = False
    delay: timedelta = _AT_ONCE


@attrs.frozen(kw_only=True)
class RetrySchedule:
    """The waits between tries: ``first``, then ``factor`` times longer each, at most ``retries`` of them.

    The default is Fintoc's, https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-creating-guide.
    """

    first: timedelta = timedelta(seconds=3)
    factor: int = 2
    retries: int = 17


@attrs.frozen(kw_only=True)
class Delivery:
    """One try: ``attempt`` counts from 1, ``status`` is None when no answer came, ``at`` is virtual time."""

    event_id: str
    url: str
    attempt: int
    status: int | None
    at: datetime


@attrs.define(eq=False, kw_only=True)
class Sending:
    """One event on its way to one endpoint, and every try so far."""

    event_id: str
    event_type: str
    endpoint: Endpoint
    faults: Faults
    tries: list[Delivery] = attrs.field(factory=list[Delivery])


NORMAL: Final = Faults()


class WebhookSender:
    """Posts events to endpoints from the event loop it is used in, and remembers every try.

    A try succeeds with a 2xx answer; ``timeout`` (real time) bounds how long the receiver may take.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        sign: Sign,
        schedule: RetrySchedule = RetrySchedule(),
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self._clock = clock
        self._sign = sign
        self._schedule = schedule
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None
        self._sendings: list[Sending] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def sendings(self) -> tuple[Sending, ...]:
        """Every event that was to be sent, in the order of `send`, the lost ones too."""
        return tuple(self._sendings)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Every try, grouped by event."""
        return tuple(try_ for sending in self._sendings for try_ in tuple(sending.tries))

    def send(self, endpoint: Endpoint, body: bytes, *, faults: Faults = NORMAL) -> asyncio.Future[None]:
        """Start to deliver an event (a JSON object with ``id`` and ``type``); call it inside the event loop.

        The future is done when the receiver has answered, well or not, the first try of every copy.
        """
        event = json.loads(body)
        sending = Sending(event_id=event["id"], event_type=event["type"], endpoint=endpoint, faults=faults)
        self._sendings.append(sending)
        answered = asyncio.get_running_loop().create_future()
        copies = 0 if faults.lost else faults.copies
        waiting = [asyncio.get_running_loop().create_future() for _ in range(copies)]
        for first in waiting:
            self._start(self._deliver(sending, body, first))
            first.add_done_callback(lambda _: _done_when_all_are(answered, waiting))
        _done_when_all_are(answered, waiting)
        return answered

    def is_quiet(self) -> bool:
        """Whether no try is under way, and nobody in this event loop sleeps past their time."""
        return not self._in_flight and not self._clock.is_overdue()

    async def drain(self) -> None:
        """Return when no try is under way; those that wait for a later moment do not count."""
        await self._idle.wait()

    async def close(self) -> None:
        """Give up what is pending, and close the connections."""
        pending = tuple(self._tasks)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def report(self) -> list[dict[str, Any]]:
        """What was sent, as JSON can say it: per event and endpoint, the status of every try."""
        return [
            {
                "id": sending.event_id,
                "type": sending.event_type,
                "endpoint_id": sending.endpoint.id,
                "lost": sending.faults.lost,
                "tries": len(sending.tries),
                "statuses": [try_.status for try_ in sending.tries],
            }
            for sending in self._sendings
        ]

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        self._enter()
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._leave())

    async def _deliver(self, sending: Sending, body: bytes, first: asyncio.Future[None]) -> None:
        try:
            if sending.faults.delay:
                await self._rest(sending.faults.delay)
            is_taken = await self._try(sending, body, 1)
        finally:
            if not first.done():
                first.set_result(None)
        wait = self._schedule.first
        for attempt in range(2, self._schedule.retries + 2):
            if is_taken:
                return
            await self._rest(wait)
            wait *= self._schedule.factor
            is_taken = await self._try(sending, body, attempt)

    async def _rest(self, wait: timedelta) -> None:
        self._leave()
        try:
            await self._clock.sleep(wait)
        finally:
            self._enter()

    async def _try(self, sending: Sending, body: bytes, attempt: int) -> bool:
        endpoint, at = sending.endpoint, self._clock.now()
        headers = {
            "content-type": "application/json",
            **self._sign(endpoint.secret, body, int(at.timestamp())),
        }
        if self._client is None:
            # Without the environment: a proxy has no business between an emulator and its receiver.
            self._client = httpx.AsyncClient(
                timeout=self._timeout.total_seconds(), trust_env=False, verify=_trusted()
            )
        try:
            status = (await self._client.post(endpoint.url, content=body, headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            status = None
        delivery = Delivery(
            event_id=sending.event_id, url=endpoint.url, attempt=attempt, status=status, at=at
        )
        sending.tries.append(delivery)
        return status is not None and 200 <= status < 300

    def _enter(self) -> None:
        self._in_flight += 1
        self._idle.clear()

    def _leave(self) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()


def sign_hmac_v1(header_name: str) -> Sign:
    """The signature of both first providers: ``HEADER: t=<unix>,v1=<hex>``.

    The digest is HMAC-SHA256 over ``<t>.<raw body>`` with the whole secret, prefix and all, as the key:
    https://docs.rail.cl/guides/webhooks and
    https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-validating.
    """

    def sign(secret: str, body: bytes, timestamp: int) -> Mapping[str, str]:
        message = str(timestamp).encode() + b"." + body
        digest = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
        return {header_name: f"t={timestamp},v1={digest}"}

    return sign


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Reading the certificates takes 50 ms, so once for all emulators."""
    return httpx.create_ssl_context(trust_env=False)


def _done_when_all_are(answered: asyncio.Future[None], waiting: list[asyncio.Future[None]]) -> None:
    if not answered.done() and all(first.done() for first in waiting):
        answered.set_result(None)
