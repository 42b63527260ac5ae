"""The engines of the processes, told of a time that runs fast. Where it is the machine's own, they are as they come."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import attrs

from bankbridge.engine import Engine, Timer
from bankbridge.engine.embedded import EVERY, Embedded
from bankbridge.engine.procrastinate import ProcrastinateEngine
from bankbridge.store.sql import SqlStore
from tests.crash.settings import Settings, SharedTime

_A_MOMENT: Final = timedelta(milliseconds=2)
"""The wall clock and the machine's own do not agree to the microsecond, and a job that comes too early does nothing."""

_SECOND: Final = timedelta(seconds=1)


class _Hastened(ProcrastinateEngine):
    """Procrastinate keeps real time: jobs for a virtual time are put in for when it will be that late."""

    def __init__(self, store: SqlStore, time: SharedTime) -> None:
        self._time = time
        super().__init__(
            store,
            heartbeat=_SECOND,
            gone_after=4 * _SECOND,
            sweep_every=_SECOND,
            look_every=_SECOND / 20,
        )

    def enqueue(self, transaction: object, timers: Sequence[Timer]) -> None:
        real = self._time.real
        super().enqueue(transaction, [attrs.evolve(one, at=real(one.at) + _A_MOMENT) for one in timers])


def engine_of(settings: Settings, store: SqlStore) -> Engine:
    """The engine of one process."""
    is_fast = settings.time.speed != 1
    if settings.engine == "procrastinate":
        return _Hastened(store, settings.time) if is_fast else ProcrastinateEngine(store)
    is_elsewhere = settings.role == "web" and not settings.is_alone
    return Embedded(every=EVERY / settings.time.speed, elsewhere=is_elsewhere)
