"""The engine port: who sees to it that deliveries are drained and intents woken in time, on one machine or on many.

The store is the truth, and `Work` is right whoever calls it, how often and in what order: a delivery is drained once,
a wake-up that is no longer meant does nothing. So an engine decides only *who* works and *when*; it may run a thing
twice, late, or on another machine, but it must not forget it. `bankbridge.engine.embedded` needs nothing besides the
store; another engine is one more class with these methods.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import attrs

from bankbridge.words.ids import IntentId


@attrs.frozen(kw_only=True)
class Timer:
    """A wake-up that is to come. An intent has at most one: a later one takes the place of the one before.

    ``version`` is the version of the intent that set it; a timer whose intent has set another since does nothing.
    """

    intent_id: IntentId
    version: int
    at: datetime


class Work(Protocol):
    """What an engine is there to call, blocking, from any of its threads. Raises `BankBridgeError` only."""

    def drain(self) -> int:
        """Apply one batch of the deliveries that wait. Returns how many; 0 when none waits any more."""
        ...

    def wake(self, timer: Timer) -> bool:
        """Wake one intent and do what it wants. ``False`` when the timer is no longer the one that is set, or early."""
        ...

    def sweep(self) -> int:
        """Wake some of what is due, the longest due first. Returns how many; 0 when nothing is due."""
        ...

    def next_wake_at(self) -> datetime | None:
        """When the next intent is due; ``None`` when none waits."""
        ...


class AsyncWork(Protocol):
    """`Work`, awaited."""

    async def drain(self) -> int:
        """As `Work.drain`."""
        ...

    async def wake(self, timer: Timer) -> bool:
        """As `Work.wake`."""
        ...

    async def sweep(self) -> int:
        """As `Work.sweep`."""
        ...

    async def next_wake_at(self) -> datetime | None:
        """As `Work.next_wake_at`."""
        ...


class Engine(Protocol):
    """Carries wake-ups and work over time, processes and machines."""

    def enqueue(self, transaction: object, timers: Sequence[Timer]) -> None:
        """Set timers, each in the place of its intent's earlier one.

        Called inside the transaction of the store that makes them necessary, with the driver's connection that it
        runs on; so what is written there is committed with it, or not at all.
        """
        ...

    def cancel(self, transaction: object, intent_ids: Sequence[IntentId]) -> None:
        """Forget the timers of intents that are over; called like `enqueue`. One that fires does nothing."""
        ...

    def wake(self) -> None:
        """Say that deliveries wait, after the commit that stored them. From any thread; returns at once."""
        ...

    def run(self, work: Work) -> None:
        """Work until `stop`; then finish what is under way and return."""
        ...

    async def run_async(self, work: AsyncWork) -> None:
        """`run`, in an event loop."""
        ...

    def stop(self) -> None:
        """Let `run` return; from any thread. What is still to come is left to the next who runs."""
        ...
