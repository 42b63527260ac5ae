"""A worker in a process of its own: ``worker.py URL KEY stuck|busy``.

It says what it was asked to do, line by line; ``stuck`` never gets on with it.
"""

import sys
import threading
from datetime import timedelta

import attrs

from bankbridge.engine import Timer
from bankbridge.engine.procrastinate import ProcrastinateEngine
from bankbridge.store.sql import SqlStore, postgresql_store
from tests.engine.recording import Recording


def hasty(store: SqlStore, *, sweep_every: timedelta = timedelta(seconds=0.3)) -> ProcrastinateEngine:
    """One that does in a second what takes half a minute otherwise."""
    return ProcrastinateEngine(
        store,
        heartbeat=timedelta(seconds=0.2),
        gone_after=timedelta(seconds=1),
        sweep_every=sweep_every,
        look_every=timedelta(seconds=0.1),
    )


@attrs.define
class Telling(Recording):
    stuck: bool = False

    def tell(self, *what: object) -> None:
        print(*what, flush=True)  # noqa: T201

    def wake(self, timer: Timer) -> bool:
        if self.stuck:
            self.tell("holds", timer.intent_id)
            threading.Event().wait()
        return Recording.wake(self, timer)


if __name__ == "__main__":
    url, key, mode = sys.argv[1:]
    store = postgresql_store(url, keys=[key])
    hasty(store).run(Telling(store=store, stuck=mode == "stuck"))
