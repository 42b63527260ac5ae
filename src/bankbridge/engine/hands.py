"""What carries out the steps of a `bankbridge.engine.shift.Shift`: threads, or the tasks of an event loop."""

import asyncio
import queue
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Self

from bankbridge.engine import AsyncWork, Claim, Work
from bankbridge.engine.shift import Plain, Rest, Rules, Shift, Step, TakeOn
from bankbridge.wire import Running
from bankbridge.words.errors import BankBridgeError


class Threads:
    """Looks, drains and claims in the thread that calls `run`, and performs in a pool of others."""

    def __init__(self, work: Work, rules: Rules) -> None:
        self._work = work
        self._shift = Shift[Future[None]](rules)
        self._bell = _ThreadBell()
        self._pool = ThreadPoolExecutor(rules.at_once, thread_name_prefix="bankbridge-engine")
        self.ring = self._bell.ring

    def run(self) -> None:
        """Take turns until it is to stop, and finish what is under way."""
        turns = Running(self._shift.turns())
        try:
            while not turns.done:
                try:
                    answer = self._carry_out(turns.asks)
                except BankBridgeError as error:
                    turns.fail(error)
                else:
                    turns.answer(answer)
        finally:
            wait(self._shift.under_way)
            self._shift.reap()

    def _carry_out(self, step: Step) -> object:
        match step:
            case Plain.LOOK:
                return self._work.look()
            case Plain.DRAIN:
                return self._work.drain()
            case TakeOn(limit=limit, avoid=avoid):
                claims = self._work.claim(limit=limit, avoid=avoid)
                for claim in claims:
                    self._begin(claim)
                return len(claims)
            case Rest(longest=longest):
                self._bell.wait(longest)
                return None

    def _begin(self, claim: Claim) -> None:
        begun = self._pool.submit(self._work.perform, claim)
        self._shift.under_way[begun] = claim
        begun.add_done_callback(lambda _: self.ring())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()


class Tasks:
    """`Threads`, as tasks of the running event loop."""

    def __init__(self, work: AsyncWork, rules: Rules) -> None:
        self._work = work
        self._shift = Shift[asyncio.Task[None]](rules)
        self._bell = _LoopBell()
        self.ring = self._bell.ring

    async def run(self) -> None:
        """Take turns until it is to stop, and finish what is under way; canceled, break it off."""
        try:
            await self._take_turns()
        except asyncio.CancelledError:
            for begun in self._shift.under_way:
                begun.cancel()
            raise
        finally:
            if self._shift.under_way:
                await asyncio.wait(self._shift.under_way)
            self._shift.reap()

    async def _take_turns(self) -> None:
        turns = Running(self._shift.turns())
        while not turns.done:
            try:
                answer = await self._carry_out(turns.asks)
            except BankBridgeError as error:
                turns.fail(error)
            else:
                turns.answer(answer)

    async def _carry_out(self, step: Step) -> object:
        match step:
            case Plain.LOOK:
                return await self._work.look()
            case Plain.DRAIN:
                return await self._work.drain()
            case TakeOn(limit=limit, avoid=avoid):
                claims = await self._work.claim(limit=limit, avoid=avoid)
                for claim in claims:
                    self._begin(claim)
                return len(claims)
            case Rest(longest=longest):
                await self._bell.wait(longest)
                return None

    def _begin(self, claim: Claim) -> None:
        begun = asyncio.create_task(self._work.perform(claim), name=f"bankbridge {claim.intent_id}")
        self._shift.under_way[begun] = claim
        begun.add_done_callback(lambda _: self.ring())


class _ThreadBell:
    """For a thread. A signal handler may hang on the lock of a `threading.Event`; a `SimpleQueue` it can put into.

    https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put
    """

    def __init__(self) -> None:
        self._rings = queue.SimpleQueue[None]()
        self._is_rung = False

    def ring(self) -> None:
        """End the wait, or the next one. From any thread, and from a signal handler."""
        if not self._is_rung:
            self._is_rung = True
            self._rings.put(None)

    def wait(self, longest: timedelta) -> None:
        with suppress(queue.Empty):
            self._rings.get(timeout=longest.total_seconds())
        # Whoever found it rung need not ring: what they rang for is looked for after this.
        self._is_rung = False


class _LoopBell:
    """For an event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._is_rung = False

    def ring(self) -> None:
        if not self._is_rung:
            self._is_rung = True
            with suppress(RuntimeError):  # the loop has been closed meanwhile: nobody waits there any more
                self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, longest: timedelta) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(longest.total_seconds()):
                await self._event.wait()
        self._event.clear()
        self._is_rung = False
