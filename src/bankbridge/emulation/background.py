"""Work that goes on behind an emulator's routes, and calls into it from other threads."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar

from bankbridge.emulation.quiet import IsQuiet, QuietLoop
from bankbridge.emulation.server import ServerError

T = TypeVar("T")

PATIENCE: Final = timedelta(seconds=10)
"""How long, in real time, somebody waits for an emulator to settle."""


class Background:
    """The event loop of an emulator: all that changes its state runs there, so nothing needs a lock."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = threading.RLock()

    @property
    def is_running(self) -> bool:
        """Whether the emulator is being served."""
        return self._loop is not None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Be the background of the current loop, for the application's lifespan; then end all work."""
        self._loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            self._loop = None
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Start ``work`` beside the requests; only inside the loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def call(self, function: Callable[[], T]) -> T:
        """Run ``function`` in the loop, from any thread; directly when nothing is served."""
        loop = self._loop
        if loop is None or _current_loop() is loop:
            with self._lock:
                return function()

        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), loop).result()

    def settle(self, is_quiet: IsQuiet, timeout: timedelta = PATIENCE) -> None:
        """Return when nothing can happen in the loop before time passes or somebody asks for something.

        ``is_quiet`` is mostly `WebhookSender.is_quiet`. Where nothing is served nothing happens. Raises TimeoutError
        after ``timeout`` (real time), and `ServerError` in the loop itself or under another server than `Server`.
        """
        loop = self._loop
        if loop is None:
            return
        if _current_loop() is loop:
            raise ServerError("the emulator cannot wait for itself: settle from another thread")
        if not isinstance(loop, QuietLoop):
            raise ServerError("this server cannot tell: serve with bankbridge.emulation.Server to settle")
        settled = loop.when_quiet(is_quiet)
        try:
            settled.result(timeout.total_seconds())
        except TimeoutError:
            settled.cancel()
            seconds = timeout.total_seconds()
            raise TimeoutError(f"the emulator has not come to rest in {seconds:g} s") from None


def _current_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
