"""The engine for many machines: Procrastinate on the PostgreSQL database that holds the store.

Jobs are rows of that database: they are enqueued by the transaction that makes them necessary, one worker takes each,
and the workers say every few seconds that they live, so that others take over the jobs of one that died.
https://procrastinate.readthedocs.io/

==========  ============================================================================================================
a delivery  the statement that stores it enqueues *drain*, unless one waits already; one drain runs at a time, and goes
            on until the inbox is empty
a wake-up   the transaction that sets it enqueues *wake* for its time, in the place of the intent's earlier one
the sweep   each worker's own, no job: it takes over the jobs of dead workers, drains what waits, and wakes what is
            overdue, whatever happened to its job
==========  ============================================================================================================

A job holds the id of an intent and the version of its wake-up, nothing else. It is deleted when it is over: what became
of it is in the intent's story. What fails is logged, and found again by the sweep.
"""

from bankbridge.engine.procrastinate.engine import GONE_AFTER, ProcrastinateEngine, driver_of
from bankbridge.engine.procrastinate.tables import check, install, live_workers

__all__ = ["GONE_AFTER", "ProcrastinateEngine", "check", "driver_of", "install", "live_workers"]
