"""Webhook delivery as the providers document it: signed, and tried again on a schedule, with faults on demand."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from bankbridge.emulation.clock import Clock
from bankbridge.emulation.delivery_faults import NORMAL, Faults, corrupted, unknown_event, written
from bankbridge.emulation.posting import Line
from bankbridge.emulation.sending import Delivery, Endpoint, RetrySchedule, Sending
from bankbridge.emulation.signing import Sign, sign_twice

_Moment: TypeAlias = asyncio.Future[None]

_DOCUMENTED: Final = RetrySchedule()

REORDER_PATIENCE: Final = timedelta(minutes=1)
"""How long, in virtual time, a reordered event waits for one that it can let pass."""


class WebhookSender:
    """Posts events to endpoints from the event loop it is used in, and remembers every try.

    A try succeeds with a 2xx answer; ``timeout`` (real time) bounds how long the receiver may take. Where a provider
    does not sign a retry anew (``resigns``), each carries the time of the first try.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        sign: Sign,
        schedule: RetrySchedule = _DOCUMENTED,
        resigns: bool = True,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self._clock = clock
        self._sign = sign
        self._sign_twice = sign_twice(sign)
        self._schedule = schedule
        self._resigns = resigns
        self._timeout = timeout
        self._lines: dict[str, Line] = {}
        self._sendings: list[Sending] = []
        self._held: defaultdict[str, list[_Moment]] = defaultdict(list)
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

        The future is done when the receiver has answered, well or not, the first try of every copy. What leaves late
        is not waited for: who waits may be the one to move the clock.
        """
        event = json.loads(body)
        if faults.unknown_type:
            self.send(endpoint, unknown_event(event))
        sending = Sending(
            event_id=event["id"],
            event_type=event["type"],
            endpoint=endpoint,
            faults=faults,
            at=self._clock.now(),
            body=written(event, faults) if faults.unknown_field or faults.camel_case else body,
        )
        self._sendings.append(sending)
        firsts = [] if faults.lost else self._launch(sending)
        answered = asyncio.get_running_loop().create_future()
        for first in firsts:
            first.add_done_callback(lambda _: _done_when_all_are(answered, firsts))
        _done_when_all_are(answered, [] if faults.is_late else firsts)
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
        for line in self._lines.values():
            await line.close()
        self._lines.clear()

    def report(self) -> list[dict[str, Any]]:
        """What was sent, as JSON can say it: per event and endpoint, the faults and the status of every try."""
        return [sending.report() for sending in self._sendings]

    def _launch(self, sending: Sending) -> list[_Moment]:
        """Start every copy; the moments in which their first tries have been answered."""
        loop, held = asyncio.get_running_loop(), self._held[sending.endpoint.id]
        overtaken = tuple(held)
        is_passed: _Moment | None = None
        if sending.faults.reordered:
            is_passed = loop.create_future()
            held.append(is_passed)
        firsts: list[_Moment] = [loop.create_future() for _ in range(sending.faults.copies)]
        is_led = asyncio.Event()
        if not sending.faults.corrupt:
            is_led.set()
        for first in firsts:
            first.add_done_callback(lambda _: _let_go(held, overtaken))
            self._start(self._deliver(sending, first, is_passed, is_led, leads=first is firsts[0]))
        return firsts

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        self._enter()
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._leave())

    async def _deliver(
        self,
        sending: Sending,
        first: _Moment,
        is_passed: _Moment | None,
        is_led: asyncio.Event,
        *,
        leads: bool,
    ) -> None:
        """Deliver one copy; a corrupt one, sent by the copy that ``leads``, is answered before any other leaves."""
        try:
            await self._hold_back(sending, is_passed)
            if leads and not is_led.is_set():
                await self._try(sending, 1, is_corrupt=True)
                is_led.set()
            await is_led.wait()
            first_try = last_try = await self._try(sending, 1, skew=sending.faults.skew)
        finally:
            if not first.done():
                first.set_result(None)
        wait = self._schedule.first
        for attempt in range(2, self._schedule.retries + 2):
            if last_try.is_taken:
                return
            await self._rest(wait)
            wait *= self._schedule.factor
            last_try = await self._try(sending, attempt, signed_at=None if self._resigns else first_try.at)

    async def _hold_back(self, sending: Sending, is_passed: _Moment | None) -> None:
        if sending.faults.delay:
            await self._rest(sending.faults.delay)
        if is_passed is not None:
            await self._rest(REORDER_PATIENCE, is_passed)
            _let_go(self._held[sending.endpoint.id], (is_passed,))

    async def _rest(self, wait: timedelta, unless: _Moment | None = None) -> None:
        self._leave()
        try:
            if unless is None:
                await self._clock.sleep(wait)
            else:
                await self._clock.wait(unless, self._clock.now() + wait)
        finally:
            self._enter()

    async def _try(
        self,
        sending: Sending,
        attempt: int,
        *,
        skew: timedelta = timedelta(0),
        signed_at: datetime | None = None,
        is_corrupt: bool = False,
    ) -> Delivery:
        """Try once, as soon as the line is free; signed for the moment it leaves, or what is said instead."""
        endpoint, body = sending.endpoint, sending.body
        line = self._lines.get(endpoint.id)
        if line is None:
            line = self._lines[endpoint.id] = Line(self._timeout)
        async with line.lane() as lane:
            at = self._clock.now()
            signed_at = signed_at or at + skew
            sign = self._sign_twice if sending.faults.two_v1 else self._sign
            headers = {
                "content-type": "application/json",
                **sign(endpoint.secret, body, int(signed_at.timestamp())),
            }
            status = await lane.post(endpoint.url, corrupted(body) if is_corrupt else body, headers)
        delivery = Delivery(
            event_id=sending.event_id,
            url=endpoint.url,
            attempt=attempt,
            status=status,
            at=at,
            answered_at=self._clock.now(),
            signed_at=signed_at,
            is_corrupt=is_corrupt,
        )
        sending.tries.append(delivery)
        return delivery

    def _enter(self) -> None:
        self._in_flight += 1
        self._idle.clear()

    def _leave(self) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()


def _let_go(held: list[_Moment], passed: tuple[_Moment, ...]) -> None:
    for one in passed:
        if not one.done():
            held.remove(one)
            one.set_result(None)


def _done_when_all_are(answered: _Moment, waiting: list[_Moment]) -> None:
    if not answered.done() and all(first.done() for first in waiting):
        answered.set_result(None)
