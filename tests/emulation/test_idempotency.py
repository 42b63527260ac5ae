import asyncio

import pytest

from bankbridge.emulation import Answer, IdempotencyConflictError, IdempotencyKeys


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
