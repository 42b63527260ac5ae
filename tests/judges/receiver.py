"""An application's webhook endpoint that a judge in another process can ask what came."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bankbridge.emulation import Server

PATIENCE = 20.0


@contextmanager
def receiving(signature_header: str) -> Iterator[str]:
    """The address of a server: ``POST /hook`` takes a delivery, ``GET /deliveries?count=N`` waits for N of them."""
    taken: list[dict[str, str]] = []
    came = asyncio.Condition()

    async def take(request: Request) -> Response:
        body = (await request.body()).decode()
        async with came:
            taken.append({"signature": request.headers[signature_header], "body": body})
            came.notify_all()
        return Response()

    async def show(request: Request) -> Response:
        count = int(request.query_params["count"])
        async with came, asyncio.timeout(PATIENCE):
            await came.wait_for(lambda: len(taken) >= count)
        return JSONResponse(taken)

    routes = [Route("/hook", take, methods=["POST"]), Route("/deliveries", show)]
    with Server(Starlette(routes=routes)) as server:
        yield server.url
