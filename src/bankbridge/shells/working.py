"""What an engine is given to do: `bankbridge.engine.Work` in both colours, each a job of a face's driver."""

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

import attrs

from bankbridge.engine import BATCH, Claim, Look, Timer
from bankbridge.shells.connections import Core
from bankbridge.shells.inbox import drain
from bankbridge.shells.jobs import Job
from bankbridge.shells.refreshing import perform
from bankbridge.shells.waking import claim_due, look, wake_one
from bankbridge.words.ids import ConnectionName

_T = TypeVar("_T")


class Run(Protocol):
    """Carries a job out, blocking."""

    def __call__(self, job: Job[_T], /) -> _T:
        """The job's result."""
        ...


class AsyncRun(Protocol):
    """Carries a job out, awaited."""

    async def __call__(self, job: Job[_T], /) -> _T:
        """The job's result."""
        ...


@attrs.frozen
class Tasks:
    """`bankbridge.engine.Work` of one face."""

    core: Core
    run: Run

    def look(self) -> Look:
        """See `bankbridge.engine.Work`."""
        return self.run(look(self.core))

    def drain(self) -> int:
        """See `bankbridge.engine.Work`."""
        return self.run(drain(self.core, limit=BATCH))

    def claim(self, *, limit: int, avoid: Collection[ConnectionName] = ()) -> Sequence[Claim]:
        """See `bankbridge.engine.Work`."""
        return self.run(claim_due(self.core, limit=limit, avoid=avoid))

    def perform(self, claim: Claim) -> None:
        """See `bankbridge.engine.Work`."""
        self.run(perform(self.core, claim.intent_id, claim.effects))

    def wake(self, timer: Timer) -> bool:
        """See `bankbridge.engine.Work`."""
        return self.run(wake_one(self.core, timer))


@attrs.frozen
class AsyncTasks:
    """`bankbridge.engine.AsyncWork` of one face."""

    core: Core
    run: AsyncRun

    async def look(self) -> Look:
        """See `bankbridge.engine.Work`."""
        return await self.run(look(self.core))

    async def drain(self) -> int:
        """See `bankbridge.engine.Work`."""
        return await self.run(drain(self.core, limit=BATCH))

    async def claim(self, *, limit: int, avoid: Collection[ConnectionName] = ()) -> Sequence[Claim]:
        """See `bankbridge.engine.Work`."""
        return await self.run(claim_due(self.core, limit=limit, avoid=avoid))

    async def perform(self, claim: Claim) -> None:
        """See `bankbridge.engine.Work`."""
        await self.run(perform(self.core, claim.intent_id, claim.effects))

    async def wake(self, timer: Timer) -> bool:
        """See `bankbridge.engine.Work`."""
        return await self.run(wake_one(self.core, timer))
