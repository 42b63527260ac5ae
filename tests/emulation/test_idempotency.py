import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bankbridge.emulation import Answer, Clock, IdempotencyConflictError, IdempotencyKeys


class Counting:
    """Something that answers with a status and counts how often it was done."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = statuses
        self.times = 0

    async def __call__(self) -> Answer:
        self.times += 1
        number = self.times
        await asyncio.sleep(0)
        return Answer(self.statuses[min(number, len(self.statuses)) - 1], f"{number}".encode())


@pytest.mark.parametrize("status", [200, 201, 400, 404, 422, 500, 503])
async def test_the_first_answer_is_given_again_success_or_failure(status):
    keys, make = IdempotencyKeys(), Counting(status)
    first = await keys.once("key", b"body", make)
    assert await keys.once("key", b"body", make) == first == Answer(status, b"1")
    assert make.times == 1


@pytest.mark.parametrize("status", [401, 429])
async def test_a_request_turned_away_at_the_door_may_come_again(status):
    keys, make = IdempotencyKeys(), Counting(status, 201)
    assert (await keys.once("key", b"body", make)).status == status
    assert (await keys.once("key", b"body", make)).status == 201


async def test_the_same_key_with_another_request_is_a_conflict():
    keys, make = IdempotencyKeys(), Counting(201)
    await keys.once("key", b"body", make)
    with pytest.raises(IdempotencyConflictError, match="take a new key"):
        await keys.once("key", b"other", make)
    assert make.times == 1


async def test_other_keys_and_no_key_are_other_requests():
    keys, make = IdempotencyKeys(), Counting(201)
    for key in ("a", "b", None, None):
        await keys.once(key, b"body", make)
    assert make.times == 4


async def test_two_at_the_same_time_are_done_once():
    keys, make = IdempotencyKeys(), Counting(201)
    answers = await asyncio.gather(*(keys.once("key", b"body", make) for _ in range(5)))
    assert make.times == 1
    assert {answer.body for answer in answers} == {b"1"}


@pytest.mark.parametrize(("status", "times"), [(401, 2), (429, 1), (500, 1)])
async def test_what_is_not_stored_is_the_providers_to_say(status, times):
    keys, make = IdempotencyKeys(unstored={401}), Counting(status)
    for _ in range(2):
        await keys.once("key", b"body", make)
    assert make.times == times


async def test_a_key_is_forgotten_when_its_time_is_over_on_the_virtual_clock():
    clock = Clock(start=datetime(2026, 6, 3, 15, 0, tzinfo=UTC), speed=0)
    keys, make = IdempotencyKeys(clock=clock, keeps_for=timedelta(hours=24)), Counting(201)
    await keys.once("old", b"body", make)
    clock.advance(timedelta(hours=12))
    await keys.once("new", b"body", make)
    clock.advance(timedelta(hours=12) - timedelta(microseconds=1))
    assert (await keys.once("old", b"body", make)).body == b"1"
    clock.advance(timedelta(microseconds=1))
    assert (await keys.once("new", b"body", make)).body == b"2"
    assert (await keys.once("old", b"other", make)).body == b"3"
    assert set(keys._stored) == set(keys._locks) == {"new", "old"}


async def test_a_request_that_outlives_the_key_is_still_done_once():
    clock = Clock(start=datetime(2026, 6, 3, 15, 0, tzinfo=UTC), speed=0)
    keys, make = IdempotencyKeys(clock=clock, keeps_for=timedelta(hours=24)), Counting(201)
    await keys.once("key", b"body", make)
    clock.advance(timedelta(hours=25))
    answers = await asyncio.gather(*(keys.once("key", b"body", make) for _ in range(5)))
    assert {answer.body for answer in answers} == {b"2"}


def test_a_time_without_a_clock_is_refused():
    with pytest.raises(ValueError, match="clock and keeps_for go together"):
        IdempotencyKeys(keeps_for=timedelta(hours=24))
