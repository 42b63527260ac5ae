"""Procrastinate on a real PostgreSQL: jobs enqueued with what makes them necessary, and workers that die."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bankbridge.engine import Timer
from bankbridge.engine.procrastinate import ProcrastinateEngine
from bankbridge.words.errors import EngineBusyError, StoreUnavailableError
from bankbridge.words.ids import IntentId
from tests.engine.recording import PATIENCE, InLoop, Recording, set_wake
from tests.engine.worker import hasty
from tests.store import values as v

NEVER = timedelta(hours=1)


@pytest.fixture
def engine(store) -> ProcrastinateEngine:
    """One that sweeps when it begins, and then never again."""
    return hasty(store, sweep_every=NEVER)


@pytest.fixture
def sweeping(store) -> ProcrastinateEngine:
    return hasty(store)


def jobs(inside) -> list[tuple]:
    return inside.execute(
        "SELECT task_name, args, scheduled_at, status::text FROM procrastinate_jobs ORDER BY id"
    ).fetchall()


def workers(inside) -> int:
    return inside.execute("SELECT count(*) FROM procrastinate_workers").fetchone()[0]


def in_(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def add(store, name="intent_1", at=None):
    """A stored intent that wakes ``at``, which is in an hour unless said otherwise."""
    link = v.with_link(store, v.link(f"link_of_{name}"))
    intent = v.waking(v.intent(name, link), in_(60) if at is None else at)
    store.transact(lambda tx: tx.add_intent(intent))
    return intent


def move(store, intent, at):
    return store.transact(lambda tx: set_wake(tx, intent, at))


@contextmanager
def running(engine, work) -> Iterator[None]:
    """The engine at work in a thread, as in an application."""
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(engine.run, work)
        try:
            yield
        finally:
            engine.stop()
        run.result(PATIENCE)


def wait_until(holds) -> None:
    """Look again and again, with a generous limit."""
    done = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if holds():
            return
        done.wait(0.02)
    raise AssertionError


# --- jobs are committed with what makes them necessary -------------------------------------------------------


def test_a_wake_up_has_a_job_with_nothing_in_it_but_an_id_and_a_version(store, engine, inside):
    intent = add(store, at=in_(5))
    assert jobs(inside) == [
        ("bankbridge.wake", {"intent_id": "intent_1", "version": 0}, intent.wake.at, "todo")
    ]


def test_a_transaction_that_is_undone_leaves_no_job(store, engine, inside):
    link = v.with_link(store, v.link())

    def fail(tx):
        tx.add_intent(v.intent("intent_1", link))
        tx.add_delivery(v.delivery("delivery_1"))
        raise LookupError

    with pytest.raises(LookupError):
        store.transact(fail)
    assert jobs(inside) == []


def test_a_later_wake_up_takes_the_place_of_the_one_before(store, engine, inside):
    intent = move(store, move(store, add(store, at=in_(5)), in_(7)), in_(3))
    assert [(args["version"], at) for _, args, at, _ in jobs(inside)] == [(2, intent.wake.at)]


def test_an_intent_that_wakes_no_more_has_no_job(store, engine, inside):
    kept = add(store, "intent_2")
    move(store, add(store), None)
    assert [args["intent_id"] for _, args, _, _ in jobs(inside)] == [kept.id]


def test_a_drain_of_hundreds_sets_all_timers_at_once(store, engine, inside):
    timers = [Timer(intent_id=IntentId(f"intent_{n}"), version=n, at=in_(5)) for n in range(300)]
    with inside.transaction():
        engine.enqueue(inside, timers)
        engine.enqueue(inside, timers[:100])
        engine.cancel(inside, [timer.intent_id for timer in timers[::2]])
    assert sorted(args["version"] for _, args, _, _ in jobs(inside)) == list(range(1, 300, 2))


def test_a_delivery_has_a_drain_in_the_same_commit_and_the_next_one_shares_it(store, engine, inside):
    first, second = v.delivery("delivery_1"), v.delivery("delivery_2")
    store.add_deliveries([first])
    assert jobs(inside) == [("bankbridge.drain", {}, None, "todo")]
    store.add_deliveries([second])
    store.transact(lambda tx: tx.add_delivery(v.delivery("delivery_3")))
    assert len(jobs(inside)) == 1

    inside.execute("TRUNCATE procrastinate_jobs CASCADE")
    assert store.add_deliveries([first, second]) == [False, False]
    assert jobs(inside) == []


# --- jobs are done ---------------------------------------------------------------------------------------------


def test_what_is_enqueued_is_done_and_leaves_nothing_behind(store, engine, inside):
    work = Recording(store)
    with running(engine, work):
        store.add_deliveries([v.delivery("delivery_1"), v.delivery("delivery_2")])
        assert work.wait(
            lambda: sum(count for what, count, *_ in work.done if what == "drained") == 2, PATIENCE
        )
        add(store, at=in_(0))
        work.until("woke", "intent_1", 0)
        wait_until(
            lambda: [args for _, args, _, _ in jobs(inside)] == [{"intent_id": "intent_1", "version": 1}]
        )
    assert workers(inside) == 0


async def test_in_an_event_loop_it_is_the_same(store, engine):
    work = Recording(store)
    run = asyncio.create_task(engine.run_async(InLoop(work)))
    add(store, at=in_(0))
    await asyncio.to_thread(work.until, "woke", "intent_1", 0)
    engine.stop()
    await run


def test_a_timer_that_is_moved_to_now_is_not_waited_for(store, inside):
    """Nobody looks for an hour: a worker hears of it, unless it is just looking and has not seen it yet."""
    engine = ProcrastinateEngine(store, look_every=NEVER, sweep_every=NEVER)
    listening = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    intent, work = add(store), Recording(store)
    with running(engine, work):
        wait_until(lambda: inside.execute(listening).fetchone() == (1,))
        while not work.done:
            intent = move(store, move(store, intent, in_(5)), in_(0))
            work.wait(lambda: bool(work.done), 1)
    assert work.done[0][:2] == ("woke", "intent_1")


def test_the_sweep_finds_what_has_no_job(store, sweeping, inside):
    intent = add(store, at=in_(0))
    store.add_deliveries([v.delivery("delivery_1")])
    inside.execute("DELETE FROM procrastinate_jobs")
    work = Recording(store)
    with running(sweeping, work):
        work.until("drained", 1)
        work.until("performed", intent.id)


def test_stopping_finishes_what_is_under_way(store, engine, inside):
    begun, go_on = threading.Event(), threading.Event()

    def slow(what):
        if what == "wake":
            begun.set()
            assert go_on.wait(PATIENCE)

    work = Recording(store, hurt=slow)
    add(store, at=in_(0))
    with running(engine, work):
        assert begun.wait(PATIENCE)
        engine.stop()
        threading.Timer(0.1, go_on.set).start()
    assert work.done == [("woke", "intent_1", 0)]
    assert [status for _, _, _, status in jobs(inside)] == ["todo"]


async def test_canceling_breaks_off_what_is_under_way(store, engine):
    begun = asyncio.Event()

    class Endless(InLoop):
        async def wake(self, timer):
            begun.set()
            await asyncio.Event().wait()

    add(store, at=in_(0))
    run = asyncio.create_task(engine.run_async(Endless(Recording(store))))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(run, PATIENCE)


def test_what_the_world_is_in_the_way_of_is_tried_again(store, sweeping, caplog):
    failing = {"drain": 2, "wake": 1, "claim": 1}

    def fail(what):
        if failing.get(what, 0) > 0:
            failing[what] -= 1
            msg = "store: out for lunch"
            raise StoreUnavailableError(msg)

    work = Recording(store, hurt=fail)
    with running(sweeping, work):
        add(store, at=in_(0))
        store.add_deliveries([v.delivery("delivery_1")])
        work.until("drained", 1)
        work.until("performed", "intent_1")
    assert (
        "engine: cannot wake intents: StoreUnavailableError: store: out for lunch; trying again"
        in caplog.text
    )
    assert "engine: can wake intents again" in caplog.text


def test_a_bug_ends_the_run(store, engine):
    def fail(what):
        if what == "wake":
            raise LookupError

    add(store, at=in_(0))
    with pytest.raises(LookupError):
        engine.run(Recording(store, hurt=fail))


def test_it_runs_once_at_a_time_and_a_stop_may_come_early(store, engine):
    engine.stop()
    engine.run(Recording(store))
    work = Recording(store)
    with running(engine, work):
        add(store, at=in_(0))
        work.until("woke", "intent_1", 0)
        with pytest.raises(EngineBusyError, match="runs already"):
            engine.run(work)
        assert engine.is_at_work


# --- what dies -----------------------------------------------------------------------------------------------


def test_it_outlives_its_connections(store, engine, inside, caplog):
    work = Recording(store)
    with running(engine, work):
        add(store, "intent_1", at=in_(0))
        work.until("woke", "intent_1", 0)
        inside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        add(store, "intent_2", at=in_(0))
        work.until("woke", "intent_2", 0)


def test_a_worker_that_is_killed_while_it_holds_a_job_is_taken_over(store, database, the_key, inside):
    ProcrastinateEngine(store)  # this process only stores
    dying = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.worker", database, the_key, "stuck"],
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        cwd=Path(__file__).parents[2],
    )
    assert dying.stdout is not None
    try:
        add(store, at=in_(0))
        assert dying.stdout.readline() == "holds intent_1\n"
    finally:
        dying.kill()
        dying.communicate()
    assert [status for *_, status in jobs(inside)] == ["doing"]

    class OnlyByJobs(Recording):
        def claim(self, **_):
            return []

    work = OnlyByJobs(store)
    with running(hasty(store), work):
        work.until("woke", "intent_1", 0)
        wait_until(lambda: [args["version"] for _, args, _, _ in jobs(inside)] == [1])
        wait_until(lambda: workers(inside) == 1)


def test_a_drain_that_a_dead_worker_held_gives_way_to_the_one_that_waits(store, sweeping, inside):
    """The held one bars the other by their lock, and cannot be put back beside it."""
    store.add_deliveries([v.delivery("delivery_1")])
    inside.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
    inside.execute("SELECT procrastinate_fetch_job_v2('{bankbridge}', id) FROM procrastinate_workers")
    store.add_deliveries([v.delivery("delivery_2")])
    assert [status for *_, status in jobs(inside)] == ["doing", "todo"]
    with running(sweeping, Recording(store)):
        wait_until(lambda: jobs(inside) == [] and workers(inside) == 1)
    assert store.transact(lambda tx: tx.waiting_deliveries(limit=1)) == []
