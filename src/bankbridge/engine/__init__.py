"""The engine port: who sees to it that deliveries are drained and intents woken in time, on one machine or on many.

The store is the truth, and `Work` is right whoever calls it, how often and in what order: a delivery is drained once,
a wake-up that is no longer meant does nothing. So an engine decides only *who* works and *when*; it may run a thing
twice, late, or on another machine, but it must not forget it. `bankbridge.engine.embedded` needs nothing besides the
store; another engine is one more class with these methods.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import attrs

from bankbridge.machine.effects import Effect
from bankbridge.words.ids import ConnectionName, IntentId


@attrs.frozen(kw_only=True)
class Timer:
    """A wake-up that is to come. An intent has at most one: a later one takes the place of the one before.

    ``version`` is the version of the intent that set it; a timer whose intent has set another since does nothing.
    """

    intent_id: IntentId
    version: int
    at: datetime


@attrs.frozen(kw_only=True)
class Look:
    """What there is to do.

    ``deliveries``: whether any wait. ``due_in``: how long until the next intent is due; not positive when one is
    already, ``None`` when none waits at all.
    """

    deliveries: bool
    due_in: timedelta | None


@attrs.frozen(kw_only=True)
class Claim:
    """An intent that was woken, so that nobody else wakes it. What it wants is still to be done, by `Work.perform`.

    A claim that is never performed is no loss: the intent is due again a little later, as after a crash.
    """

    intent_id: IntentId
    connection: ConnectionName
    effects: tuple[Effect, ...]


BATCH: Final = 300
"""How many deliveries are drained in one transaction: tens of milliseconds, in which nobody else writes to SQLite."""


class Work(Protocol):
    """What an engine is there to call, blocking, from any of its threads.

    It raises `BankBridgeError` where the world was in the way (the store, a provider, somebody who was first):
    try again later. Any other error is a bug, and the engine's run ends with it. What the application's listener
    raises is logged and stays in here.
    """

    def look(self) -> Look:
        """What there is to do, by one cheap read of the store."""
        ...

    def drain(self) -> int:
        """Apply one batch of the deliveries that wait. Returns how many: fewer than `BATCH` when no more wait."""
        ...

    def claim(self, *, limit: int, avoid: Collection[ConnectionName] = ()) -> Sequence[Claim]:
        """Wake at most ``limit`` of what is due, the longest due first, but none of the connections in ``avoid``.

        One transaction, and no provider is asked. Claim no more than can be performed at once.
        """
        ...

    def perform(self, claim: Claim) -> None:
        """Do what a woken intent wants at its provider. Takes as long as the provider does."""
        ...

    def wake(self, timer: Timer) -> bool:
        """Claim one intent by its timer, and perform. ``False`` when the timer is no longer the set one, or early."""
        ...


class AsyncWork(Protocol):
    """`Work`, awaited."""

    async def look(self) -> Look:
        """As `Work.look`."""
        ...

    async def drain(self) -> int:
        """As `Work.drain`."""
        ...

    async def claim(self, *, limit: int, avoid: Collection[ConnectionName] = ()) -> Sequence[Claim]:
        """As `Work.claim`."""
        ...

    async def perform(self, claim: Claim) -> None:
        """As `Work.perform`."""
        ...

    async def wake(self, timer: Timer) -> bool:
        """As `Work.wake`."""
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

    @property
    def is_at_work(self) -> bool:
        """Whether somebody hears `wake`: a run of this engine, or its workers elsewhere.

        If nobody does, whoever stored a delivery drains it.
        """
        ...

    def wake(self) -> None:
        """Say that deliveries wait, after the commit that stored them. From any thread; returns at once."""
        ...

    def run(self, work: Work) -> None:
        """Work until `stop`; then finish what is under way and return.

        What is overdue is found and done, also what no `enqueue` ever told of. A store or provider that fails is
        logged once and tried again, with growing pauses, until it is back; an error that is a bug ends the run
        with it. Raises `EngineBusyError` if this engine runs already.
        """
        ...

    async def run_async(self, work: AsyncWork) -> None:
        """`run`, in an event loop. Canceled, it cancels what is under way."""
        ...

    def stop(self) -> None:
        """Let `run` return; if none runs, the next one. From any thread, and from a signal handler.

        What is still to come is left to the next who runs.
        """
        ...
