"""An event loop that can say when nothing is left for it to do but to wait."""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias

IsQuiet: TypeAlias = Callable[[], bool]
"""Whether nothing that was started elsewhere, such as an HTTP request, is still to come back; asked in the loop."""


class QuietLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, but for `when_quiet`."""

    def __init__(self) -> None:
        self._watch = _Watch()
        super().__init__(self._watch)

    def when_quiet(self, is_quiet: IsQuiet) -> Future[None]:
        """Done as soon as nothing can run before the network or a timer wakes the loop, and ``is_quiet()`` holds.

        From any thread. What was given to the loop before has its turn first.
        """
        done: Future[None] = Future()
        self.call_soon_threadsafe(self._watch.add, is_quiet, done)
        return done


class _Watch(selectors.DefaultSelector):
    """The one place where a loop shows that it is idle: it asks for events with nothing of its own to run."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[IsQuiet, Future[None]]] = []

    def add(self, is_quiet: IsQuiet, done: Future[None]) -> None:
        self._waiting.append((is_quiet, done))

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._waiting and (timeout is None or timeout > 0):
            self._waiting = [one for one in self._waiting if not _is_over(*one)]
        return super().select(timeout)


def _is_over(is_quiet: IsQuiet, done: Future[None]) -> bool:
    if done.cancelled():
        return True
    # Claimed before it is answered: a caller that lost patience may cancel at any moment.
    if is_quiet() and done.set_running_or_notify_cancel():
        done.set_result(None)
    return done.done()
