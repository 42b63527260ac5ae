"""The embedded engine: works in this process, in a thread or in an event loop, and needs nothing but the store.

It keeps no list of what waits: the store's own index of wake-ups is its queue. So a waiting intent costs no thread and
no task, what others stored is found, and nothing is lost with the process. Several may work on one store: each delivery
is drained and each wake-up claimed by one of them.
"""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from bankbridge.engine import AsyncWork, Timer, Work
from bankbridge.engine.hands import Tasks, Threads
from bankbridge.engine.shift import Rules, only_run
from bankbridge.words.errors import ConfigurationError
from bankbridge.words.ids import IntentId

EVERY: Final = timedelta(seconds=1)
"""How often it looks when nobody calls `Embedded.wake`: other processes may share the store."""

CONCURRENCY: Final = 8
"""How many conversations with one connection's provider are held at once."""

_ALL_AT_ONCE: Final = 4
"""How many times as many are held with all of them."""


class Embedded:
    """Wakes what is due and drains what has arrived, in this process.

    It looks ``every`` so often, and at once when the next intent is due or `wake` is called; a look is one cheap read,
    however many intents wait. At most ``concurrency`` conversations are held at once with the provider of one
    connection, and four times as many in all, so that a slow provider does not delay the others.
    ``elsewhere``: another process runs one on the same store, so what is received in this one is left to that, and
    drained when it looks. Raises `ConfigurationError`.
    """

    def __init__(
        self, *, every: timedelta = EVERY, concurrency: int = CONCURRENCY, elsewhere: bool = False
    ) -> None:
        problems = [
            problem
            for problem, is_wrong in (
                ("engine.every: must be longer than nothing", every <= timedelta(0)),
                ("engine.concurrency: must be at least 1", concurrency < 1),
            )
            if is_wrong
        ]
        if problems:
            raise ConfigurationError(problems)
        self._every = every
        self._concurrency = concurrency
        self._elsewhere = elsewhere
        self._one_at_a_time = threading.Lock()
        self._rings: Callable[[], None] | None = None
        self._is_stopping = False

    def enqueue(self, transaction: object, timers: Sequence[Timer]) -> None:
        """Nothing to do: what was stored with the intent is found in the store's index of wake-ups."""

    def cancel(self, transaction: object, intent_ids: Sequence[IntentId]) -> None:
        """Nothing to do, as for `enqueue`."""

    @property
    def is_at_work(self) -> bool:
        """Whether a run is under way that has not been told to stop, here or, as it was told, elsewhere."""
        return self._elsewhere or (self._rings is not None and not self._is_stopping)

    def wake(self) -> None:
        """Say that deliveries wait. From any thread; returns at once."""
        if (ring := self._rings) is not None:
            ring()

    def stop(self) -> None:
        """Let `run` return; if none runs, the next one. From any thread, and from a signal handler."""
        self._is_stopping = True
        self.wake()

    def run(self, work: Work) -> None:
        """Work until `stop`; then finish what is under way and return. See `bankbridge.engine.Engine.run`."""
        with self._once(), Threads(work, self._rules()) as threads:
            self._rings = threads.ring
            threads.run()

    async def run_async(self, work: AsyncWork) -> None:
        """`run`, in an event loop. Canceled, it cancels what is under way."""
        with self._once():
            tasks = Tasks(work, self._rules())
            self._rings = tasks.ring
            await tasks.run()

    def _rules(self) -> Rules:
        return Rules(
            every=self._every,
            per_connection=self._concurrency,
            at_once=self._concurrency * _ALL_AT_ONCE,
            is_stopping=lambda: self._is_stopping,
        )

    @contextmanager
    def _once(self) -> Generator[None]:
        with only_run(self._one_at_a_time):
            try:
                yield
            finally:
                self._rings = None
                self._is_stopping = False
