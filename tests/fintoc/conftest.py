"""Emulators of Fintoc that are being served, and receivers for their webhooks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from bankbridge.emulation import Clock, Server
from bankbridge_fintoc.emulator import create_emulator
from tests.fintoc.served import NOON, Fintoc, Receiver, client_of


@pytest.fixture(scope="module")
def leave():
    """Stop a server beside the next tests: it takes uvicorn a while to notice."""
    with ThreadPoolExecutor() as pool:
        stopping = []
        yield lambda server: stopping.append(pool.submit(server.stop))
    for stopped in stopping:
        stopped.result()


@pytest.fixture
def serve(leave):
    """Start a Fintoc with the given switches; time stands still but for `advance`."""
    with ExitStack() as stack:

        def start(*, seed: int = 0, timings=None, faults=None, **switches: str) -> Fintoc:
            clock = Clock(start=NOON, speed=0)
            emulator = create_emulator(
                clock, seed=seed, switches=switches, timings=timings, faults=faults or {}
            )
            server = Server(emulator.app)
            server.start()
            stack.callback(leave, server)
            headers = {"Authorization": emulator.secret_key}
            return Fintoc(emulator, stack.enter_context(client_of(server, headers)))

        yield start


@pytest.fixture
def fintoc(serve) -> Fintoc:
    return serve()


@pytest.fixture(scope="module")
def receivers() -> Iterator[tuple[str, dict[str, Receiver]]]:
    """The address of a server, and who takes what comes to each path of it."""
    takers: dict[str, Receiver] = {}

    async def take(request):
        return await takers[request.url.path].take(request)

    with Server(Starlette(routes=[Route("/{name}", take, methods=["POST"])])) as server:
        yield server.url, takers


@pytest.fixture
def receiver(receivers) -> Receiver:
    url, takers = receivers
    path = f"/{len(takers)}"
    return takers.setdefault(path, Receiver(url=url + path))
