"""What only the embedded engine promises: shares of the conversations, pauses, and what a bug leaves behind."""

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from bankbridge import Policy
from bankbridge.engine import shift
from bankbridge.engine.embedded import Embedded
from bankbridge.store.memory import MemoryStore
from bankbridge.words.errors import StaleVersionError, StoreUnavailableError
from tests.engine.bank import PATIENCE, Bank
from tests.engine.conftest import LATER, Kind, Place, working
from tests.engine.recording import InLoop, Recording
from tests.engine.test_contract import until
from tests.stages import COLOURS
from tests.store import values as v

EVERY = timedelta(seconds=0.01)


@contextmanager
def run(engine, work, colour):
    """The engine at work in a thread; its run comes out."""

    def go():
        return engine.run(work) if colour == "blocking" else asyncio.run(engine.run_async(InLoop(work)))

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(go)
        try:
            yield running
        finally:
            if not running.done():
                engine.stop()


def add(store, name, wait=timedelta(0)):
    link = v.with_link(store, v.link(f"link_of_{name}"))
    store.transact(lambda tx: tx.add_intent(v.waking(v.intent(name, link), datetime.now(UTC) + wait)))


def failing(what, error, *, times=10**6):
    """What hurts so often when this is done, and how often it was tried."""
    tried = []

    def hurt(done):
        if done == what:
            tried.append(done)
            if len(tried) <= times:
                raise error

    return hurt, tried


@pytest.fixture
def pauses(monkeypatch):
    """The pauses after failures, which take no time here."""
    seen = []

    def uniform(low, high):
        seen.append((low, high))
        return 0.01

    monkeypatch.setattr(random, "uniform", uniform)
    return seen


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "bankbridge"]


@pytest.mark.parametrize("colour", COLOURS)
def test_what_fails_is_said_once_and_tried_until_it_works(caplog, pauses, colour):
    hurt, tried = failing("look", StoreUnavailableError("store: away"), times=8)
    engine, work = Embedded(every=EVERY), Recording(MemoryStore(), hurt=hurt)
    add(work.store, "intent_1")
    with run(engine, work, colour):
        work.until("performed", "intent_1")
    assert lines(caplog) == [
        "engine: cannot read the store: StoreUnavailableError: store: away; trying again",
        "engine: can read the store again, after 8 failed tries",
    ]
    assert pauses == [(0.5, 1)] * 8
    assert len(tried) >= 9


def test_pauses_grow_and_end_somewhere(pauses):
    outage = shift.Outage("do it", clock=lambda: 7.0)
    longest = []
    for _ in range(40):
        outage.began(StoreUnavailableError("away"))
        longest.append(outage.left / timedelta(seconds=0.01))
    assert [round(one, 1) for one in longest[:5]] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert longest[-1] == pytest.approx(15, abs=0.5)
    outage.ended()
    assert outage.left == timedelta(0)


@pytest.mark.parametrize("colour", COLOURS)
def test_deliveries_that_cannot_be_drained_keep_nobody_asleep(caplog, pauses, colour):
    hurt, _ = failing("drain", StaleVersionError("delivery d_1: poison"))
    engine, work = Embedded(every=EVERY), Recording(MemoryStore(), hurt=hurt)
    work.store.add_deliveries([v.delivery("d_1")])
    with run(engine, work, colour) as running:
        for name in ("intent_1", "intent_2"):
            add(work.store, name)
            work.until("performed", name)
        assert not running.done()
    assert lines(caplog) == [
        "engine: cannot drain deliveries: StaleVersionError: delivery d_1: poison; trying again"
    ]


@pytest.mark.parametrize("colour", COLOURS)
def test_what_goes_wrong_with_one_intent_is_its_own_matter(caplog, colour):
    hurt, tried = failing("perform", StaleVersionError("somebody was first"), times=1)
    engine, work = Embedded(every=EVERY), Recording(MemoryStore(), hurt=hurt)
    add(work.store, "intent_1")
    with run(engine, work, colour):
        until(lambda: tried)
        add(work.store, "intent_2")
        work.until("performed", "intent_2")
    assert lines(caplog) == ["intent intent_1: StaleVersionError: somebody was first"]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_store_that_fails_under_a_conversation_is_left_alone(caplog, pauses, colour):
    hurt, tried = failing("perform", StoreUnavailableError("store: away"), times=1)
    engine, work = Embedded(every=EVERY), Recording(MemoryStore(), hurt=hurt)
    add(work.store, "intent_1")
    with run(engine, work, colour):
        until(lambda: tried)
        add(work.store, "intent_2")
        work.until("performed", "intent_2")
    assert lines(caplog)[0].startswith("engine: cannot read the store: StoreUnavailableError")


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("what", ["look", "drain", "claim", "perform"])
def test_a_bug_ends_the_run_wherever_it_is(what, colour):
    hurt, _ = failing(what, LookupError("a bug"))
    engine, work = Embedded(every=EVERY), Recording(MemoryStore(), hurt=hurt)
    add(work.store, "intent_1")
    work.store.add_deliveries([v.delivery("d_1")])
    with run(engine, work, colour) as running, pytest.raises(LookupError, match="a bug"):
        running.result(PATIENCE)
    assert not engine.is_at_work


def test_no_bug_is_lost():
    meet = threading.Barrier(2)

    def hurt(what):
        if what == "perform":
            meet.wait(PATIENCE)
            raise LookupError("a bug")

    work = Recording(MemoryStore(), hurt=hurt)
    for name in ("intent_1", "intent_2"):
        add(work.store, name)
    with pytest.raises((ExceptionGroup, LookupError)) as error:
        Embedded(every=EVERY).run(work)
    # Together, or the second while the first was on its way out.
    bugs = getattr(error.value, "exceptions", (error.value, error.value.__context__))
    assert [str(bug) for bug in bugs] == ["a bug", "a bug"]


async def test_canceled_it_breaks_off_what_is_under_way():
    begun, broken = asyncio.Event(), []

    class Endless(InLoop):
        async def perform(self, claim):
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                broken.append(claim.intent_id)
                raise

    work = Recording(MemoryStore())
    add(work.store, "intent_1")
    running = asyncio.create_task(Embedded(every=EVERY).run_async(Endless(work)))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, PATIENCE)
    assert broken == ["intent_1"]


@pytest.mark.parametrize("colour", COLOURS)
def test_it_looks_when_the_next_is_due_and_else_only_so_often(colour):
    looks = []
    work = Recording(MemoryStore(), hurt=lambda what: looks.append(what) if what == "look" else None)
    for number in range(50):
        add(work.store, f"waiting_{number}", timedelta(hours=2))
    add(work.store, "intent_1", timedelta(seconds=0.2))
    threads = threading.active_count()
    with run(Embedded(every=timedelta(hours=1)), work, colour):
        until(lambda: looks)
        assert threading.active_count() <= threads + 1, "what waits costs no thread"
        work.until("performed", "intent_1")
    assert len(looks) <= 8, "and no look of its own"


@pytest.mark.parametrize("colour", COLOURS)
def test_a_slow_provider_delays_only_itself(served, colour):
    served.bank = bank = Bank()
    store = MemoryStore()
    kind = Kind(lambda: store, lambda _: Embedded(every=EVERY, concurrency=2), None)
    with ExitStack() as stack:
        place = Place(kind, colour, served, stack)
        bridge = place.bridge({"slow": Policy(timing=LATER), "quick": Policy(timing=LATER)})
        slow, quick = (
            [place.refresh(bridge, number, connection) for number in range(5)]
            for connection in ("slow", "quick")
        )
        for intent in (*slow, *quick):
            place.wakes(intent, timedelta(0))
        bank.closed.add("slow")
        with working(bridge):
            bank.until(lambda: {one.attempt.refresh_id for one in quick} <= set(bank.polls()))
            assert bank.waiting == 2
            assert len(bank.polls()) == len(quick) + 2
            bank.open()
            bank.until(lambda: len(bank.polls()) == len(slow) + len(quick))
