"""The clock of an emulated provider: virtual time, as fast as a test likes, moved forward by hand."""

import asyncio
import contextlib
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

_NOTHING: Final = timedelta(0)
_SHORTEST_ROUND: Final = timedelta(seconds=1)


def is_round(_: object, attribute: "attrs.Attribute[timedelta]", value: timedelta) -> None:
    """Validate, for attrs, how long it is from one time that something happens to the next.

    Raises ValueError for less than a second: a round of no time would be run for ever.
    """
    if value < _SHORTEST_ROUND:
        raise ValueError(f"{attribute.name}: must be a second or more")


@attrs.frozen(eq=False)
class _Sleeper:
    at: datetime
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Event


class Clock:
    """Virtual time that several threads, and event loops in them, share.

    ``start`` is the virtual instant of construction (default: the real one), ``speed`` the virtual seconds
    that pass in one real second; with a speed of 0 time moves only by `advance`. Raises ValueError for a
    naive ``start`` and for a negative ``speed``.
    """

    def __init__(self, *, start: datetime | None = None, speed: float = 1.0) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError(f"start is {start.isoformat()} without a time zone: give an aware datetime")
        if speed < 0:
            raise ValueError(f"speed is {speed}: time cannot run backwards, give 0 or more")
        self._base = (start or datetime.now(UTC)).astimezone(UTC)
        self._started = time.monotonic()
        self._speed = speed
        self._lock = threading.Lock()
        # In the order in which they lay down: who sleeps until the same moment wakes in that order, in every run.
        self._sleepers: dict[_Sleeper, None] = {}

    @property
    def speed(self) -> float:
        """Virtual seconds per real second."""
        return self._speed

    def now(self) -> datetime:
        """The virtual instant, aware and in UTC."""
        with self._lock:
            return self._now()

    def next_at(self) -> datetime | None:
        """The earliest moment that anybody sleeps for, also one that has come; None when nobody sleeps."""
        with self._lock:
            return min((sleeper.at for sleeper in self._sleepers), default=None)

    def is_overdue(self) -> bool:
        """Whether somebody in the running event loop has to wake, their time being over, and has not yet."""
        loop = asyncio.get_running_loop()
        with self._lock:
            now = self._now()
            return any(sleeper.at <= now and sleeper.loop is loop for sleeper in self._sleepers)

    def advance(self, by: timedelta) -> None:
        """Jump ``by`` forward and wake whoever's time has come, the earliest first, in whatever thread.

        Raises ValueError when ``by`` is negative.
        """
        if by < _NOTHING:
            raise ValueError(f"cannot advance by {by}: time only moves forward")
        with self._lock:
            self._base += by
            now = self._now()
            due = sorted((s for s in self._sleepers if s.at <= now), key=lambda s: s.at)
        for sleeper in due:
            # A loop that was closed a moment ago has nobody left to wake.
            with contextlib.suppress(RuntimeError):
                sleeper.loop.call_soon_threadsafe(sleeper.woken.set)

    async def sleep_until(self, at: datetime) -> None:
        """Return once the virtual time is ``at`` or later."""
        sleeper = _Sleeper(at, asyncio.get_running_loop(), asyncio.Event())
        try:
            while (left := self._time_left(sleeper)) > _NOTHING:
                await self._wait(sleeper.woken, left)
        finally:
            with self._lock:
                self._sleepers.pop(sleeper, None)

    async def sleep(self, delta: timedelta) -> None:
        """Return once ``delta`` of virtual time has passed."""
        await self.sleep_until(self.now() + delta)

    async def wait(self, what: asyncio.Future[Any], until: datetime) -> bool:
        """Whether ``what`` is done by the virtual time ``until``; return at the earlier of the two."""
        deadline = asyncio.ensure_future(self.sleep_until(until))
        try:
            await asyncio.wait((what, deadline), return_when=asyncio.FIRST_COMPLETED)
        finally:
            deadline.cancel()
        return what.done()

    def _now(self) -> datetime:
        return self._base + timedelta(seconds=(time.monotonic() - self._started) * self._speed)

    def _time_left(self, sleeper: _Sleeper) -> timedelta:
        """Look at the time and lie down in one step, so that no `advance` falls in between."""
        with self._lock:
            self._sleepers[sleeper] = None
            return sleeper.at - self._now()

    async def _wait(self, woken: asyncio.Event, left: timedelta) -> None:
        timeout = left.total_seconds() / self._speed if self._speed else None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), timeout)
