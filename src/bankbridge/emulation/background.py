"""Work that goes on behind an emulator's routes, and calls into it from other threads."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


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


def _current_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
