import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bankbridge.emulation import Clock, Endpoint, Faults, RetrySchedule, WebhookSender, sign_hmac_v1
from bankbridge.emulation.posting import MOST_AT_ONCE
from tests.emulation.receiver import Receiver

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
SECRET = "whsec_test_0123456789abcdef"


def event(number: int = 1) -> bytes:
    return json.dumps({"id": f"evt_{number}", "type": "thing.happened"}).encode()


def endpoint(url: str) -> Endpoint:
    return Endpoint(id="we_1", url=url, secret=SECRET)


@pytest.fixture
def clock() -> Clock:
    return Clock(start=START, speed=0)


@pytest.fixture
async def sender(clock: Clock) -> AsyncGenerator[WebhookSender]:
    sender = WebhookSender(clock=clock, sign=sign_hmac_v1("X-Signature"))
    yield sender
    await sender.close()


async def tries(sender: WebhookSender, count: int) -> list[Any]:
    """The tries, once there are ``count``: a receiver hears of a try before the sender has its answer."""
    while len(sender.deliveries) < count:  # noqa: ASYNC110 - a test may spin, a sender needs no event for it
        await asyncio.sleep(0)
    return list(sender.deliveries)


async def test_a_delivery_is_signed_with_the_whole_secret_over_the_raw_body(sender, clock):
    with Receiver() as receiver:
        sender.send(endpoint(receiver.url), event())
        await sender.drain()
    (received,) = receiver.received
    unix = int(START.timestamp())
    digest = hmac.new(SECRET.encode(), f"{unix}.".encode() + event(), hashlib.sha256).hexdigest()
    assert received.body == event()
    assert received.headers["x-signature"] == f"t={unix},v1={digest}"
    assert received.headers["content-type"] == "application/json"
    assert [(d.event_id, d.attempt, d.status, d.at) for d in sender.deliveries] == [("evt_1", 1, 200, START)]


async def test_a_failure_is_tried_again_after_3_6_12_seconds_with_a_new_timestamp(sender, clock):
    with Receiver(500, 404, 302) as receiver:
        sender.send(endpoint(receiver.url), event())
        await sender.drain()
        for number, wait in enumerate((3, 6, 12), start=2):
            clock.advance(timedelta(seconds=wait))
            await tries(sender, number)
        await sender.drain()
    assert [delivery.status for delivery in sender.deliveries] == [500, 404, 302, 200]
    assert [(delivery.at - START).seconds for delivery in sender.deliveries] == [0, 3, 9, 21]
    assert len({received.headers["x-signature"] for received in receiver.received}) == 4


async def test_after_the_last_retry_it_gives_up(clock):
    sender = WebhookSender(clock=clock, sign=sign_hmac_v1("X-Signature"), schedule=RetrySchedule(retries=2))
    with Receiver(500, 500, 500, 500) as receiver:
        sender.send(endpoint(receiver.url), event())
        for number in (1, 2, 3):
            await tries(sender, number)
            clock.advance(timedelta(days=1))
        await sender.drain()
    assert not sender._tasks
    await sender.close()
    assert [delivery.attempt for delivery in sender.deliveries] == [1, 2, 3]


def test_the_default_schedule_is_seventeen_retries_from_three_seconds_doubling():
    assert RetrySchedule() == RetrySchedule(first=timedelta(seconds=3), factor=2, retries=17)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/nobody", "http://\x00/"])
async def test_a_receiver_that_cannot_be_reached_is_a_try_without_a_status(sender, url):
    await sender.send(endpoint(url), event())
    assert [delivery.status for delivery in sender.deliveries] == [None]


async def test_faults_lost_twice_and_late(sender, clock):
    with Receiver() as receiver:
        where = endpoint(receiver.url)
        await sender.send(where, event(1), faults=Faults(lost=True))
        await sender.send(where, event(2), faults=Faults(copies=2))
        late = sender.send(where, event(3), faults=Faults(delay=timedelta(minutes=10)))
        await sender.drain()
        assert late.done()  # the one who waits may be the one to move the clock
        assert len(sender.deliveries) == 2
        clock.advance(timedelta(minutes=10))
        await tries(sender, 3)
    assert [received.event["id"] for received in receiver.received] == ["evt_2", "evt_2", "evt_3"]
    assert [(row["id"], row["lost"], row["statuses"]) for row in sender.report()] == [
        ("evt_1", True, []),
        ("evt_2", False, [200, 200]),
        ("evt_3", False, [200]),
    ]


async def test_the_future_is_done_when_the_first_try_was_answered_however(sender):
    with Receiver(500) as receiver:
        await sender.send(endpoint(receiver.url), event())
        assert len(receiver.received) == 1


async def test_close_gives_up_what_is_pending(sender):
    with Receiver(500) as receiver:
        await sender.send(endpoint(receiver.url), event())
        await sender.close()
    assert not sender._tasks
    await sender.drain()


def test_the_secret_stays_out_of_the_repr():
    assert SECRET not in repr(endpoint("http://127.0.0.1/"))


def test_it_agrees_with_a_vector_computed_elsewhere():
    body = (Path(__file__).parent / "signed_event.json").read_bytes().removesuffix(b"\n")
    assert sign_hmac_v1("Rail-Signature")(SECRET, body, 1780498845) == {
        "Rail-Signature": "t=1780498845,v1=d65e54ec7b613ff091c4df058628fbc385a16afe55e51606447efb45c611da8d"
    }


async def test_an_endpoint_that_hangs_keeps_no_other_from_its_events(sender):
    """More events than there are tries at once: the rest wait in line, but only in that line."""
    is_answered = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        await is_answered.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1") as hung:
        port = hung.sockets[0].getsockname()[1]
        where = Endpoint(id="we_hung", url=f"http://127.0.0.1:{port}/", secret=SECRET)
        for number in range(2 * MOST_AT_ONCE):
            sender.send(where, event(number))
        with Receiver() as receiver:
            await sender.send(endpoint(receiver.url), event())
            assert [one.status for one in sender.deliveries] == [200]
        assert not sender.is_quiet()
        is_answered.set()
        await sender.drain()
    assert [one.status for one in sender.deliveries] == [200] * (2 * MOST_AT_ONCE + 1)
