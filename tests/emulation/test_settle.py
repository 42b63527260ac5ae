"""An emulator comes to rest: what was due has been done, and nothing more happens until the clock moves."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bankbridge.emulation import (
    Background,
    Clock,
    Endpoint,
    Faults,
    Server,
    ServerError,
    WebhookSender,
    sign_hmac_v1,
)
from tests.emulation.receiver import Receiver

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Chain:
    """An emulator of nothing: a minute after each act the next one follows, by way of several tasks and turns."""

    def __init__(self, url: str) -> None:
        self.clock = Clock(start=START, speed=0)
        self.background = Background()
        self.sender = WebhookSender(clock=self.clock, sign=sign_hmac_v1("X-Signature"))
        self.acts: list[int] = []
        self.url = url
        self.app = Starlette(routes=[Route("/settle", self.settle_inside)], lifespan=self._lifespan)

    def settle(self, timeout: timedelta = timedelta(seconds=10)) -> None:
        self.background.settle(self.sender.is_quiet, timeout)

    async def settle_inside(self, _request: Request) -> Response:
        with pytest.raises(ServerError, match="cannot wait for itself"):
            self.settle()
        return PlainTextResponse("refused")

    def act(self) -> None:
        self.background.call(lambda: self.background.spawn(self._act(1)))

    async def _act(self, number: int) -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        self.acts.append(number)
        body = b'{"id": "evt_%d", "type": "acted"}' % number
        self.sender.send(Endpoint(id="we_1", url=self.url, secret="s"), body)
        await self.clock.sleep(MINUTE)
        self.background.spawn(self._act(number + 1))

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncGenerator[None]:
        async with self.background.running():
            yield
        await self.sender.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def chain(receiver: Receiver) -> Iterator[Chain]:
    chain = Chain(receiver.url)
    with Server(chain.app):
        yield chain


def test_what_is_due_is_done_and_answered_and_not_more(chain, receiver):
    chain.act()
    chain.settle()
    assert chain.acts == [1]
    for number in range(2, 30):
        assert chain.clock.next_at() == START + (number - 1) * MINUTE
        chain.clock.advance(MINUTE)
        chain.settle()
        assert chain.acts == list(range(1, number + 1))
        assert [one.status for one in chain.sender.deliveries] == [200] * number
    assert len(receiver.received) == 29


def test_a_retry_that_is_not_due_is_not_waited_for():
    with Receiver(500) as receiver:
        chain = Chain(receiver.url)
        with Server(chain.app):
            chain.act()
            chain.settle()
            assert [one.status for one in chain.sender.deliveries] == [500]
            assert chain.clock.next_at() == START + timedelta(seconds=3)
            chain.clock.advance(timedelta(seconds=3))
            chain.settle()
            assert [one.status for one in chain.sender.deliveries] == [500, 200]


def test_a_delayed_webhook_is_not_waited_for(chain):
    where = Endpoint(id="we_1", url=chain.url, secret="s")
    late = Faults(delay=MINUTE)
    chain.background.call(lambda: chain.sender.send(where, b'{"id": "evt_1", "type": "late"}', faults=late))
    chain.settle()
    assert chain.sender.deliveries == ()


def test_several_threads_may_wait_at_once(chain):
    chain.act()
    threads = [threading.Thread(target=chain.settle) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.status for one in chain.sender.deliveries] == [200]


def test_an_emulator_that_nobody_serves_is_at_rest(receiver):
    Chain(receiver.url).settle()


def test_it_does_not_wait_for_ever():
    is_answered = threading.Event()

    async def hang(_request: Request) -> Response:
        await asyncio.to_thread(is_answered.wait)
        return Response()

    with Server(Starlette(routes=[Route("/hook", hang, methods=["POST"])])) as slow:
        chain = Chain(f"{slow.url}/hook")
        with Server(chain.app):
            chain.act()
            with pytest.raises(TimeoutError, match=r"not come to rest in 0\.01 s"):
                chain.settle(timedelta(seconds=0.01))
            is_answered.set()
            chain.settle()
            assert [one.status for one in chain.sender.deliveries] == [200]


def test_it_cannot_wait_inside_its_own_loop(chain):
    with Server(chain.app) as server:
        assert httpx.get(f"{server.url}/settle").text == "refused"


async def test_under_another_server_it_says_what_it_needs(receiver):
    chain = Chain(receiver.url)
    async with chain.background.running():
        with pytest.raises(ServerError, match=r"serve with bankbridge\.emulation\.Server"):
            await asyncio.to_thread(chain.settle)


async def test_the_clock_tells_the_earliest_moment_that_anybody_waits_for():
    clock = Clock(start=START, speed=0)
    assert clock.next_at() is None
    tasks = [asyncio.create_task(clock.sleep(minutes * MINUTE)) for minutes in (3, 1, 2)]
    await asyncio.sleep(0)
    assert clock.next_at() == START + MINUTE
    assert not clock.is_overdue()
    clock.advance(MINUTE)
    assert clock.is_overdue()
    await tasks[1]
    assert clock.next_at() == START + 2 * MINUTE
    assert not clock.is_overdue()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert clock.next_at() is None
