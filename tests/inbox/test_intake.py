"""Deliveries that come together share a commit, and each is told of its own."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from bankbridge.shells import intake
from bankbridge.shells.intake import AsyncIntake, Intake
from bankbridge.store import StoredDelivery
from bankbridge.store.memory import MemoryStore
from bankbridge.words.errors import StoreUnavailableError
from tests.stages import COLOURS
from tests.store import values as v

PATIENCE_SECONDS = 60


class SlowStore(MemoryStore):
    """A store whose commits take until the test says so, and fail if it says so."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[list[str]] = []
        self.errors: list[BaseException | None] = []
        self.go_on = threading.Semaphore(0)

    def add_deliveries(self, stored: Sequence[StoredDelivery]) -> Sequence[bool]:
        self.groups.append([one.id for one in stored])
        assert self.go_on.acquire(timeout=PATIENCE_SECONDS)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        return super().add_deliveries(stored)


class Crowd:
    """Many who put something in at once, in either colour: threads, or tasks of one loop in a thread."""

    def __init__(self, colour: str, store: SlowStore) -> None:
        self.store = store
        self._came = 0
        self._loop = asyncio.new_event_loop() if colour == "async" else None
        self._pool = ThreadPoolExecutor(max_workers=30)
        if self._loop is None:
            self._intake: Intake | AsyncIntake = Intake(store)
        else:
            self._thread = threading.Thread(target=self._loop.run_forever)
            self._thread.start()
            self._intake = AsyncIntake(store)

    def put(self, *names: str) -> "list[Future[bool]]":
        """Put these in; return when they wait for a commit."""
        answers: list[Future[bool]] = []
        for name in names:
            stored = v.delivery(name)
            if isinstance(self._intake, Intake):
                answers.append(self._pool.submit(self._intake.put, stored))
            else:
                assert self._loop is not None
                answers.append(asyncio.run_coroutine_threadsafe(self._intake.put(stored), self._loop))
            # One after the other, so that the test knows who leads.
            self._came += 1
            until(lambda: len(self._waiting()) == self._came)
        return answers

    def let(self, commits: int = 1) -> None:
        """Let so many commits come to their end."""
        self.store.go_on.release(commits)

    def close(self) -> None:
        self.let(1000)
        self._pool.shutdown()
        if self._loop is not None:
            assert isinstance(self._intake, AsyncIntake)
            self._intake.close()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _waiting(self) -> list[str]:
        """All that are, or have been, in a commit or wait for the next."""
        group = self._intake._open
        left = [] if group is None else [stored.id for stored in group.stored]
        return [name for group in self.store.groups for name in group] + left


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.001)


@pytest.fixture(params=COLOURS)
def crowd(request):
    found = Crowd(request.param, SlowStore())
    yield found
    found.close()


def answers(futures):
    return [future.result(timeout=PATIENCE_SECONDS) for future in futures]


def test_one_alone_is_committed_at_once(crowd):
    first = crowd.put("d_1")
    until(lambda: crowd.store.groups == [["d_1"]])
    crowd.let()
    assert answers(first) == [True]
    crowd.let()
    assert answers(crowd.put("d_1")) == [False]


def test_who_comes_during_a_commit_shares_the_next(crowd):
    first = crowd.put("d_1")
    until(lambda: len(crowd.store.groups) == 1)
    others = crowd.put("d_2", "d_1", "d_3", "d_3")
    assert crowd.store.groups == [["d_1"]]
    assert not any(future.done() for future in [*first, *others])
    crowd.let()
    assert answers(first) == [True]
    until(lambda: crowd.store.groups == [["d_1"], ["d_2", "d_1", "d_3", "d_3"]])
    assert not any(future.done() for future in others)
    crowd.let()
    assert answers(others) == [True, False, True, False]


def test_a_commit_that_fails_answers_its_group_and_nobody_else(crowd):
    crowd.store.errors = [StoreUnavailableError("store: down")]
    first = crowd.put("d_1")
    until(lambda: len(crowd.store.groups) == 1)
    others = crowd.put("d_2", "d_3")
    crowd.let()
    with pytest.raises(StoreUnavailableError):
        answers(first)
    crowd.store.errors = [ValueError("a mistake")]
    crowd.let()
    for future in others:
        with pytest.raises(ValueError, match="a mistake"):
            answers([future])
    crowd.let()
    assert answers(crowd.put("d_4")) == [True]
    assert [stored.id for stored in crowd.store.transact(lambda tx: tx.waiting_deliveries(limit=9))] == [
        "d_4"
    ]


def test_a_group_has_an_end(crowd, monkeypatch):
    monkeypatch.setattr(intake, "LARGEST_GROUP", 3)
    first = crowd.put("d_0")
    until(lambda: len(crowd.store.groups) == 1)
    names = [f"d_{number}" for number in range(1, 4)]
    others = crowd.put(*names)
    crowd.store.go_on.release(1000)
    more = [future for number in range(4, 20) for future in crowd.put(f"d_{number}")]
    assert answers([*first, *others, *more]) == [True] * 20
    assert max(map(len, crowd.store.groups)) <= 3


def test_an_outage_is_logged_when_it_begins_and_when_it_is_over(crowd, caplog):
    crowd.let(1000)
    for _ in range(3):
        crowd.store.errors = [StoreUnavailableError("store: it is down")]
        with pytest.raises(StoreUnavailableError):
            answers(crowd.put("d_1"))
    answers(crowd.put("d_2"))
    answers(crowd.put("d_3"))
    assert [record.getMessage() for record in caplog.records] == [
        "deliveries cannot be stored and are told to come back later: store: it is down",
        "deliveries are stored again; 3 were told to come back later meanwhile",
    ]


# --- what only one colour can get wrong


def test_nobody_waits_for_a_leader_that_was_interrupted():
    store = SlowStore()
    crowd = Crowd("blocking", store)
    first = crowd.put("d_1")
    until(lambda: len(store.groups) == 1)
    others = crowd.put("d_2", "d_3")
    store.errors = [None, KeyboardInterrupt()]
    crowd.close()
    assert answers(first) == [True]
    assert [type(future.exception()) for future in others] == [KeyboardInterrupt, StoreUnavailableError]


async def test_what_keeps_the_loop_s_threads_busy_does_not_hold_it_up():
    gate = threading.Event()
    others = [asyncio.create_task(asyncio.to_thread(gate.wait, PATIENCE_SECONDS)) for _ in range(100)]
    intake = AsyncIntake(MemoryStore())
    assert await intake.put(v.delivery("d_1"))
    gate.set()
    assert all(await asyncio.gather(*others))
    intake.close()


async def test_who_is_canceled_takes_nobody_along():
    store = SlowStore()
    intake = AsyncIntake(store)
    one, other = (asyncio.create_task(intake.put(v.delivery(name))) for name in ("d_1", "d_2"))
    await asyncio.to_thread(until, lambda: len(store.groups) == 1)
    one.cancel()
    store.go_on.release()
    assert await other is True
    assert store.groups == [["d_1", "d_2"]]
    with pytest.raises(asyncio.CancelledError):
        await one


if sys.version_info >= (3, 12):

    async def test_in_a_loop_whose_tasks_begin_at_once():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        intake = AsyncIntake(MemoryStore())
        puts = [asyncio.create_task(intake.put(v.delivery(f"d_{number % 30}"))) for number in range(60)]
        assert (await asyncio.gather(*puts)).count(True) == 30


# --- in any store


@pytest.mark.parametrize("colour", COLOURS)
def test_many_at_once_lose_nothing(store, colour):
    """Each of 200 deliveries comes twice; one of the two is new, and all are there."""
    stored = [v.delivery(f"d_{number % 200}") for number in range(400)]
    if colour == "blocking":
        intake = Intake(store)
        with ThreadPoolExecutor(max_workers=16) as pool:
            new = list(pool.map(intake.put, stored))
    else:
        new = asyncio.run(_all(AsyncIntake(store), stored))
    assert new.count(True) == 200
    kept = store.transact(lambda tx: tx.waiting_deliveries(limit=1000))
    assert {one.id for one in kept} == {f"d_{number}" for number in range(200)}


async def _all(intake: AsyncIntake, stored: Sequence[StoredDelivery]) -> list[bool]:
    return await asyncio.gather(*map(intake.put, stored))
