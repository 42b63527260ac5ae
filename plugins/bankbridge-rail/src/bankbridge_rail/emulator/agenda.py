"""What will happen, and when: the one place from which anything in the emulated Rail comes to pass in time."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeAlias

import attrs

from bankbridge.emulation import Clock

_TIDY_EVERY: Final = 4096

Action: TypeAlias = Callable[[datetime], None]
"""Something that happens; it is told the virtual moment for which it was planned."""


@attrs.define(order=True)
class Entry:
    """A plan, which can be dropped again. Plans for one moment happen by owner, then in the order they were made."""

    at: datetime
    owner: str
    number: int
    action: Action | None = attrs.field(order=False)

    def drop(self) -> None:
        """Let it not happen."""
        self.action = None


class Agenda:
    """Plans in virtual time, done in order: by `run` when their time has come, and before every request by `catch_up`.

    So whoever asks after the clock has moved finds all done that was due, and the order does not depend on which
    task happened to wake first.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[Entry] = []
        self._made = 0
        self._is_sooner: asyncio.Event | None = None

    def add(self, at: datetime, owner: str, action: Action) -> Entry:
        """Let ``action`` happen at a moment; one that is past is now."""
        self._made += 1
        if self._made % _TIDY_EVERY == 0:
            self._tidy()
        entry = Entry(at, owner, self._made, action)
        heapq.heappush(self._entries, entry)
        if self._is_sooner is not None and self._entries[0] is entry:
            self._is_sooner.set()
        return entry

    def catch_up(self) -> None:
        """Do all that is due, and what becomes due by it."""
        while self._entries and self._entries[0].at <= self._clock.now():
            entry = heapq.heappop(self._entries)
            if entry.action is not None:
                entry.action(entry.at)

    async def run(self) -> None:
        """Do what comes due until cancelled, in the running event loop."""
        self._is_sooner = asyncio.Event()
        try:
            while True:
                self.catch_up()
                self._is_sooner.clear()
                await self._rest()
        finally:
            self._is_sooner = None

    def _tidy(self) -> None:
        """Forget what was dropped: a link that is refreshed again and again drops a sync that is hours away."""
        self._entries = [entry for entry in self._entries if entry.action is not None]
        heapq.heapify(self._entries)

    async def _rest(self) -> None:
        """Sleep until the next entry is due, or one is added that is due before it."""
        assert self._is_sooner is not None  # noqa: S101 (only `run` calls this)
        sooner = asyncio.ensure_future(self._is_sooner.wait())
        try:
            if self._entries:
                await self._clock.wait(sooner, self._entries[0].at)
            else:
                await sooner
        finally:
            sooner.cancel()
