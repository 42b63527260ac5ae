import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bankbridge.emulation import Background, LostResponse, PortInUseError, Server, ServerError


async def hello(_request: Request) -> Response:
    return PlainTextResponse(threading.current_thread().name)


async def lose(_request: Request) -> Response:
    return LostResponse()


def make_app(events: list[str]) -> Starlette:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        events.append("up")
        yield
        events.append("down")

    return Starlette(routes=[Route("/", hello), Route("/lost", lose)], lifespan=lifespan)


def test_it_listens_while_it_is_entered_and_runs_the_lifespan():
    events: list[str] = []
    with Server(make_app(events)) as server:
        assert events == ["up"]
        answer = httpx.get(server.url)
        assert answer.status_code == 200
        assert answer.text != threading.current_thread().name
    assert events == ["up", "down"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)


async def test_it_is_an_async_context_manager_too():
    events: list[str] = []
    async with Server(make_app(events)) as server, httpx.AsyncClient() as client:
        assert (await client.get(server.url)).status_code == 200
    assert events == ["up", "down"]


def test_a_port_in_use_is_said_plainly_and_the_first_server_goes_on():
    with Server(make_app([])) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(PortInUseError, match=f"port {port} on 127.0.0.1 is in use"):
            Server(make_app([]), port=port).start()
        assert httpx.get(server.url).status_code == 200


def test_it_starts_again_on_the_same_port():
    server = Server(make_app([]))
    with server:
        url = server.url
    with server:
        assert server.url == url
        assert httpx.get(url).status_code == 200


def test_an_answer_that_is_under_way_at_the_end_is_no_error_of_the_applications(caplog):
    asked = threading.Event()

    async def never(_request: Request) -> Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    server = Server(Starlette(routes=[Route("/", never)]))
    server.start()

    def ask() -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(server.url)

    client = threading.Thread(target=ask)
    client.start()
    asked.wait()
    server.stop()
    client.join()
    assert not [record for record in caplog.records if record.exc_info]


def test_starting_twice_is_an_error_and_stopping_twice_is_not():
    with Server(make_app([])) as server:
        with pytest.raises(ServerError, match="is running already"):
            server.start()
        server.stop()


def test_without_a_start_there_is_no_address():
    with pytest.raises(ServerError, match="start it first"):
        _ = Server(make_app([])).url


def test_an_address_of_the_newer_kind_is_written_as_a_browser_wants_it():
    assert Server(make_app([]), host="::1", port=8101).url == "http://[::1]:8101"


def test_an_application_that_fails_to_start_is_an_error():
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        raise RuntimeError("no")
        yield

    with pytest.raises(ServerError, match="lifespan startup"):
        Server(Starlette(lifespan=lifespan)).start()


def test_a_lost_response_closes_the_connection_before_the_first_byte():
    with Server(make_app([])) as server, httpx.Client(base_url=server.url) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            client.get("/lost")
        assert client.get("/").status_code == 200


async def test_elsewhere_a_lost_response_is_a_broken_connection():
    transport = httpx.ASGITransport(make_app([]))
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
        with pytest.raises(ConnectionResetError, match="the answer is lost"):
            await client.get("/lost")


def test_background_runs_calls_in_the_loop_of_the_server_and_directly_without_one():
    background = Background()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        async with background.running():
            yield

    def where() -> str:
        return threading.current_thread().name

    here = where()
    assert background.call(where) == here
    with Server(Starlette(routes=[Route("/", hello)], lifespan=lifespan)) as server:
        assert background.is_running
        assert background.call(where) == httpx.get(server.url).text != here
        with pytest.raises(ZeroDivisionError):
            background.call(lambda: 1 // 0)
    assert not background.is_running
    assert background.call(where) == here
