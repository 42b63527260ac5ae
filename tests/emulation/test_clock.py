import asyncio
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from bankbridge.emulation import Clock

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_a_stopped_clock_moves_only_when_advanced():
    clock = Clock(start=START, speed=0)
    assert clock.now() == START
    clock.advance(seconds(90))
    assert clock.now() == START + seconds(90)


def test_the_default_start_is_now_and_any_zone_becomes_utc():
    before = datetime.now(UTC)
    assert before <= Clock().now() <= datetime.now(UTC)
    clock = Clock(start=START.astimezone(timezone(timedelta(hours=-4))), speed=0)
    assert clock.now() == START
    assert clock.now().tzinfo is UTC


async def test_a_fast_clock_sleeps_hours_in_no_time():
    clock = Clock(start=START, speed=1e6)
    await clock.sleep(timedelta(hours=1))
    assert clock.now() >= START + timedelta(hours=1)


async def test_advance_wakes_those_whose_time_has_come_the_earliest_first():
    clock = Clock(start=START, speed=0)
    woken: list[int] = []

    async def sleep(number: int) -> None:
        await clock.sleep_until(START + seconds(number))
        woken.append(number)

    tasks = [asyncio.create_task(sleep(number)) for number in (30, 10, 20, 40)]
    await asyncio.sleep(0)
    clock.advance(seconds(30))
    await asyncio.gather(*tasks[:3])
    assert woken == [10, 20, 30]
    assert not tasks[3].done()
    clock.advance(seconds(10))
    await tasks[3]


async def test_who_sleeps_until_the_same_moment_wakes_in_the_order_of_lying_down():
    clock = Clock(start=START, speed=0)
    woken: list[int] = []

    async def sleep(number: int) -> None:
        await clock.sleep(seconds(10))
        woken.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(sleep(number))
        await asyncio.sleep(0)
        clock.advance(seconds(10))
    assert woken == list(range(100))


async def test_a_time_that_has_passed_is_not_waited_for():
    clock = Clock(start=START, speed=0)
    await clock.sleep_until(START - seconds(1))


async def test_a_canceled_sleeper_leaves_nothing_behind():
    clock = Clock(start=START, speed=0)
    task = asyncio.create_task(clock.sleep(seconds(1)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not clock._sleepers


def test_loops_in_several_threads_share_one_clock():
    clock = Clock(start=START, speed=0)
    threads = [threading.Thread(target=lambda: asyncio.run(clock.sleep(seconds(60)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        # A thread may ask for its minute after the first jump, so there may have to be another.
        clock.advance(seconds(60))
    for thread in threads:
        thread.join()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="without a time zone"):
        Clock(start=datetime(2026, 6, 3))  # noqa: DTZ001
    with pytest.raises(ValueError, match="cannot run backwards"):
        Clock(speed=-1)
    with pytest.raises(ValueError, match="only moves forward"):
        Clock().advance(seconds(-1))
